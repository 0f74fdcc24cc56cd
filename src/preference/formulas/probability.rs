//! Labels that are probabilities: the batch's target, or its rewards.

use crate::Real;
use crate::error::{Error, Position};
use crate::preference::Row;

/// The label where it lies in `[0, 1]`, else NaN: the driver then asks what is wrong.
#[inline(always)]
pub(crate) fn or_nan<T: Real>(label: T) -> T {
    if label >= T::zero() && label <= T::one() { label } else { T::nan() }
}

/// The error of a target that is no probability.
pub(crate) fn explain(row: Row<f64>, position: usize) -> Option<Error> {
    (!(0.0..=1.0).contains(&row.target)).then(|| wrong(row, position, "[0, 1]"))
}

/// The same of a target that is the probability of a tie, which must be 0 where the model `has_none`, in words.
pub(crate) fn explain_tie(row: Row<f64>, position: usize, has_none: bool, words: &'static str) -> Option<Error> {
    explain(row, position).or((has_none && row.target > 0.0).then(|| wrong(row, position, words)))
}

/// The error for a pair whose rewards are no probabilities.
pub(crate) fn explain_rewards(row: Row<f64>, position: usize) -> Option<Error> {
    let wrong = |(value, argument): (f64, &'static str)| {
        let error = Error::Value { argument, position: Position::from(position), value, allowed: "[0, 1]" };
        (!(0.0..=1.0).contains(&value)).then_some(error)
    };
    let rewards = row.rewards.zip(Row::NAMES.rewards).map(wrong);
    rewards.chosen.or(rewards.rejected)
}

fn wrong(row: Row<f64>, position: usize, allowed: &'static str) -> Error {
    Error::Value { argument: Row::NAMES.target, position: Position::from(position), value: row.target, allowed }
}
