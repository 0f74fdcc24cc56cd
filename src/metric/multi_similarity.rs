//! Multi-similarity loss.

use super::PairScore;
use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::log_sum::log_one_plus_sum_shares;
use super::row_weights::RowLoss;
use crate::{Result, check};

/// Multi-similarity loss: every positive and negative of an anchor, weighted by how far it is off and how it compares
/// with the others.
///
/// ```math
/// L_i = \frac1\alpha \ln\Bigl(1 + \sum_{j \in P_i} e^{-\alpha (c_{ij} - \lambda)}\Bigr)
///     + \frac1\beta \ln\Bigl(1 + \sum_{j \in N_i} e^{\beta (c_{ij} - \lambda)}\Bigr)
/// ```
///
/// `c` are cosines, `P` and `N` the positives and negatives of the anchor `i`, `λ` is `base`. Slopes:
/// `∂L/∂c_ij = -e^(-α(c_ij - λ)) / (1 + Σ ..)` for a positive, and `e^(β(c_ij - λ)) / (1 + Σ ..)` for a negative. Every
/// anchor has a loss, 0 without others, and `Mean` counts all N. The peer mines hard pairs by a class of its own
/// (`MultiSimilarityMiner`), which is not part of the loss.
///
/// `L >= 0`; a large `β` leaves `max(0, c_ij - λ)` of the hardest negative.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, MultiSimilarity};
/// let (x, labels) = (array![[1.0_f64, 0.0], [3.0, 4.0]], array![1, 1]); // one positive pair of cosine 0.6
/// let loss = MultiSimilarity { alpha: 2.0, ..MultiSimilarity::default() }.value(&x, &labels, Reduction::Mean)?;
/// assert!((loss - 0.5 * (-0.2_f64).exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wang et al., CVPR 2019, eq. 12, [arXiv:1904.06627](https://arxiv.org/abs/1904.06627).
#[doc(alias = "MultiSimilarityLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct MultiSimilarity {
    /// Sharpness over positives, `> 0`. Default 2 (paper, pytorch-metric-learning).
    pub alpha: f64,
    /// Sharpness over negatives, `> 0`. Default 50 (the same).
    pub beta: f64,
    /// Cosine that both sides are measured from, finite. Default 0.5 (pytorch-metric-learning; 1 in the paper's text).
    pub base: f64,
}

impl Default for MultiSimilarity {
    fn default() -> Self {
        Self { alpha: 2.0, beta: 50.0, base: 0.5 }
    }
}

impl EmbeddingObjective for MultiSimilarity {}

impl AnchorLoss for MultiSimilarity {
    fn check(&self) -> Result<()> {
        check::positive("alpha", self.alpha)?;
        check::positive("beta", self.beta)?;
        check::finite("base", self.base)
    }

    fn score(&self) -> PairScore {
        PairScore::CosineSimilarity
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        let positive = |j: usize| -self.alpha * (of.scores[j] - self.base);
        let negative = |j: usize| self.beta * (of.scores[j] - self.base);
        let n = slopes.len();
        let pulled = log_one_plus_sum_shares(n, |j| of.is_positive(j), positive, |j, share| slopes[j] = -share);
        let pushed = log_one_plus_sum_shares(n, |j| of.is_negative(j), negative, |j, share| slopes[j] = share);
        RowLoss::one(pulled / self.alpha + pushed / self.beta)
    }
}
