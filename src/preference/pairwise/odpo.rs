//! DPO with an offset (ODPO): how far a pair should be apart follows from its rewards.

use crate::error::{Error, Position};
use crate::math::mul_or_zero;
use crate::preference::logistic::{logistic, scaled};
use crate::preference::{LabeledLoss, Needs, Pairs, Row};
use crate::{Real, Result, check, math};

/// Direct preference optimization with an offset (ODPO): the logistic loss of the margin above an offset that grows
/// with the gap of the two rewards.
///
/// ```math
/// L_i = \operatorname{softplus}\big(\alpha f(s_i^w, s_i^l) - \beta\, m_i\big)
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums, `s` are the batch's rewards and `f` one of
/// [`RewardGap`]. `α = 0` is DPO. If the offset is already known, divide it by `β`, give it as the batch's
/// offset, and use [`Dpo`](crate::preference::Dpo).
///
/// Equal rewards have under [`RewardGap::Log`] the offset -inf, and loss and gradient of the limit, 0: they leave the pair
/// out. Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo).
///
/// # Errors
///
/// `beta` or `alpha` out of range; a batch without reference or rewards; for [`RewardGap::Log`] a chosen reward below the
/// rejected one, for [`RewardGap::LogRatio`] one that is not above zero; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Odpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .rewards(Pairs { chosen: aview1(&[3.5]), rejected: aview1(&[2.0]) });
/// let loss = Odpo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.843_180_261).abs() < 1e-9); // softplus(ln 1.5 - 0.125)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Amini, Vieira and Cotterell, Findings of ACL 2024, [arXiv:2402.10571](https://arxiv.org/abs/2402.10571).
#[doc(alias = "DPO with an offset")]
#[doc(alias = "direct preference optimization with an offset")]
#[doc(alias = "offset DPO")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Odpo {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (the authors' code).
    pub beta: f64,
    /// Weight of the gap, `>= 0`. Default 1 (the authors' code).
    pub alpha: f64,
    /// What the gap is. Default [`RewardGap::Log`] (the authors' code).
    pub gap: RewardGap,
}

/// How far apart two rewards are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RewardGap {
    /// `ln(s_w - s_l)`.
    #[default]
    Log,
    /// `ln(s_w / s_l)`, of positive rewards.
    LogRatio,
    /// `s_w - s_l`.
    Difference,
}

impl Default for Odpo {
    fn default() -> Self {
        Self { beta: 0.1, alpha: 1.0, gap: RewardGap::Log }
    }
}

