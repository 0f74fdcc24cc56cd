//! Global orthogonal regularization: embeddings spread over all directions.

use ndarray::{Array2, ArrayRef2, Axis};

use super::PairScore;
use super::frame::Frame;
use super::numbers;
use super::row_weights::{RowLoss, RowWeights};
use super::walk::{ByRow, Found, Want, walk};
use crate::{Error, Real, Result, check};

/// Global orthogonal regularization (GOR): the cosines of different embeddings should have the first two moments of random
/// directions, 0 and `1/d`.
///
/// ```math
/// L = w_1 M_1^2 + w_2 \max\bigl(0, M_2 - \tfrac1d\bigr), \qquad
/// M_p = \frac{1}{N (N - 1)} \sum_{i \ne j} c_{ij}^p
/// ```
///
/// Embeddings are `[N, d]`; unrelated ones are assumed, and there are no labels. It is a function of the whole batch and an
/// addition to another loss. `M_2` is at most 1. The slope of the hinge is 0 at its kink. As in sentence-transformers
/// (`GlobalOrthogonalRegularizationLoss`), for one column of inputs; the paper takes the moments of unrelated pairs.
///
/// # Errors
///
/// [`Parameter`](crate::Error::Parameter) for a weight that is not finite or below 0; [`Empty`](crate::Error::Empty) without
/// dimensions; [`Value`](crate::Error::Value) for what is not finite and for a zero embedding;
/// [`NothingToAverage`](crate::Error::NothingToAverage) for fewer than two embeddings;
/// [`Overflow`](crate::Error::Overflow) for a result out of the range of the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::metric::GlobalOrthogonal;
/// let loss = GlobalOrthogonal { mean_weight: 2.0, second_moment_weight: 1.0 };
/// let value = loss.value(&array![[1.0_f64, 0.0], [4.0, 3.0]])?; // one pair of cosine 0.8
/// assert!((value - (2.0 * 0.64 + 0.14)).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zhang et al., ICCV 2017, eq. 4, [arXiv:1708.06320](https://arxiv.org/abs/1708.06320).
#[doc(alias = "GlobalOrthogonalRegularizationLoss")]
#[doc(alias = "GOR")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct GlobalOrthogonal {
    /// `w_1`, `>= 0`. Default 1 (sentence-transformers).
    pub mean_weight: f64,
    /// `w_2`, `>= 0`. Default 1.
    pub second_moment_weight: f64,
}

impl Default for GlobalOrthogonal {
    fn default() -> Self {
        Self { mean_weight: 1.0, second_moment_weight: 1.0 }
    }
}

impl GlobalOrthogonal {
    /// The loss.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn value<T: Real>(&self, embeddings: &ArrayRef2<T>) -> Result<T> {
        let moments = Moments::new(&self.read(embeddings)?)?;
        T::metric_round(self.at(&moments), "embeddings")
    }

    /// The loss and its gradient in the embeddings.
    ///
    /// # Errors
    ///
    /// Those of the type.
    pub fn grad<T: Real>(&self, embeddings: &ArrayRef2<T>) -> Result<(T, Array2<T>)> {
        let frame = self.read(embeddings)?;
        let moments = Moments::new(&frame)?;
        let bent = if moments.excess > 0.0 { self.second_moment_weight } else { 0.0 };
        let slopes =
            Cosines { level: 2.0 * self.mean_weight * moments.first / moments.pairs, rise: 2.0 * bent / moments.pairs };
        let found = slopes.walk(&frame, Want::Gradient)?;
        let gradient = T::metric_write("embeddings", &frame.pull(found.joint()))?;
        Ok((T::metric_round(self.at(&moments), "embeddings")?, gradient))
    }

    fn at(&self, moments: &Moments) -> f64 {
        self.mean_weight * moments.first * moments.first + self.second_moment_weight * moments.excess.max(0.0)
    }

    fn read<T: Real>(&self, embeddings: &ArrayRef2<T>) -> Result<Frame> {
        check::non_negative("mean_weight", self.mean_weight)?;
        check::non_negative("second_moment_weight", self.second_moment_weight)?;
        let rows = numbers::read_all("embeddings", embeddings)?;
        Frame::new("embeddings", rows, PairScore::CosineSimilarity)
    }
}

/// The moments of the cosines of different embeddings.
struct Moments {
    pairs: f64,
    first: f64,
    /// The second, less that of random directions.
    excess: f64,
}

impl Moments {
    fn new(frame: &Frame) -> Result<Self> {
        if frame.len() < 2 {
            return Err(Error::NothingToAverage { argument: "embeddings" });
        }
        let pairs = frame.len() as f64 * (frame.len() as f64 - 1.0);
        let sum = frame.points.sum_axis(Axis(0));
        let first = (sum.dot(&sum) - frame.squares.iter().sum::<f64>()) / pairs;
        let squares = Cosines { level: 0.0, rise: 1.0 }.walk(frame, Want::Losses)?;
        let (second, _) = RowWeights::SUM.reduce(&squares.losses, "embeddings")?;
        Ok(Self { pairs, first, excess: second / pairs - 1.0 / frame.points.ncols() as f64 })
    }
}

/// For each embedding the sum of the squares of its cosines with others; its slopes are `level + rise c`.
struct Cosines {
    level: f64,
    rise: f64,
}

impl Cosines {
    fn walk(&self, frame: &Frame, want: Want) -> Result<Found> {
        walk(PairScore::CosineSimilarity, [frame, frame], self, &RowWeights::SUM, want)
    }
}

impl ByRow for Cosines {
    fn row(&self, row: usize, scores: &[f64], slopes: &mut [f64]) -> RowLoss {
        let others = || scores.iter().enumerate().filter(|(j, _)| *j != row);
        others().for_each(|(j, cosine)| slopes[j] = self.level + self.rise * cosine);
        RowLoss::one(others().map(|(_, cosine)| cosine * cosine).sum())
    }
}
