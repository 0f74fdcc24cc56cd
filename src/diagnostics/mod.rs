//! What one watches while training.
//!
//! Diagnostics have no gradient: they say how a model's distribution changes while an objective falls.

mod largest;
mod token_stats;
mod top_k;

pub use token_stats::{TokenColumns, TokenMeans, TokenStats};
pub use top_k::{Normalisation, TopK, TopKStats};
