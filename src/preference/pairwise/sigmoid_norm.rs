//! Length-normalized DPO (`sigmoid_norm` in TRL, `dpo_norm` in open-instruct).

use crate::preference::logistic::{scaled, smoothed};
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Length-normalized direct preference optimization (DPO): the logistic loss of the margin per token, with the mean
/// log-ratio of each response in place of the sum.
///
/// ```math
/// L_i = \operatorname{softplus}(-\beta\, m_i), \qquad
/// m_i = \frac{\log\pi_i^w - \log\rho_i^w}{n_i^w} - \frac{\log\pi_i^l - \log\rho_i^l}{n_i^l}
/// ```
///
/// `π` is the policy, `ρ` the reference and `n` the number of scored tokens. Log-probabilities are given as sums, which the
/// gradient is with respect to. The batch's offset, where it has one, is subtracted from `m`, in nats per token. With
/// `label_smoothing` ε the loss is `(1-ε) softplus(-βm) + ε softplus(βm)`.
///
/// Peers divide by the number of scored tokens, but for TRL, which counts the token before the shift too where the prompt
/// is cut off. HALOs counts the tokens on which the models differ.
///
/// Limits at log-probabilities of -inf are those of [`Dpo`](crate::preference::Dpo), with gradients over `n`.
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range; a batch without reference or lengths; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::SigmoidNorm;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) })
///     .lengths(Pairs { chosen: aview1(&[10.0]), rejected: aview1(&[12.0]) });
/// let loss = SigmoidNorm { beta: 5.0, label_smoothing: 0.0 }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.450_937_282).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lambert et al. (Tulu 3), 2024, eq. 6, [arXiv:2411.15124](https://arxiv.org/abs/2411.15124).
#[doc(alias = "sigmoid_norm")]
#[doc(alias = "dpo_norm")]
#[doc(alias = "length-normalized DPO")]
#[doc(alias = "length-normalized direct preference optimization")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct SigmoidNorm {
    /// Strength of the pull towards the reference, for each nat per token, `> 0`. No default: open-instruct has 5, TRL
    /// leaves its 0.1 for sums in place, and the two differ fifty-fold.
    pub beta: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub label_smoothing: f64,
}

impl MarginLoss for SigmoidNorm {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    fn margin(&self) -> Margin {
        Margin { length: Length::Mean, ..Margin::default() }
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
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, is_exact, ratios, refusal, three};
    use crate::preference::{PairBatch, PairObjective};

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(
            &SigmoidNorm { beta: 0.1, label_smoothing: 0.0 },
            &three([
                [0.687_538_000_789_018_6, -0.004_971_875_296_627_105, 0.004_143_229_413_855_921],
                [0.698_892_758_812_178_9, -0.002_095_268_966_633_349, 0.002_514_322_759_960_018_4],
                [0.668_459_648_013_286_3, -0.008_125_043_391_929_827, 0.003_046_891_271_973_685_2],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SigmoidNorm { beta: 5.0, label_smoothing: 0.0 });
        agrees_with_differences(&SigmoidNorm { beta: 2.0, label_smoothing: 0.2 });
    }

    #[test]
    fn what_is_missing_or_out_of_range_is_named() {
        let norm = SigmoidNorm { beta: 5.0, label_smoothing: 0.0 };
        let sample = Sample::<f64>::of(2);
        let batch = PairBatch::new(sample.policy.view()).reference(sample.reference.view());
        assert_eq!(norm.value(batch, Reduction::Mean).unwrap_err().to_string(), "SigmoidNorm needs `lengths`");
        let refused = refusal(&SigmoidNorm { label_smoothing: 0.5, ..norm }, ratios(0.0, 0.0));
        assert_eq!(refused, "`label_smoothing` is 0.5, allowed is [0, 0.5)");
    }
}
