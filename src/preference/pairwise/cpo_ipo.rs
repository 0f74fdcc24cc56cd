//! The squared loss of the margin without a reference (`ipo` in TRL's CPO).

use crate::preference::logistic::square;
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Contrastive preference optimization (CPO) with the loss of identity preference optimization (IPO): the squared
/// distance from `1/(2β)` of the margin by which the policy prefers the chosen response. It is
/// [`Ipo`](crate::preference::Ipo) without a reference.
///
/// ```math
/// L_i = \Big(m_i - \frac{1}{2\beta}\Big)^2, \qquad m_i = \frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}
/// ```
///
/// `n` is the number of scored tokens ([`Length::Mean`]: TRL) or 1 ([`Length::Sum`]); gradients are with respect to the
/// sums. The batch's offset, where it has one, is subtracted from `m`. `L >= 0`, with equality at `m = 1/(2β)`. A
/// log-probability of -inf has no finite gradient and is an error.
///
/// # Errors
///
/// `beta` out of range; a batch without lengths, for [`Length::Mean`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::CpoIpo;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.0]) });
/// assert_eq!(CpoIpo { beta: 0.5, length: Length::Sum }.value(batch, Reduction::Mean)?, 0.25);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Xu et al. (CPO), ICML 2024, [arXiv:2401.08417](https://arxiv.org/abs/2401.08417); Azar et al. (IPO), AISTATS 2024,
/// [arXiv:2310.12036](https://arxiv.org/abs/2310.12036). Together they are TRL's.
#[doc(alias = "CPO IPO")]
#[doc(alias = "reference-free IPO")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct CpoIpo {
    /// Half the inverse of the margin that is aimed at, `> 0`. TRL takes 0.1.
    pub beta: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for CpoIpo {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(self.length)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        square(margin, T::from_f64(0.5 / self.beta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, is_exact, ratios, refusal, three};

    const SUM: CpoIpo = CpoIpo { beta: 0.1, length: Length::Sum };

    #[test]
    fn values_are_those_of_the_formula() {
        is_exact(&SUM, &three([[10.5625, -6.5, 6.5], [45.5625, -13.5, 13.5], [49.0, 14.0, -14.0]]));
        let means = CpoIpo { beta: 0.5, length: Length::Mean };
        is_exact(
            &means,
            &three([
                [1.128_906_25, -0.2125, 2.125 / 12.0],
                [0.697_921_006_944_444_5, -0.069_618_055_555_555_56, 0.083_541_666_666_666_67],
                [169.0 / 144.0, -13.0 / 36.0, 13.0 / 96.0],
            ]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SUM);
        agrees_with_differences(&CpoIpo { beta: 0.2, length: Length::Mean });
    }

    #[test]
    fn what_has_no_finite_gradient_or_no_meaning_is_named() {
        let message = refusal(&SUM, ratios(f64::NEG_INFINITY, -1.0));
        assert_eq!(message, "`policy.chosen`[0] is -inf, allowed is finite");
        let message = refusal(&CpoIpo { beta: 0.0, ..SUM }, ratios(0.0, 0.0));
        assert_eq!(message, "`beta` is 0, allowed is finite and > 0");
    }
}
