//! The hinge loss of the margin without a reference (`hinge` in TRL's CPO).

use crate::preference::logistic::{hinge, scaled};
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Contrastive preference optimization (CPO) with a hinge: the hinge loss of the margin by which the policy prefers the
/// chosen response. It is [`Hinge`](crate::preference::Hinge) without a reference.
///
/// ```math
/// L_i = \max(0,\ 1 - \beta\, m_i), \qquad m_i = \frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}
/// ```
///
/// `n` is 1 ([`Length::Sum`]: TRL) or the number of scored tokens ([`Length::Mean`]: SimPO's code, oat); gradients are
/// with respect to the sums. The batch's offset, where it has one, is subtracted from `m`: the hinge of SimPO has `γ/β`
/// there. The sub-gradient at the kink is 0.
///
/// A chosen response of log-probability -inf gives +inf with gradient `-β/n`, a rejected one 0: the exact limits.
///
/// # Errors
///
/// `beta` out of range; a batch without lengths, for [`Length::Mean`]; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::CpoHinge;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.0]) });
/// assert_eq!(CpoHinge { beta: 0.5, length: Length::Sum }.value(batch, Reduction::Mean)?, 0.25);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Xu et al. (CPO), ICML 2024, [arXiv:2401.08417](https://arxiv.org/abs/2401.08417); the hinge is TRL's.
#[doc(alias = "CPO hinge")]
#[doc(alias = "reference-free hinge")]
#[doc(alias = "SimPO hinge")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct CpoHinge {
    /// Inverse of the margin that is enough, `> 0`. TRL takes 0.1.
    pub beta: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for CpoHinge {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(self.length)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, hinge(T::one() - beta * margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    const SUM: CpoHinge = CpoHinge { beta: 0.1, length: Length::Sum };

    #[test]
    fn values_are_those_of_the_formula() {
        is_exact(&SUM, &three([[0.825, -0.1, 0.1], [1.175, -0.1, 0.1], [0.0, 0.0, 0.0]]));
        let means = CpoHinge { beta: 8.0, length: Length::Mean };
        is_exact(&means, &three([[1.5, -0.8, 2.0 / 3.0], [0.0, 0.0, 0.0], [5.0 / 3.0, -4.0 / 3.0, 0.5]]));
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&SUM);
        agrees_with_differences(&CpoHinge { beta: 2.0, length: Length::Mean });
    }

    #[test]
    fn the_kink_is_flat_and_probability_zero_a_limit() {
        let (inf, hinge) = (f64::INFINITY, CpoHinge { beta: 0.5, length: Length::Sum });
        assert_eq!(at::<f64>(&hinge, ratios(-1.0, -3.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&hinge, ratios(-inf, -1.0)), Ok([inf, -0.5, 0.5]));
        assert_eq!(at::<f64>(&hinge, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn a_beta_out_of_range_is_named() {
        let message = refusal(&CpoHinge { beta: -0.1, ..SUM }, ratios(0.0, 0.0));
        assert_eq!(message, "`beta` is -0.1, allowed is finite and > 0");
    }
}
