//! Embeddings as the points between which a score is taken: as they are, or divided by their lengths.

use ndarray::{Array2, ArrayView1};

use super::PairScore;
use crate::rowwise::RowLength;
use crate::{Error, Result};

/// Points, and what becomes of a gradient in them.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) points: Array2<f64>,
    /// `‖p‖²` of each point.
    pub(super) squares: Vec<f64>,
    /// The lengths that directions had; none where points are the embeddings themselves.
    lengths: Vec<RowLength>,
}

impl Frame {
    /// Finite rows, none of them zero where the score is one of directions.
    pub(super) fn new(argument: &'static str, mut rows: Array2<f64>, score: PairScore) -> Result<Self> {
        let mut lengths = Vec::new();
        if score.is_of_directions() {
            for (i, row) in rows.rows_mut().into_iter().enumerate() {
                let length = RowLength::checked(argument, &[i], row.view())?;
                length.normalize(row);
                lengths.push(length);
            }
        }
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

    /// From a gradient in the points to one in the embeddings.
    pub(super) fn pull(&self, mut gradient: Array2<f64>) -> Array2<f64> {
        for (i, length) in self.lengths.iter().enumerate() {
            length.pull(self.points.row(i), gradient.row_mut(i));
        }
        gradient
    }
}

fn dot(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
