//! InfoNCE and its relatives: which of the candidates belongs to the anchor.

mod anchor;
mod both_ways;
mod columns;
mod denominator;
mod modalities;
mod options;
mod pass;

use ndarray::{Array1, Array2, ArrayRef2};

use super::batch::{EmbeddingBatch, EmbeddingGradient};
use super::embeddings::Similarity;
use crate::{Real, Reduction, Result};

pub use options::{Denominator, Direction, Directions, FalseNegatives, Hardness, Partition};
pub(super) use pass::{Given, of_similarities, run};

/// InfoNCE: the negative log-probability that a softmax over the candidates gives to the one that belongs to the anchor.
/// With other fields CLIP's loss, the multiple-negatives ranking loss, and the decoupled, debiased, hard and guided forms.
///
/// ```math
/// L_i = \ln\Big(e^{x_{ii}} + \sum_{j \in \mathcal N_i} e^{x_{ij}}\Big) - x_{ii}, \qquad x_{ij} = \frac{s(a_i, b_j)}{\tau},
/// \qquad \frac{\partial L_i}{\partial x_{ij}} = p_{ij} - [i = j]
/// ```
///
/// `a` `[N, d]` are the first and `b` `[M, d]` the second embeddings of an [`EmbeddingBatch`], `s` is a [`Similarity`], and
/// `N_i` are all `j != i`. [`Directions::Symmetric`] takes the mean with the same loss of the columns (CLIP); its sum, as
/// some have it, is twice this. With more directions and a shared denominator it is the loss of general text embeddings.
///
/// `0 <= L` and, where all similarities are alike, `L = ln M`; `ln M - L` bounds the mutual information from below. With one
/// pair and no more candidates it is 0. Gradients are in the embeddings, through their norms where similarities are
/// cosines, and in the temperature.
///
/// The matrix of similarities never exists: a block of at most 256 anchors at a time meets all candidates, so that memory
/// grows with `N + M`. Value and gradient together cost three products of matrices for each direction, and four for both
/// of [`Directions::Symmetric`] where these have separate denominators, no candidate is raised or left out, and all pairs
/// are anchors. The bits depend neither on the number of threads nor on the layout. The loss is good to a few roundings of
/// the similarities, each of which is multiplied by `1/τ`; a pair far above its negatives keeps its digits.
///
/// The loss of a pair depends on the other candidates of the batch, so losses of micro-batches do not add up to that of the
/// whole; [`EmbeddingBatch::anchors`] cuts a batch into parts that do.
///
/// # Over machines
///
/// Each machine gathers the embeddings of all and asks for the pairs it holds by [`EmbeddingBatch::anchors`], with
/// [`Reduction::Weighted`] of `1/N`, `N` the number of pairs of all machines. The losses of the machines then add up to the
/// loss of the whole batch, and their gradients, **added** (not averaged) over the machines, to its gradient. To average them,
/// as wrappers of models do, divides that by the number of machines: weights of `machines/N` make up for it. Where no
/// machine can hold all candidates, [`InfoNceShard`](super::InfoNceShard) merges sums of exponentials.
///
/// # Errors
///
/// Of every method: [`Error::Parameter`](crate::Error::Parameter); [`Error::Shape`](crate::Error::Shape);
/// [`Error::Value`](crate::Error::Value) where an embedding is not finite, or all zeros and asked for a cosine;
/// [`Error::Overflow`](crate::Error::Overflow) where similarities, logits or slopes do not fit the type;
/// [`Error::Empty`](crate::Error::Empty) where a sum over negatives alone has none;
/// [`Error::NothingToAverage`](crate::Error::NothingToAverage).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array, contrastive::{Directions, EmbeddingBatch, InfoNce}};
/// let (images, texts) = (array![[1.0_f64, 0.0], [0.0, 2.0]], array![[3.0, 0.0], [1.0, 1.0]]);
/// let batch = EmbeddingBatch::new(&images, &texts);
/// let clip = InfoNce { temperature: 0.5, directions: Directions::Symmetric, ..InfoNce::default() };
/// let (loss, gradient) = clip.grad(batch, Reduction::Mean)?;
/// assert!((loss - 0.370_061_1).abs() < 1e-6);
/// assert_eq!(gradient.first.dim(), (2, 2));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// van den Oord, Li, Vinyals 2018, [arXiv:1807.03748](https://arxiv.org/abs/1807.03748). CLIP: Radford et al. 2021,
/// [arXiv:2103.00020](https://arxiv.org/abs/2103.00020). Guided: Solatorio 2024,
/// [arXiv:2402.16829](https://arxiv.org/abs/2402.16829).
#[doc(alias = "CLIP")]
#[doc(alias = "NT-Xent")]
#[doc(alias = "multiple negatives ranking")]
#[doc(alias = "MNRL")]
#[doc(alias = "decoupled contrastive")]
#[doc(alias = "debiased contrastive")]
#[doc(alias = "GIST")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct InfoNce {
    /// `τ > 0`. Default 0.05, which is the scale of 20 of sentence-transformers; CLIP starts at 0.07, ms-swift has 0.1.
    pub temperature: f64,
    /// Default cosine.
    pub similarity: Similarity,
    /// Default the first at the second.
    pub directions: Directions,
    /// Of several directions. Default separate denominators.
    pub partition: Partition,
    /// Default positive and negatives.
    pub denominator: Denominator,
    /// Default none.
    pub hardness: Hardness,
    /// Default kept.
    pub false_negatives: FalseNegatives,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self {
            temperature: 0.05,
            similarity: Similarity::Cosine,
            directions: Directions::Forward,
            partition: Partition::Separate,
            denominator: Denominator::All,
            hardness: Hardness::None,
            false_negatives: FalseNegatives::Keep,
        }
    }
}

