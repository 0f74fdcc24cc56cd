//! What can be wrong with a call: one enum, whose messages say what came, where, and what is allowed.

use std::fmt;

use crate::Real;

/// Shorthand for results whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a call can refuse.
///
/// No input panics. Shapes and hyper-parameters are checked before anything is written; an error in the data (a NaN, a
/// target out of range) may be found inside the pass and then leaves the caller's output buffers unspecified.
///
/// Messages print a zero as 0, whatever its sign. A reduced value, a distance or a log-probability is never -0; an entry of a
/// gradient may be, where the sign of a zero says nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array does not have the shape that the other arguments call for.
    #[error("`{argument}` has shape {got:?}, expected {expected:?}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// Its shape.
        got: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },

    /// A hyper-parameter lies outside its range.
    #[error("`{argument}` is {}, allowed is {allowed}", value + 0.0)] // no -0
    Parameter {
        /// Name of the field or argument.
        argument: &'static str,
        /// What came.
        value: f64,
        /// The allowed range, in words.
        allowed: &'static str,
    },

    /// An element of an array lies outside its domain.
    #[error("`{argument}`{position} is {}, allowed is {allowed}", value + 0.0)]
    Value {
        /// Name of the argument.
        argument: &'static str,
        /// Index of the first element that is wrong.
        position: Position,
        /// What stood there.
        value: f64,
        /// The allowed range, in words.
        allowed: &'static str,
    },

    /// A class index is neither a class nor the ignored index.
    #[error("`{argument}`{position} is {value}, allowed are the classes 0 to {}", classes.saturating_sub(1))]
    Target {
        /// Name of the argument.
        argument: &'static str,
        /// Index of the first target that is wrong.
        position: Position,
        /// What stood there.
        value: i64,
        /// Number of classes.
        classes: usize,
    },

    /// The objective needs an argument that the batch does not hold.
    #[error("{objective} needs `{argument}`")]
    Missing {
        /// Name of the objective.
        objective: &'static str,
        /// Name of the missing argument.
        argument: &'static str,
    },

    /// A number of single pairs or micro-batches was asked of an objective that is a function of the whole batch.
    #[error("{objective} is a function of the whole batch: it has no {what}")]
    NotSeparable {
        /// Name of the objective.
        objective: &'static str,
        /// What it does not have.
        what: &'static str,
    },

    /// An array or a list has no elements where at least one is needed: no classes, no points, no terms.
    #[error("`{argument}` is empty, needed is at least one element")]
    Empty {
        /// Name of the argument.
        argument: &'static str,
    },

    /// A mean over nothing: there are no examples, or every one of them is ignored, masked, or of weight zero.
    #[error("`{argument}` holds nothing to average over")]
    NothingToAverage {
        /// Name of the argument.
        argument: &'static str,
    },

    /// The weights of a measure are all zero.
    #[error("`{argument}` holds no mass: every weight is 0, needed is at least one above 0")]
    NoMass {
        /// Name of the argument.
        argument: &'static str,
    },

    /// A finite input whose loss or gradient does not fit the floating-point type.
    #[error("the result at `{argument}`{position} overflows {type_name}")]
    Overflow {
        /// Name of the argument.
        argument: &'static str,
        /// Index of the first element whose result overflows.
        position: Position,
        /// `f32` or `f64`.
        type_name: &'static str,
    },

    /// Two weight vectors that must hold the same total mass do not.
    #[error(
        "`{left}` sums to {left_sum} and `{right}` to {right_sum}, allowed is a relative difference of {tolerance:.1e}; \
         `transport::normalized` divides weights by their sum"
    )]
    Unbalanced {
        /// Name of the first argument.
        left: &'static str,
        /// Its sum.
        left_sum: f64,
        /// Name of the second argument.
        right: &'static str,
        /// Its sum.
        right_sum: f64,
        /// The largest relative difference allowed.
        tolerance: f64,
    },

    /// Costs of +inf leave some places no way for all that they hold: every plan would cost infinitely much.
    #[error(
        "no plan has a finite cost: `{argument}` holds {held} at {}, and the places of `{other}` that `cost` joins to these \
         hold {joined}",
        Few(places)
    )]
    NoFinitePlan {
        /// The side of these places.
        argument: &'static str,
        /// Places that hold more together than all that finite costs join to them.
        places: Vec<usize>,
        /// What they hold.
        held: f64,
        /// The other side.
        other: &'static str,
        /// What is joined to them there.
        joined: f64,
    },

    /// A method that always ends has taken more steps than any input is known to need.
    #[error("{objective} has not ended after {steps} steps")]
    Unfinished {
        /// Name of the objective.
        objective: &'static str,
        /// The limit.
        steps: u64,
    },
}

