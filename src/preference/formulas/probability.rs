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
    (!(0.0..=1.0).contains(&row.target)).then(|| wrong(row, position, "[0, 1]"))
}

/// The same of a target that is the probability of a tie, which must be 0 where the model `has_none`, in words.
pub(crate) fn explain_tie(row: Row<f64>, position: usize, has_none: bool, words: &'static str) -> Option<Error> {
    explain(row, position).or((has_none && row.target > 0.0).then(|| wrong(row, position, words)))
}

fn wrong(row: Row<f64>, position: usize, allowed: &'static str) -> Error {
    Error::Value { argument: Row::NAMES.target, position: Position::from(position), value: row.target, allowed }
}
