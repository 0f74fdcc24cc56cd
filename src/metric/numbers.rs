//! From the caller's element type to `f64` and back, with everything that can be wrong on the way.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2};

use super::row_weights::RowWeights;
use crate::error::Position;
use crate::{Error, Real, Result, reduction};

/// Rows of at least one element, all of them finite. Rows of weight zero are never read: ones take their place.
pub(super) fn read<T: Real>(
    argument: &'static str,
    rows: ArrayView2<'_, T>,
    weights: &RowWeights,
) -> Result<Array2<f64>> {
    if rows.ncols() == 0 {
        return Err(Error::Empty { argument });
    }
    let is_wrong = |((i, _), x): &((usize, usize), &T)| !x.is_finite() && weights.of(*i) != 0.0;
    match rows.indexed_iter().find(is_wrong) {
        None => {
            let read = |(i, k)| if weights.of(i) == 0.0 { 1.0 } else { rows[[i, k]].as_f64() };
            Ok(Array2::from_shape_fn(rows.raw_dim(), read))
        }
        Some(((i, k), x)) => {
            Err(Error::Value { argument, position: Position(vec![i, k]), value: x.as_f64(), allowed: "finite" })
        }
    }
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

/// A finite number in the type of the caller, which must hold it.
fn fitting<T: Real>(wide: f64, argument: &'static str, position: impl Into<Position>) -> Result<T> {
    match wide.is_finite() {
        true => reduction::to_real(wide, argument, position),
        false => Err(Error::overflow::<f64>(argument, position)),
    }
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
    mut out: ArrayViewMut2<'_, T>,
) -> Result<()> {
    for (((i, k), &wide), out) in gradient.indexed_iter().zip(out.iter_mut()) {
        *out = fitting(wide, argument, [i, k])?;
    }
    Ok(())
}

/// [`write()`] of one number for each example.
pub(super) fn write_numbers<T: Real>(argument: &'static str, values: &[f64]) -> Result<Array1<T>> {
    values.iter().enumerate().map(|(i, &wide)| fitting(wide, argument, i)).collect()
}

/// A value, which must fit the type of the caller.
pub(super) fn round<T: Real>(value: f64, argument: &'static str) -> Result<T> {
    fitting(value, argument, Position::default())
}

/// Adds a part times its weight.
pub(super) fn accumulate<T: Real>(mut total: ArrayViewMut2<'_, T>, part: ArrayView2<'_, T>, weight: f64) {
    let weight = T::from_f64(weight);
    total.zip_mut_with(&part, |total, &part| *total += weight * part);
}
