//! Triplets of each positive pair with its nearest negative that is farther than the positive.

use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::row_weights::RowLoss;
use super::{Distance, PairScore};
use crate::{Result, check};

/// Semi-hard triplet loss: each pair of an anchor and a positive with the nearest negative that is farther than the positive.
///
/// ```math
/// L_{ip} = \max\bigl(0,\ d_{ip} - d_{in^\star} + m\bigr), \qquad
/// n^\star = \operatorname*{arg\,min}_{n \in N_i,\ d_{in} > d_{ip}} d_{in}
/// ```
///
/// Where no negative is farther, `n*` is the farthest negative. The mined negative is a constant of the gradient; of equal
/// distances it is the first. `Mean` divides by the number of pairs, violated or not; `each` and the weights are of anchors,
/// over their pairs in sum. Anchors without a positive or without a negative have no loss. It is `BatchSemiHardTripletLoss`
/// of sentence-transformers and `triplet_semihard_loss` of TensorFlow Addons.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, SemiHardTriplet};
/// let (x, labels) = (array![[0.0_f64], [2.0], [-1.0], [2.5]], array![0, 0, 1, 1]);
/// let loss = SemiHardTriplet { margin: 1.0, ..SemiHardTriplet::default() };
/// assert_eq!(loss.each(&x, &labels)?[0], 0.5); // positive at 2, negatives at 1 (too near) and 2.5
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Schroff et al. (FaceNet), CVPR 2015, section 3.2, [arXiv:1503.03832](https://arxiv.org/abs/1503.03832).
#[doc(alias = "BatchSemiHardTripletLoss")]
#[doc(alias = "FaceNet")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SemiHardTriplet {
    /// By how much a negative should be farther than a positive, finite. Default 5 (sentence-transformers; 1 in TensorFlow
    /// Addons).
    pub margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
}

impl Default for SemiHardTriplet {
    fn default() -> Self {
        Self { margin: 5.0, distance: Distance::Euclidean }
    }
}

impl SemiHardTriplet {
    /// The negative that belongs to a positive at this distance, if there is any.
    fn negative(of: &Anchor<'_>, distance: f64) -> Option<usize> {
        let nearer = |top: usize, j: usize| if of.scores[j] < of.scores[top] { j } else { top };
        let farther = |top: usize, j: usize| if of.scores[j] > of.scores[top] { j } else { top };
        let beyond = of.negatives().filter(|&n| of.scores[n] > distance);
        beyond.reduce(nearer).or_else(|| of.negatives().reduce(farther))
    }
}

impl EmbeddingObjective for SemiHardTriplet {}

impl AnchorLoss for SemiHardTriplet {
    fn check(&self) -> Result<()> {
        check::finite("margin", self.margin)
    }

    fn score(&self) -> PairScore {
        self.distance.score()
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        let mut total = RowLoss::default();
        for p in of.positives() {
            let Some(n) = Self::negative(of, of.scores[p]) else { continue };
            let violation = of.scores[p] - of.scores[n] + self.margin;
            if violation > 0.0 {
                slopes[p] += 1.0;
                slopes[n] -= 1.0;
                total.sum += violation;
            }
            (total.count, total.is_valid) = (total.count + 1.0, true);
        }
        total
    }
}
