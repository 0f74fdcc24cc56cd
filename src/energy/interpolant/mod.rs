//! Stochastic interpolants: points between two samples with noise, and quadratic losses of the fields that move densities.

mod antithetic;
mod field;
mod gamma;
mod loss;

pub use antithetic::{AntitheticArguments, AntitheticGradient, AntitheticInterpolant};
pub use field::Field;
pub use gamma::Gamma;
pub use loss::{Interpolant, InterpolantArguments, InterpolantPath};
