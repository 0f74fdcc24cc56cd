//! Score matching: explicit, denoising, sliced.

mod denoising;
mod explicit;
mod sliced;

pub use denoising::{DenoisingScore, DenoisingScoreArguments, ScoreWeighting};
pub use explicit::{ExplicitScore, ExplicitScoreArguments};
pub use sliced::{SlicedScore, SlicedScoreArguments, SlicedScoreGradient};
