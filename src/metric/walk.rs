//! The walk over all pairs of two sets of points, some rows at a time: scores, losses of rows, and the gradient.
//!
//! Rows go in blocks of [`ROWS`], one after the other; the products within a block and its rows are spread over threads.
//! The whole matrix of scores never exists, and no sum depends on the number of threads.

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, s};

use super::PairScore;
use super::frame::Frame;
use super::row_weights::{RowLoss, RowWeights};
use crate::gemm::product;
use crate::math::{length, mul_or_zero};
use crate::{Result, parallel};

/// Rows whose scores exist at a time.
const ROWS: usize = 128;

/// Rows that make one job.
const JOB: usize = 8;

/// Points are near where the square of their distance is at most this share of the sum of their squares: from there on a
/// difference of these squares loses digits, and the distance is taken from the difference of the points.
const NEAR: f64 = 1.0 / 256.0;

/// Squares below this have lost digits at the lower end of the type.
const TINY: f64 = 1e-280;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The losses.
    Losses,
    /// And the gradient of their weighted sum.
    Gradient,
}

/// What a loss makes of rows of scores.
pub(super) trait RowKernel: Sync {
    /// The losses of neighboring rows from `first` on; their slopes in the scores are added to zeros.
    fn block(
        &self,
        first: usize,
        scores: ArrayView2<'_, f64>,
        slopes: ArrayViewMut2<'_, f64>,
        losses: &mut [RowLoss],
    ) -> Result<()>;
}

/// A kernel that takes one row after the other.
pub(super) trait ByRow: Sync {
    /// The loss of a row; its slopes in the scores are added to zeros.
    fn row(&self, row: usize, scores: &[f64], slopes: &mut [f64]) -> RowLoss;
}

impl<K: ByRow> RowKernel for K {
    fn block(
        &self,
        first: usize,
        scores: ArrayView2<'_, f64>,
        mut slopes: ArrayViewMut2<'_, f64>,
        losses: &mut [RowLoss],
    ) -> Result<()> {
        let bytes = 32 * scores.len();
        let parts = scores.axis_chunks_iter(Axis(0), JOB).zip(slopes.axis_chunks_iter_mut(Axis(0), JOB));
        let jobs = parts.zip(losses.chunks_mut(JOB)).enumerate().collect();
        parallel::for_each(jobs, bytes, |(job, ((scores, mut slopes), losses)): (usize, _)| {
            let losses: &mut [RowLoss] = losses;
            let rows = scores.rows().into_iter().zip(slopes.rows_mut()).zip(losses);
            for (i, ((scores, slopes), loss)) in rows.enumerate() {
                let (scores, slopes) = (scores.to_slice().unwrap_or_default(), slopes.into_slice().unwrap_or_default());
                *loss = self.row(first + job * JOB + i, scores, slopes);
            }
        });
        Ok(())
    }
}

/// What a walk has found: the loss of each row, and the gradients in both sets of points, of no rows where not asked for.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) losses: Vec<RowLoss>,
    pub(super) left: Array2<f64>,
    pub(super) right: Array2<f64>,
}

impl Found {
    /// The gradient in the points where both sets are one.
    pub(super) fn joint(self) -> Array2<f64> {
        self.left + self.right
    }
}

/// Walks over the pairs of a point on the left, for each of which there is a loss, with all points on the right.
pub(super) fn walk(
    score: PairScore,
    [left, right]: [&Frame; 2],
    kernel: &dyn RowKernel,
    weights: &RowWeights,
    want: Want,
) -> Result<Found> {
    let gradient = |of: &Frame| match want {
        Want::Losses => Array2::zeros((0, 0)),
        Want::Gradient => Array2::zeros(of.points.raw_dim()),
    };
    let mut found =
        Found { losses: vec![RowLoss::default(); left.len()], left: gradient(left), right: gradient(right) };
    for first in (0..left.len()).step_by(ROWS) {
        let count = ROWS.min(left.len() - first);
        let tile = Tile::new(score, [left, right], first, count);
        let mut slopes = Array2::zeros(tile.scores.raw_dim());
        let losses = &mut found.losses[first..first + count];
        kernel.block(first, tile.scores.view(), slopes.view_mut(), losses)?;
        if want == Want::Gradient {
            weigh(first, &mut slopes, weights);
            tile.pull_near(&mut slopes, &mut found);
            tile.pull_far(slopes, &mut found);
        }
    }
    Ok(found)
}

/// All scores, where a caller wants them.
pub(super) fn scores(score: PairScore, sides: [&Frame; 2]) -> Array2<f64> {
    let [left, right] = sides;
    let mut all = Array2::zeros((left.len(), right.len()));
    for first in (0..left.len()).step_by(ROWS) {
        let tile = Tile::new(score, sides, first, ROWS.min(left.len() - first));
        all.slice_mut(s![first..first + tile.scores.nrows(), ..]).assign(&tile.scores);
    }
    all
}

