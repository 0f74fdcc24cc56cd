//! Scores of the rows of two sets of embeddings, one with one.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::walk::score_of;
use crate::{Real, Result, check, math};

/// The score of each row of `x` with the same row of `y`, `[n]`.
///
/// `x` and `y` are `[n, d]`. See [`PairScore`] for the formulas.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for arrays of other shapes, [`Error::Empty`](crate::Error::Empty) without
/// dimensions, [`Error::Value`](crate::Error::Value) for what is not finite and, of a cosine, for a row of zeros,
/// [`Error::Overflow`](crate::Error::Overflow) for a result out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{PairScore, paired_scores, paired_scores_backward};
/// let (x, y) = (array![[3.0_f64, 0.0], [1.0, 1.0]], array![[0.0, 4.0], [1.0, 1.0]]);
/// assert_eq!(paired_scores(&x, &y, PairScore::Euclidean)?, array![5.0, 0.0]);
/// let (by_x, by_y) = paired_scores_backward(&x, &y, PairScore::Euclidean, &array![10.0, 1.0])?;
/// assert_eq!(by_x, array![[6.0, -8.0], [0.0, 0.0]]);
/// assert_eq!(by_y, -by_x);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn paired_scores<T: Real>(x: &ArrayRef2<T>, y: &ArrayRef2<T>, score: PairScore) -> Result<Array1<T>> {
    check::shape("y", y.shape(), x.shape())?;
    let arrays = [("x", numbers::read_all("x", x)?), ("y", numbers::read_all("y", y)?)];
    T::metric_write_numbers("x", &Paired::new(score, arrays)?.scores)
}

/// The gradients in `x` and `y` of `Σ cotangent · score`, of the scores of [`paired_scores`].
///
/// # Errors
///
/// As [`paired_scores`].
pub fn paired_scores_backward<T: Real>(
    x: &ArrayRef2<T>,
    y: &ArrayRef2<T>,
    score: PairScore,
    cotangent: &ArrayRef1<T>,
) -> Result<(Array2<T>, Array2<T>)> {
    check::shape("y", y.shape(), x.shape())?;
    check::shape("cotangent", cotangent.shape(), &[x.nrows()])?;
    let slopes = numbers::read_all_numbers("cotangent", cotangent)?;
    let arrays = [("x", numbers::read_all("x", x)?), ("y", numbers::read_all("y", y)?)];
    let [by_x, by_y] = Paired::new(score, arrays)?.pull(&slopes);
    Ok((T::metric_write("x", &by_x)?, T::metric_write("y", &by_y)?))
}

/// The scores of rows, and what pulls their slopes back to the embeddings.
pub(super) struct Paired {
    score: PairScore,
    frames: [Frame; 2],
    pub(super) scores: Vec<f64>,
}

impl Paired {
    /// Rows of one shape, under the names that they have in errors.
    pub(super) fn new(score: PairScore, [x, y]: [(&'static str, Array2<f64>); 2]) -> Result<Self> {
        check::shape(y.0, y.1.shape(), x.1.shape())?;
        let frames = [Frame::new(x.0, x.1, score)?, Frame::new(y.0, y.1, score)?];
        Ok(Self::of_frames(score, frames))
    }

    /// The same of frames of this score, which other pairs share.
    pub(super) fn of_frames(score: PairScore, frames: [Frame; 2]) -> Self {
        let [x, y] = &frames;
        let rows = x.points.rows().into_iter().zip(y.points.rows());
        let squares = x.squares.iter().zip(&y.squares).map(|(x, y)| x + y);
        let scores = rows.zip(squares).map(|((x, y), total)| score_of(score, x, y, dot(x, y), total)).collect();
        Self { score, frames, scores }
    }

    /// The gradients in both sets of embeddings.
    pub(super) fn pull(&self, slopes: &[f64]) -> [Array2<f64>; 2] {
        let [x, y] = &self.frames;
        let mut by = [Array2::zeros(x.points.raw_dim()), Array2::zeros(y.points.raw_dim())];
        for (i, (&slope, &score)) in
            slopes.iter().zip(&self.scores).enumerate().filter(|(_, (slope, _))| **slope != 0.0)
        {
            for k in 0..x.points.ncols() {
                let (of_x, of_y) = (x.points[[i, k]], y.points[[i, k]]);
                [by[0][[i, k]], by[1][[i, k]]] = match self.score {
                    PairScore::DotProduct => [slope * of_y, slope * of_x],
                    _ => {
                        let pull = self.score.pull_by(slope, score, of_y - of_x);
                        [pull, -pull]
                    }
                };
            }
        }
        let [by_x, by_y] = by;
        [x.pull(by_x), y.pull(by_y)]
    }
}

/// The dot product of two points.
fn dot(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    x.iter().zip(y).fold(0.0, |sum, (&x, &y)| math::mul_add::<f64, false>(x, y, sum))
}
