//! Generative adversarial networks (GANs): losses of critics, and of the generators that belong to them.

mod critics;
mod f_gan;
mod generator_loss;
mod hinge_gan;
mod least_squares_gan;
mod relativistic;
mod wasserstein_gan;

pub use f_gan::{CriticOutput, FGan};
pub use generator_loss::{GeneratorLoss, Pull};
pub use hinge_gan::HingeGan;
pub use least_squares_gan::LeastSquaresGan;
pub use relativistic::Relativistic;
pub(super) use relativistic::run as run_relativistic;
pub use wasserstein_gan::WassersteinGan;