impl InfoNce {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`InfoNce`].
    pub fn value<T: Real>(&self, batch: EmbeddingBatch<'_, T>, reduction: Reduction<'_, T>) -> Result<T> {
        T::info_nce(self, batch, reduction, None, None).map(|(value, _)| value)
    }

    /// The loss of each pair.
    ///
    /// # Errors
    ///
    /// See [`InfoNce`].
    pub fn each<T: Real>(&self, batch: EmbeddingBatch<'_, T>) -> Result<Array1<T>> {
        let mut losses = Array1::zeros(batch.check()?.len());
        T::info_nce(self, batch, Reduction::Sum, Some(losses.view_mut()), None)?;
        Ok(losses)
    }

    /// The reduced loss, and its slopes in the embeddings and the temperature.
    ///
    /// # Errors
    ///
    /// See [`InfoNce`].
    pub fn grad<T: Real>(
        &self,
        batch: EmbeddingBatch<'_, T>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, EmbeddingGradient<Array2<T>, T>)> {
        let (mut first, mut second) = (Array2::zeros(batch.first.dim()), Array2::zeros(batch.second.dim()));
        let (value, temperature) = self.grad_into(batch, reduction, &mut first, &mut second)?;
        Ok((value, EmbeddingGradient { first, second, temperature }))
    }

    /// The reduced loss and its slope in the temperature; those in the embeddings are written to `first` and `second`.
    ///
    /// # Errors
    ///
    /// See [`InfoNce`].
    pub fn grad_into<T: Real>(
        &self,
        batch: EmbeddingBatch<'_, T>,
        reduction: Reduction<'_, T>,
        first: &mut ArrayRef2<T>,
        second: &mut ArrayRef2<T>,
    ) -> Result<(T, T)> {
        T::info_nce(self, batch, reduction, None, Some([first.view_mut(), second.view_mut()]))
    }

    /// The reduced loss of similarities `[N, M]` that the caller has, for [`Directions::Forward`] and
    /// [`Directions::Symmetric`]. `similarity` is not looked at.
    ///
    /// # Errors
    ///
    /// See [`InfoNce`]; [`Error::Missing`](crate::Error::Missing) for directions that need other similarities.
    pub fn value_of<T: Real>(&self, similarities: &ArrayRef2<T>, reduction: Reduction<'_, T>) -> Result<T> {
        T::info_nce_of(self, similarities.view(), reduction, Given::Value).map(|(value, _)| value)
    }

    /// The same, its slopes in the similarities `[N, M]`, and that in the temperature.
    ///
    /// # Errors
    ///
    /// Those of [`InfoNce::value_of`].
    pub fn grad_of<T: Real>(
        &self,
        similarities: &ArrayRef2<T>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, Array2<T>, T)> {
        let mut slopes = Array2::zeros(similarities.dim());
        let (value, temperature) =
            T::info_nce_of(self, similarities.view(), reduction, Given::Slopes(slopes.view_mut()))?;
        Ok((value, slopes, temperature))
    }
}
