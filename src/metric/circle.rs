//! Circle loss.

use super::PairScore;
use super::batch::{Anchor, AnchorLoss, EmbeddingObjective};
use super::log_sum::log_sum_shares;
use super::row_weights::RowLoss;
use crate::math::{sigmoid, softplus};
use crate::{Result, check};

/// Circle loss: positives and negatives of an anchor, each pulled in proportion to its distance from the optimum.
///
/// ```math
/// L_i = \operatorname{softplus}\Bigl(\ln \sum_{j \in N_i} e^{\gamma\, a_{ij} (c_{ij} - m)} + \ln \sum_{j \in P_i} e^{-\gamma\, a_{ij} (c_{ij} - 1 + m)}\Bigr)
/// ```
///
/// `c` are cosines; `a = max(0, c + m)` for negatives and `max(0, 1 + m - c)` for positives. By default both are constants
/// of the gradient, as in the authors' code and every peer: the slope of an exponent is `γ a`. With
/// [`CircleWeights::Differentiated`] it is `γ · 2c` for negatives and `-γ · 2 (1 - c)` for positives, the derivative of the
/// value. Anchors without a positive or without a negative have no loss; `Mean` divides by the others. The peer's default
/// reducer also leaves out losses that round to 0.
///
/// # Errors
///
/// Those of [`EmbeddingObjective`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{Circle, EmbeddingObjective};
/// let (x, labels) = (array![[1.0_f64, 0.0], [1.0, 0.0], [0.0, 1.0]], array![0, 0, 1]);
/// // Cosine 1 with the positive, where -γ a (c - 1 + m) = -m² γ, and 0 with the negative, where γ a (c - m) is as much.
/// let loss = Circle { m: 0.25, gamma: 8.0, ..Circle::default() }.value(&x, &labels, Reduction::Mean)?;
/// assert!((loss - (-1.0_f64).exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Sun et al., CVPR 2020, eq. 6 to 9, [arXiv:2002.10857](https://arxiv.org/abs/2002.10857).
#[doc(alias = "CircleLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Circle {
    /// Relaxation of the margins, finite. Default 0.4 (retrieval in the paper, pytorch-metric-learning; 0.25 for faces).
    pub m: f64,
    /// Scale, `> 0`. Default 80; 256 for faces.
    pub gamma: f64,
    /// What the gradient takes the weights `a` for. Default constants.
    pub weights: CircleWeights,
}

/// Whether the weights of [`Circle`] are constants of its gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum CircleWeights {
    /// They are, as in the peers: the gradient is not that of the value.
    #[default]
    Constant,
    /// The gradient is that of the value.
    Differentiated,
}

impl Default for Circle {
    fn default() -> Self {
        Self { m: 0.4, gamma: 80.0, weights: CircleWeights::Constant }
    }
}

impl Circle {
    /// The exponent of a negative of this cosine, and its slope.
    fn negative(&self, cosine: f64) -> (f64, f64) {
        self.exponent(cosine + self.m, cosine - self.m)
    }

    /// The exponent of a positive of this cosine, and its slope in what the cosine lacks to 1.
    fn positive(&self, cosine: f64) -> (f64, f64) {
        self.exponent(1.0 - cosine + self.m, 1.0 - cosine - self.m)
    }

    /// `γ max(0, weight) excess`, and its slope where both rise alike.
    fn exponent(&self, weight: f64, excess: f64) -> (f64, f64) {
        if weight <= 0.0 {
            return (0.0, 0.0);
        }
        let own = match self.weights {
            CircleWeights::Constant => 0.0,
            CircleWeights::Differentiated => excess,
        };
        (self.gamma * weight * excess, self.gamma * (weight + own))
    }
}

impl EmbeddingObjective for Circle {}

impl AnchorLoss for Circle {
    fn check(&self) -> Result<()> {
        check::finite("m", self.m)?;
        check::positive("gamma", self.gamma)
    }

    fn score(&self) -> PairScore {
        PairScore::CosineSimilarity
    }

    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss {
        if of.positives().next().is_none() || of.negatives().next().is_none() {
            return RowLoss::default();
        }
        let (positive, negative) = (|j: usize| self.positive(of.scores[j]), |j: usize| self.negative(of.scores[j]));
        let n = slopes.len();
        let pulled = log_sum_shares(n, |j| of.is_positive(j), |j| positive(j).0, |j, share| slopes[j] = share);
        let pushed = log_sum_shares(n, |j| of.is_negative(j), |j| negative(j).0, |j, share| slopes[j] = share);
        let share = sigmoid::<f64, false>(pulled + pushed);
        of.positives().for_each(|j| slopes[j] *= -share * positive(j).1);
        of.negatives().for_each(|j| slopes[j] *= share * negative(j).1);
        RowLoss::one(softplus::<f64, false>(pulled + pushed))
    }
}
