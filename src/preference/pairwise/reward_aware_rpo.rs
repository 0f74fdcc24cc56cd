//! Reward-aware preference optimization (RPO of Nemotron-4): the margin follows the gap of the rewards.

use crate::math::mul_or_zero;
use crate::preference::logistic::{density, scaled, square};
use crate::preference::{LabeledLoss, Length, Needs, Row, bernoulli};
use crate::{Real, Result, check};

/// Reward-aware preference optimization (RPO): the distance between the policy's preference and that of a reward model,
/// both as logits.
///
/// ```math
/// z_i = \beta\, m_i, \quad t_i = \eta\,(s_i^w - s_i^l), \qquad L_i = \mathrm{KL}\big(\sigma(t_i)\,\|\,\sigma(z_i)\big),
/// \ \ \mathrm{KL}\big(\sigma(z_i)\,\|\,\sigma(t_i)\big) \ \text{ or }\ (z_i - t_i)^2
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats, of sums ([`Length::Sum`]) or of means per token
/// ([`Length::Mean`]), and `s` are the batch's rewards. `L >= 0`, with equality at `z = t`. One formula for many: the
/// backward divergence is [`SoftDpo`](crate::preference::SoftDpo) up to a constant, the forward one with
/// `t = logit(1-ε)` is [`ExoPair`](crate::preference::ExoPair), the square that of [`Rebel`](crate::preference::Rebel) and
/// [`Ipo`](crate::preference::Ipo). Not the RPO that adds a likelihood to DPO, which is a
/// [`WeightedSum`](crate::preference::WeightedSum) with [`Nll`](crate::preference::Nll).
///
/// Divergences are good to some 40 ulp, also where both logits nearly agree. Log-probabilities of -inf have the limits of
/// the distance: +inf with a finite gradient (backward), finite with gradient 0 (forward), an error (square).
///
/// # Errors
///
/// `beta` or `eta` out of range; a batch without reference or rewards, or without lengths for [`Length::Mean`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::{RewardAwareRpo, RewardDistance};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .rewards(Pairs { chosen: aview1(&[3.5]), rejected: aview1(&[2.0]) });
/// let rpo = RewardAwareRpo { beta: 0.2, eta: 1.0, distance: RewardDistance::BackwardKl, length: Length::Sum };
/// assert!((rpo.value(batch, Reduction::Mean)? - 0.146_494_237).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nvidia (Nemotron-4 340B), 2024, [arXiv:2406.11704](https://arxiv.org/abs/2406.11704); Sun et al., 2025,
/// [arXiv:2502.00203](https://arxiv.org/abs/2502.00203).
#[doc(alias = "RPO")]
#[doc(alias = "reward-aware preference optimization")]
#[doc(alias = "Nemotron")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RewardAwareRpo {
    /// Scale of the margin, `> 0`. NeMo-Aligner takes 0.2.
    pub beta: f64,
    /// Scale of the rewards, `>= 0`. NeMo-Aligner takes 1 (`gt_reward_scale`).
    pub eta: f64,
    /// What is between the two.
    pub distance: RewardDistance,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

/// The distance between the policy's preference and that of the rewards.
#[doc(alias = "rpo_bwd_kl")]
#[doc(alias = "rpo_fwd_kl")]
#[doc(alias = "rpo_sq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum RewardDistance {
    /// From the rewards' preference to the policy's (`rpo_bwd_kl` in NeMo-Aligner).
    BackwardKl,
    /// From the policy's preference to the rewards' (`rpo_fwd_kl`).
    ForwardKl,
    /// The squared difference of the logits (`rpo_sq`).
    Squared,
}

impl LabeledLoss for RewardAwareRpo {
    crate::compile_loops!(LabeledLoss);

    fn needs(&self) -> Result<Needs> {
        check::positive("beta", self.beta)?;
        check::non_negative("eta", self.eta)?;
        Ok(Needs { reference: true, rewards: true, lengths: self.length == Length::Mean, ..Needs::default() })
    }

