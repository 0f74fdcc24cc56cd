//! What one watches while training.
//!
//! Diagnostics have no gradient: they say how a model's distribution changes while an objective falls.

mod ches;
mod displacement;
mod gradient_ratio;
mod largest;
mod pair_trend;
mod token_stats;
mod top_k;

pub use ches::Ches;
pub use displacement::{Displacement, displacement};
pub use gradient_ratio::log_gradient_ratio;
pub use pair_trend::{PairTrend, Trend};
pub use token_stats::{TokenColumns, TokenMeans, TokenStats};
pub use top_k::{Normalisation, TopK, TopKStats};
