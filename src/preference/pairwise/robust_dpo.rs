//! Robust DPO (rDPO): an unbiased loss for labels of which a known share is flipped.

use crate::math::mul_or_zero;
use crate::preference::MarginLoss;
use crate::preference::logistic::logistic;
use crate::{Real, Result, check};

/// Robust direct preference optimization (rDPO): the logistic loss of the clean label, estimated without bias from a
/// label that is flipped with a known probability.
///
/// ```math
/// L_i = \frac{(1-\varepsilon)\operatorname{softplus}(-z_i) - \varepsilon\operatorname{softplus}(z_i)}{1-2\varepsilon}
///     = \operatorname{softplus}(-z_i) - \frac{\varepsilon}{1-2\varepsilon}\, z_i, \qquad z_i = \beta\, m_i
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums; the batch's offset, where it has one, is
/// subtracted from it. Over flips of probability `ε` its mean is the loss of the true label. The gradient
/// `-β (σ(-z) + ε/(1-2ε))` is never zero: the loss of a pair has no lower bound, and may be negative.
///
/// Exact up to `ε = 0.5`, which itself is out of range: `1 - 2ε` is formed without rounding. A chosen response of
/// log-probability -inf gives +inf and a rejected one -inf (0 where `ε` is 0), each with the limit of the gradient; both
/// signs in one batch have no sum and are an error.
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range (TRL divides by zero at 0.5 and turns the sign above); a batch without
/// reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// let loss = RobustDpo::default().value(batch, Reduction::Mean)?;
/// assert!((loss - 0.616_974_035).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chowdhury, Kini and Natarajan, ICML 2024, [arXiv:2403.00409](https://arxiv.org/abs/2403.00409).
#[doc(alias = "rDPO")]
#[doc(alias = "robust")]
#[doc(alias = "robust direct preference optimization")]
#[doc(alias = "noisy labels")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct RobustDpo {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL, Liger).
    pub beta: f64,
    /// Share of flipped labels, in `[0, 0.5)`. Default 0.1, the value of the paper's experiments; at 0 (TRL) it is DPO.
    pub label_smoothing: f64,
}

impl Default for RobustDpo {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.1 }
    }
}

impl MarginLoss for RobustDpo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let tilt = T::from_f64(self.label_smoothing / (1.0 - 2.0 * self.label_smoothing));
        let (beta, z) = (T::from_f64(self.beta), T::from_f64(self.beta) * margin);
        let (loss, slope) = logistic::<T, FMA>(z);
        (loss - mul_or_zero(tilt, z), beta * (slope - tilt))
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};
    use crate::preference::{Dpo, PairBatch, PairObjective, Pairs};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &RobustDpo::default(),
            &three([
                [0.616_974_035_317_169_1, -0.059_379_062_662_624_375, 0.059_379_062_662_624_375],
                [0.857_189_419_878_843_6, -0.068_717_650_088_579_82, 0.068_717_650_088_579_82],
                [0.386_742_481_463_337_6, -0.049_086_440_898_919_934, 0.049_086_440_898_919_934],
            ]),
        );
        is_exact(
            &RobustDpo { beta: 0.5, label_smoothing: 0.25 },
            &[
                (ratios(1.25, 0.0), [0.116_200_678_276_518_64, -0.424_322_567_666_972_9, 0.424_322_567_666_972_9]),
                (ratios(-1.5, 1.0), [2.126_929_081_345_372_7, -0.638_649_930_587_345_5, 0.638_649_930_587_345_5]),
                (ratios(0.0, 0.0), [LN_2, -0.5, 0.5]),
                (ratios(60.0, 0.0), [-14.999_999_999_999_906, -0.250_000_000_000_046_8, 0.250_000_000_000_046_8]),
                (ratios(-60.0, 0.0), [45.000_000_000_000_09, -0.749_999_999_999_953_3, 0.749_999_999_999_953_3]),
                (ratios(0.0, 1000.0), [750.0, -0.75, 0.75]),
                (ratios(1000.0, 0.0), [-250.0, -0.25, 0.25]),
                (ratios(-1.0e-8, 0.0), [0.693_147_185_559_945_3, -0.500_000_000_625, 0.500_000_000_625]),
            ],
        );
        is_exact(
            &RobustDpo { beta: 0.5, label_smoothing: 0.499_999_999 },
            &[
                (ratios(1.25, 0.0), [-156_249_995.004_233_84, -124_999_996.520_670_19, 124_999_996.520_670_19]),
                (ratios(-1.5, 1.0), [312_499_992.367_798_15, -124_999_996.734_997_56, 124_999_996.734_997_56]),
                (ratios(0.0, 0.0), [LN_2, -124_999_996.596_347_62, 124_999_996.596_347_62]),
                (ratios(60.0, 0.0), [-7_499_999_780.780_857, -124_999_996.346_347_62, 124_999_996.346_347_62]),
                (ratios(-60.0, 0.0), [7_499_999_810.780_857, -124_999_996.846_347_62, 124_999_996.846_347_62]),
                (ratios(0.0, 1000.0), [124_999_996_846.347_63, -124_999_996.846_347_62, 124_999_996.846_347_62]),
                (ratios(1000.0, 0.0), [-124_999_996_346.347_63, -124_999_996.346_347_62, 124_999_996.346_347_62]),
                (ratios(-1.0e-8, 0.0), [1.943_147_146_523_421_6, -124_999_996.596_347_62, 124_999_996.596_347_62]),
            ],
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&RobustDpo { beta: 0.3, label_smoothing: 0.3 });
    }

    #[test]
    fn the_mean_over_flips_is_the_loss_of_the_true_label() {
        let (robust, plain) = (RobustDpo { beta: 0.5, label_smoothing: 0.2 }, Dpo { beta: 0.5, label_smoothing: 0.0 });
        for margin in [-9.0, -0.5, 0.0, 3.0] {
            let loss = |margin| at::<f64>(&robust, ratios(margin, 0.0)).unwrap()[0];
            let clean = at::<f64>(&plain, ratios(margin, 0.0)).unwrap()[0];
            assert!((0.8 * loss(margin) + 0.2 * loss(-margin) - clean).abs() < 1e-15 * (1.0 + clean));
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        let robust = RobustDpo { beta: 0.5, label_smoothing: 0.25 };
        assert_eq!(at::<f64>(&robust, ratios(-inf, -1.0)), Ok([inf, -0.75, 0.75]));
        assert_eq!(at::<f64>(&robust, ratios(-1.0, -inf)), Ok([-inf, -0.25, 0.25]));
        let (falling, rising, zeros) = (array![-inf, -1.0], array![-1.0, -inf], array![0.0, 0.0]);
        let both = PairBatch::new(Pairs { chosen: falling.view(), rejected: rising.view() })
            .reference(Pairs { chosen: zeros.view(), rejected: zeros.view() });
        assert!(robust.sum_count(both).is_err() && robust.value(both, Reduction::Sum).is_err());
        let plain = RobustDpo { beta: 0.5, label_smoothing: 0.0 };
        assert_eq!(at::<f64>(&plain, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |beta, label_smoothing| refusal(&RobustDpo { beta, label_smoothing }, ratios(-1.0, -2.0));
        assert_eq!(message(-1.0, 0.1), "`beta` is -1, allowed is finite and > 0");
        assert_eq!(message(0.1, 0.5), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
    }
}
