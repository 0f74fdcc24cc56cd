//! What a model is worth that one can only sample from: distances of the truth to its samples, and to what they spread over.
//!
//! | function | of | says |
//! |---|---|---|
//! | [`best_of_n`] | samples and truth | how near the best of them comes: average and final displacement |
//! | [`Amd`] | mixtures and truth | how far the truth is, in standard deviations |
//! | [`amv`] | mixtures | how widely they spread |
//! | [`kde_nll`] | samples and truth | how likely the truth is under a kernel density |
//! | [`SampleMetrics`] | samples and truth | all of these, with one Gaussian for each place |
//!
//! Samples are `[N, T, A, d]`: of N draws, at T times, for A agents, in d dimensions. The truth is `[T, A, d]`. All is
//! computed in `f64`.

mod amd;
pub(super) mod amv;
pub(super) mod best_of_n;
mod gauss_integral;
mod gaussian;
pub(super) mod kde;
mod metrics;
mod mixture;
mod points;
mod symmetric;

pub use amd::{Amd, AmdNormalizer};
pub use amv::{amv, amv_each};
pub use best_of_n::{BestOfN, best_of_n};
pub use gaussian::SampleGaussians;
pub use kde::kde_nll;
pub use metrics::{SampleMetrics, SampleScores};
pub use mixture::Mixtures;

#[cfg(test)]
mod tests;
