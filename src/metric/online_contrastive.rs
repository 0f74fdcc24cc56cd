//! Contrastive loss of the hard pairs of a batch.

use super::pair_loss::{LabeledPairs, PairCore};
use super::{Distance, PairScore};
use crate::{Result, check};

/// Online contrastive loss: only the hard pairs of a batch.
///
/// ```math
/// L_i = d_i^2 \ \text{ where alike and } d_i > \min_{\text{not alike}} d, \qquad
/// L_i = \max(0, m - d_i)^2 \ \text{ where not alike and } d_i < \max_{\text{alike}} d
/// ```
///
/// All other pairs have no loss. Without the factor ½ of [`Contrastive`](super::Contrastive). Where there is no pair of
/// a kind, the mean distance of the other kind takes the place of its bound, as in sentence-transformers 6.2
/// (`OnlineContrastiveLoss`, which gives the sum; older versions also do so where there is one pair). Which pairs are
/// hard is a constant of the gradient. `Mean` divides by the number of all pairs.
///
/// # Errors
///
/// Those of [`LabeledPairs`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{Distance, LabeledPairs, OnlineContrastive};
/// let (x, y) = (array![[0.0_f64], [0.0], [0.0], [0.0]], array![[1.0], [3.0], [2.0], [4.0]]);
/// let loss = OnlineContrastive { margin: 5.0, distance: Distance::Euclidean };
/// // The pair at 3 is farther than one that is not alike, the one at 2 nearer than one that is.
/// assert_eq!(loss.each(&x, &y, &array![true, true, false, false])?, array![0.0, 9.0, 9.0, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// [sentence-transformers, `OnlineContrastiveLoss`](https://sbert.net/docs/package_reference/sentence_transformer/losses.html).
#[doc(alias = "OnlineContrastiveLoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct OnlineContrastive {
    /// Distance that pairs should have that are not alike, finite and `>= 0`. Default 0.5 (sentence-transformers).
    pub margin: f64,
    /// Default [`Distance::Cosine`].
    pub distance: Distance,
}

impl Default for OnlineContrastive {
    fn default() -> Self {
        Self { margin: 0.5, distance: Distance::Cosine }
    }
}

impl OnlineContrastive {
    /// The distance beyond which pairs of the other kind are hard.
    fn bound(own: &[f64], other: &[f64], further: impl Fn(f64, f64) -> f64) -> f64 {
        match own {
            [] => other.iter().sum::<f64>() / other.len() as f64,
            _ => own.iter().copied().reduce(further).unwrap_or(f64::NAN),
        }
    }
}

impl LabeledPairs for OnlineContrastive {}

impl PairCore for OnlineContrastive {
    fn check_parameters(&self) -> Result<()> {
        check::non_negative("margin", self.margin)
    }

    fn pair_score(&self) -> PairScore {
        self.distance.score()
    }

    fn of_pairs(&self, scores: &[f64], alike: &[bool]) -> Vec<(f64, f64)> {
        let of = |kind: bool| -> Vec<f64> {
            scores.iter().zip(alike).filter(|(_, alike)| **alike == kind).map(|(score, _)| *score).collect()
        };
        let (near, far) = (of(true), of(false));
        let farthest = Self::bound(&near, &far, f64::max);
        let nearest = Self::bound(&far, &near, f64::min);
        let one = |(&distance, &alike): (&f64, &bool)| match alike {
            true if distance > nearest => (distance * distance, 2.0 * distance),
            false if distance < farthest => {
                let short = (self.margin - distance).max(0.0);
                (short * short, -2.0 * short)
            }
            _ => (0.0, 0.0),
        };
        scores.iter().zip(alike).map(one).collect()
    }
}
