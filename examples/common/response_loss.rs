//! Losses of pairs of responses.

use loglik::prelude::*;

use super::failure::Outcome;
use super::model::Model;
use super::pairs::PairWindows;
use super::score::{Scores, score};

/// What a model is trained on where it sees pairs.
pub enum ResponseLoss {
    /// A preference objective.
    Preference(Box<dyn PairObjective<f32> + Send + Sync>),
    /// Real responses against made-up ones, without regard to which pair they belong to.
    Discriminator(Ddo),
}

impl ResponseLoss {
    /// The gradient of the mean loss in the parameters.
    pub fn gradient(&self, model: &Model, pairs: &PairWindows) -> Outcome<Model> {
        let scores = score(model, pairs)?;
        let slope = match self {
            Self::Preference(objective) => objective.grad(scores.batch(pairs), Reduction::Mean)?.1,
            Self::Discriminator(ddo) => {
                let ratios = scores.log_ratios(pairs);
                let samples = Samples { real: ratios.chosen.view(), fake: ratios.rejected.view() };
                let slope = ddo.grad(samples, Samples::both(Reduction::Mean))?.1;
                Pairs { chosen: slope.real, rejected: slope.fake }
            }
        };
        scores.backward(model, pairs, &slope)
    }

    /// The mean loss of pairs that have been scored already.
    pub fn value(&self, scores: &Scores, pairs: &PairWindows) -> Outcome<f64> {
        let value = match self {
            Self::Preference(objective) => objective.value(scores.batch(pairs), Reduction::Mean)?,
            Self::Discriminator(ddo) => {
                let ratios = scores.log_ratios(pairs);
                let samples = Samples { real: ratios.chosen.view(), fake: ratios.rejected.view() };
                ddo.value(samples, Samples::both(Reduction::Mean))?
            }
        };
        Ok(value.into())
    }
}
