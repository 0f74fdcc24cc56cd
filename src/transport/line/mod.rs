//! Transport where points have an order: on a line, on a circle, and along lines through more dimensions.

mod circle;
mod measure;
mod merge;
mod power;
mod sliced;
mod slopes;
mod wasserstein_1d;

pub use circle::wasserstein_circle;
pub use measure::Measure;
pub use sliced::{MaxSlice, SlicedWasserstein, directions};
pub use slopes::{MeasureGradient, wasserstein_1d_grad};
pub use wasserstein_1d::wasserstein_1d;
