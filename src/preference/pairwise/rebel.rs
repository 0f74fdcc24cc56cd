//! REBEL: regression of the relative reward.

use crate::preference::logistic::square;
use crate::preference::{LabeledLoss, Needs, Row};
use crate::{Real, Result, check};

/// Regression to relative reward based RL (REBEL): the squared distance of the change of the margin, over `η`, from the
/// gap of the two rewards.
///
/// ```math
/// L_i = \Big(\frac{m_i}{\eta} - (s_i^w - s_i^l)\Big)^2
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums, where the reference is the policy that
/// generated the responses; `s` are the batch's rewards. Which of the two is called chosen makes no difference. `L >= 0`,
/// with equality where the policy has moved by `η` times the rewards. The authors' code multiplies the rewards by `η` instead
/// of dividing the margin: `η²` times this.
///
/// A log-probability of -inf has no finite gradient and is an error.
///
/// # Errors
///
/// `eta` out of range; a batch without reference or rewards.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Rebel;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .rewards(Pairs { chosen: aview1(&[3.5]), rejected: aview1(&[2.0]) });
/// assert_eq!(Rebel { eta: 0.5 }.value(batch, Reduction::Mean)?, 1.0); // (2.5 - 1.5)²
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gao et al., NeurIPS 2024, [arXiv:2404.16767](https://arxiv.org/abs/2404.16767).
#[doc(alias = "regression to relative reward based RL")]
#[doc(alias = "regressing relative rewards")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Rebel {
    /// Step size: nats of margin for each unit of reward, `> 0`. Default 1 (the authors' code).
    pub eta: f64,
}

impl Default for Rebel {
    fn default() -> Self {
        Self { eta: 1.0 }
    }
}

impl LabeledLoss for Rebel {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("eta", self.eta)?;
        Ok(Needs { reference: true, rewards: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let eta = T::from_f64(self.eta);
        let (loss, slope) = square(margin / eta, pair.rewards.chosen - pair.rewards.rejected);
        (loss, slope / eta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::Pairs;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal};

    fn rewarded(margin: f64, chosen: f64, rejected: f64) -> Row<f64> {
        Row { rewards: Pairs { chosen, rejected }, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_the_formula() {
        let half = [(rewarded(1.0, 3.0, 0.5), [0.25, -2.0, 2.0]), (rewarded(1.0, 0.5, 3.0), [20.25, 18.0, -18.0])];
        is_exact(&Rebel { eta: 0.5 }, &half);
        let quarter = [(rewarded(0.625, 2.5, 0.0), [0.0, 0.0, 0.0]), (rewarded(-1e3, 0.0, 0.0), [16e6, -32e3, 32e3])];
        is_exact(&Rebel { eta: 0.25 }, &quarter);
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Rebel { eta: 0.7 });
    }

    #[test]
    fn the_names_of_the_two_responses_make_no_difference() {
        let rebel = Rebel { eta: 0.5 };
        let one = at::<f64>(&rebel, rewarded(1.5, 2.0, -1.0)).unwrap();
        let mut swapped = rewarded(0.0, -1.0, 2.0);
        swapped.policy.rejected = 1.5;
        assert_eq!(at::<f64>(&rebel, swapped), Ok([one[0], one[2], one[1]]));
    }

    #[test]
    fn what_has_no_finite_gradient_or_no_meaning_is_named() {
        let message = refusal(&Rebel::default(), ratios(f64::NEG_INFINITY, -1.0));
        assert_eq!(message, "`policy.chosen`[0] is -inf, allowed is finite");
        assert_eq!(refusal(&Rebel { eta: 0.0 }, ratios(0.0, 0.0)), "`eta` is 0, allowed is finite and > 0");
    }
}
