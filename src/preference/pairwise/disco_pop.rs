//! DiscoPOP: the log-ratio modulated loss.

use crate::math::mul_or_zero;
use crate::preference::MarginLoss;
use crate::{Real, Result, check, math};

/// Discovered preference optimization (DiscoPOP), also called the log-ratio modulated loss (LRML): a blend of the
/// logistic and the exponential loss, in shares that depend on the margin.
///
/// ```math
/// L_i = (1-w_i)\operatorname{softplus}(-z_i) + w_i\, e^{-z_i}, \qquad w_i = \sigma(z_i/\tau), \quad z_i = \beta\, m_i
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums; the batch's offset, where it has one, is
/// subtracted from it. Not convex: there is a bump near `z = 0`. Far below it is `-z`, far above `e^{-z}`.
///
/// `w e^{-z}` is formed as one power, so that nothing is 0 · ∞: at `z` of -200 TRL, Liger and ms-swift give NaN in `f32`. A
/// chosen response of log-probability -inf gives +inf with gradient -β, a rejected one 0: the exact limits.
///
/// # Errors
///
/// `beta` or `tau` out of range: above 1 the loss would grow like a power as `z` falls. A batch without reference; both
/// sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::DiscoPop;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = DiscoPop::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.863_540_105).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lu et al., NeurIPS 2024, eq. 5, [arXiv:2406.08414](https://arxiv.org/abs/2406.08414).
#[doc(alias = "LRML")]
#[doc(alias = "log-ratio modulated loss")]
#[doc(alias = "discovered preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DiscoPop {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger); the authors' code has 0.05.
    pub beta: f64,
    /// Width of the blend in `z`, in `(0, 1]`. Default 0.05 (the paper, TRL); 1 is the older form named LRML.
    pub tau: f64,
}

impl Default for DiscoPop {
    fn default() -> Self {
        Self { beta: 0.1, tau: 0.05 }
    }
}

impl MarginLoss for DiscoPop {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::parameter("tau", self.tau, "(0, 1]", self.tau > 0.0 && self.tau <= 1.0)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let (beta, tau, z) = (T::from_f64(self.beta), T::from_f64(self.tau), T::from_f64(self.beta) * margin);
        let (share, rest) = (math::sigmoid::<T, FMA>(z / tau), math::sigmoid::<T, FMA>(-z / tau));
        let (logistic, slope) = (math::softplus::<T, FMA>(-z), math::sigmoid::<T, FMA>(-z));
        // ln w - z, of which the two large parts cancel below zero.
        let steep = if z < T::zero() { mul_or_zero(T::from_f64(1.0 / self.tau - 1.0), z) } else { -z };
        let exponential = math::exp::<T, FMA>(steep - math::softplus::<T, FMA>(-(z / tau).abs()));
        let turn = rest / tau * exponential - mul_or_zero(share * rest / tau, logistic); // through the shares
        (rest * logistic + exponential, beta * (turn - exponential - rest * slope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &DiscoPop::default(),
            &three([
                [0.863_540_105_182_498_1, -0.050_073_851_238_417_41, 0.050_073_851_238_417_41],
                [0.829_005_321_165_987_9, -0.050_610_009_473_149_815, 0.050_610_009_473_149_815],
                [0.576_947_781_870_399_9, -0.057_690_571_542_999_64, 0.057_690_571_542_999_64],
            ]),
        );
        is_exact(
            &DiscoPop { beta: 0.5, tau: 0.0625 },
            &[
                (ratios(1.25, 0.0), [0.535_256_590_888_041_9, -0.267_587_778_977_865_6, 0.267_587_778_977_865_6]),
                (ratios(-1.5, 1.0), [1.501_929_085_443_799_2, -0.388_649_900_595_933_3, 0.388_649_900_595_933_3]),
                (ratios(0.0, 0.0), [0.846_573_590_279_972_7, 0.238_705_638_880_109_37, -0.238_705_638_880_109_37]),
                (
                    ratios(60.0, 0.0),
                    [9.357_622_968_840_175e-14, -4.678_811_484_420_087_4e-14, 4.678_811_484_420_087_4e-14],
                ),
                (ratios(-60.0, 0.0), [30.000_000_000_000_092, -0.499_999_999_999_953_2, 0.499_999_999_999_953_2]),
                (ratios(0.0, 1000.0), [500.0, -0.5, 0.5]),
                (
                    ratios(1000.0, 0.0),
                    [7.124_576_406_741_286e-218, -3.562_288_203_370_643e-218, 3.562_288_203_370_643e-218],
                ),
                (ratios(-1.0e-8, 0.0), [0.846_573_587_892_916_3, 0.238_705_647_317_608_46, -0.238_705_647_317_608_46]),
                (ratios(0.125, 0.0), [0.864_908_844_672_887, 0.027_217_659_128_564_99, -0.027_217_659_128_564_99]),
                (ratios(-0.25, 0.0), [0.802_365_623_276_633_1, 0.013_961_103_649_649_033, -0.013_961_103_649_649_033]),
                (ratios(0.0, 4.0), [2.126_928_011_043_039_3, -0.440_398_538_988_449_33, 0.440_398_538_988_449_33]),
            ],
        );
        is_exact(
            &DiscoPop { beta: 0.5, tau: 1.0 },
            &[
                (ratios(1.25, 0.0), [0.498_109_541_329_416_9, -0.222_999_751_636_759_03, 0.222_999_751_636_759_03]),
                (ratios(-1.5, 1.0), [1.944_749_127_598_680_8, -0.518_645_487_439_409_3, 0.518_645_487_439_409_3]),
                (ratios(0.0, 0.0), [0.846_573_590_279_972_7, -0.336_643_397_569_993_2, 0.336_643_397_569_993_2]),
                (
                    ratios(60.0, 0.0),
                    [9.357_622_968_840_175e-14, -4.678_811_484_420_087_4e-14, 4.678_811_484_420_087_4e-14],
                ),
                (ratios(-60.0, 0.0), [30.999_999_999_997_193, -0.500_000_000_001_356_9, 0.500_000_000_001_356_9]),
                (ratios(0.0, 1000.0), [501.0, -0.5, 0.5]),
                (
                    ratios(1000.0, 0.0),
                    [7.124_576_406_741_286e-218, -3.562_288_203_370_643e-218, 3.562_288_203_370_643e-218],
                ),
                (ratios(-1.0e-8, 0.0), [0.846_573_593_646_406_6, -0.336_643_398_507_493_14, 0.336_643_398_507_493_14]),
                (ratios(0.125, 0.0), [0.805_226_371_607_286_2, -0.324_907_409_955_138_5, 0.324_907_409_955_138_5]),
                (ratios(-0.25, 0.0), [0.933_653_082_193_151_9, -0.359_935_605_906_495_15, 0.359_935_605_906_495_15]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&DiscoPop { beta: 0.05, tau: 0.5 });
        agrees_with_differences(&DiscoPop { beta: 0.1, tau: 1.0 });
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        for tau in [0.05, 1.0] {
            let disco = DiscoPop { beta: 0.5, tau };
            assert_eq!(at::<f64>(&disco, ratios(-inf, -1.0)), Ok([inf, -0.5, 0.5]));
            assert_eq!(at::<f64>(&disco, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
        }
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |beta, tau| refusal(&DiscoPop { beta, tau }, ratios(-1.0, -2.0));
        assert_eq!(message(0.0, 0.1), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(0.1, 1.5), "`tau` is 1.5, allowed is (0, 1]");
        assert_eq!(message(0.1, 0.0), "`tau` is 0, allowed is (0, 1]");
    }
}
