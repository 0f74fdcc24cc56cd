//! The scores of all pairs of two sets of embeddings, where a caller wants them all.

use ndarray::{Array2, ArrayRef2, ArrayView2};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights};
use super::walk::{ByRow, Want, scores, walk};
use crate::{Error, Real, Result, check};

/// The score of each row of `x` with each row of `y`, `[n, m]`.
///
/// `x` is `[n, d]`, `y` is `[m, d]`. See [`PairScore`] for the formulas; computed in `f64`, by products of matrices
/// and, where points lie close together, by their differences. The losses of this room never hold so many scores at
/// once.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) for another number of dimensions, [`Error::Empty`](crate::Error::Empty) without any,
/// [`Error::Value`](crate::Error::Value) for what is not finite and, of a cosine, for a row of zeros,
/// [`Error::Overflow`](crate::Error::Overflow) for a result out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::{PairScore, score_matrix, score_matrix_backward};
/// let (x, y) = (array![[1.0_f64, 2.0]], array![[3.0, 4.0], [5.0, 6.0]]);
/// assert_eq!(score_matrix(&x, &y, PairScore::DotProduct)?, array![[11.0, 17.0]]);
/// let (by_x, _) = score_matrix_backward(&x, &y, PairScore::DotProduct, &array![[1.0, -1.0]])?;
/// assert_eq!(by_x, array![[-2.0, -2.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "cdist")]
#[doc(alias = "cos_sim")]
pub fn score_matrix<T: Real>(x: &ArrayRef2<T>, y: &ArrayRef2<T>, score: PairScore) -> Result<Array2<T>> {
    let [x, y] = read(x, y, score)?;
    T::metric_write("x", &scores(score, [&x, &y]))
}

/// The gradients in `x` and `y` of `Σ cotangent · score`, of the scores of [`score_matrix`].
///
/// # Errors
///
/// As [`score_matrix`].
pub fn score_matrix_backward<T: Real>(
    x: &ArrayRef2<T>,
    y: &ArrayRef2<T>,
    score: PairScore,
    cotangent: &ArrayRef2<T>,
) -> Result<(Array2<T>, Array2<T>)> {
    check::shape("cotangent", cotangent.shape(), &[x.nrows(), y.nrows()])?;
    let [x, y] = read(x, y, score)?;
    let cotangent = match cotangent.is_empty() {
        true => Array2::zeros(cotangent.raw_dim()),
        false => numbers::read_all("cotangent", cotangent)?,
    };
    let found = walk(score, [&x, &y], &Given(cotangent.view()), &RowWeights::SUM, Want::Gradient)?;
    Ok((T::metric_write("x", &x.pull(found.left))?, T::metric_write("y", &y.pull(found.right))?))
}

fn read<T: Real>(x: &ArrayRef2<T>, y: &ArrayRef2<T>, score: PairScore) -> Result<[Frame; 2], Error> {
    check::shape("y", &[y.ncols()], &[x.ncols()])?;
    let (x, y) = (numbers::read_all("x", x)?, numbers::read_all("y", y)?);
    Ok([Frame::new("x", x, score)?, Frame::new("y", y, score)?])
}

/// Slopes that are given.
struct Given<'a>(ArrayView2<'a, f64>);

impl ByRow for Given<'_> {
    fn row(&self, row: usize, _: &[f64], slopes: &mut [f64]) -> RowLoss {
        slopes.iter_mut().zip(self.0.row(row)).for_each(|(slope, given)| *slope = *given);
        RowLoss::default()
    }
}
