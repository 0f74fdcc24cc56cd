//! Weights: each finite and not below zero, some of them above, and both sides of a problem the same together.

use ndarray::ArrayView1;

use crate::error::Position;
use crate::{Error, Real, Result, reduction};

/// Weights in `f64`, of which some must be above zero.
pub(super) fn of<T: Real>(argument: &'static str, weights: ArrayView1<'_, T>) -> Result<Vec<f64>> {
    check(argument, weights)?;
    if weights.iter().all(|w| *w == T::zero()) {
        return Err(Error::Empty { argument });
    }
    Ok(weights.iter().map(|w| w.wide()).collect())
}

/// Each weight must be finite and not below zero.
pub(super) fn check<T: Real>(argument: &'static str, weights: ArrayView1<'_, T>) -> Result<()> {
    match weights.iter().position(|w| !(w.is_finite() && *w >= T::zero())) {
        None => Ok(()),
        Some(at) => {
            let value = weights[at].wide();
            Err(Error::Value { argument, position: at.into(), value, allowed: "finite and >= 0" })
        }
    }
}

/// Blocked pairwise sum.
pub(super) fn total(weights: &[f64]) -> f64 {
    reduction::sum(weights)
}

/// The sides that must hold the same mass, as errors call them.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) left: &'static str,
    pub(super) right: &'static str,
}

/// How far totals of the caller's type may be apart, relative to the larger.
pub(super) fn tolerance<T: Real>() -> f64 {
    if size_of::<T>() < size_of::<f64>() { 1e-6 } else { 1e-9 }
}

/// Both totals must be finite and agree to what sums of the caller's type can be expected to.
pub(super) fn balanced<T: Real>(names: Names, left_sum: f64, right_sum: f64) -> Result<()> {
    for (argument, sum) in [(names.left, left_sum), (names.right, right_sum)] {
        if !sum.is_finite() {
            return Err(Error::overflow::<f64>(argument, Position::default()));
        }
    }
    let tolerance = tolerance::<T>();
    if (left_sum - right_sum).abs() <= tolerance * left_sum.max(right_sum) {
        return Ok(());
    }
    Err(Error::Unbalanced { left: names.left, left_sum, right: names.right, right_sum, tolerance })
}
