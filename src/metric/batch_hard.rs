//! Triplets of each anchor with its farthest positive and its nearest negative.

use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::row_weights::RowLoss;
use super::{Distance, PairScore, TripletShape};
use crate::{Result, check};

/// Batch-hard triplet loss: each anchor with its farthest positive and its nearest negative.
///
/// ```math
/// L_i = \ell\bigl(\max_{j \in P_i} d_{ij} - \min_{j \in N_i} d_{ij} + m\bigr)
/// ```
///
/// `ℓ` is the [`TripletShape`], `m` the margin. The mined pair is a constant of the gradient; of equal distances it is
/// the first. Anchors without a positive or without a negative have no triplet and no loss, and `Mean` divides by the
/// others.
///
/// sentence-transformers (`BatchHardTripletLoss`, and with [`TripletShape::Soft`] and margin 0
/// `BatchHardSoftMarginTripletLoss`) takes the distance 0 for a positive that is not there, and counts such anchors;
/// pytorch-metric-learning (`BatchHardMiner`) leaves them out, as here.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{BatchHardTriplet, EmbeddingObjective};
/// let (x, labels) = (array![[0.0_f64], [1.0], [3.0]], array![0, 0, 1]);
/// let loss = BatchHardTriplet { margin: 2.5, ..BatchHardTriplet::default() };
/// assert_eq!(loss.each(&x, &labels)?, array![0.5, 1.5, 0.0]); // 1 - 3 + 2.5 and 1 - 2 + 2.5
/// assert_eq!(loss.value(&x, &labels, Reduction::Mean)?, 1.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hermans et al. 2017, eq. 5, [arXiv:1703.07737](https://arxiv.org/abs/1703.07737).
#[doc(alias = "BatchHardTripletLoss")]
#[doc(alias = "BatchHardSoftMarginTripletLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BatchHardTriplet {
    /// By how much a negative should be farther than a positive, finite. Default 5 (sentence-transformers).
    pub margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
    /// Default [`TripletShape::Hinge`].
    pub shape: TripletShape,
}

impl Default for BatchHardTriplet {
    fn default() -> Self {
        Self { margin: 5.0, distance: Distance::Euclidean, shape: TripletShape::Hinge }
    }
}

impl EmbeddingObjective for BatchHardTriplet {}

impl AnchorLoss for BatchHardTriplet {
    fn check(&self) -> Result<()> {
        check::finite("margin", self.margin)
    }

    fn score(&self) -> PairScore {
        self.distance.score()
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        let farther = |top: usize, j: usize| if of.scores[j] > of.scores[top] { j } else { top };
        let nearer = |top: usize, j: usize| if of.scores[j] < of.scores[top] { j } else { top };
        let (Some(p), Some(n)) = (of.positives().reduce(farther), of.negatives().reduce(nearer)) else {
            return RowLoss::default();
        };
        let (loss, slope) = self.shape.at(of.scores[p] - of.scores[n] + self.margin);
        (slopes[p], slopes[n]) = (slope, -slope);
        RowLoss::one(loss)
    }
}
