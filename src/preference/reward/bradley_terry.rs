//! The Bradley-Terry loss of a reward model.

use crate::error::{Error, Position};
use crate::math::mul_or_zero;
use crate::preference::logistic::logistic;
use crate::preference::reward::centered;
use crate::preference::{Label, LabelUse, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check};

/// Bradley-Terry (BT) loss of a reward model: the negative log-likelihood of the choice, where the better score wins
/// more often.
///
/// ```math
/// \text{margin: } L_i = \operatorname{softplus}\big(-(r^w_i - r^l_i - g_i)\big) + c\,(r^w_i + r^l_i)^2, \qquad
/// \text{scale: } L_i = g_i \operatorname{softplus}\big(-(r^w_i - r^l_i)\big) + c\,(r^w_i + r^l_i)^2
/// ```
///
/// `r` are the scores of the model, in the policy column of the batch; `g` is by how much the chosen response was rated
/// better, the batch's rating gap. [`RatingGap::Margin`] asks the scores to be ahead by as much (0 for a batch without
/// rating gap); Llama 2 takes 3, 2, 1 and 0 for significantly, plainly, slightly and negligibly better, or a third of
/// it. [`RatingGap::Scale`] weighs the pair. `c` keeps the mean of the two scores near 0, which the likelihood leaves
/// open.
///
/// Without rating gap and at `c = 0` it is [`Dpo`](crate::preference::Dpo) of scores at `beta` 1: `ln 2` for equal
/// scores. TRL and OpenRLHF have the margin, NeMo-Aligner both; align-anything centers each score separately. Of the scores
/// of two items for one user it is Bayesian personalized ranking (BPR), of a critic's outputs on real and generated samples
/// the relativistic loss of pairs (RpGAN).
///
/// At `c = 0` a score of -inf is the exact limit: chosen, the loss is +inf with gradient -1; rejected, both are 0.
///
/// # Errors
///
/// `centering` out of range; a batch without rating gap, for [`RatingGap::Scale`], or one below 0; both scores at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let scores = PairBatch::new(Pairs { chosen: aview1(&[1.25_f64]), rejected: aview1(&[0.0]) });
/// let loss = BradleyTerry::default().value(scores, Reduction::Mean)?;
/// assert!((loss - 0.251_929_081).abs() < 1e-9); // softplus(-1.25)
/// let centered = BradleyTerry { centering: 0.01, ..BradleyTerry::default() };
/// let (loss, gradient) = centered.grad(scores.rating_gap(aview1(&[1.25])), Reduction::Mean)?;
/// assert!((loss - 0.708_772_181).abs() < 1e-9); // ln 2 + 0.01 · 1.25²
/// assert!((gradient.chosen[0] + 0.475).abs() < 1e-12);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Bradley and Terry, Biometrika 39, 1952; Ouyang et al., NeurIPS 2022, [arXiv:2203.02155](https://arxiv.org/abs/2203.02155).
/// Margins: Touvron et al. (Llama 2), 2023, [arXiv:2307.09288](https://arxiv.org/abs/2307.09288). Centering: Eisenstein et
/// al., COLM 2024, eq. 2, [arXiv:2312.09244](https://arxiv.org/abs/2312.09244).
#[doc(alias = "Bradley-Terry")]
#[doc(alias = "BT")]
#[doc(alias = "reward model")]
#[doc(alias = "reward modeling")]
#[doc(alias = "BPR")]
#[doc(alias = "Bayesian personalized ranking")]
#[doc(alias = "RankNet")]
#[doc(alias = "center_rewards_coefficient")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BradleyTerry {
    /// What the gap of the ratings does. Default [`RatingGap::Margin`] (TRL, OpenRLHF).
    pub gap: RatingGap,
    /// Weight of the centering, `>= 0`. Default 0 (TRL, which recommends 0.01).
    pub centering: f64,
}

/// What the gap between the ratings of the two responses does to a loss of their scores.
#[doc(alias = "margin_bt")]
#[doc(alias = "scaled_bt")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RatingGap {
    /// It is subtracted from the difference of the scores.
    Margin,
    /// It multiplies the loss.
    Scale,
}

impl Default for BradleyTerry {
    fn default() -> Self {
        Self { gap: RatingGap::Margin, centering: 0.0 }
    }
}

