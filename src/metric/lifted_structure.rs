//! Lifted structure loss.

use super::batch::{Anchor, BatchCore, EmbeddingObjective};
use super::frame::Frame;
use super::log_sum::e;
use super::row_weights::{RowLoss, RowWeights};
use super::walk::{ByRow, Found, Want, walk};
use super::{Distance, PairScore};
use crate::math::{log_add_exp, log_sum};
use crate::{Result, check};

/// Lifted structure loss: each positive pair against all negatives of both of its ends.
///
/// ```math
/// L_i = \frac12 \sum_{j \in P_i} \max(0, J_{ij})^2, \qquad
/// J_{ij} = \ln\Bigl(\sum_{n \in N_i} e^{m - d_{in}} + \sum_{n \in N_j} e^{m - d_{jn}}\Bigr) + d_{ij} - m_+
/// ```
///
/// `m` is `negative_margin` and `m_+` is `positive_margin`. Each pair counts once from either end. Slopes: `max(0, J_ij)` in
/// `d_ij`, and each `J_ij` pushes the negatives of its ends by their share of the sum. `Mean` divides by the number of
/// positive pairs, from either end; without positives or without negatives there is no loss. `each` and the weights are of
/// anchors, over their pairs in sum. As in pytorch-metric-learning (`LiftedStructureLoss`), with the smooth bound of the
/// paper's eq. 4 and not the plain maximum of eq. 3. Memory is two walks over the pairs and one number for each embedding.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, LiftedStructure};
/// let (x, labels) = (array![[0.0_f64], [0.0], [1.0]], array![0, 0, 1]);
/// let loss = LiftedStructure::default().value(&x, &labels, Reduction::Mean)?;
/// assert!((loss - 0.5 * 2.0_f64.ln().powi(2)).abs() < 1e-15); // ln(e^(1-1) + e^(1-1)) + 0
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Song et al., CVPR 2016, eq. 4, [arXiv:1511.06452](https://arxiv.org/abs/1511.06452).
#[doc(alias = "LiftedStructureLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LiftedStructure {
    /// Distance that negatives should have, finite. Default 1 (paper, pytorch-metric-learning).
    pub negative_margin: f64,
    /// Distance that positives may have, finite. Default 0.
    pub positive_margin: f64,
    /// Default [`Distance::Euclidean`].
    pub distance: Distance,
}

impl Default for LiftedStructure {
    fn default() -> Self {
        Self { negative_margin: 1.0, positive_margin: 0.0, distance: Distance::Euclidean }
    }
}

impl EmbeddingObjective for LiftedStructure {}

#[allow(private_interfaces)]
impl BatchCore for LiftedStructure {
    fn check_parameters(&self) -> Result<()> {
        check::finite("negative_margin", self.negative_margin)?;
        check::finite("positive_margin", self.positive_margin)
    }

    fn pair_score(&self) -> PairScore {
        self.distance.score()
    }

    fn walk_batch(&self, frame: &Frame, labels: &[i64], weights: &RowWeights, want: Want) -> Result<Found> {
        let pushes = Pushes { loss: self, labels };
        let found = walk(self.pair_score(), [frame, frame], &pushes, &RowWeights::SUM, Want::Losses)?;
        let pushes = found.losses.iter().map(|push| push.sum).collect();
        let pairs = Pairs { loss: self, labels, pushes, weights };
        // The weights of both ends of a pair are in its slopes already.
        walk(self.pair_score(), [frame, frame], &pairs, &RowWeights::SUM, want)
    }
}

/// `ln Σ e^(m - d)` over the negatives of each row, in the place of a loss.
struct Pushes<'a> {
    loss: &'a LiftedStructure,
    labels: &'a [i64],
}

impl ByRow for Pushes<'_> {
    fn row(&self, row: usize, scores: &[f64], _: &mut [f64]) -> RowLoss {
        let of = Anchor { index: row, labels: self.labels, scores };
        RowLoss::one(log_sum(of.negatives().map(|n| self.loss.negative_margin - scores[n])))
    }
}

/// The pairs of each row.
struct Pairs<'a> {
    loss: &'a LiftedStructure,
    labels: &'a [i64],
    pushes: Vec<f64>,
    weights: &'a RowWeights,
}

impl ByRow for Pairs<'_> {
    fn row(&self, row: usize, scores: &[f64], slopes: &mut [f64]) -> RowLoss {
        let of = Anchor { index: row, labels: self.labels, scores };
        let (own, weight) = (self.pushes[row], self.weights.of(row));
        let (mut total, mut push) = (RowLoss::default(), 0.0);
        for j in of.positives() {
            let both = log_add_exp::<f64, false>(own, self.pushes[j]);
            if both == f64::NEG_INFINITY {
                continue; // nothing has another label
            }
            let excess = (both + scores[j] - self.loss.positive_margin).max(0.0);
            slopes[j] = weight * excess;
            // The pair also counts from its other end, where it pushes the negatives of this one as much.
            push += (weight + self.weights.of(j)) * excess * e(own - both);
            total = RowLoss { sum: total.sum + 0.5 * excess * excess, count: total.count + 1.0, is_valid: true };
        }
        of.negatives().for_each(|n| slopes[n] = -push * e(self.loss.negative_margin - scores[n] - own));
        total
    }
}
