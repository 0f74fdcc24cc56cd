//! Embeddings as the points between which a score is taken: as they are, or divided by their lengths.

use ndarray::{Array2, ArrayView1, ArrayViewMut1};

use super::PairScore;
use crate::math::length;
use crate::{Error, Result};

/// Points, and what becomes of a gradient in them.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) points: Array2<f64>,
    /// `‖p‖²` of each point.
    pub(super) squares: Vec<f64>,
    /// The lengths that directions had.
    lengths: Option<Vec<f64>>,
}

impl Frame {
    /// Finite rows, none of them zero where the score is one of directions.
    pub(super) fn new(argument: &'static str, mut rows: Array2<f64>, score: PairScore) -> Result<Self> {
        let lengths = match score.is_of_directions() {
            true => {
                let directed = rows.rows_mut().into_iter().enumerate().map(|(i, row)| direct(argument, i, row));
                Some(directed.collect::<Result<Vec<f64>>>()?)
            }
            false => None,
        };
        let squares: Vec<f64> = rows.rows().into_iter().map(|row| dot(row, row)).collect();
        // A distance is at most twice the largest length.
        match squares.iter().position(|square| !(4.0 * square).is_finite()) {
            None => Ok(Self { points: rows, squares, lengths }),
            Some(row) => Err(Error::overflow::<f64>(argument, row)),
        }
    }

    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.points.nrows()
    }

    /// From a gradient in the points to one in the embeddings: of directions, what turns them, over the length.
    pub(super) fn pull(&self, mut gradient: Array2<f64>) -> Array2<f64> {
        for (i, length) in self.lengths.iter().flatten().enumerate() {
            let point = self.points.row(i);
            let mut slope = gradient.row_mut(i);
            // Twice, since the first time leaves what its own rounding made.
            for _ in 0..2 {
                let along = dot(point, slope.view()) / self.squares[i];
                slope.scaled_add(-along, &point);
            }
            slope.mapv_inplace(|x| x / length);
        }
        gradient
    }
}

/// Divides a row by its length, which it returns. By the largest element first, so that no square overflows or vanishes.
fn direct(argument: &'static str, row: usize, mut point: ArrayViewMut1<'_, f64>) -> Result<f64> {
    let largest = point.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
    if largest == 0.0 {
        return Err(Error::Value { argument, position: row.into(), value: 0.0, allowed: "a row that is not zero" });
    }
    point.mapv_inplace(|x| x / largest);
    let size = length(point.iter().copied());
    point.mapv_inplace(|x| x / size);
    Ok(largest * size)
}

fn dot(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