    fn length(&self) -> Length {
        self.length
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T, pair: Row<T>) -> (T, T) {
        let beta = T::from_f64(self.beta);
        let (z, t) = (beta * margin, T::from_f64(self.eta) * (pair.rewards.chosen - pair.rewards.rejected));
        let apart = match self.distance {
            RewardDistance::Squared => square(z, t),
            RewardDistance::BackwardKl => {
                let (high, low) = if z > t { (z, t) } else { (t, z) };
                let slope = bernoulli::difference::<T, FMA>(high, low, high - low);
                (bernoulli::divergence::<T, FMA>(t, z), if z > t { slope } else { -slope })
            }
            RewardDistance::ForwardKl => {
                (bernoulli::divergence::<T, FMA>(z, t), mul_or_zero(density::<T, FMA>(z), z - t))
            }
        };
        scaled(beta, apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, at, is_exact, ratios, refusal};
    use crate::preference::{PairObjective, Pairs};

    const KL: RewardAwareRpo =
        RewardAwareRpo { beta: 0.5, eta: 0.75, distance: RewardDistance::BackwardKl, length: Length::Sum };
    const FORWARD: RewardAwareRpo = RewardAwareRpo { distance: RewardDistance::ForwardKl, ..KL };
    const SQUARE: RewardAwareRpo = RewardAwareRpo { distance: RewardDistance::Squared, ..KL };

    fn rewarded(margin: f64, gap: f64) -> Row<f64> {
        Row { rewards: Pairs { chosen: gap, rejected: 0.0 }, ..ratios(margin, 0.0) }
    }

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &KL,
            &[
                (rewarded(1.5, 2.0), [0.048_638_585_277_380_28, -0.069_197_888_509_125_34, 0.069_197_888_509_125_34]),
                (
                    rewarded(3.0, 1.992_187_5),
                    [2.566_622_981_553_629_6e-6, 4.377_658_332_282_622e-4, -4.377_658_332_282_622e-4],
                ),
                (rewarded(-2.0, 3.0), [0.903_169_367_679_369_7, -0.317_854_556_865_447_67, 0.317_854_556_865_447_67]),
                (
                    rewarded(90.0, 40.0),
                    [1.310_067_244_262_683_3e-12, 4.678_810_053_160_359e-14, -4.678_810_053_160_359e-14],
                ),
                (rewarded(-1000.0, 1.0), [338.961_862_605_963_1, -0.339_589_349_587_696_5, 0.339_589_349_587_696_5]),
                (rewarded(1000.0, 1.0), [159.783_163_430_570_17, 0.160_410_650_412_303_5, -0.160_410_650_412_303_5]),
                (
                    rewarded(60.0, 40.25),
                    [1.453_044_410_700_026_1e-15, -7.999_405_253_588_355e-15, 7.999_405_253_588_355e-15],
                ),
                (rewarded(-60.0, -40.0), [0.0, 0.0, 0.0]),
                (
                    rewarded(-60.0, -40.25),
                    [1.453_044_410_700_026_1e-15, 7.999_405_253_588_355e-15, -7.999_405_253_588_355e-15],
                ),
            ],
        );
        is_exact(
            &FORWARD,
            &[
                (rewarded(1.5, 2.0), [0.055_158_247_486_307_74, -0.081_710_622_660_680_26, 0.081_710_622_660_680_26]),
                (
                    rewarded(3.0, 1.992_187_5),
                    [2.563_445_376_590_068_3e-6, 4.369_524_962_998_033e-4, -4.369_524_962_998_033e-4],
                ),
                (rewarded(-2.0, 3.0), [1.162_885_251_946_040_2, -0.319_494_391_517_408, 0.319_494_391_517_408]),
                (
                    rewarded(90.0, 40.0),
                    [9.357_577_168_542_448e-14, 2.146_888_935_412_045_2e-19, -2.146_888_935_412_045_2e-19],
                ),
                (
                    rewarded(-1000.0, 1.0),
                    [1.136_871_006_114_899_9, -1.783_815_817_837_849_4e-215, 1.783_815_817_837_849_4e-215],
                ),
                (
                    rewarded(1000.0, 1.0),
                    [0.386_871_006_114_899_94, 1.778_472_385_532_793_3e-215, -1.778_472_385_532_793_3e-215],
                ),
                (
                    rewarded(60.0, 40.25),
                    [1.546_732_559_395_606_8e-15, -8.772_771_533_286_022e-15, 8.772_771_533_286_022e-15],
                ),
                (rewarded(-60.0, -40.0), [0.0, 0.0, 0.0]),
                (
                    rewarded(-60.0, -40.25),
                    [1.546_732_559_395_606_8e-15, 8.772_771_533_286_022e-15, -8.772_771_533_286_022e-15],
                ),
            ],
        );
        is_exact(&SQUARE, &[(rewarded(4.0, 2.0), [0.25, 0.5, -0.5]), (rewarded(3.0, 2.0), [0.0, 0.0, 0.0])]);
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        for objective in [KL, FORWARD, SQUARE] {
            agrees_with_differences(&RewardAwareRpo { beta: 0.1, ..objective });
            agrees_with_differences(&RewardAwareRpo { length: Length::Mean, ..objective });
        }
    }

    #[test]
    fn the_least_loss_is_zero_where_the_margin_is_that_of_the_rewards() {
        for objective in [KL, FORWARD, SQUARE] {
            for gap in [-80.0, -2.0, 0.0, 2.0, 80.0] {
                assert_eq!(at::<f64>(&objective, rewarded(1.5 * gap, gap)), Ok([0.0, 0.0, 0.0]));
            }
        }
    }

    #[test]
    fn a_response_of_probability_zero_has_the_limit_of_its_distance() {
        let inf = f64::INFINITY;
        let [loss, chosen, rejected] = at::<f64>(&KL, rewarded(-inf, 0.0)).unwrap();
        assert_eq!((loss, chosen, rejected), (inf, -0.25, 0.25));
        let [loss, chosen, rejected] = at::<f64>(&FORWARD, rewarded(-inf, 0.0)).unwrap();
        assert_eq!((loss, chosen, rejected), (std::f64::consts::LN_2, 0.0, 0.0));
        assert_eq!(refusal(&SQUARE, rewarded(-inf, 0.0)), "`policy.chosen`[0] is -inf, allowed is finite");
    }

    #[test]
    fn what_is_missing_or_out_of_range_is_named() {
        let message = |rpo: RewardAwareRpo| refusal(&rpo, ratios(0.0, 0.0));
        assert_eq!(message(RewardAwareRpo { beta: 0.0, ..KL }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(RewardAwareRpo { eta: -1.0, ..KL }), "`eta` is -1, allowed is finite and >= 0");
        let sample = Sample::<f64>::of(2);
        let bare = crate::preference::PairBatch::new(sample.policy.view()).reference(sample.reference.view());
        assert_eq!(KL.value(bare, Reduction::Sum).unwrap_err().to_string(), "RewardAwareRpo needs `rewards`");
    }
}