/// Multiplies the slopes of each row from `first` on by what the row counts.
fn weigh(first: usize, slopes: &mut Array2<f64>, weights: &RowWeights) {
    for (i, mut row) in slopes.rows_mut().into_iter().enumerate() {
        let weight = weights.of(first + i);
        if weight != 1.0 {
            row.mapv_inplace(|slope| mul_or_zero(weight, slope));
        }
    }
}

/// Scores of some rows.
struct Tile<'a> {
    score: PairScore,
    sides: [&'a Frame; 2],
    first: usize,
    scores: Array2<f64>,
    /// The points on the right that are near each on the left.
    near: Vec<Vec<usize>>,
}

impl<'a> Tile<'a> {
    fn new(score: PairScore, sides: [&'a Frame; 2], first: usize, count: usize) -> Self {
        let [left, right] = sides;
        let mut scores = Array2::zeros((count, right.len()));
        product(1.0, left.points.slice(s![first..first + count, ..]), right.points.t(), 0.0, scores.view_mut());
        let mut near = vec![Vec::new(); count];
        if score != PairScore::DotProduct {
            let bytes = 4 * scores.len() * size_of::<f64>();
            let jobs = scores.axis_chunks_iter_mut(Axis(0), JOB).zip(near.chunks_mut(JOB)).enumerate().collect();
            parallel::for_each(jobs, bytes, |(job, (mut scores, near)): (usize, (ArrayViewMut2<'_, f64>, _))| {
                let near: &mut [Vec<usize>] = near;
                for (i, (row, near)) in scores.rows_mut().into_iter().zip(near).enumerate() {
                    scores_of(score, sides, first + job * JOB + i, row.into_slice().unwrap_or_default(), near);
                }
            });
        }
        Self { score, sides, first, scores, near }
    }

    /// Adds the gradient of near pairs by their differences, and takes their slopes away.
    fn pull_near(&self, slopes: &mut Array2<f64>, found: &mut Found) {
        let [left, right] = self.sides;
        for (i, near) in self.near.iter().enumerate() {
            for &j in near {
                let (slope, score) = (std::mem::take(&mut slopes[[i, j]]), self.scores[[i, j]]);
                if slope == 0.0 {
                    continue;
                }
                let (row, of) = (self.first + i, self.score);
                for k in 0..left.points.ncols() {
                    let pull = of.pull_by(slope, score, right.points[[j, k]] - left.points[[row, k]]);
                    found.left[[row, k]] += pull;
                    found.right[[j, k]] -= pull;
                }
            }
        }
    }

    /// Adds the gradient of all other pairs by products of matrices.
    fn pull_far(&self, mut slopes: Array2<f64>, found: &mut Found) {
        let ([left, right], score) = (self.sides, self.score);
        let rows = self.first..self.first + slopes.nrows();
        slopes.zip_mut_with(&self.scores, |slope, &at| *slope = score.pull(*slope, at));
        let pulls = slopes;
        let own = left.points.slice(s![rows.clone(), ..]);
        let mut out = found.left.slice_mut(s![rows, ..]);
        product(1.0, pulls.view(), right.points.view(), 1.0, out.view_mut());
        product(1.0, pulls.t(), own, 1.0, found.right.view_mut());
        if score.is_of_differences() {
            let subtract = |out: &mut ArrayViewMut2<'_, f64>, axis, points: ArrayView2<'_, f64>| {
                let sums = pulls.sum_axis(axis);
                for ((mut out, point), sum) in out.rows_mut().into_iter().zip(points.rows()).zip(sums) {
                    out.scaled_add(-sum, &point);
                }
            };
            subtract(&mut out, Axis(1), own);
            subtract(&mut found.right.view_mut(), Axis(0), right.points.view());
        }
    }
}

/// Turns the dot products of a point on the left into scores, and notes which points are near it.
fn scores_of(score: PairScore, [left, right]: [&Frame; 2], row: usize, dots: &mut [f64], near: &mut Vec<usize>) {
    let total = |square: f64| left.squares[row] + square;
    for (j, (&dot, &square)) in dots.iter().zip(&right.squares).enumerate() {
        if are_near(dot, total(square)) {
            near.push(j);
        }
    }
    for (dot, &square) in dots.iter_mut().zip(&right.squares) {
        *dot = score.of_product(*dot, square_of(*dot, total(square)));
    }
    let x = left.points.row(row);
    near.iter().for_each(|&j| dots[j] = score.of_length(distance(x, right.points.row(j))));
}

/// The square of a distance, from a dot product and the sum of the squares.
fn square_of(dot: f64, total: f64) -> f64 {
    total - 2.0 * dot
}

fn are_near(dot: f64, total: f64) -> bool {
    square_of(dot, total) <= NEAR * total || total < TINY
}

fn distance(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    length(x.iter().zip(y).map(|(x, y)| x - y))
}

/// The score of two points with this dot product and this sum of squares.
pub(super) fn score_of(score: PairScore, x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>, dot: f64, total: f64) -> f64 {
    match score != PairScore::DotProduct && are_near(dot, total) {
        true => score.of_length(distance(x, y)),
        false => score.of_product(dot, square_of(dot, total)),
    }
}
