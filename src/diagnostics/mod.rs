//! What one watches while training.
//!
//! Diagnostics have no gradient: they say how a model's distribution changes while an objective falls.

mod largest;
mod top_k;

pub use top_k::{Normalisation, TopK, TopKStats};
