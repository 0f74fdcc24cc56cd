//! Losses of the margin under a divergence, both of which a configuration names.

use crate::preference::{
    DiscoPop, Divergence, Dpo, ExoPair, Hinge, Ipo, Out, PairBatch, PairObjective, RobustDpo, Scored, SigmoidNorm,
};
use crate::{Parts, Real, Reduction, Result};

/// A loss of the margin that a configuration may put under another divergence, by the name that it has in
/// [`PairConfig`](crate::preference::PairConfig).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "loss_type", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum ScorableConfig {
    /// DPO.
    Sigmoid(Dpo),
    /// Robust DPO.
    Robust(RobustDpo),
    /// The hinge of RSO.
    Hinge(Hinge),
    /// IPO.
    Ipo(Ipo),
    /// EXO over pairs.
    ExoPair(ExoPair),
    /// DiscoPOP.
    Discopop(DiscoPop),
    /// Length-normalised DPO.
    SigmoidNorm(SigmoidNorm),
}

impl Scored<ScorableConfig, Divergence> {
    /// Calls `f` with the objective itself.
    fn with<T: Real, R>(&self, f: impl FnOnce(&dyn PairObjective<T>) -> R) -> R {
        let score = self.score;
        match self.loss {
            ScorableConfig::Sigmoid(loss) => f(&Scored { loss, score }),
            ScorableConfig::Robust(loss) => f(&Scored { loss, score }),
            ScorableConfig::Hinge(loss) => f(&Scored { loss, score }),
            ScorableConfig::Ipo(loss) => f(&Scored { loss, score }),
            ScorableConfig::ExoPair(loss) => f(&Scored { loss, score }),
            ScorableConfig::Discopop(loss) => f(&Scored { loss, score }),
            ScorableConfig::SigmoidNorm(loss) => f(&Scored { loss, score }),
        }
    }
}

impl<T: Real> PairObjective<T> for Scored<ScorableConfig, Divergence> {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.with(|objective| objective.validate(batch))
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.with(|objective| objective.run(batch, reduction, scale, out))
    }

    fn parts(&self, batch: PairBatch<'_, T>) -> Result<Parts> {
        self.with(|objective| objective.parts(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::Sample;
    use crate::preference::{JensenShannon, Length};

    #[test]
    fn each_named_loss_is_scored() {
        let sample = Sample::<f64>::of(50);
        let named = |loss| Scored { loss, score: Divergence::JsDivergence };
        let same = |named: Scored<ScorableConfig, Divergence>, typed: &dyn PairObjective<f64>| {
            assert_eq!(named.grad(sample.full(), Reduction::Mean), typed.grad(sample.full(), Reduction::Mean));
            assert_eq!(PairObjective::<f64>::parts(&named, sample.full()), typed.parts(sample.full()));
        };
        let score = JensenShannon;
        same(named(ScorableConfig::Sigmoid(Dpo::default())), &Scored { loss: Dpo::default(), score });
        same(named(ScorableConfig::Robust(RobustDpo::default())), &Scored { loss: RobustDpo::default(), score });
        same(named(ScorableConfig::Hinge(Hinge::default())), &Scored { loss: Hinge::default(), score });
        let ipo = Ipo { beta: 0.1, length: Length::Mean };
        same(named(ScorableConfig::Ipo(ipo)), &Scored { loss: ipo, score });
        same(named(ScorableConfig::ExoPair(ExoPair::default())), &Scored { loss: ExoPair::default(), score });
        same(named(ScorableConfig::Discopop(DiscoPop::default())), &Scored { loss: DiscoPop::default(), score });
        let norm = SigmoidNorm { beta: 5.0, label_smoothing: 0.1 };
        same(named(ScorableConfig::SigmoidNorm(norm)), &Scored { loss: norm, score });
    }
}
