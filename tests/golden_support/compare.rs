//! When a result is good enough.

use loglik::Real;
use ndarray::{ArrayD, Dimension};

/// How far a result may lie from the expected number.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Times the expected number.
    pub relative: f64,
    /// Added to it.
    pub absolute: f64,
    /// Times the largest finite number of the expected array, where that is more than `absolute`.
    pub of_largest: f64,
    /// Allowed whatever the rest: what lies below the smallest positive number of the type may be zero.
    pub tiny: f64,
}

impl Tolerance {
    /// The file's own tolerances in `f64`; in `f32` never tighter than 2e-5 of the number or of the array's largest.
    pub fn new<T: Real>(rtol: f64, atol: f64) -> Self {
        let narrow = T::NAME == "f32";
        let tiny = if narrow { f64::from(f32::from_bits(1)) } else { f64::from_bits(1) };
        let floor = if narrow { 2e-5 } else { 0.0 };
        Self { relative: rtol.max(floor), absolute: atol, of_largest: floor, tiny }
    }
}

/// Compares two arrays; what differs is described, at most the first few numbers of it.
pub fn compare(got: &ArrayD<f64>, expected: &ArrayD<f64>, tolerance: Tolerance) -> Result<(), String> {
    if got.shape() != expected.shape() {
        return Err(format!("has shape {:?}, expected {:?}", got.shape(), expected.shape()));
    }
    let largest = expected.iter().filter(|x| x.is_finite()).fold(0.0_f64, |max, x| max.max(x.abs()));
    let floor = tolerance.absolute.max(tolerance.of_largest * largest).max(tolerance.tiny);
    let close = |got: f64, expected: f64| {
        got == expected
            || (got.is_nan() && expected.is_nan())
            || (expected.is_finite() && (got - expected).abs() <= tolerance.relative * expected.abs() + floor)
    };
    let wrong: Vec<String> = got
        .indexed_iter()
        .zip(expected)
        .filter(|((_, got), expected)| !close(**got, **expected))
        .map(|((index, got), expected)| {
            format!("{:?} is {got:e}, expected {expected:e}", index.as_array_view().to_vec())
        })
        .collect();
    match wrong.len() {
        0 => Ok(()),
        n => Err(format!("{n} of {} numbers are wrong: {}", expected.len(), wrong[..n.min(3)].join("; "))),
    }
}
