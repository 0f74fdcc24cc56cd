//! What the odds of a response need.

use crate::error::{Error, Position};
use crate::preference::{Pairs, Row};

/// The error for a pair whose two numbers are not both probabilities below one, which odds need.
pub(crate) fn explain(row: Row<f64>, position: usize) -> Option<Error> {
    let wrong =
        |argument, value, allowed| Some(Error::Value { argument, position: Position::from(position), value, allowed });
    match row.policy {
        Pairs { chosen, .. } if chosen > 0.0 => wrong(Row::NAMES.policy.chosen, chosen, "<= 0"),
        Pairs { rejected, .. } if rejected > 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "<= 0"),
        Pairs { rejected, .. } if rejected == 0.0 => wrong(Row::NAMES.policy.rejected, rejected, "< 0"),
        _ => None,
    }
}
