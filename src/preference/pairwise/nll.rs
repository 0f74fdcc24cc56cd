//! Negative log-likelihood of the chosen response, the add-on of many preference objectives.

use crate::preference::{Length, Needs, PairLoss, Pairs, Row};
use crate::{Real, Result};

/// Negative log-likelihood (NLL) of the chosen response, `-log π`, per response or per token.
///
/// ```math
/// L_i = -\frac{\log\pi_i^w}{n_i^w}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]) or 1 ([`Length::Sum`]). Needs no reference; the gradient with
/// respect to the rejected log-probability is zero. As a term of a weighted sum it prevents the likelihood of the
/// chosen response from falling with that of the rejected one.
///
/// There is no default, since peers disagree: RPO takes the sum, IRPO and OpenRLHF the mean per response. The mean over
/// all tokens of a batch (TRL's `sft`) is [`Sft`](crate::preference::Sft).
///
/// A log-probability of -inf gives +inf with gradient `-1/n`, exactly.
///
/// # Errors
///
/// A batch without lengths, for [`Length::Mean`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Nll;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.0_f64, -3.0]), rejected: aview1(&[-14.0, -9.0]) })
///     .lengths(Pairs { chosen: aview1(&[10.0, 2.0]), rejected: aview1(&[12.0, 3.0]) });
/// assert_eq!(Nll { length: Length::Sum }.value(batch, Reduction::Mean)?, 7.5);
/// assert_eq!(Nll { length: Length::Mean }.value(batch, Reduction::Mean)?, 1.35);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Pang et al. (IRPO), NeurIPS 2024, [arXiv:2404.19733](https://arxiv.org/abs/2404.19733); Liu et al. (RPO), NeurIPS
/// 2024, [arXiv:2405.16436](https://arxiv.org/abs/2405.16436).
#[doc(alias = "negative log-likelihood")]
#[doc(alias = "SFT loss")]
#[doc(alias = "supervised fine-tuning")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Nll {
    /// Whether it is the sum over the tokens of a response or their mean.
    pub length: Length,
}

impl PairLoss for Nll {
    crate::compile_loops!(PairLoss);

    fn needs(&self) -> Result<Needs> {
        Ok(Needs { lengths: self.length == Length::Mean, ..Needs::default() })
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, row: Row<T>) -> (T, Pairs<T>) {
        let share = match self.length {
            Length::Sum => T::one(),
            Length::Mean => row.lengths.chosen.recip(),
        };
        let loss = match self.length {
            Length::Sum => -row.policy.chosen,
            Length::Mean => -(row.policy.chosen / row.lengths.chosen),
        };
        (loss, Pairs { chosen: -share, rejected: T::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reduction;
    use crate::preference::testing::{Sample, agrees_with_differences, one, pair};
    use crate::preference::{PairBatch, PairObjective};

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Nll { length: Length::Sum });
        agrees_with_differences(&Nll { length: Length::Mean });
    }

    #[test]
    fn the_rejected_response_counts_for_nothing() {
        let sample = Sample::<f64>::of(5);
        let (loss, grad) = Nll { length: Length::Sum }.grad(sample.batch(), Reduction::Sum).unwrap();
        assert!((loss + sample.policy.chosen.sum()).abs() < 1e-12);
        assert_eq!(grad.chosen, ndarray::Array1::from_elem(5, -1.0));
        assert_eq!(grad.rejected, ndarray::Array1::<f64>::zeros(5));
    }

    #[test]
    fn a_response_of_probability_zero_has_an_infinite_loss_and_a_finite_gradient() {
        let nll = Nll { length: Length::Mean };
        assert_eq!(pair(&nll, one(&[f64::NEG_INFINITY, -1.0], &[0.0], &[4.0])), (f64::INFINITY, -0.25, 0.0));
    }

    #[test]
    fn the_mean_form_asks_for_lengths_above_zero() {
        let sample = Sample::<f64>::of(2);
        let nll = Nll { length: Length::Mean };
        let error = nll.value(PairBatch::new(sample.policy.view()), Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "Nll needs `lengths`");
        for (length, shown) in [(0.0, "0"), (-3.0, "-3"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let error = nll.value(one(&[-1.0, -1.0], &[0.0], &[length]), Reduction::Sum).unwrap_err();
            assert_eq!(error.to_string(), format!("`lengths.chosen`[0] is {shown}, allowed is finite and > 0"));
            assert!(Nll { length: Length::Sum }.value(one(&[-1.0, -1.0], &[0.0], &[length]), Reduction::Sum).is_ok());
        }
    }
}
