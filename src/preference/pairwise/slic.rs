//! Sequence likelihood calibration (SLiC): its calibration term.

use crate::preference::logistic::hinge;
use crate::preference::{Length, Margin, MarginLoss};
use crate::{Real, Result, check};

/// Sequence likelihood calibration (SLiC, SLiC-HF), its calibration term: the amount by which the chosen response fails
/// to be likelier than the rejected one by `δ` nats.
///
/// ```math
/// L_i = \max(0,\ \delta - m_i), \qquad m_i = \frac{\log\pi_i^w}{n_i^w} - \frac{\log\pi_i^l}{n_i^l}
/// ```
///
/// No reference. `n` is the number of scored tokens ([`Length::Mean`]) or 1 ([`Length::Sum`]); gradients are with
/// respect to the sums. The batch's offset, where it has one, is subtracted from `m`. At the kink the sub-gradient
/// is 0. The whole objective of the paper adds the likelihood of the SFT target: a
/// [`WeightedSum`](crate::preference::WeightedSum) with [`Nll`](crate::preference::Nll), of weight 0.1 in HALOs. `δ`
/// times [`CpoHinge`](crate::preference::CpoHinge) with `β = 1/δ` is the same.
///
/// A chosen response of log-probability -inf gives +inf with gradient `-1/n`, a rejected one 0: the exact limits.
///
/// # Errors
///
/// `delta` out of range; a batch without lengths, for [`Length::Mean`]; both sides of a pair at -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Slic;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64]), rejected: aview1(&[-3.25]) });
/// assert_eq!(Slic { delta: 1.0, length: Length::Sum }.value(batch, Reduction::Mean)?, 0.75);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhao et al. (SLiC-HF), 2023, eq. 2, [arXiv:2305.10425](https://arxiv.org/abs/2305.10425).
#[doc(alias = "SLiC-HF")]
#[doc(alias = "sequence likelihood calibration")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Slic {
    /// The margin that is enough, in nats, `> 0`. HALOs takes 1 (and calls it beta).
    pub delta: f64,
    /// Whether the margin is one of sums or of means per token.
    pub length: Length,
}

impl MarginLoss for Slic {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("delta", self.delta)
    }

    fn margin(&self) -> Margin {
        Margin::without_reference(self.length)
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        hinge(T::from_f64(self.delta) - margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preference::testing::{agrees_with_differences, at, is_exact, ratios, refusal, three};

    #[test]
    fn values_are_those_of_the_formula() {
        let sums = Slic { delta: 2.0, length: Length::Sum };
        is_exact(&sums, &three([[0.25, -1.0, 1.0], [3.75, -1.0, 1.0], [0.0, 0.0, 0.0]]));
        let means = Slic { delta: 0.125, length: Length::Mean };
        is_exact(
            &means,
            &three([[0.1875, -0.1, 1.0 / 12.0], [0.0, 0.0, 0.0], [0.208_333_333_333_333_34, -1.0 / 6.0, 1.0 / 16.0]]),
        );
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Slic { delta: 1.0, length: Length::Sum });
        agrees_with_differences(&Slic { delta: 1.0, length: Length::Mean });
    }

    #[test]
    fn the_kink_is_flat_and_probability_zero_a_limit() {
        let slic = Slic { delta: 1.0, length: Length::Sum };
        assert_eq!(at::<f64>(&slic, ratios(-1.0, -2.0)), Ok([0.0, 0.0, 0.0]));
        assert_eq!(at::<f64>(&slic, ratios(f64::NEG_INFINITY, -2.0)), Ok([f64::INFINITY, -1.0, 1.0]));
        assert_eq!(at::<f64>(&slic, ratios(-2.0, f64::NEG_INFINITY)), Ok([0.0, 0.0, 0.0]));
    }

    #[test]
    fn a_delta_out_of_range_is_named() {
        let slic = Slic { delta: f64::INFINITY, length: Length::Sum };
        assert_eq!(refusal(&slic, ratios(0.0, 0.0)), "`delta` is inf, allowed is finite and > 0");
    }
}
