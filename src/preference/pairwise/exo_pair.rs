//! Efficient exact optimization (EXO) over pairs.

use crate::math::mul_or_zero;
use crate::preference::MarginLoss;
use crate::preference::bernoulli;
use crate::preference::logistic::{density, scaled};
use crate::{Real, Result, check, math};

/// Efficient exact optimization (EXO) of pairs: the reverse KL divergence from the policy's preference to a smoothed
/// label.
///
/// ```math
/// L_i = q_i\ln\frac{q_i}{1-\varepsilon} + (1-q_i)\ln\frac{1-q_i}{\varepsilon}, \qquad q_i = \sigma(z_i), \quad
/// z_i = \beta\, m_i
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums; the batch's offset, where it has one, is
/// subtracted from it. `L >= 0`, with equality at `z = logit(1-ε)`, beyond which the gradient
/// `β σ'(z) (z - logit(1-ε))` changes sign. It vanishes for large `|z|`: pairs that are very wrong hardly change.
///
/// Good to some 40 ulp, also around the minimum, where the terms cancel, and in the tails, where `L` tends to `-ln ε` and
/// `-ln(1-ε)`; these are the answers at log-probabilities of -inf, with gradient 0.
///
/// At `label_smoothing` 0 the loss is infinite; TRL and Liger refuse it too, ms-swift takes 1e-3 in its place. The
/// authors' code takes `ln ε = -10` and `ln(1-ε) = 0`, which do not form a distribution.
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = ExoPair { beta: 0.1, label_smoothing: 0.1 }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.444_200_938).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Ji et al., ICML 2024, eq. 16, [arXiv:2402.00856](https://arxiv.org/abs/2402.00856).
#[doc(alias = "EXO")]
#[doc(alias = "exo_pair")]
#[doc(alias = "efficient exact optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ExoPair {
    /// Scale of the log-ratios, `> 0`: the paper's `β_π`. Default 0.1 (TRL, Liger).
    pub beta: f64,
    /// Probability that a label is flipped, in `(0, 0.5)`. Default 1e-3 (the paper).
    pub label_smoothing: f64,
}

impl Default for ExoPair {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 1e-3 }
    }
}

impl MarginLoss for ExoPair {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        let flip = self.label_smoothing;
        check::parameter("label_smoothing", flip, "(0, 0.5)", flip > 0.0 && flip < 0.5)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let flip = self.label_smoothing;
        let aim = T::from_f64(math::ln_1p::<f64, FMA>((1.0 - 2.0 * flip) / flip)); // logit(1 - ε)
        let (beta, z) = (T::from_f64(self.beta), T::from_f64(self.beta) * margin);
        let slope = mul_or_zero(density::<T, FMA>(z), z - aim);
        scaled(beta, (bernoulli::divergence::<T, FMA>(z, aim), slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &ExoPair { beta: 0.1, label_smoothing: 0.1 },
            &three([
                [0.444_200_938_460_406_6, -0.051_603_774_581_833_34, 0.051_603_774_581_833_34],
                [0.655_193_245_547_584_7, -0.060_234_537_659_555_72, 0.060_234_537_659_555_72],
                [0.252_528_880_654_088_2, -0.038_216_869_204_872_76, 0.038_216_869_204_872_76],
            ]),
        );
        is_exact(
            &ExoPair { beta: 0.5, label_smoothing: 1e-3 },
            &[
                (ratios(1.25, 0.0), [1.762_403_066_993_650_3, -0.713_267_201_355_178, 0.713_267_201_355_178]),
                (ratios(-1.5, 1.0), [4.839_315_776_067_73, -0.705_986_649_253_995, 0.705_986_649_253_995]),
                (ratios(0.0, 0.0), [2.761_230_709_097_915, -0.863_344_347_331_069_2, 0.863_344_347_331_069_2]),
                (
                    ratios(60.0, 0.0),
                    [0.001_000_500_331_328_978_4, 1.080_489_409_541_682_3e-12, -1.080_489_409_541_682_3e-12],
                ),
                (ratios(-60.0, 0.0), [6.907_755_278_978_59, -1.726_797_481_109_844_6e-12, 1.726_797_481_109_844_6e-12]),
                (
                    ratios(0.0, 1000.0),
                    [6.907_755_278_982_137, -1.805_747_952_756_874_8e-215, 1.805_747_952_756_874_8e-215],
                ),
                (
                    ratios(1000.0, 0.0),
                    [0.001_000_500_333_583_533_5, 1.756_540_250_613_767_8e-215, -1.756_540_250_613_767_8e-215],
                ),
                (ratios(-1.0e-8, 0.0), [2.761_230_717_731_358, -0.863_344_347_956_069_2, 0.863_344_347_956_069_2]),
                (
                    ratios(13.75, 0.0),
                    [5.144_475_599_818_48e-7, -1.637_221_667_033_320_7e-5, 1.637_221_667_033_320_7e-5],
                ),
                (
                    ratios(13.875, 0.0),
                    [4.626_132_436_738_660_6e-7, 1.489_316_275_943_896_6e-5, -1.489_316_275_943_896_6e-5],
                ),
                (ratios(14.5, 0.0), [4.698_702_601_837_55e-5, 1.217_090_519_613_321_4e-4, -1.217_090_519_613_321_4e-4]),
                (ratios(0.0, 30.0), [6.907_748_271_754_792, -3.350_661_510_775_950_7e-6, 3.350_661_510_775_950_7e-6]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&ExoPair::default());
        agrees_with_differences(&ExoPair { beta: 0.3, label_smoothing: 0.4 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let exo = ExoPair { beta: 0.5, label_smoothing: 0.25 };
        let [loss, chosen, rejected] = at::<f64>(&exo, ratios(f64::NEG_INFINITY, -1.0)).unwrap();
        assert!((loss - 4.0_f64.ln()).abs() < 1e-15 && chosen == 0.0 && rejected == 0.0);
        let [loss, chosen, rejected] = at::<f64>(&exo, ratios(-1.0, f64::NEG_INFINITY)).unwrap();
        assert!((loss + 0.75_f64.ln()).abs() < 1e-15 && chosen == 0.0 && rejected == 0.0);
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |beta, label_smoothing| refusal(&ExoPair { beta, label_smoothing }, ratios(-1.0, -2.0));
        assert_eq!(message(0.0, 0.1), "`beta` is 0, allowed is finite and > 0");
        for (flip, shown) in [(0.0, "0"), (0.5, "0.5"), (f64::NAN, "NaN")] {
            assert_eq!(message(0.1, flip), format!("`label_smoothing` is {shown}, allowed is (0, 0.5)"));
        }
    }
}
