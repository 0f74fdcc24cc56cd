//! Generalized lifted structure loss.

use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::log_sum::log_sum_shares;
use super::row_weights::RowLoss;
use super::{Distance, PairScore};
use crate::{Result, check};

/// Generalized lifted structure loss: all positives of an anchor together against all of its negatives.
///
/// ```math
/// L_i = \max\Bigl(0,\ \ln \sum_{p \in P_i} e^{d_{ip} - m_+} + \ln \sum_{n \in N_i} e^{m - d_{in}}\Bigr)
/// ```
///
/// `m` is `negative_margin` and `m_+` is `positive_margin`; `m_+` only shifts the sum, so that `m - m_+` is what counts. Where
/// `L_i > 0` the slopes are the softmax of `d_ip` over the positives, and minus that of `-d_in` over the negatives; elsewhere
/// they are 0. It is a smooth upper bound of [`BatchHardTriplet`](super::BatchHardTriplet) with the margin `m - m_+`, above
/// it by at most `ln |P_i| + ln |N_i|`; [`LiftedStructure`](super::LiftedStructure) has a loss for each positive pair.
///
/// `Mean` divides by the number of anchors that have a positive and a negative; others have no loss. pytorch-metric-learning
/// (`GeneralizedLiftedStructureLoss`) gives these the sum of the side that they have, and counts them.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, GeneralizedLifted};
/// let (x, labels) = (array![[0.0_f64], [1.0], [3.0]], array![0, 0, 1]);
/// let loss = GeneralizedLifted { negative_margin: 3.0, ..GeneralizedLifted::default() };
/// assert_eq!(loss.each(&x, &labels)?, array![1.0, 2.0, 0.0]); // 1 + (3 - 3), 1 + (3 - 2)
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hermans et al. 2017, eq. 8, [arXiv:1703.07737](https://arxiv.org/abs/1703.07737).
#[doc(alias = "GeneralizedLiftedStructureLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GeneralizedLifted {
    /// Distance that negatives should have, finite. Default 1 (pytorch-metric-learning).
    pub negative_margin: f64,
    /// Distance that positives may have, finite. Default 0 (paper, pytorch-metric-learning).
    pub positive_margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
}

impl Default for GeneralizedLifted {
    fn default() -> Self {
        Self { negative_margin: 1.0, positive_margin: 0.0, distance: Distance::Euclidean }
    }
}

impl EmbeddingObjective for GeneralizedLifted {}

impl AnchorLoss for GeneralizedLifted {
    fn check(&self) -> Result<()> {
        check::finite("negative_margin", self.negative_margin)?;
        check::finite("positive_margin", self.positive_margin)
    }

    fn score(&self) -> PairScore {
        self.distance.score()
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        let pull = |p: usize| of.scores[p] - self.positive_margin;
        let push = |n: usize| self.negative_margin - of.scores[n];
        let n = slopes.len();
        let pulled = log_sum_shares(n, |p| of.is_positive(p), pull, |p, share| slopes[p] = share);
        let pushed = log_sum_shares(n, |n| of.is_negative(n), push, |n, share| slopes[n] = -share);
        let loss = pulled + pushed;
        if loss <= 0.0 {
            slopes.fill(0.0);
        }
        if loss == f64::NEG_INFINITY {
            return RowLoss::default(); // no positive or no negative
        }
        RowLoss::one(loss.max(0.0))
    }
}