impl PairLoss for BradleyTerry {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::non_negative("centering", self.centering)?;
        let label = match self.gap {
            RatingGap::Margin => LabelUse::Optional(Label::RatingGap),
            RatingGap::Scale => LabelUse::Required(Label::RatingGap),
        };
        Ok(Needs { label, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let ahead = row.policy.chosen - row.policy.rejected;
        let (loss, slope) = match self.gap {
            RatingGap::Margin => logistic::<T, FMA>(ahead - row.label),
            RatingGap::Scale => {
                let weight = if row.label >= T::zero() { row.label } else { T::nan() };
                let (loss, slope) = logistic::<T, FMA>(ahead);
                (mul_or_zero(weight, loss), weight * slope)
            }
        };
        centered((loss, Pairs { chosen: slope, rejected: -slope }), self.centering, row)
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        let (argument, position, value) = (Label::RatingGap.name(), Position::from(position), row.label);
        let negative = self.gap == RatingGap::Scale && value < 0.0;
        negative.then_some(Error::Value { argument, position, value, allowed: "finite and >= 0" })
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::preference::testing::{at, is_exact, ratios, refusal, slopes_agree_with_differences};

    /// Scores, and the gap of the ratings.
    fn scores(chosen: f64, rejected: f64, label: f64) -> Row<f64> {
        Row { label, ..ratios(chosen, rejected) }
    }

    const MARGIN: BradleyTerry = BradleyTerry { gap: RatingGap::Margin, centering: 0.01 };
    const SCALE: BradleyTerry = BradleyTerry { gap: RatingGap::Scale, centering: 0.01 };

    /// scripts/side_reference.py.
    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &MARGIN,
            &[
                (scores(2.5, 1.75, 0.5), [0.756_564_419_878_843_6, -0.352_823_499_114_201_9, 0.522_823_499_114_201_9]),
                (scores(-3.0, 4.0, 0.5), [7.510_552_931_475_360_5, -0.979_447_221_363_076_4, 1.019_447_221_363_076_3]),
                (scores(1000.0, -1000.0, 0.5), [0.0, 0.0, 0.0]),
                (scores(-1000.0, 1000.0, 0.5), [2000.5, -1.0, 1.0]),
                (scores(0.25, 0.25, 0.5), [0.976_576_984_180_106_6, -0.612_459_331_201_854_6, 0.632_459_331_201_854_6]),
            ],
        );
        is_exact(
            &SCALE,
            &[
                (scores(2.5, 1.75, 3.0), [1.341_238_018_344_7, -0.877_463_902_473_821_1, 1.047_463_902_473_821]),
                (scores(-3.0, 4.0, 3.0), [21.012_734_399_361_324, -2.977_266_846_416_798, 3.017_266_846_416_798]),
                (scores(1000.0, -1000.0, 3.0), [0.0, 0.0, 0.0]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let rows = [scores(1.0, 0.5, 0.75), scores(-2.0, 3.0, 2.0), scores(0.25, 0.25, 0.0)];
        slopes_agree_with_differences(&MARGIN, &rows);
        slopes_agree_with_differences(&SCALE, &rows);
    }

    #[test]
    fn equal_scores_cost_ln_two_and_the_centering_holds_both() {
        assert_eq!(at::<f64>(&BradleyTerry::default(), scores(3.0, 3.0, 0.0)), Ok([LN_2, -0.5, 0.5]));
        let centered = BradleyTerry { centering: 0.5, ..MARGIN };
        assert_eq!(at::<f64>(&centered, scores(3.0, 3.0, 0.0)), Ok([LN_2 + 18.0, 5.5, 6.5]));
        assert_eq!(at::<f64>(&centered, scores(3.0, -3.0, 6.0)), Ok([LN_2, -0.5, 0.5]));
    }

    #[test]
    fn a_pair_of_no_weight_costs_its_centering() {
        assert_eq!(at::<f64>(&SCALE, scores(-700.0, 800.0, 0.0)).unwrap()[1], 2.0);
    }

    #[test]
    fn a_score_of_minus_infinity_is_a_limit_without_centering() {
        let (plain, inf) = (BradleyTerry::default(), f64::INFINITY);
        assert_eq!(at::<f64>(&plain, scores(-inf, 0.0, 0.0)), Ok([inf, -1.0, 1.0]));
        assert_eq!(at::<f64>(&plain, scores(0.0, -inf, 0.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(refusal(&MARGIN, scores(-inf, 0.0, 0.0)), "`policy.chosen`[0] is -inf, allowed is finite");
    }

    #[test]
    fn bad_input_is_named() {
        let negative = BradleyTerry { centering: -1.0, ..MARGIN };
        assert_eq!(refusal(&negative, scores(0.0, 0.0, 0.0)), "`centering` is -1, allowed is finite and >= 0");
        assert_eq!(refusal(&SCALE, scores(0.0, 0.0, -2.0)), "`rating_gap`[0] is -2, allowed is finite and >= 0");
    }
}