impl Error {
    /// What leads out of the range of `T`.
    pub(crate) fn overflow<T: Real>(argument: &'static str, position: impl Into<Position>) -> Self {
        Self::Overflow { argument, position: position.into(), type_name: T::NAME }
    }

    /// An array without any axis, where one of at least one element is needed.
    pub(crate) fn no_axis(argument: &'static str) -> Self {
        Self::Shape { argument, got: Vec::new(), expected: vec![1] }
    }

    /// The same error under the name that the argument has one floor up.
    pub(crate) fn rename(mut self, name: impl Fn(&'static str) -> &'static str) -> Self {
        if let Self::Shape { argument, .. }
        | Self::Value { argument, .. }
        | Self::Target { argument, .. }
        | Self::Missing { argument, .. }
        | Self::Empty { argument }
        | Self::NothingToAverage { argument }
        | Self::NoMass { argument }
        | Self::Overflow { argument, .. } = &mut self
        {
            *argument = name(argument);
        }
        self
    }
}

/// Where in an array something is: one index for each axis, printed as `[3, 17]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(pub Vec<usize>);

impl Position {
    /// The index, by axes, of the `flat`-th element in row-major order of an array with this shape.
    pub(crate) fn unravel(mut flat: usize, shape: &[usize]) -> Self {
        let mut index: Vec<usize> = shape
            .iter()
            .rev()
            .map(|&extent| {
                let at = flat % extent.max(1);
                flat /= extent.max(1);
                at
            })
            .collect();
        index.reverse();
        Self(index)
    }
}

impl From<usize> for Position {
    fn from(index: usize) -> Self {
        Self(vec![index])
    }
}

impl From<[usize; 2]> for Position {
    fn from(place: [usize; 2]) -> Self {
        Self(place.to_vec())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{:?}", self.0) }
    }
}

/// Places, of which a message prints the first few.
struct Few<'a>(&'a [usize]);

impl fmt::Display for Few<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        match self.0.get(..SHOWN) {
            Some(first) if self.0.len() > SHOWN => write!(f, "{first:?} and {} more", self.0.len() - SHOWN),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_without_a_way_are_named_but_not_all_of_many() {
        let message =
            |places| Error::NoFinitePlan { argument: "a", places, held: 0.5, other: "b", joined: 0.25 }.to_string();
        let end = "and the places of `b` that `cost` joins to these hold 0.25";
        assert_eq!(message(vec![2]), format!("no plan has a finite cost: `a` holds 0.5 at [2], {end}"));
        let first = "[0, 1, 2, 3, 4, 5, 6, 7] and 12 more";
        assert_eq!(message((0..20).collect()), format!("no plan has a finite cost: `a` holds 0.5 at {first}, {end}"));
    }

    #[test]
    fn a_message_names_the_argument_the_position_and_the_range() {
        let error = Error::Value {
            argument: "logits",
            position: Position::unravel(17, &[2, 3, 5]),
            value: f64::NAN,
            allowed: "finite or -inf",
        };
        assert_eq!(error.to_string(), "`logits`[1, 0, 2] is NaN, allowed is finite or -inf");
        let zero = Error::Parameter { argument: "beta", value: -0.0, allowed: "finite and > 0" };
        assert_eq!(zero.to_string(), "`beta` is 0, allowed is finite and > 0");
        let scalar = Error::Value { argument: "x", position: Position::default(), value: 2.0, allowed: "[0, 1]" };
        assert_eq!(scalar.to_string(), "`x` is 2, allowed is [0, 1]");
    }
}
