//! Shapes and domains, checked once, at entry.

use crate::{Error, Result};

/// `got` must equal `expected`.
pub(crate) fn shape(argument: &'static str, got: &[usize], expected: &[usize]) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Shape { argument, got: got.to_vec(), expected: expected.to_vec() })
}

/// The hyper-parameter must be finite and above zero.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<()> {
    parameter(name, value, "finite and > 0", value > 0.0 && value.is_finite())
}

/// The hyper-parameter must be finite and not below zero.
pub(crate) fn non_negative(name: &'static str, value: f64) -> Result<()> {
    parameter(name, value, "finite and >= 0", value >= 0.0 && value.is_finite())
}

/// The hyper-parameter must be finite.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<()> {
    parameter(name, value, "finite", value.is_finite())
}

/// The probability that a label is flipped must lie in `[0, 0.5)`.
pub(crate) fn label_smoothing(value: f64) -> Result<()> {
    parameter("label_smoothing", value, "[0, 0.5)", (0.0..0.5).contains(&value))
}

/// The hyper-parameter must lie in a range; `allowed` says the same in words. False for NaN, since every comparison is.
pub(crate) fn parameter(name: &'static str, value: f64, allowed: &'static str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Parameter { name, value, allowed }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_never_in_range() {
        assert!(positive("beta", f64::NAN).is_err());
        assert!(non_negative("beta", f64::NAN).is_err());
        assert!(finite("beta", f64::NAN).is_err());
    }

    #[test]
    fn a_shape_error_holds_both_shapes() {
        let error = shape("targets", &[3], &[4]).unwrap_err();
        assert_eq!(error.to_string(), "`targets` has shape [3], expected [4]");
    }
}
