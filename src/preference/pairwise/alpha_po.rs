//! AlphaPO: SimPO with a reward of another shape.

use crate::math::mul_or_zero;
use crate::preference::{Needs, PairLoss, Pairs, Row};
use crate::{Real, Result, check, math};

/// AlphaPO, simple preference optimization (SimPO) with another shape of reward: the logistic loss of the difference of
/// two rewards `(1 - p^-α) / α`, where `p` is the geometric mean of the token probabilities.
///
/// ```math
/// L_i = \operatorname{softplus}\big(\gamma - \beta\,(r_i^w - r_i^l)\big), \qquad
/// r_i = \frac{1 - e^{-\alpha\bar\ell_i}}{\alpha}, \quad \bar\ell_i = \frac{\log\pi_i}{n_i}
/// ```
///
/// No reference. `n` is the number of scored tokens: the batch must hold lengths (of 1, where the log-probabilities are
/// means already). Gradients `∓β σ(-z) e^{-αℓ̄} / n` are with respect to the sums. `α -> 0` is
/// [`SimPo`](crate::preference::SimPo), which it is at 0; `α > 0` weighs unlikely responses up, `α < 0` down. With
/// `label_smoothing` ε the loss is `(1-ε) softplus(-z) + ε softplus(z)`, `z = β (r_w - r_l) - γ`. TRL adds no likelihood
/// to it.
///
/// The difference is formed as `(ℓ̄_w - ℓ̄_l) e^{-αℓ̄} (e^{-δ} - 1)/(-δ)`, of the side with the larger power and
/// `δ = |α (ℓ̄_w - ℓ̄_l)|`, which cancels nowhere and loses nothing near `α = 0`. TRL raises `p` to a power, and gives NaN
/// at `ℓ̄` of -400 in `f32`. For `α > 0` the powers grow as `e^{-αℓ̄}`: where loss or gradient leave the type that is an
/// error, and a rejected response of log-probability -inf the exact limit 0. For `α < 0` rewards are bounded by `1/|α|`, and
/// both limits at -inf are finite.
///
/// # Errors
///
/// `alpha`, `beta`, `gamma` or `label_smoothing` out of range; a batch without lengths; results that overflow.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::AlphaPo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let loss = AlphaPo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 1.082_927_564).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gupta et al., ICML 2025, [arXiv:2501.03884](https://arxiv.org/abs/2501.03884).
#[doc(alias = "Alpha-PO")]
#[doc(alias = "reward shape")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AlphaPo {
    /// Shape of the reward, finite. Default 0.25 (the paper); TRL's 0 switches it off.
    pub alpha: f64,
    /// Scale of the rewards, `> 0`. Default 2, that of [`SimPo`](crate::preference::SimPo); TRL has 0.1.
    pub beta: f64,
    /// Target margin, after `beta`, `>= 0`. Default 0.5 (TRL).
    pub gamma: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    pub label_smoothing: f64,
}

impl Default for AlphaPo {
    fn default() -> Self {
        Self { alpha: 0.25, beta: 2.0, gamma: 0.5, label_smoothing: 0.0 }
    }
}

