//! Labels that are probabilities: the pair's label, or its rewards.

use crate::Real;
use crate::error::{Error, Position};
use crate::preference::{Label, Row};

/// The label where it lies in `[0, 1]`, else NaN: the driver then asks what is wrong.
#[inline(always)]
pub(crate) fn or_nan<T: Real>(label: T) -> T {
    if label >= T::zero() && label <= T::one() { label } else { T::nan() }
}

/// The error of a label that is no probability.
pub(crate) fn explain(label: Label, row: Row<f64>, position: usize) -> Option<Error> {
    (!(0.0..=1.0).contains(&row.label)).then(|| wrong(label, row, position, "[0, 1]"))
}

/// The same of the probability of a tie, which must be 0 where the model `has_none`, in words.
pub(crate) fn explain_tie(row: Row<f64>, position: usize, has_none: bool, words: &'static str) -> Option<Error> {
    let label = Label::TieProbability;
    explain(label, row, position).or((has_none && row.label > 0.0).then(|| wrong(label, row, position, words)))
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

/// The error of this label.
pub(crate) fn wrong(label: Label, row: Row<f64>, position: usize, allowed: &'static str) -> Error {
    Error::Value { argument: label.name(), position: Position::from(position), value: row.label, allowed }
}
