//! Process rewards: whether each step of a solution is right.

use crate::error::Error;
use crate::preference::logistic::labeled;
use crate::preference::{Label, LabelUse, Needs, PairLoss, Pairs, Row, probability};
use crate::{Real, Result};

/// Process reward model (PRM): the cross-entropy between the label of a step and the probability that the model gives
/// the step of being right.
///
/// ```math
/// L_i = p_i \operatorname{softplus}(-(x^+_i - x^-_i)) + (1 - p_i) \operatorname{softplus}(x^+_i - x^-_i)
/// ```
///
/// Here an entry of the batch is a step, not a pair of responses: its chosen column holds the logit `x⁺` of the class
/// or token for right, the rejected one the logit `x⁻` of that for wrong, and its soft label `p` says whether it is
/// right: 1, 0, or a probability (OpenRLHF's soft labels). The softmax is over these two logits only, not over the
/// vocabulary. The gradient is `σ(x⁺ - x⁻) - p` and minus that.
///
/// A mean is over steps, so that long solutions count more; weights of one over the number of steps of a solution change
/// that. More than two classes are [`CrossEntropy`](crate::logits::CrossEntropy) with the ignored index at all tokens that
/// end no step (TRL).
///
/// `L >= 0`, and `ln 2` for equal logits. A logit of -inf is the exact limit: 0 where the label agrees, else +inf with a
/// finite gradient.
///
/// # Errors
///
/// A batch without soft label; a soft label outside `[0, 1]`; both logits at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::ProcessReward;
/// let steps = PairBatch::new(Pairs { chosen: aview1(&[1.5_f64, 0.0]), rejected: aview1(&[0.0, 1.5]) })
///     .soft_label(aview1(&[1.0, 0.25]));
/// let losses = ProcessReward {}.each(steps)?;
/// assert!((losses[0] - 0.201_413_278).abs() < 1e-9 && (losses[1] - 0.576_413_278).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Uesato et al., 2022, [arXiv:2211.14275](https://arxiv.org/abs/2211.14275); Lightman et al., ICLR 2024,
/// [arXiv:2305.20050](https://arxiv.org/abs/2305.20050).
#[doc(alias = "PRM")]
#[doc(alias = "process reward model")]
#[doc(alias = "process supervision")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[allow(clippy::empty_structs_with_brackets)] // as a map in a configuration, so that its fields can be refused
pub struct ProcessReward {}

impl PairLoss for ProcessReward {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        Ok(Needs { label: LabelUse::Required(Label::SoftLabel), ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let ahead = row.policy.chosen - row.policy.rejected;
        let right = probability::or_nan(row.label);
        let (loss, slope) = labeled::<T, FMA>(ahead, right, T::one() - right);
        (loss, Pairs { chosen: slope, rejected: -slope })
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        probability::explain(Label::SoftLabel, row, position)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    fn step(right: f64, wrong: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(right, wrong) }
    }

    #[test]
    fn values_are_those_of_a_softmax_of_two() {
        is_exact(
            &ProcessReward {},
            &[
                (step(2.5, 1.75, 0.75), [0.574_371_006_114_9, -0.070_821_300_824_607_03, 0.070_821_300_824_607_03]),
                (step(-3.0, 4.0, 0.75), [5.250_911_466_453_775, -0.749_088_948_805_599_4, 0.749_088_948_805_599_4]),
                (step(300.0, -300.0, 0.75), [150.0, 0.25, -0.25]),
                (step(-1000.0, 1000.0, 0.75), [1500.0, -0.75, 0.75]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [step(1.0, 0.5, 1.0), step(-2.0, 3.0, 0.0), step(0.25, 2.0, 0.3)];
        slopes_agree_with_differences(&ProcessReward {}, &rows);
    }

    #[test]
    fn equal_logits_cost_ln_two_and_the_label_is_the_optimum() {
        assert_eq!(at::<f64>(&ProcessReward {}, step(5.0, 5.0, 0.0)), Ok([LN_2, 0.5, -0.5]));
        let [_, slope, _] = at::<f64>(&ProcessReward {}, step(3.0_f64.ln(), 0.0, 0.75)).unwrap();
        assert!(slope.abs() < 1e-16);
    }

    #[test]
    fn a_class_that_is_ruled_out_is_a_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&ProcessReward {}, step(-inf, 0.0, 0.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&ProcessReward {}, step(-inf, 0.0, 1.0)), Ok([inf, -1.0, 1.0]));
        assert_eq!(at::<f64>(&ProcessReward {}, step(0.0, -inf, 0.25)), Ok([inf, 0.75, -0.75]));
    }

    #[test]
    fn what_is_no_probability_is_named() {
        assert_eq!(refusal(&ProcessReward {}, step(0.0, 0.0, 1.5)), "`soft_label`[0] is 1.5, allowed is [0, 1]");
        assert_eq!(refusal(&ProcessReward {}, step(0.0, 0.0, -100.0)), "`soft_label`[0] is -100, allowed is [0, 1]");
    }
}
