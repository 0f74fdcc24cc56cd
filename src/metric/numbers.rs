//! From the caller's element type to `f64` and back, with everything that can be wrong on the way.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayView2, ArrayViewMut2};

use super::row_weights::RowWeights;
use crate::error::Position;
use crate::reduction::{to_finite, write_finite};
use crate::{Error, Real, Result, check};

/// Rows of at least one element, all of them finite. Rows of weight zero are never read: ones take their place.
pub(super) fn read<T: Real>(
    argument: &'static str,
    rows: ArrayView2<'_, T>,
    weights: &RowWeights,
) -> Result<Array2<f64>> {
    if rows.ncols() == 0 {
        return Err(Error::Empty { argument });
    }
    let mut wide = Array2::ones(rows.raw_dim());
    let read = rows.rows().into_iter().zip(wide.rows_mut()).enumerate();
    for (i, (row, mut wide)) in read.filter(|(i, _)| weights.of(*i) != 0.0) {
        check::finite_row(argument, &[i], row)?;
        wide.zip_mut_with(&row, |wide, x| *wide = x.as_f64());
    }
    Ok(wide)
}

/// Numbers, all of them finite; those of weight zero are never read, and 1 takes their place.
pub(super) fn read_numbers<T: Real>(
    argument: &'static str,
    values: ArrayView1<'_, T>,
    weights: &RowWeights,
) -> Result<Vec<f64>> {
    let read = |(i, x): (usize, &T)| if weights.of(i) == 0.0 { 1.0 } else { x.as_f64() };
    let numbers: Vec<f64> = values.iter().enumerate().map(read).collect();
    match numbers.iter().position(|x| !x.is_finite()) {
        None => Ok(numbers),
        Some(at) => Err(Error::Value { argument, position: at.into(), value: numbers[at], allowed: "finite" }),
    }
}

/// [`read()`] of all rows.
pub(super) fn read_all<T: Real>(argument: &'static str, rows: &ArrayRef2<T>) -> Result<Array2<f64>> {
    T::metric_read(argument, rows.view(), &RowWeights::SUM)
}

/// [`read_numbers`] of all.
pub(super) fn read_all_numbers<T: Real>(argument: &'static str, values: &ArrayRef1<T>) -> Result<Vec<f64>> {
    T::metric_read_numbers(argument, values.view(), &RowWeights::SUM)
}

/// A gradient, which must fit the type of the caller.
pub(super) fn write<T: Real>(argument: &'static str, gradient: &Array2<f64>) -> Result<Array2<T>> {
    let mut out = Array2::zeros(gradient.raw_dim());
    write_into(argument, gradient, out.view_mut())?;
    Ok(out)
}

/// [`write()`], into an array of the same shape.
pub(super) fn write_into<T: Real>(
    argument: &'static str,
    gradient: &Array2<f64>,
    out: ArrayViewMut2<'_, T>,
) -> Result<()> {
    let gradient = gradient.as_standard_layout();
    write_finite(argument, gradient.as_slice().unwrap_or_default().iter().copied(), out)
}

/// [`write()`] of one number for each example.
pub(super) fn write_numbers<T: Real>(argument: &'static str, values: &[f64]) -> Result<Array1<T>> {
    let mut out = Array1::zeros(values.len());
    write_finite(argument, values.iter().copied(), out.view_mut())?;
    Ok(out)
}

/// A value, which must fit the type of the caller.
pub(super) fn round<T: Real>(value: f64, argument: &'static str) -> Result<T> {
    to_finite(value, argument, Position::default())
}

/// Adds a part times its weight.
pub(super) fn accumulate<T: Real>(mut total: ArrayViewMut2<'_, T>, part: ArrayView2<'_, T>, weight: f64) {
    let weight = T::from_f64(weight);
    total.zip_mut_with(&part, |total, &part| *total += weight * part);
}
