//! Transport where points have an order: on a line, on a circle, and along lines through more dimensions.

pub(super) mod circle;
pub(super) mod distance;
mod longest;
mod measure;
mod merge;
mod power;
mod root;
pub(super) mod sliced;
pub(super) mod slopes;
pub(super) mod wasserstein_1d;

pub use circle::{
    wasserstein_circle, wasserstein_circle_distance, wasserstein_circle_distance_grad, wasserstein_circle_grad,
};
pub use distance::{wasserstein_1d_distance, wasserstein_1d_distance_grad};
pub use measure::Measure;
pub use sliced::{MaxSlice, SlicedWasserstein, directions};
pub use slopes::{MeasureGradient, wasserstein_1d_grad};
pub use wasserstein_1d::wasserstein_1d;

#[cfg(test)]
mod tests;
