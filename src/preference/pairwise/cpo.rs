//! Contrastive preference optimization (CPO): its preference term.

use crate::preference::logistic::{scaled, smoothed};
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Contrastive preference optimization (CPO), its preference term: the logistic loss of the margin by which the policy
/// prefers the chosen response. It is DPO without a reference.
///
/// ```math
/// L_i = \operatorname{softplus}(-\beta\, m_i), \qquad m_i = \frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}
/// ```
///
/// `n` is 1 ([`Length::Sum`]: the paper, TRL, Liger) or the number of scored tokens ([`Length::Mean`]: h2o); gradients are
/// with respect to the sums. The batch's offset, where it has one, is subtracted from `m`. With `label_smoothing` ε the
/// loss is `(1-ε) softplus(-βm) + ε softplus(βm)`. The whole objective of the paper adds the likelihood of the chosen
/// response: a [`WeightedSum`](crate::preference::WeightedSum) with [`Nll`](crate::preference::Nll) of weight 1. With a
/// target margin it is [`SimPo`](crate::preference::SimPo).
///
/// Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo).
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range; a batch without lengths, for [`Length::Mean`]; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) });
/// let loss = Cpo { beta: 0.1, label_smoothing: 0.0, length: Length::Sum }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.609_470_430).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Xu et al., ICML 2024, [arXiv:2401.08417](https://arxiv.org/abs/2401.08417).
#[doc(alias = "contrastive preference optimization")]
#[doc(alias = "reference-free DPO")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Cpo {
    /// Scale of the margin, `> 0`. TRL and Liger take 0.1.
    pub beta: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. TRL and Liger take 0, and so does a file that leaves it out.
    #[cfg_attr(feature = "serde", serde(default))]
    pub label_smoothing: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for Cpo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(self.length)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, smoothed::<T, FMA>(beta * margin, self.label_smoothing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    const SUM: Cpo = Cpo { beta: 0.1, label_smoothing: 0.0, length: Length::Sum };
    const MEAN: Cpo = Cpo { beta: 2.0, label_smoothing: 0.2, length: Length::Mean };

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &SUM,
            &three([
                [0.609_470_430_663_046_8, -0.045_636_131_276_292_11, 0.045_636_131_276_292_11],
                [0.784_470_430_663_046_8, -0.054_363_868_723_707_89, 0.054_363_868_723_707_89],
                [0.263_282_467_338_031_2, -0.023_147_521_650_098_236, 0.023_147_521_650_098_236],
            ]),
        );
        is_exact(
            &MEAN,
            &three([
                [0.732_599_035_317_169_1, -0.066_241_874_674_751_25, 0.055_201_562_228_959_375],
                [0.607_880_310_268_177_1, -0.018_203_616_649_923_96, 0.021_844_339_979_908_752],
                [0.746_615_391_432_970_7, -0.113_856_827_738_933_28, 0.042_696_310_402_099_986],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SUM);
        agrees_with_differences(&MEAN);
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&SUM, ratios(-inf, -1.0)), Ok([inf, -0.1, 0.1]));
        assert_eq!(at::<f64>(&SUM, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn hyper_parameters_out_of_range_are_named() {
        let message = |cpo: Cpo| refusal(&cpo, ratios(0.0, 0.0));
        assert_eq!(message(Cpo { beta: 0.0, ..SUM }), "`beta` is 0, allowed is finite and > 0");
        assert_eq!(message(Cpo { label_smoothing: 0.5, ..SUM }), "`label_smoothing` is 0.5, allowed is [0, 0.5)");
    }
}
