//! Densities as objectives: negative log-likelihood and gradient.
//!
//! Every density is a struct, with its hyper-parameters if it has any, and answers to the verbs of [`Density`]; its arguments
//! travel in a bundle with names. [`SharedGaussian`] has the same verbs as methods of its own, since its arguments differ in
//! shape. A density of one's own takes [a few lines](Density#examples).
//!
//! Arrays have any number of axes, one shape, and any layout. All constants are kept, so that values of different
//! densities on the same data compare. Gradients are taken by the parameters, and by the data where they are continuous.
//!
//! [`QuasiPoisson`] is no density but half a deviance. Where there is no density at all, [`imle`](imle()) moves the
//! nearest of some samples to the data.
//!
//! An element that a [`Weighted`](crate::Reduction::Weighted) reduction gives the weight zero is never looked at.

mod bernoulli;
mod bundle;
mod compiled;
mod density;
mod gaussian;
mod imle;
#[doc(hidden)]
pub mod loops;
mod pass;
mod poisson;
mod quasi_poisson;
mod shared_gaussian;
#[cfg(test)]
mod testing;
mod weighted_bernoulli;

pub use crate::pointwise::Domain;
pub use bernoulli::{Bernoulli, BernoulliArguments};
pub use bundle::Bundle;
pub use compiled::Compiled;
pub use density::Density;
pub use gaussian::{Gaussian, GaussianArguments};
pub use imle::{ImleLoss, imle, imle_grad};
pub use poisson::{Poisson, PoissonArguments};
pub use quasi_poisson::QuasiPoisson;
pub use shared_gaussian::{SharedGaussian, SharedGaussianArguments};
pub use weighted_bernoulli::{WeightedBernoulli, WeightedBernoulliArguments};

/// `ln 2π`.
const LN_2_PI: f64 = 1.837_877_066_409_345_5;
