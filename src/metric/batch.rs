//! Losses of a batch of labeled embeddings: [`EmbeddingObjective`].

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView2, ArrayViewMut2};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights, sum_count};
use super::walk::{ByRow, Found, Want, walk};
use crate::target::Indices;
use crate::{Real, Reduction, Result, SumCount, Target, check};

/// A loss of embeddings `[N, d]` with one label each, `[N]`. Embeddings of one label belong together; labels are any
/// integers, and only whether two of them are equal counts. Sealed.
///
/// Each embedding is an **anchor** in turn: all others with its label are its positives, the rest its negatives. A loss
/// is one number for each anchor, or a sum of several. `Mean` divides by how many there are, of those that the
/// objective says it counts; anchors without any (no positive or no negative, where both are needed) are left out. A
/// weight of zero leaves the loss of an anchor out; to other anchors its embedding is still a positive or a negative.
///
/// Everything is computed in `f64`, for both element types. Scores exist for 128 anchors at a time, so that memory grows
/// with N and not with its square.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter out of its range.
/// - [`Error::Shape`](crate::Error::Shape): labels, weights or a buffer of another length.
/// - [`Error::Empty`](crate::Error::Empty): embeddings without dimensions.
/// - [`Error::Value`](crate::Error::Value): an element that is not finite; a zero embedding, where cosines are taken.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean where no anchor has a loss.
/// - [`Error::Overflow`](crate::Error::Overflow): a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{EmbeddingObjective, MultiSimilarity};
/// let (x, labels) = (array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]], array![7, 7, 3]);
/// let (loss, gradient) = MultiSimilarity::default().grad(&x, &labels, Reduction::Mean)?;
/// assert_eq!(loss, MultiSimilarity::default().value(&x, &labels, Reduction::Mean)?);
/// assert_eq!(gradient.dim(), (3, 2));
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait EmbeddingObjective: BatchCore + Sized {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn value<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        T::metric_batch(self, embeddings.view(), I::erase(labels.view().into_dyn()), reduction)
    }

    /// The sum of the losses of each anchor, `[N]`; 0 for anchors that are left out.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn each<T: Real, I: Target>(&self, embeddings: &ArrayRef2<T>, labels: &ArrayRef1<I>) -> Result<Array1<T>> {
        T::metric_batch_each(self, embeddings.view(), I::erase(labels.view().into_dyn())).map(|(each, _)| each)
    }

    /// The sum of the losses, and how many a mean counts. Anchors look at their whole batch, so those of micro-batches
    /// are not those of the batch that they make up.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn sum_count<T: Real, I: Target>(&self, embeddings: &ArrayRef2<T>, labels: &ArrayRef1<I>) -> Result<SumCount> {
        let (_, parts) = T::metric_batch_each(self, embeddings.view(), I::erase(labels.view().into_dyn()))?;
        Ok(SumCount { sum: numbers::round(parts.sum, "embeddings")?, ..parts })
    }

    /// The reduced loss and its gradient in the embeddings.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn grad<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, Array2<T>)> {
        let mut out = Array2::zeros(embeddings.raw_dim());
        let value = self.grad_into(embeddings, labels, reduction, &mut out)?;
        Ok((value, out))
    }

    /// The reduced loss; its gradient goes to a buffer of the shape of the embeddings.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn grad_into<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
        out: &mut ArrayRef2<T>,
    ) -> Result<T> {
        let labels = I::erase(labels.view().into_dyn());
        T::metric_batch_grad(self, embeddings.view(), labels, reduction, out.view_mut())
    }
}

/// What an [`EmbeddingObjective`] does with a batch.
#[allow(private_interfaces)]
pub trait BatchCore: Sync {
    /// Checks the hyper-parameters.
    #[doc(hidden)]
    fn check_parameters(&self) -> Result<()>;

    /// What it takes of two embeddings.
    #[doc(hidden)]
    fn pair_score(&self) -> PairScore;

    /// Losses, and the gradient in the points of the frame, on both sides.
    #[doc(hidden)]
    fn walk_batch(&self, frame: &Frame, labels: &[i64], weights: &RowWeights, want: Want) -> Result<Found>;
}

/// A loss of each anchor that depends on its own scores alone.
pub(super) trait AnchorLoss: Sync {
    fn check(&self) -> Result<()>;

    fn score(&self) -> PairScore;

