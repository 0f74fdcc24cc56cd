//! All triplets of a batch.

use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::row_weights::RowLoss;
use super::{Distance, PairScore, TripletShape};
use crate::{Result, check};

/// Batch-all triplet loss: each anchor with every pair of a positive and a negative.
///
/// ```math
/// L = \frac{1}{n_+} \sum_i \sum_{p \in P_i} \sum_{n \in N_i} \ell(d_{ip} - d_{in} + m), \qquad
/// n_+ = \#\{(i, p, n) : \ell(d_{ip} - d_{in} + m) > 0\}
/// ```
///
/// `ℓ` is the [`TripletShape`], `m` the margin. `Mean` divides by the number of triplets whose loss is above 0, as both peers
/// do; that number is a constant of the gradient. Where there are triplets and none of them has a loss, the mean is 0; where
/// there are none it is an error. `each` and the weights are of anchors, over their triplets in sum. The time grows with the
/// number of triplets.
///
/// It is `BatchAllTripletLoss` of sentence-transformers and, without a miner, `TripletMarginLoss` of pytorch-metric-learning
/// (margin 0.05 there, of normalized embeddings).
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{BatchAllTriplet, EmbeddingObjective};
/// let (x, labels) = (array![[0.0_f64], [1.0], [3.0], [9.0]], array![0, 0, 1, 1]);
/// let loss = BatchAllTriplet { margin: 1.0, ..BatchAllTriplet::default() };
/// // Of 8 triplets those of the third with its positive at 6 are violated: 6 - 3 + 1, 6 - 2 + 1.
/// assert_eq!(loss.each(&x, &labels)?, array![0.0, 0.0, 9.0, 0.0]);
/// assert_eq!(loss.value(&x, &labels, Reduction::Mean)?, 4.5);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hermans et al. 2017, eq. 6, [arXiv:1703.07737](https://arxiv.org/abs/1703.07737).
#[doc(alias = "BatchAllTripletLoss")]
#[doc(alias = "TripletMarginLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct BatchAllTriplet {
    /// By how much a negative should be farther than a positive, finite. Default 5 (sentence-transformers).
    pub margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
    /// Default [`TripletShape::Hinge`].
    pub shape: TripletShape,
}

impl Default for BatchAllTriplet {
    fn default() -> Self {
        Self { margin: 5.0, distance: Distance::Euclidean, shape: TripletShape::Hinge }
    }
}

impl EmbeddingObjective for BatchAllTriplet {}

impl AnchorLoss for BatchAllTriplet {
    fn check(&self) -> Result<()> {
        check::finite("margin", self.margin)
    }

    fn score(&self) -> PairScore {
        self.distance.score()
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        let mut total = RowLoss::default();
        for p in of.positives() {
            let mut sum = 0.0;
            for n in of.negatives() {
                let (loss, slope) = self.shape.at(of.scores[p] - of.scores[n] + self.margin);
                slopes[p] += slope;
                slopes[n] -= slope;
                sum += loss;
                total.count += if loss > 0.0 { 1.0 } else { 0.0 };
                total.is_valid = true;
            }
            total.sum += sum;
        }
        total
    }
}