impl PairLoss for AlphaPo {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        check::finite("alpha", self.alpha)?;
        check::positive("beta", self.beta)?;
        check::non_negative("gamma", self.gamma)?;
        check::label_smoothing(self.label_smoothing)?;
        Ok(Needs { lengths: true, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let (alpha, beta) = (T::from_f64(self.alpha), T::from_f64(self.beta));
        let (w, l) = (row.policy.chosen / row.lengths.chosen, row.policy.rejected / row.lengths.rejected);
        let power = Pairs { chosen: -mul_or_zero(alpha, w), rejected: -mul_or_zero(alpha, l) }; // ln p^-α
        let z = beta * self.difference::<T, FMA>(w - l, power) - T::from_f64(self.gamma);
        let (flip, kept) = (T::from_f64(self.label_smoothing), T::from_f64(1.0 - self.label_smoothing));
        let (wrong, right) = (math::softplus::<T, FMA>(-z), math::softplus::<T, FMA>(z)); // -ln σ(z), -ln σ(-z)
        // σ(-z) p^-α as one power: either factor alone leaves the type long before their product does.
        let steep = |power: T, log: T| if log == T::infinity() { T::zero() } else { math::exp::<T, FMA>(power - log) };
        let slope = |power: T| beta * (mul_or_zero(flip, steep(power, wrong)) - kept * steep(power, right));
        let slope = power.map(slope);
        let slope =
            Pairs { chosen: slope.chosen / row.lengths.chosen, rejected: -slope.rejected / row.lengths.rejected };
        (kept * wrong + mul_or_zero(flip, right), slope)
    }
}

impl AlphaPo {
    /// `r_w - r_l`, from the difference of the mean log-probabilities and both `-αℓ̄`.
    #[inline(always)]
    fn difference<T: Real, const FMA: bool>(&self, margin: T, power: Pairs<T>) -> T {
        let larger = if power.rejected > power.chosen { power.rejected } else { power.chosen };
        let gap = mul_or_zero(T::from_f64(self.alpha), margin).abs();
        let fall = -math::exp_m1::<T, FMA>(-gap);
        let sign = if margin < T::zero() { -T::one() } else { T::one() };
        let near = margin * if gap == T::zero() { T::one() } else { fall / gap };
        let far = sign * fall / T::from_f64(self.alpha.abs());
        (if gap > T::one() { far } else { near }) * math::exp::<T, FMA>(larger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};
    use crate::preference::{PairObjective, SimPo};
    use crate::testing::close;

    const PLAIN: AlphaPo = AlphaPo { alpha: 0.25, beta: 0.5, gamma: 0.5, label_smoothing: 0.0 };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &AlphaPo::default(),
            &three([
                [1.082_927_564_384_951, -0.180_804_559_688_873, 1.780_014_448_080_271_5 / 12.0],
                [0.713_092_439_665_823_3, -1.397_464_298_893_839 / 24.0, 0.072_808_173_195_769],
                [1.123_463_293_986_971_5, -1.883_653_215_874_954_8 / 6.0, 1.844_816_395_435_218_8 / 16.0],
            ]),
        );
        is_exact(
            &PLAIN,
            &[
                (ratios(-1.25, -2.0), [0.661_772_038_293_859_3, -0.330_818_339_374_308_43, 0.399_043_088_016_506_7]),
                (ratios(-2.0, -1.25), [1.360_274_631_443_290_3, -0.612_837_693_019_648_3, 0.508_060_292_231_789_8]),
                (ratios(0.0, -1.0e-8), [0.974_076_981_067_81, -0.311_229_665_013_418, 0.311_229_665_791_492_14]),
                (ratios(-1.0e-8, 0.0), [0.974_076_987_292_403_3, -0.311_229_666_966_510_7, 0.311_229_666_188_436_56]),
                (ratios(-3.0, -3.0), [0.974_076_984_180_106_7, -0.658_873_207_247_520_2, 0.658_873_207_247_520_2]),
                (ratios(-0.5, -40.0), [0.0e-19131, -0.0e-19131, 0.0e-19127]),
                (
                    ratios(-20.0, -20.5),
                    [1.129_733_181_595_491_3e-17, -8.383_363_521_179_586e-16, 9.499_595_405_521_51e-16],
                ),
                (ratios(-40.0, -0.5), [44_051.165_292_707_3, -11_013.232_897_403_357, 0.566_574_226_533_413_2]),
            ],
        );
        is_exact(
            &AlphaPo { alpha: -0.5, label_smoothing: 0.125, ..PLAIN },
            &[
                (ratios(-1.25, -2.0), [0.831_644_994_143_057_3, -0.122_413_283_204_528_9, 0.084_133_337_128_075_7]),
                (ratios(-2.0, -1.25), [0.998_086_715_140_338_9, -0.098_576_367_087_604_69, 0.143_427_767_796_717_04]),
                (ratios(-10_000.0, -0.5), [1.364_537_239_638_594_4, 0.0, 0.255_931_683_861_596_8]),
                (ratios(-0.5, -10_000.0), [0.598_281_815_196_584_6, -0.119_058_314_804_782_42, 0.0]),
                (ratios(0.0, -1.0e-8), [0.911_576_981_692_81, -0.248_729_665_013_418, 0.248_729_663_769_769_68]),
            ],
        );
        is_exact(
            &AlphaPo { alpha: 1e-9, ..PLAIN },
            &[
                (ratios(-1.25, -2.0), [0.757_599_034_993_463_4, -0.265_604_686_943_008_87, 0.265_604_687_142_212_4]),
                (ratios(-2.0, -1.25), [1.223_444_581_435_143_6, -0.352_892_514_687_559_8, 0.352_892_514_422_890_4]),
                (ratios(-30.0, -0.25), [15.375_000_435_227_694, -0.499_999_909_878_350_2, 0.499_999_895_003_353_1]),
                (ratios(-10_000.0, -0.5), [5_000.275_000_083_271, -0.500_005_000_025, 0.500_000_000_25]),
            ],
        );
    }

