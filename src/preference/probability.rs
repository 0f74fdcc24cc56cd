//! A target that is a probability.

use crate::Real;
use crate::error::{Error, Position};
use crate::preference::Row;

/// The target where it lies in `[0, 1]`, else NaN: the driver then asks what is wrong.
#[inline(always)]
pub(crate) fn target<T: Real>(pair: &Row<T>) -> T {
    let target = pair.target;
    if target >= T::zero() && target <= T::one() { target } else { T::nan() }
}

/// The error of a target that is no probability.
pub(crate) fn explain(row: Row<f64>, position: usize) -> Option<Error> {
    let (argument, value) = (Row::NAMES.target, row.target);
    let wrong = || Error::Value { argument, position: Position::from(position), value, allowed: "[0, 1]" };
    (!(0.0..=1.0).contains(&value)).then(wrong)
}
