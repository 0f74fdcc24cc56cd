//! AnglE: the order of the angles between embeddings in the complex plane.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::Cosent;
use super::PairScore;
use super::frame::Frame;
use super::numbers;
use crate::{Error, Real, Result, check};

/// AnglE loss: [`Cosent`] of the angle scores of pairs in the complex plane, where cosines have no slope left.
///
/// ```math
/// s_i = \Bigl|\sum_k \frac{a_k c_k + b_k d_k + b_k c_k - a_k d_k}{\lVert x_i \rVert\, \lVert y_i \rVert}\Bigr|, \qquad
/// L = \ln\Bigl(1 + \sum_{g_i < g_j} e^{\lambda (s_i - s_j)}\Bigr)
/// ```
///
/// The first half of `x_i` is `a`, the second `b`; of `y_i`, `c` and `d`. So real and imaginary part of the quotient
/// `(a + ib) / (c + id)` are added up and divided by the ratio of the lengths. `x` and `y` are `[n, d]` with an even
/// `d`, `gold` is `[n]`. The slope of the absolute value at 0 is 0. As in sentence-transformers (`AnglELoss`); the
/// paper's whole objective also adds [`Cosent`] of cosines and in-batch negatives.
///
/// # Errors
///
/// Those of [`Cosent`]; [`Shape`](crate::Error::Shape) for other shapes or an odd number of dimensions;
/// [`Value`](crate::Error::Value) for a zero embedding.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::Angle;
/// let (x, y) = (array![[1.0_f64, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [1.0, 1.0]]);
/// assert_eq!(Angle::default().each(&x, &y)?[0], 1.0);
/// let loss = Angle { scale: 2.0 }.value(&x, &y, &array![1.0, 2.0])?; // scores 1 and 2/√2, in the right order
/// assert!((loss - (2.0 * (1.0 - 2.0_f64.sqrt())).exp().ln_1p()).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Li and Li, ACL 2024, [arXiv:2309.12871](https://arxiv.org/abs/2309.12871).
#[doc(alias = "AnglELoss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Angle {
    /// What differences of scores are multiplied by, `> 0`. Default 20 (sentence-transformers).
    pub scale: f64,
}

impl Default for Angle {
    fn default() -> Self {
        Self { scale: 20.0 }
    }
}

impl Angle {
    /// The loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>, gold: &ArrayRef1<T>) -> Result<T> {
        let (angles, gold) = (Angles::read(x, y)?, read_gold(x, gold)?);
        T::metric_round(Cosent { scale: self.scale }.of(&angles.scores(), &gold)?.0, "x")
    }

    /// The angle score of each pair, `[n]`; not a loss, which is a function of all.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn each<T: Real>(&self, x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<Array1<T>> {
        T::metric_write_numbers("x", &Angles::read(x, y)?.scores())
    }

    /// The loss and its gradients in `x` and `y`.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real>(
        &self,
        x: &ArrayRef2<T>,
        y: &ArrayRef2<T>,
        gold: &ArrayRef1<T>,
    ) -> Result<(T, (Array2<T>, Array2<T>))> {
        let (angles, gold) = (Angles::read(x, y)?, read_gold(x, gold)?);
        let (value, slopes) = Cosent { scale: self.scale }.of(&angles.scores(), &gold)?;
        let [by_x, by_y] = angles.pull(&slopes);
        Ok((T::metric_round(value, "x")?, (T::metric_write("x", &by_x)?, T::metric_write("y", &by_y)?)))
    }
}

fn read_gold<T: Real>(x: &ArrayRef2<T>, gold: &ArrayRef1<T>) -> Result<Vec<f64>> {
    check::shape("gold", gold.shape(), &[x.nrows()])?;
    numbers::read_all_numbers("gold", gold)
}

/// Directions of both sides, and the sums whose absolute values the scores are.
struct Angles {
    frames: [Frame; 2],
    sums: Vec<f64>,
}

impl Angles {
    fn read<T: Real>(x: &ArrayRef2<T>, y: &ArrayRef2<T>) -> Result<Self> {
        check::shape("y", y.shape(), x.shape())?;
        if x.ncols() % 2 == 1 {
            let expected = vec![x.nrows(), x.ncols() + 1];
            return Err(Error::Shape { argument: "x", got: x.shape().to_vec(), expected });
        }
        Self::new(numbers::read_all("x", x)?, numbers::read_all("y", y)?)
    }

    fn new(x: Array2<f64>, y: Array2<f64>) -> Result<Self> {
        let score = PairScore::CosineSimilarity;
        let frames = [Frame::new("x", x, score)?, Frame::new("y", y, score)?];
        let [x, y] = &frames;
        let sum = |row: usize| (0..x.points.ncols()).map(|k| x.points[[row, k]] * partner(&y.points, row, k)).sum();
        let sums = (0..x.len()).map(sum).collect();
        Ok(Self { frames, sums })
    }

    fn scores(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum.abs()).collect()
    }

    fn pull(&self, slopes: &[f64]) -> [Array2<f64>; 2] {
        let [x, y] = &self.frames;
        let signed = |row: usize| if self.sums[row] == 0.0 { 0.0 } else { self.sums[row].signum() * slopes[row] };
        let by_x = Array2::from_shape_fn(x.points.raw_dim(), |(row, k)| signed(row) * partner(&y.points, row, k));
        let by_y = Array2::from_shape_fn(y.points.raw_dim(), |(row, k)| signed(row) * back(&x.points, row, k));
        [x.pull(by_x), y.pull(by_y)]
    }
}

/// What the coordinate `k` of `x` is multiplied by: `c - d` in the first half, and `c + d` in the second.
fn partner(y: &Array2<f64>, row: usize, k: usize) -> f64 {
    let half = y.ncols() / 2;
    if k < half { y[[row, k]] - y[[row, k + half]] } else { y[[row, k]] + y[[row, k - half]] }
}

/// What the coordinate `k` of `y` is multiplied by: `a + b` in the first half, and `b - a` in the second.
fn back(x: &Array2<f64>, row: usize, k: usize) -> f64 {
    let half = x.ncols() / 2;
    if k < half { x[[row, k]] + x[[row, k + half]] } else { x[[row, k]] - x[[row, k - half]] }
}
