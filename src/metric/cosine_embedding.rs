//! Cosine embedding loss.

use super::PairScore;
use super::pair_loss::{LabeledPairs, PairCore};
use crate::{Result, check};

/// Cosine embedding loss: pairs that are alike should point the same way, others not nearer than a margin.
///
/// ```math
/// L_i = 1 - c_i \ \text{ where alike}, \qquad L_i = \max(0, c_i - m) \ \text{ elsewhere}
/// ```
///
/// `c` is the cosine. Its methods are those of [`LabeledPairs`]. torch's `cosine_embedding_loss` adds about 1e-12 to both
/// squared lengths, so that a zero embedding has the cosine 0; here it is an error.
///
/// # Errors
///
/// Those of [`LabeledPairs`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{CosineEmbedding, LabeledPairs};
/// let (x, y, alike) = (array![[1.0_f64, 0.0], [1.0, 0.0]], array![[3.0, 4.0], [4.0, 3.0]], array![true, false]);
/// let (loss, _) = CosineEmbedding { margin: 0.5 }.grad(&x, &y, &alike, Reduction::Sum)?;
/// assert!((loss - (0.4 + 0.3)).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// [`torch.nn.functional.cosine_embedding_loss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html).
#[doc(alias = "cosine_embedding_loss")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct CosineEmbedding {
    /// Cosine that pairs may have that are not alike, in `[-1, 1]`. Default 0 (torch, which advises up to 0.5).
    pub margin: f64,
}

impl LabeledPairs for CosineEmbedding {}

impl PairCore for CosineEmbedding {
    fn check_parameters(&self) -> Result<()> {
        check::parameter("margin", self.margin, "[-1, 1]", (-1.0..=1.0).contains(&self.margin))
    }

    fn pair_score(&self) -> PairScore {
        PairScore::CosineDistance
    }

    fn of_pairs(&self, scores: &[f64], alike: &[bool]) -> Vec<(f64, f64)> {
        let one = |(&distance, &alike): (&f64, &bool)| {
            let excess = 1.0 - distance - self.margin;
            match alike {
                true => (distance, 1.0),
                false if excess > 0.0 => (excess, -1.0),
                false => (0.0, 0.0),
            }
        };
        scores.iter().zip(alike).map(one).collect()
    }
}