    #[test]
    fn lengths_from_one_to_ten_thousand_are_as_good() {
        for length in [1.0, 40.0, 1e4] {
            let mut row = ratios(-1.25 * length, -2.0 * length);
            row.lengths = Pairs { chosen: length, rejected: length };
            let [loss, chosen, rejected] = at::<f64>(&PLAIN, row).unwrap();
            let [expected, by_chosen, by_rejected] = at::<f64>(&PLAIN, ratios(-1.25, -2.0)).unwrap();
            close(loss, expected, 1e-15);
            close(chosen * length, by_chosen, 1e-14);
            close(rejected * length, by_rejected, 1e-14);
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&AlphaPo { alpha: 0.1, ..PLAIN });
        agrees_with_differences(&AlphaPo { alpha: -0.5, label_smoothing: 0.2, ..PLAIN });
    }

    #[test]
    fn alpha_towards_zero_is_simpo_however_small() {
        let simpo = SimPo { beta: 0.5, gamma: 0.5, label_smoothing: 0.1 };
        for alpha in [0.0, 1e-320, -1e-300, 1e-40, 1e-18, -1e-18] {
            let alpha = AlphaPo { alpha, beta: 0.5, gamma: 0.5, label_smoothing: 0.1 };
            for (w, l) in [(-0.25, -2.0), (-2.0, -0.25), (-1.0, -1.0), (0.0, -1e-8)] {
                for (got, expected) in
                    at::<f64>(&alpha, ratios(w, l)).unwrap().into_iter().zip(at::<f64>(&simpo, ratios(w, l)).unwrap())
                {
                    close(got, expected, 1e-14);
                }
                assert!(at::<f32>(&alpha, ratios(w, l)).is_ok());
            }
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit_where_there_is_one() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&PLAIN, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(refusal(&PLAIN, ratios(-inf, -1.0)), "`policy.chosen`[0] is -inf, allowed is finite");
        let bounded = AlphaPo { alpha: -0.5, ..PLAIN };
        for row in [ratios(-inf, -1.0), ratios(-1.0, -inf)] {
            let (limit, near) = (at::<f64>(&bounded, row).unwrap(), row.map(|x| x.max(-1e4)));
            for (got, expected) in limit.into_iter().zip(at::<f64>(&bounded, near).unwrap()) {
                close(got, expected, 1e-14);
            }
        }
    }

    #[test]
    fn far_apart_the_limit_and_equally_far_an_error() {
        let (far, near) = (ratios(-1e4, -0.5), ratios(-0.5, -1e4));
        assert_eq!(at::<f64>(&PLAIN, near), Ok([0.0, 0.0, 0.0]));
        assert_eq!(refusal(&PLAIN, far), "the result at `policy.chosen`[0] overflows f64");
        assert!(at::<f64>(&PLAIN, ratios(-1e4, -1e4)).is_err());
        let narrow: &dyn PairObjective<f32> = &PLAIN;
        assert!(at::<f32>(narrow, ratios(-400.0, -390.0)).unwrap_err().to_string().ends_with("overflows f32"));
        assert!(at::<f64>(&PLAIN, ratios(-400.0, -390.0)).is_ok());
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |alpha: AlphaPo| refusal(&alpha, ratios(0.0, 0.0));
        assert_eq!(message(AlphaPo { alpha: f64::NAN, ..PLAIN }), "`alpha` is NaN, allowed is finite");
        assert_eq!(message(AlphaPo { beta: 0.0, ..PLAIN }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(AlphaPo { gamma: -1.0, ..PLAIN }), "`gamma` is -1, allowed is finite and >= 0");
        assert_eq!(message(AlphaPo { label_smoothing: 0.5, ..PLAIN }), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
    }
}
