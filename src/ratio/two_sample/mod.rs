//! Distances between two sets of samples, with gradients in the points: what a generator can be trained by without a
//! discriminator, and what tests whether two sets are of one distribution.
//!
//! | item | of | gradient in |
//! |---|---|---|
//! | [`Mmd`] | the means of both sides in the space of a kernel, or of a sum of [`RadialKernel`]s | points of both sides |
//! | [`energy_distance`] | mean distances between and within the sides | points of both sides |
//! | [`median_distance`] | all distances: the usual width of a kernel | |
//!
//! Points are `[n, d]` and `[m, d]`, in any dimension. Every pair is looked at, `(n + m)²` distances, in blocks: memory grows
//! with `n + m` alone. All is computed in `f64`, and the bits do not depend on the number of threads. On a line,
//! [`wasserstein_1d`](crate::transport::wasserstein_1d()) needs but a sort.

mod energy_distance;
mod kernel;
mod median_distance;
mod mmd;
mod sides;

pub use energy_distance::{energy_distance, energy_distance_grad};
pub use kernel::RadialKernel;
pub use median_distance::median_distance;
pub use mmd::{Mmd, MmdEstimator};

pub(super) use energy_distance::{gradient as energy_gradient, value as energy_value};
pub(super) use median_distance::median;

#[cfg(test)]
mod tests;
