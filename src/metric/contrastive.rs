//! Contrastive loss with a margin.

use super::pair_loss::{LabeledPairs, PairCore};
use super::{Distance, PairScore};
use crate::{Result, check};

/// Contrastive loss with a margin: pairs that are alike are pulled together, others pushed apart up to the margin.
///
/// ```math
/// L_i = \tfrac12 d_i^2 \ \text{ where alike}, \qquad L_i = \tfrac12 \max(0, m - d_i)^2 \ \text{ elsewhere}
/// ```
///
/// Its methods are those of [`LabeledPairs`]. As in sentence-transformers (`ContrastiveLoss`, whose `size_average` is the
/// mean, and whose Euclidean distance adds 1e-6 to each coordinate of the difference). pytorch-metric-learning
/// (`ContrastiveLoss`) takes `max(0, d - m_+)` and `max(0, m - d)` without squares over all pairs of a batch, and
/// averages both sides over what is not 0.
///
/// # Errors
///
/// Those of [`LabeledPairs`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{Contrastive, Distance, LabeledPairs};
/// let (x, y) = (array![[0.0_f64], [0.0]], array![[2.0], [2.0]]);
/// let loss = Contrastive { margin: 3.0, distance: Distance::Euclidean };
/// assert_eq!(loss.each(&x, &y, &array![true, false])?, array![2.0, 0.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Hadsell et al., CVPR 2006, eq. 4.
#[doc(alias = "ContrastiveLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Contrastive {
    /// Distance that pairs should have that are not alike, finite and `>= 0`. Default 0.5 (sentence-transformers).
    pub margin: f64,
    /// Default [`Distance::Cosine`].
    pub distance: Distance,
}

impl Default for Contrastive {
    fn default() -> Self {
        Self { margin: 0.5, distance: Distance::Cosine }
    }
}

impl LabeledPairs for Contrastive {}

impl PairCore for Contrastive {
    fn check_parameters(&self) -> Result<()> {
        check::non_negative("margin", self.margin)
    }

    fn pair_score(&self) -> PairScore {
        self.distance.score()
    }

    fn of_pairs(&self, scores: &[f64], alike: &[bool]) -> Vec<(f64, f64)> {
        let half = |excess: f64, sign: f64| (0.5 * excess * excess, sign * excess);
        let one = |(&distance, &alike): (&f64, &bool)| match alike {
            true => half(distance, 1.0),
            false => half((self.margin - distance).max(0.0), -1.0),
        };
        scores.iter().zip(alike).map(one).collect()
    }
}
