//! The rows of a matrix as unit vectors, and the gradient through the division by their lengths.

use ndarray::{Array2, ArrayView2};

use crate::rowwise::RowLength;
use crate::{Error, Real, Result};

/// The rows of a matrix, each divided by its length.
pub(super) struct Directions<T> {
    pub(super) rows: Array2<T>,
    lengths: Vec<Option<RowLength>>,
}

impl<T: Real> Directions<T> {
    /// A row that is left out is never looked at, and is 0.
    pub(super) fn new(
        argument: &'static str,
        matrix: ArrayView2<'_, T>,
        is_out: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        if matrix.ncols() == 0 {
            return Err(Error::Empty { argument });
        }
        let (mut rows, mut lengths) = (Array2::zeros(matrix.raw_dim()), vec![None; matrix.nrows()]);
        for (i, (mut to, from)) in rows.rows_mut().into_iter().zip(matrix.rows()).enumerate() {
            if !is_out(i) {
                let length = RowLength::checked(argument, &[i], from)?;
                to.assign(&from);
                length.normalize(to);
                lengths[i] = Some(length);
            }
        }
        Ok(Self { rows, lengths })
    }

    /// From a gradient in the directions to one in the rows.
    pub(super) fn pull(&self, argument: &'static str, gradient: &mut Array2<T>) -> Result<()> {
        for (i, (mut slopes, length)) in gradient.rows_mut().into_iter().zip(&self.lengths).enumerate() {
            if let Some(length) = length {
                length.pull(self.rows.row(i), slopes.view_mut());
            }
            if slopes.iter().any(|slope| !slope.is_finite()) {
                return Err(Error::overflow::<T>(argument, i));
            }
        }
        Ok(())
    }
}
