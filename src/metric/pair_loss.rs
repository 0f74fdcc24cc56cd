//! Losses of pairs of embeddings that either belong together or do not: the verbs that they share.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::PairScore;
use super::paired::Paired;
use super::row_weights::{RowLoss, RowWeights};
use crate::{Error, Real, Reduction, Result, check};

/// A loss of embeddings `x` and `y`, `[B, d]`, of which each pair is alike or not, `[B]`. A weight of zero
/// leaves out a pair. Sealed.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter out of its range.
/// - [`Error::Shape`](crate::Error::Shape): arrays or weights of other shapes.
/// - [`Error::Empty`](crate::Error::Empty): embeddings without dimensions.
/// - [`Error::Value`](crate::Error::Value): an element that is not finite; a zero embedding, where cosines are taken.
/// - [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean where no pair has a loss.
/// - [`Error::Overflow`](crate::Error::Overflow): a loss or a gradient out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{CosineEmbedding, LabeledPairs};
/// let (x, y) = (array![[1.0_f64, 0.0], [1.0, 0.0]], array![[3.0, 4.0], [3.0, 4.0]]);
/// let each = CosineEmbedding::default().each(&x, &y, &array![true, false])?;
/// assert_eq!(each, array![0.4, 0.6]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait LabeledPairs: PairCore + Sized {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn value<T: Real>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        alike: &ArrayRef1<bool>,
        reduction: Reduction<'_, T>,
    ) -> Result<T> {
        let weights = T::metric_weights(reduction, x.nrows())?;
        let pairs = read(self, x, y, alike, &weights)?;
        T::metric_round(weights.reduce(&losses(self, &pairs, alike, &weights).0, "x")?.0, "x")
    }

    /// The loss of each pair, `[B]`.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn each<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>, alike: &ArrayRef1<bool>) -> Result<Array1<T>> {
        let (pairs, all) = (read(self, x, y, alike, &RowWeights::SUM)?, &RowWeights::SUM);
        let each: Vec<f64> = losses(self, &pairs, alike, all).0.iter().map(|loss| loss.sum).collect();
        T::metric_write_numbers("x", &each)
    }

    /// The reduced loss and its gradients in `x` and in `y`.
    ///
    /// # Errors
    ///
    /// Those of the trait.
    fn grad<T: Real>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        alike: &ArrayRef1<bool>,
        reduction: Reduction<'_, T>,
    ) -> Result<(T, (Array2<T>, Array2<T>))> {
        let weights = T::metric_weights(reduction, x.nrows())?;
        let pairs = read(self, x, y, alike, &weights)?;
        let (losses, mut slopes) = losses(self, &pairs, alike, &weights);
        let (value, factor) = weights.reduce(&losses, "x")?;
        for (row, slope) in slopes.iter_mut().enumerate() {
            *slope *= weights.of(row) * factor;
        }
        let [by_x, by_y] = pairs.pull(&slopes);
        Ok((T::metric_round(value, "x")?, (T::metric_write("x", &by_x)?, T::metric_write("y", &by_y)?)))
    }
}

/// What a loss of [`LabeledPairs`] makes of the scores of all pairs.
pub trait PairCore {
    /// Checks the hyper-parameters.
    #[doc(hidden)]
    fn check_parameters(&self) -> Result<()>;

    /// What it takes of two embeddings.
    #[doc(hidden)]
    fn pair_score(&self) -> PairScore;

    /// Loss and slope of each pair.
    #[doc(hidden)]
    fn of_pairs(&self, scores: &[f64], alike: &[bool]) -> Vec<(f64, f64)>;
}

fn read<T: Real>(
    loss: &dyn PairCore,
    x: &ArrayRef2<T>,
    y: &ArrayRef2<T>,
    alike: &ArrayRef1<bool>,
    weights: &RowWeights,
) -> Result<Paired, Error> {
    loss.check_parameters()?;
    check::shape("y", y.shape(), x.shape())?;
    check::shape("alike", alike.shape(), &[x.nrows()])?;
    let arrays = [("x", T::metric_read("x", x.view(), weights)?), ("y", T::metric_read("y", y.view(), weights)?)];
    Paired::new(loss.pair_score(), arrays)
}

/// Losses and slopes; pairs of weight zero have none, and no other pair sees them.
fn losses(
    loss: &dyn PairCore,
    pairs: &Paired,
    alike: &ArrayRef1<bool>,
    weights: &RowWeights,
) -> (Vec<RowLoss>, Vec<f64>) {
    let kept: Vec<usize> = (0..pairs.scores.len()).filter(|&row| weights.of(row) != 0.0).collect();
    let scores: Vec<f64> = kept.iter().map(|&row| pairs.scores[row]).collect();
    let alike: Vec<bool> = kept.iter().map(|&row| alike[row]).collect();
    let (mut losses, mut slopes) = (vec![RowLoss::default(); pairs.scores.len()], vec![0.0; pairs.scores.len()]);
    for (row, (loss, slope)) in kept.into_iter().zip(loss.of_pairs(&scores, &alike)) {
        (losses[row], slopes[row]) = (RowLoss::one(loss), slope);
    }
    (losses, slopes)
}
