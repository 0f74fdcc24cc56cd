//! Losses of the margin under a divergence, both of which a configuration names.

use crate::preference::{
    DiscoPop, Dpo, ExoPair, Hinge, Ipo, Link, Linked, Out, PairBatch, PairObjective, RobustDpo, SigmoidNorm,
};
use crate::{Real, Reduction, Result, SumCount};

/// A loss of the margin that a configuration may put under another divergence, by the name that it has in
/// [`PairConfig`](crate::preference::PairConfig).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "loss_type", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum LinkableConfig {
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
    #[cfg_attr(feature = "serde", serde(rename = "discopop"))]
    DiscoPop(DiscoPop),
    /// Length-normalized DPO.
    SigmoidNorm(SigmoidNorm),
}

impl Linked<LinkableConfig, Link> {
    /// Calls `f` with the objective itself.
    fn with<T: Real, R>(&self, f: impl FnOnce(&dyn PairObjective<T>) -> R) -> R {
        let link = self.link;
        match self.loss {
            LinkableConfig::Sigmoid(loss) => f(&Linked { loss, link }),
            LinkableConfig::Robust(loss) => f(&Linked { loss, link }),
            LinkableConfig::Hinge(loss) => f(&Linked { loss, link }),
            LinkableConfig::Ipo(loss) => f(&Linked { loss, link }),
            LinkableConfig::ExoPair(loss) => f(&Linked { loss, link }),
            LinkableConfig::DiscoPop(loss) => f(&Linked { loss, link }),
            LinkableConfig::SigmoidNorm(loss) => f(&Linked { loss, link }),
        }
    }
}

impl<T: Real> PairObjective<T> for Linked<LinkableConfig, Link> {
    fn validate(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        self.with(|objective| objective.validate(batch))
    }

    fn run(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.with(|objective| objective.run(batch, reduction, scale, out))
    }

    fn sum_count(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.with(|objective| objective.sum_count(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::Sample;
    use crate::preference::{JensenShannonLink, Length};

    #[test]
    fn each_named_loss_is_scored() {
        let sample = Sample::<f64>::of(50);
        let named = |loss| Linked { loss, link: Link::JsDivergence };
        let same = |named: Linked<LinkableConfig, Link>, typed: &dyn PairObjective<f64>| {
            assert_eq!(named.grad(sample.full(), Reduction::Mean), typed.grad(sample.full(), Reduction::Mean));
            assert_eq!(PairObjective::<f64>::sum_count(&named, sample.full()), typed.sum_count(sample.full()));
        };
        let link = JensenShannonLink;
        same(named(LinkableConfig::Sigmoid(Dpo::default())), &Linked { loss: Dpo::default(), link });
        same(named(LinkableConfig::Robust(RobustDpo::default())), &Linked { loss: RobustDpo::default(), link });
        same(named(LinkableConfig::Hinge(Hinge::default())), &Linked { loss: Hinge::default(), link });
        let ipo = Ipo { beta: 0.1, length: Length::Mean };
        same(named(LinkableConfig::Ipo(ipo)), &Linked { loss: ipo, link });
        same(named(LinkableConfig::ExoPair(ExoPair::default())), &Linked { loss: ExoPair::default(), link });
        same(named(LinkableConfig::DiscoPop(DiscoPop::default())), &Linked { loss: DiscoPop::default(), link });
        let norm = SigmoidNorm { beta: 5.0, label_smoothing: 0.1 };
        same(named(LinkableConfig::SigmoidNorm(norm)), &Linked { loss: norm, link });
    }
}
