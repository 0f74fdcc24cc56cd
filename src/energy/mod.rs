//! Energies, scores and fields: what models learn by that give no normalized likelihood.
//!
//! | item | is | learns from |
//! |---|---|---|
//! | [`RecoveryEnergy`], [`RecoveryContrast`], [`Langevin`], [`Initializer`] | recovery likelihood | samples and noisier ones |
//! | [`composed_energy`], [`guided_energy`], [`guided_score`] | several models as one | |
//! | [`FreeEnergy`], [`energy_threshold`] | out-of-distribution score of a classifier | |
//! | [`SelfConsistency`], [`begin_consistency`] | marginals that agree with conditionals | any order of the variables |
//! | [`MaskWeights`], [`NoiseSchedule`] | weights of an any-order likelihood | masked tokens |
//! | [`ReinforceKl`] | divergence from an unnormalized density | the model's own samples |
//! | [`Interpolant`], [`AntitheticInterpolant`], [`Gamma`] | stochastic interpolants, flow matching | pairs of samples |
//! | [`Edm`], [`LogNormalSigma`], [`KarrasGrid`], [`GuidanceSchedule`] | denoisers of EDM | noisy samples |
//! | [`ExplicitScore`], [`DenoisingScore`], [`SlicedScore`] | score matching | samples |
//!
//! An energy is the **logarithm of an unnormalized density**, large where samples are likely. [`FreeEnergy`] alone has
//! the opposite sign, as in physics and in the literature on out-of-distribution scores. Random numbers are always
//! arguments.
//!
//! Losses of whole samples have the methods of [`SampleLoss`]: arrays are `[B, ..]`, the first axis counts the samples
//! and all others are summed. Losses of one number for each sample ([`SelfConsistency`], [`RecoveryContrast`]) have the
//! methods of [`Density`](crate::likelihood::Density), which serves every loss that is a sum over elements; they are not
//! negative log-likelihoods of a density.

mod combine;
mod compiled;
mod composition;
mod edm;
mod free_energy;
mod interpolant;
mod marginal;
mod recovery;
mod samples;
mod score;

pub use compiled::Compiled;
pub use composition::{composed_energy, guided_energy, guided_score};
pub use edm::{Edm, EdmArguments, EdmCoefficients, GuidanceSchedule, KarrasGrid, LogNormalSigma};
pub use free_energy::{FreeEnergy, energy_threshold};
pub use interpolant::{
    AntitheticArguments, AntitheticGradient, AntitheticInterpolant, Field, Gamma, Interpolant, InterpolantArguments,
    InterpolantPath,
};
pub use marginal::{
    Advantage, MaskWeights, NoiseSchedule, ReinforceKl, SelfConsistency, SelfConsistencyArguments, begin_consistency,
    begin_consistency_grad,
};
pub use recovery::{
    Initializer, InitializerArguments, Langevin, LangevinArguments, RecoveryArguments, RecoveryContrast,
    RecoveryContrastArguments, RecoveryContrastGradient, RecoveryEnergy, RecoveryGradient,
};
pub use samples::{Columns, SampleLoss};
pub use score::{
    DenoisingScore, DenoisingScoreArguments, ExplicitScore, ExplicitScoreArguments, ScoreWeighting, SlicedScore,
    SlicedScoreArguments, SlicedScoreGradient,
};