    /// The loss of an anchor; its slopes in the scores are added to zeros.
    fn anchor(&self, of: &Anchor<'_>, slopes: &mut [f64]) -> RowLoss;
}

/// The scores of one anchor with all embeddings.
#[derive(Clone, Copy)]
pub(super) struct Anchor<'a> {
    pub(super) index: usize,
    pub(super) labels: &'a [i64],
    pub(super) scores: &'a [f64],
}

impl<'a> Anchor<'a> {
    /// The places of the other embeddings with its label.
    pub(super) fn positives(self) -> impl Iterator<Item = usize> + Clone + 'a {
        (0..self.labels.len()).filter(move |&j| self.is_positive(j))
    }

    /// The places of the embeddings with other labels.
    pub(super) fn negatives(self) -> impl Iterator<Item = usize> + Clone + 'a {
        (0..self.labels.len()).filter(move |&j| self.is_negative(j))
    }

    /// Whether it is another embedding with the same label.
    pub(super) fn is_positive(self, place: usize) -> bool {
        place != self.index && !self.is_negative(place)
    }

    /// Whether the label there is another one.
    pub(super) fn is_negative(self, place: usize) -> bool {
        self.labels[place] != self.labels[self.index]
    }
}

/// The anchors of a batch, row by row.
struct Anchors<'a, L> {
    loss: &'a L,
    labels: &'a [i64],
}

impl<L: AnchorLoss> ByRow for Anchors<'_, L> {
    fn row(&self, row: usize, scores: &[f64], slopes: &mut [f64]) -> RowLoss {
        self.loss.anchor(&Anchor { index: row, labels: self.labels, scores }, slopes)
    }
}

#[allow(private_interfaces)]
impl<L: AnchorLoss> BatchCore for L {
    fn check_parameters(&self) -> Result<()> {
        self.check()
    }

    fn pair_score(&self) -> PairScore {
        self.score()
    }

    fn walk_batch(&self, frame: &Frame, labels: &[i64], weights: &RowWeights, want: Want) -> Result<Found> {
        walk(self.score(), [frame, frame], &Anchors { loss: self, labels }, weights, want)
    }
}

/// Embeddings and labels, checked.
fn batch<T: Real>(
    loss: &dyn BatchCore,
    embeddings: ArrayView2<'_, T>,
    labels: Indices<'_>,
) -> Result<(Frame, Vec<i64>)> {
    loss.check_parameters()?;
    check::shape("labels", labels.shape(), &[embeddings.nrows()])?;
    let frame =
        Frame::new("embeddings", numbers::read("embeddings", embeddings, &RowWeights::SUM)?, loss.pair_score())?;
    Ok((frame, labels.all()))
}

/// The reduced loss.
pub(super) fn value<T: Real>(
    loss: &dyn BatchCore,
    embeddings: ArrayView2<'_, T>,
    labels: Indices<'_>,
    reduction: Reduction<'_, T>,
) -> Result<T> {
    let weights = RowWeights::new(reduction, embeddings.nrows())?;
    let (frame, labels) = batch(loss, embeddings, labels)?;
    let found = loss.walk_batch(&frame, &labels, &weights, Want::Losses)?;
    numbers::round(weights.reduce(&found.losses, "embeddings")?.0, "embeddings")
}

/// The reduced loss, and its gradient in `out`.
pub(super) fn grad<T: Real>(
    loss: &dyn BatchCore,
    embeddings: ArrayView2<'_, T>,
    labels: Indices<'_>,
    reduction: Reduction<'_, T>,
    out: ArrayViewMut2<'_, T>,
) -> Result<T> {
    check::shape("out", out.shape(), embeddings.shape())?;
    let weights = RowWeights::new(reduction, embeddings.nrows())?;
    let (frame, labels) = batch(loss, embeddings, labels)?;
    let found = loss.walk_batch(&frame, &labels, &weights, Want::Gradient)?;
    let (value, factor) = weights.reduce(&found.losses, "embeddings")?;
    let gradient = frame.pull(found.joint() * factor);
    numbers::write_into("embeddings", &gradient, out)?;
    numbers::round(value, "embeddings")
}

/// The losses of each anchor, their sum and how many a mean counts.
pub(super) fn each<T: Real>(
    loss: &dyn BatchCore,
    embeddings: ArrayView2<'_, T>,
    labels: Indices<'_>,
) -> Result<(Array1<T>, SumCount)> {
    let (frame, labels) = batch(loss, embeddings, labels)?;
    let found = loss.walk_batch(&frame, &labels, &RowWeights::SUM, Want::Losses)?;
    let sums: Vec<f64> = found.losses.iter().map(|loss| loss.sum).collect();
    Ok((numbers::write_numbers("embeddings", &sums)?, sum_count(&found.losses)))
}
