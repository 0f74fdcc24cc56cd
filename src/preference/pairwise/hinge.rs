//! The hinge loss of the margin (RSO; `hinge` in TRL).

use crate::preference::MarginLoss;
use crate::preference::logistic::{hinge, scaled};
use crate::{Real, Result, check};

/// Hinge loss of direct preference optimization, as in statistical rejection sampling optimization (RSO): the hinge
/// loss of the margin by which the policy prefers the chosen response more than the reference does.
///
/// ```math
/// L_i = \max(0,\ 1 - \beta\, m_i)
/// ```
///
/// `m` is the margin of [`Dpo`](crate::preference::Dpo), in nats and of sums; the batch's offset, where it has one, is
/// subtracted from it. A pair counts until its margin is `1/β`. The sub-gradient at the kink is 0.
///
/// Without a reference it is [`CpoHinge`](crate::preference::CpoHinge); with the margin in nats and the slope 1,
/// [`Slic`](crate::preference::Slic). Peers agree on sums but for oat (`SLiC`), which takes means.
///
/// A chosen response of log-probability -inf gives +inf with gradient -β, a rejected one 0: the exact limits.
///
/// # Errors
///
/// `beta` out of range; a batch without reference; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64]), rejected: aview1(&[-14.25]) })
///     .reference(Pairs { chosen: aview1(&[-13.0]), rejected: aview1(&[-13.5]) });
/// assert_eq!(Hinge { beta: 0.5 }.value(batch, Reduction::Mean)?, 0.375);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Liu et al. (RSO), ICLR 2024, [arXiv:2309.06657](https://arxiv.org/abs/2309.06657).
#[doc(alias = "RSO")]
#[doc(alias = "statistical rejection sampling optimization")]
#[doc(alias = "hinge loss")]
#[doc(alias = "SLiC")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Hinge {
    /// Inverse of the margin that is enough, `> 0`. Default 0.1 (TRL, Liger; `gamma` in torchtune).
    pub beta: f64,
}

impl Default for Hinge {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

impl MarginLoss for Hinge {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)
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

    #[test]
    fn values_are_those_of_exact_arithmetic() {
        is_exact(&Hinge::default(), &three([[0.875, -0.1, 0.1], [1.25, -0.1, 0.1], [0.45, -0.1, 0.1]]));
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Hinge { beta: 0.3 });
    }

    #[test]
    fn a_pair_counts_until_its_margin_is_the_inverse_of_beta() {
        let hinge = Hinge { beta: 0.5 };
        let (below, above) = (2.0 - f64::EPSILON, 2.0 + 2.0 * f64::EPSILON);
        assert_eq!(at::<f64>(&hinge, ratios(below, 0.0)), Ok([0.5 * f64::EPSILON, -0.5, 0.5]));
        for enough in [2.0, above, 1e3] {
            assert_eq!(at::<f64>(&hinge, ratios(enough, 0.0)), Ok([0.0, 0.0, 0.0]));
        }
    }

    #[test]
    fn a_response_of_probability_zero_is_the_exact_limit() {
        let inf = f64::INFINITY;
        assert_eq!(at::<f64>(&Hinge { beta: 0.5 }, ratios(-inf, -1.0)), Ok([inf, -0.5, 0.5]));
        assert_eq!(at::<f64>(&Hinge { beta: 0.5 }, ratios(-1.0, -inf)), Ok([0.0, 0.0, 0.0]));
        assert!(at::<f64>(&Hinge { beta: 0.5 }, ratios(-inf, -inf)).is_err());
    }

    #[test]
    fn a_beta_out_of_range_is_named() {
        assert_eq!(refusal(&Hinge { beta: 0.0 }, ratios(0.0, 0.0)), "`beta` is 0, allowed is finite and > 0");
    }
}
