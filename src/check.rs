//! Shapes and domains, checked once, at entry.

use ndarray::{ArrayView, ArrayView1, Dimension};

use crate::error::Position;
use crate::{Error, Real, Result};

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

/// A temperature by which similarities are divided: its inverse must fit every type.
pub(crate) fn temperature(value: f64) -> Result<()> {
    parameter("temperature", value, "finite and >= 1e-30", value >= 1e-30 && value.is_finite())
}

/// The hyper-parameter must be finite and not below zero.
pub(crate) fn non_negative(name: &'static str, value: f64) -> Result<()> {
    parameter(name, value, "finite and >= 0", value >= 0.0 && value.is_finite())
}

/// The hyper-parameter must be finite.
pub(crate) fn finite(name: &'static str, value: f64) -> Result<()> {
    parameter(name, value, "finite", value.is_finite())
}

/// Every element must be finite.
pub(crate) fn all_finite<T: Real, D: Dimension>(argument: &'static str, array: ArrayView<'_, T, D>) -> Result<()> {
    let Some((flat, x)) = array.iter().enumerate().find(|(_, x)| !x.is_finite()) else { return Ok(()) };
    let position = Position::unravel(flat, array.shape());
    Err(Error::Value { argument, position, value: x.as_f64(), allowed: "finite" })
}

/// The same of one row of an array, whose place is `leading`.
pub(crate) fn finite_row<T: Real>(argument: &'static str, leading: &[usize], row: ArrayView1<'_, T>) -> Result<()> {
    let Some((column, x)) = row.iter().enumerate().find(|(_, x)| !x.is_finite()) else { return Ok(()) };
    let position = Position([leading, &[column]].concat());
    Err(Error::Value { argument, position, value: x.as_f64(), allowed: "finite" })
}

/// The probability that a label is flipped must lie in `[0, 0.5)`.
pub(crate) fn label_smoothing(value: f64) -> Result<()> {
    parameter("label_smoothing", value, "[0, 0.5)", (0.0..0.5).contains(&value))
}

/// The hyper-parameter must lie in a range; `allowed` says the same in words. False for NaN, since every comparison is.
pub(crate) fn parameter(name: &'static str, value: f64, allowed: &'static str, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Parameter { argument: name, value, allowed }) }
}

/// How far the sum of `n` shares may be from what it stands for, relative to it, by rounding alone: half an ulp of `f32` for
/// each addition, in whatever order, and a few for the shares themselves. No type is trusted more: what is stored in `f64`
/// may come from a softmax in `f32`.
pub(crate) fn sum_rounding(n: usize) -> f64 {
    const HALF_ULP: f64 = 0.5 * f32::EPSILON as f64;
    HALF_ULP * (n as f64 + 16.0)
}

/// How far from 1 the sum of `n` probabilities may be that are divided by it: rounding, and what was dropped where they were
/// written down with three digits, or stored in half precision, in two bytes each.
pub(crate) fn share_tolerance(element_size: usize, n: usize) -> f64 {
    sum_rounding(n) + if element_size == 2 { 1e-2 } else { 1e-3 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A softmax by its plain formula: one sum, from the first to the last.
    fn softmax(logits: impl Iterator<Item = f32>) -> Vec<f32> {
        let mut shares: Vec<f32> = logits.map(f32::exp).collect();
        let total: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        shares
    }

    #[test]
    fn no_softmax_of_f32_is_further_from_one_than_rounding_explains() {
        let mut random = crate::testing::generator(17);
        for n in [2, 3, 7, 10, 100, 1_000, 32_000, 100_000, 200_000] {
            // All alike, each addition is rounded to the same side: the worst case.
            for width in [0.0, 1.0, 8.0] {
                for level in [-0.357, 0.2, 0.9] {
                    let shares = softmax((0..n).map(|_| (level + width * (random() - 0.5)) as f32));
                    let off = (shares.iter().map(|&share| f64::from(share)).sum::<f64>() - 1.0).abs();
                    assert!(off <= sum_rounding(n), "{n}, {width}, {level}: {off}");
                    assert!(off <= share_tolerance(size_of::<f64>(), n));
                }
            }
        }
    }

    #[test]
    fn a_share_that_is_missing_is_seen() {
        assert!(sum_rounding(2) < 2e-6 && sum_rounding(1_000) < 1e-4);
    }

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
