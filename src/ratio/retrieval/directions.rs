//! Rows of unit length, and the way back through the division by their lengths.

use ndarray::{Array2, ArrayView2};

use crate::error::Position;
use crate::{Error, Real, Result};

/// The rows of a matrix, each divided by its length.
pub(super) struct Directions<T> {
    pub(super) rows: Array2<T>,
    lengths: Vec<Length>,
}

/// The length of a row as a product, neither factor of which overflows.
#[derive(Clone, Copy)]
pub(super) struct Length {
    largest: f64,
    of_scaled: f64,
}

impl Length {
    /// Of elements that are finite and not all 0; why not, where they are not.
    pub(super) fn of<T: Real>(argument: &'static str, row: usize, elements: &[T]) -> Result<Self> {
        if let Some(column) = elements.iter().position(|x| !x.is_finite()) {
            let (position, value) = (Position(vec![row, column]), elements[column].as_f64());
            return Err(Error::Value { argument, position, value, allowed: "finite" });
        }
        let largest = elements.iter().fold(0.0, |max: f64, x| max.max(x.as_f64().abs()));
        if largest == 0.0 {
            let allowed = "a row that is not zero";
            return Err(Error::Value { argument, position: row.into(), value: 0.0, allowed });
        }
        let of_scaled = elements.iter().map(|x| (x.as_f64() / largest).powi(2)).sum::<f64>().sqrt();
        Ok(Self { largest, of_scaled })
    }

    pub(super) fn divide(self, x: f64) -> f64 {
        x / self.largest / self.of_scaled
    }
}

impl<T: Real> Directions<T> {
    /// A row that is left out is never looked at, and has no direction.
    pub(super) fn new(
        argument: &'static str,
        matrix: ArrayView2<'_, T>,
        is_out: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        if matrix.ncols() == 0 {
            return Err(Error::Empty { argument });
        }
        let (mut rows, mut lengths) = (Array2::zeros(matrix.raw_dim()), Vec::with_capacity(matrix.nrows()));
        for (i, (mut to, from)) in rows.rows_mut().into_iter().zip(matrix.rows()).enumerate() {
            if is_out(i) {
                lengths.push(Length { largest: 1.0, of_scaled: 1.0 });
                continue;
            }
            to.assign(&from);
            let length = Length::of(argument, i, to.as_slice().unwrap_or_default())?;
            to.mapv_inplace(|x| T::from_f64(length.divide(x.as_f64())));
            lengths.push(length);
        }
        Ok(Self { rows, lengths })
    }

    /// A gradient by the directions becomes one by the rows: what points along the row drops out, the rest is divided by its
    /// length.
    pub(super) fn pull(&self, argument: &'static str, gradient: &mut Array2<T>) -> Result<()> {
        let rows = gradient.rows_mut().into_iter().zip(self.rows.rows()).zip(&self.lengths);
        for (i, ((mut slopes, direction), length)) in rows.enumerate() {
            let along: f64 = slopes.iter().zip(direction).map(|(g, x)| g.as_f64() * x.as_f64()).sum();
            for (slope, x) in slopes.iter_mut().zip(direction) {
                *slope = T::from_f64(length.divide(slope.as_f64() - along * x.as_f64()));
                if !slope.is_finite() {
                    return Err(Error::overflow::<T>(argument, i));
                }
            }
        }
        Ok(())
    }
}
