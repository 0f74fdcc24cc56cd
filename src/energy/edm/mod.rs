//! EDM: the loss and preconditioning of a denoiser, noise levels to train and to sample at, guidance along them.

mod guidance;
mod karras;
mod loss;
mod noise;

pub use guidance::GuidanceSchedule;
pub use karras::KarrasGrid;
pub use loss::{Edm, EdmArguments, EdmCoefficients};
pub use noise::LogNormalSigma;
