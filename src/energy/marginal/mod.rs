//! Models of marginals in any order: consistency, likelihood, and divergence from an unnormalized density.

mod begin;
mod mask_weights;
mod noise_schedule;
mod reinforce_kl;
mod self_consistency;

pub use begin::{begin_consistency, begin_consistency_grad};
pub(super) use mask_weights::MaskRule;
pub use mask_weights::MaskWeights;
pub use noise_schedule::NoiseSchedule;
pub use reinforce_kl::{Advantage, ReinforceKl};
pub use self_consistency::{SelfConsistency, SelfConsistencyArguments};
