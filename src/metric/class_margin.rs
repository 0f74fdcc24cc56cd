//! Softmax over the cosines with one center for each class, with a margin on the target's: the verbs of its forms.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView2, ArrayViewMut2};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights};
use super::softmax::cross_entropy;
use super::walk::{Found, RowKernel, Want, walk};
use crate::{Error, Real, Reduction, Result, Target, check};

/// Cross-entropy of scaled cosines between embeddings `[N, d]` and the centers of classes `[C, d]` (the rows of a last
/// layer), where a margin is taken from the target's: [`ArcFace`](super::ArcFace), [`CosFace`](super::CosFace),
/// [`SphereFace`](super::SphereFace).
///
/// ```math
/// L_i = -\ln \frac{e^{s\, \psi(c_{i y_i})}}{e^{s\, \psi(c_{i y_i})} + \sum_{k \ne y_i} e^{s\, c_{ik}}}
/// ```
///
/// `c` are cosines, `y` the labels, `[N]`, and `ψ` lowers the target's cosine. Lengths of embeddings and of centers do not
/// count, and both gradients stand at right angles to what they belong to. Logits exist for 128 embeddings at a time. A
/// weight of zero leaves out an embedding and its label. Sealed.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter out of its range.
/// - [`Error::Shape`](crate::Error::Shape): arrays or weights of other shapes.
/// - [`Error::Empty`](crate::Error::Empty): no classes, or no dimensions.
/// - [`Error::Target`](crate::Error::Target): a label that is no class.
/// - [`Error::Value`](crate::Error::Value): an element that is not finite; a zero embedding or center.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean over no embeddings.
/// - [`Error::Overflow`](crate::Error::Overflow): a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{ClassMargin, CosFace};
/// let (x, centers) = (array![[2.0_f64, 0.0]], array![[3.0, 0.0], [0.0, 1.0]]); // cosines 1 and 0
/// let loss = CosFace { scale: 2.0, margin: 0.5 }.value(&x, &centers, &array![0], Reduction::Mean)?;
/// assert!((loss - (-1.0_f64).exp().ln_1p()).abs() < 1e-15); // of logits 2 (1 - 0.5) and 0
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait ClassMargin: MarginCore + Sized {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn value<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        centers: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        let weights = T::metric_weights(reduction, embeddings.nrows())?;
        let batch = read(self, embeddings, centers, labels, &weights)?;
        let found = batch.walk(self, &weights, Want::Losses)?;
        T::metric_round(weights.reduce(&found.losses, "embeddings")?.0, "embeddings")
    }

    /// The loss of each embedding, `[N]`.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn each<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        centers: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
    ) -> Result<Array1<T>> {
        let batch = read(self, embeddings, centers, labels, &RowWeights::SUM)?;
        let found = batch.walk(self, &RowWeights::SUM, Want::Losses)?;
        let losses: Vec<f64> = found.losses.iter().map(|loss| loss.sum).collect();
        T::metric_write_numbers("embeddings", &losses)
    }

    /// The reduced loss and its gradients in embeddings and centers.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn grad<T: Real, I: Target>(
        &self,
        embeddings: &ArrayRef2<T>,
        centers: &ArrayRef2<T>,
        labels: &ArrayRef1<I>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, (Array2<T>, Array2<T>))> {
        let weights = T::metric_weights(reduction, embeddings.nrows())?;
        let batch = read(self, embeddings, centers, labels, &weights)?;
        let found = batch.walk(self, &weights, Want::Gradient)?;
        let (value, factor) = weights.reduce(&found.losses, "embeddings")?;
        let [embeddings, centers] = batch.pull(found, factor);
        let gradients = (T::metric_write("embeddings", &embeddings)?, T::metric_write("centers", &centers)?);
        Ok((T::metric_round(value, "embeddings")?, gradients))
    }
}

/// What a [`ClassMargin`] does with the target's cosine.
pub trait MarginCore: Sync {
    /// Checks the hyper-parameters.
    #[doc(hidden)]
    fn check_parameters(&self) -> Result<()>;

    /// What all cosines are multiplied by.
    #[doc(hidden)]
    fn logit_scale(&self) -> f64;

