//! Densities as objectives: negative log-likelihood and gradient.
//!
//! Every density comes as the same five functions, here for the normal one: [`gaussian_nll`] is the reduced value,
//! [`gaussian_nll_sum_count`] its sum and count, [`gaussian_nll_each`] one value for each element, [`gaussian_nll_grad`] the
//! value with its gradient, [`gaussian_nll_grad_into`] the same with the gradient written to the caller's arrays
//! ([`shared_gaussian_nll`] has no such form).
//!
//! Arrays have any number of axes, one shape, and any layout. All constants are kept, so that values of different
//! densities on the same data compare. Gradients are taken by the parameters, and by the data where they are continuous.
//!
//! [`quasi_poisson_nll`] is no density but half a deviance. Where there is no density at all, [`imle`](imle()) moves the
//! nearest of some samples to the data.
//!
//! An element that a [`Weighted`](crate::Reduction::Weighted) reduction gives the weight zero is never looked at.

mod bernoulli;
mod density;
mod domain;
mod driver;
mod gaussian;
mod imle;
mod kernel;
mod poisson;
mod quasi_poisson;
mod shared_gaussian;
#[cfg(test)]
mod testing;
mod weighted_bernoulli;

pub use bernoulli::{
    bernoulli_nll, bernoulli_nll_each, bernoulli_nll_grad, bernoulli_nll_grad_into, bernoulli_nll_sum_count,
};
pub use gaussian::{
    GaussianArguments, gaussian_nll, gaussian_nll_each, gaussian_nll_grad, gaussian_nll_grad_into,
    gaussian_nll_sum_count,
};
pub use imle::{ImleLoss, imle, imle_grad};
pub use poisson::{poisson_nll, poisson_nll_each, poisson_nll_grad, poisson_nll_grad_into, poisson_nll_sum_count};

pub use quasi_poisson::{
    quasi_poisson_nll, quasi_poisson_nll_each, quasi_poisson_nll_grad, quasi_poisson_nll_grad_into,
    quasi_poisson_nll_sum_count,
};
pub use shared_gaussian::{
    SharedGaussianArguments, shared_gaussian_nll, shared_gaussian_nll_each, shared_gaussian_nll_grad,
    shared_gaussian_nll_sum_count,
};
pub use weighted_bernoulli::{
    weighted_bernoulli_nll, weighted_bernoulli_nll_each, weighted_bernoulli_nll_grad, weighted_bernoulli_nll_grad_into,
    weighted_bernoulli_nll_sum_count,
};

use density::{Density, density};
use domain::Domain;

/// `ln 2π`.
const LN_2_PI: f64 = 1.837_877_066_409_345_5;
