//! Recovery likelihood: energies of samples given noisier ones, and the model that proposes them.

mod contrast;
mod energy;
mod initializer;
mod langevin;

pub use contrast::{RecoveryContrast, RecoveryContrastArguments, RecoveryContrastGradient};
pub use energy::{RecoveryArguments, RecoveryEnergy, RecoveryGradient};
pub use initializer::{Initializer, InitializerArguments};
pub use langevin::{Langevin, LangevinArguments};
