//! Likelihood and preference objectives over [`ndarray`]: value and exact analytic gradient, in `f32` and `f64`.

mod check;
mod error;
mod parallel;
mod real;
mod reduction;
mod rows;
#[allow(unsafe_code)]
mod simd;
mod target;

pub mod diagnostics;
pub mod likelihood;
pub mod logits;
pub mod math;
pub mod preference;
pub mod prelude;
pub mod ratio;
pub mod sequence;
pub mod transport;

pub use error::{Error, Position, Result};
pub use ndarray;
pub use real::{Element, Real};
pub use reduction::{Parts, Reduction};
pub use target::Target;