impl LabeledLoss for Odpo {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::non_negative("alpha", self.alpha)?;
        Ok(Needs { reference: true, rewards: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let (beta, alpha) = (T::from_f64(self.beta), T::from_f64(self.alpha));
        let (chosen, rejected) = (pair.rewards.chosen, pair.rewards.rejected);
        let gap = match self.gap {
            RewardGap::Difference => chosen - rejected,
            RewardGap::Log => math::ln::<T, FMA>(chosen - rejected),
            RewardGap::LogRatio => {
                let positive = chosen > T::zero() && rejected > T::zero();
                math::ln::<T, FMA>(if positive { chosen / rejected } else { T::nan() })
            }
        };
        scaled(beta, logistic::<T, FMA>(beta * margin - mul_or_zero(alpha, gap)))
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        let (Pairs { chosen, rejected }, position) = (row.rewards, Position::from(position));
        let wrong = |argument, value, allowed| Some(Error::Value { argument, position, value, allowed });
        let names = Row::NAMES.rewards;
        match self.gap {
            RewardGap::LogRatio if chosen <= 0.0 => wrong(names.chosen, chosen, "finite and > 0"),
            RewardGap::LogRatio if rejected <= 0.0 => wrong(names.rejected, rejected, "finite and > 0"),
            RewardGap::Log if chosen < rejected => {
                wrong(names.chosen, chosen, "not below that of the rejected response")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::Dpo;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal};

    fn rewarded(margin: f64, chosen: f64, rejected: f64) -> Row<f64> {
        Row { rewards: Pairs { chosen, rejected }, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &Odpo { beta: 0.5, ..Odpo::default() },
            &[
                (
                    rewarded(1.25, 2.0, 0.5),
                    [0.589_392_121_454_843_3, -0.222_667_824_582_430_87, 0.222_667_824_582_430_87],
                ),
                (rewarded(-3.0, 4.0, 1.0), [2.670_352_986_798_63, -0.465_386_107_749_034_5, 0.465_386_107_749_034_5]),
                (
                    rewarded(40.0, 1.5, 1.25),
                    [5.152_884_054_768_784e-10, -2.576_442_026_720_586_4e-10, 2.576_442_026_720_586_4e-10],
                ),
                (rewarded(-1000.0, 3.0, 2.0), [500.0, -0.5, 0.5]),
                (
                    rewarded(0.5, 1.0, 0.999_984_741_210_937_5),
                    [1.188_348_626_169_382_8e-5, -5.941_707_826_675_327e-6, 5.941_707_826_675_327e-6],
                ),
            ],
        );
        is_exact(
            &Odpo { beta: 0.5, alpha: 0.75, gap: RewardGap::LogRatio },
            &[
                (
                    rewarded(1.25, 2.0, 0.5),
                    [0.921_854_403_212_819_3, -0.301_109_644_556_557_9, 0.301_109_644_556_557_9],
                ),
                (
                    rewarded(-3.0, 4.0, 1.0),
                    [2.615_652_045_526_394_5, -0.463_439_952_241_280_76, 0.463_439_952_241_280_76],
                ),
                (
                    rewarded(40.0, 1.5, 1.25),
                    [2.363_177_243_829_505_7e-9, -1.181_588_620_518_601_2e-9, 1.181_588_620_518_601_2e-9],
                ),
                (rewarded(-1000.0, 3.0, 2.0), [500.304_098_831_081_1, -0.5, 0.5]),
                (
                    rewarded(0.5, 1.0, 0.999_984_741_210_937_5),
                    [0.575_944_430_425_503_7, -0.218_913_157_959_366_97, 0.218_913_157_959_366_97],
                ),
            ],
        );
        is_exact(
            &Odpo { beta: 0.5, alpha: 0.75, gap: RewardGap::Difference },
            &[
                (
                    rewarded(1.25, 2.0, 0.5),
                    [0.974_076_984_180_106_7, -0.311_229_665_600_927_3, 0.311_229_665_600_927_3],
                ),
                (rewarded(-3.0, 4.0, 1.0), [3.773_245_464_372_425, -0.488_511_315_044_987_2, 0.488_511_315_044_987_2]),
                (
                    rewarded(40.0, 1.5, 1.25),
                    [2.486_225_844_998_36e-9, -1.243_112_920_953_850_3e-9, 1.243_112_920_953_850_3e-9],
                ),
                (rewarded(-1000.0, 3.0, 2.0), [500.75, -0.5, 0.5]),
                (
                    rewarded(0.5, 1.0, 0.999_984_741_210_937_5),
                    [0.575_944_430_387_276, -0.218_913_157_948_621_68, 0.218_913_157_948_621_68],
                ),
                (
                    rewarded(0.5, -2.0, 1.0),
                    [0.078_889_734_292_549_63, -0.037_929_090_010_621_77, 0.037_929_090_010_621_77],
                ),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Odpo::default());
        agrees_with_differences(&Odpo { beta: 0.3, alpha: 0.5, gap: RewardGap::Difference });
    }

    #[test]
    fn equal_rewards_leave_a_pair_out_under_the_logarithm_alone() {
        let row = rewarded(-3.0, 2.0, 2.0);
        assert_eq!(at::<f64>(&Odpo::default(), row), Ok([0.0, 0.0, 0.0]));
        let plain = at::<f64>(&Dpo::default(), row);
        for gap in [RewardGap::LogRatio, RewardGap::Difference] {
            assert_eq!(at::<f64>(&Odpo { gap, ..Odpo::default() }, row), plain);
        }
        assert_eq!(at::<f64>(&Odpo { alpha: 0.0, ..Odpo::default() }, rewarded(-3.0, 1.0, 2.0)), plain);
    }

    #[test]
    fn rewards_without_a_logarithm_are_named() {
        let message =
            |gap, chosen, rejected| refusal(&Odpo { gap, ..Odpo::default() }, rewarded(0.0, chosen, rejected));
        let below = "`rewards.chosen`[0] is 1, allowed is not below that of the rejected response";
        assert_eq!(message(RewardGap::Log, 1.0, 2.0), below);
        assert_eq!(message(RewardGap::LogRatio, 1.0, -2.0), "`rewards.rejected`[0] is -2, allowed is finite and > 0");
        assert_eq!(message(RewardGap::LogRatio, 0.0, 1.0), "`rewards.chosen`[0] is 0, allowed is finite and > 0");
        assert_eq!(message(RewardGap::Log, f64::NAN, 1.0), "`rewards.chosen`[0] is NaN, allowed is finite");
        let refused = refusal(&Odpo { alpha: -1.0, ..Odpo::default() }, rewarded(0.0, 1.0, 0.0));
        assert_eq!(refused, "`alpha` is -1, allowed is finite and >= 0");
    }
}
