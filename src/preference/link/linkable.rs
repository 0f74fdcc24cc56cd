//! Losses of the margin under a divergence, both of which a configuration names.

use crate::preference::loops::{Loops, Margins};
use crate::preference::{DiscoPop, Dpo, ExoPair, Hinge, Ipo, LabeledLoss, Length, Needs, RobustDpo, Row, SigmoidNorm};
use crate::{Real, Result};

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

/// Asks the loss itself.
macro_rules! ask {
    ($this:ident, |$loss:ident| $answer:expr) => {
        match $this {
            LinkableConfig::Sigmoid($loss) => $answer,
            LinkableConfig::Robust($loss) => $answer,
            LinkableConfig::Hinge($loss) => $answer,
            LinkableConfig::Ipo($loss) => $answer,
            LinkableConfig::ExoPair($loss) => $answer,
            LinkableConfig::DiscoPop($loss) => $answer,
            LinkableConfig::SigmoidNorm($loss) => $answer,
        }
    };
}

impl LabeledLoss for LinkableConfig {
    fn needs(&self) -> Result<Needs> {
        ask!(self, |loss| LabeledLoss::needs(loss))
    }

    fn length(&self) -> Length {
        ask!(self, |loss| LabeledLoss::length(loss))
    }

    fn labeled_loops(&self) -> Loops<'_, Margins> {
        ask!(self, |loss| loss.labeled_loops())
    }

    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        ask!(self, |loss| LabeledLoss::at::<T, FMA>(loss, margin, pair))
    }

    fn name(&self) -> &'static str {
        ask!(self, |loss| LabeledLoss::name(loss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::Sample;
    use crate::preference::{JensenShannonLink, Link, Linked, PairObjective};

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
