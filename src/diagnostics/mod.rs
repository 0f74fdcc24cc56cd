//! What one watches while training.
//!
//! Diagnostics have no gradient: they say how a model's distribution changes while an objective falls, and
//! [`SampleMetrics`] what it is worth where it has no density and one can only sample from it.

mod ches;
mod compiled;
mod displacement;
mod gradient_ratio;
mod largest;
mod pair_trend;
mod samples;
mod token_stats;
mod top_k;

pub use ches::Ches;
#[doc(hidden)]
pub use compiled::Compiled;
pub use displacement::{Displacement, displacement};
pub use gradient_ratio::log_gradient_ratio;
pub use pair_trend::{PairTrend, Trend};
pub use samples::{
    Amd, AmdNormalizer, BestOfN, Mixtures, SampleGaussians, SampleMetrics, SampleScores, amv, amv_each, best_of_n,
    kde_nll,
};
pub use token_stats::{TokenColumns, TokenMeans, TokenStats};
pub use top_k::{TopK, TopKNormalization, TopKStats};