    /// `ψ` and its slope, both of what the target's cosine lacks to 1.
    #[doc(hidden)]
    fn lowered(&self, lack: f64) -> (f64, f64);
}

/// Embeddings and centers, checked against the labels.
pub(super) struct Batch {
    pub(super) embeddings: Frame,
    pub(super) centers: Frame,
    pub(super) labels: Vec<i64>,
}

impl Batch {
    /// Arrays under the names that they have in errors, for this score.
    pub(super) fn new(
        embeddings: Array2<f64>,
        (name, centers): (&'static str, Array2<f64>),
        labels: Vec<i64>,
        score: PairScore,
    ) -> Result<Self> {
        if centers.is_empty() {
            return Err(Error::Empty { argument: name });
        }
        check::shape(name, &[centers.ncols()], &[embeddings.ncols()])?;
        let classes = centers.nrows();
        let is_class = |label: i64| usize::try_from(label).is_ok_and(|label| label < classes);
        if let Some(at) = labels.iter().position(|&label| !is_class(label)) {
            return Err(Error::Target { argument: "labels", position: at.into(), value: labels[at], classes });
        }
        let embeddings = Frame::new("embeddings", embeddings, score)?;
        Ok(Self { embeddings, centers: Frame::new(name, centers, score)?, labels })
    }

    fn walk(&self, loss: &dyn MarginCore, weights: &RowWeights, want: Want) -> Result<Found> {
        let kernel = Logits { loss, labels: &self.labels };
        walk(PairScore::CosineDistance, [&self.embeddings, &self.centers], &kernel, weights, want)
    }

    /// From gradients in points to those in embeddings and centers.
    fn pull(&self, found: Found, factor: f64) -> [Array2<f64>; 2] {
        [self.embeddings.pull(found.left * factor), self.centers.pull(found.right * factor)]
    }
}

fn read<T: Real, I: Target>(
    loss: &dyn MarginCore,
    embeddings: &ArrayRef2<T>,
    centers: &ArrayRef2<T>,
    labels: &ArrayRef1<I>,
    weights: &RowWeights,
) -> Result<Batch> {
    loss.check_parameters()?;
    check::shape("labels", labels.shape(), &[embeddings.nrows()])?;
    let embeddings = T::metric_read("embeddings", embeddings.view(), weights)?;
    let centers = ("centers", numbers::read_all("centers", centers)?);
    let mut labels = I::erase(labels.view().into_dyn()).all();
    labels.iter_mut().enumerate().filter(|(row, _)| weights.of(*row) == 0.0).for_each(|(_, label)| *label = 0);
    Batch::new(embeddings, centers, labels, PairScore::CosineDistance)
}

/// Rows of logits.
struct Logits<'a> {
    loss: &'a dyn MarginCore,
    labels: &'a [i64],
}

impl Logits<'_> {
    /// The class of a row.
    fn class(&self, row: usize) -> usize {
        usize::try_from(self.labels[row]).unwrap_or_default()
    }
}

impl RowKernel for Logits<'_> {
    fn block(
        &self,
        first: usize,
        lacks: ArrayView2<'_, f64>,
        mut slopes: ArrayViewMut2<'_, f64>,
        losses: &mut [RowLoss],
    ) -> Result<()> {
        let scale = self.loss.logit_scale();
        slopes.zip_mut_with(&lacks, |logit, lack| *logit = scale * (1.0 - lack));
        let lowered: Vec<_> = (0..losses.len()).map(|i| self.loss.lowered(lacks[[i, self.class(first + i)]])).collect();
        lowered.iter().enumerate().for_each(|(i, lowered)| slopes[[i, self.class(first + i)]] = scale * lowered.0);
        let overflow = |_| Error::overflow::<f64>("embeddings", first);
        cross_entropy(&mut slopes, &self.labels[first..first + losses.len()], losses).map_err(overflow)?;
        let mut targets: Vec<f64> = (0..losses.len()).map(|i| slopes[[i, self.class(first + i)]]).collect();
        targets.iter_mut().zip(&lowered).for_each(|(target, lowered)| *target *= scale * lowered.1);
        slopes.mapv_inplace(|slope| -scale * slope);
        targets.iter().enumerate().for_each(|(i, target)| slopes[[i, self.class(first + i)]] = *target);
        Ok(())
    }
}
