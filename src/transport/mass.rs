//! Weights: each finite and not below zero, some of them above, and both sides of a problem the same together.

use ndarray::{Array1, ArrayRef1, ArrayView1};

use crate::error::Position;
use crate::{Error, Real, Result, check as require, reduction};

/// Weights divided by their sum, which is 1 then but for one rounding of each.
///
/// Two measures of one total are what exact transport needs. Weights that were rounded to `f32` pass as they are; those of a
/// softmax in half precision, counts, and weights that were cut need this.
///
/// # Errors
///
/// [`Error::Value`] for a weight that is not finite or below zero; [`Error::Empty`] without weights; [`Error::NoMass`] where
/// all are zero.
///
/// # Examples
///
/// ```
/// # use loglik::{ndarray::array, transport::normalized};
/// assert_eq!(normalized(&array![1.0_f64, 0.0, 3.0])?, array![0.25, 0.0, 0.75]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn normalized<T: Real>(weights: &ArrayRef1<T>) -> Result<Array1<T>> {
    T::normalized(weights)
}

pub(super) fn shares<T: Real>(weights: &ArrayRef1<T>) -> Result<Array1<T>> {
    let weights = of("weights", weights.view())?;
    let largest = weights.iter().fold(0.0, |largest: f64, &weight| largest.max(weight));
    let shares: Vec<f64> = weights.iter().map(|weight| weight / largest).collect(); // no sum overflows
    let total = total(&shares);
    Ok(shares.into_iter().map(|share| T::from_f64(share / total)).collect())
}

/// Weights in `f64`, of which some must be above zero.
pub(super) fn of<T: Real>(argument: &'static str, weights: ArrayView1<'_, T>) -> Result<Vec<f64>> {
    check(argument, weights)?;
    some(argument, weights)?;
    Ok(weights.iter().map(|w| w.as_f64()).collect())
}

/// There must be weights, and one of them above zero.
pub(super) fn some<T: Real>(argument: &'static str, weights: ArrayView1<'_, T>) -> Result<()> {
    match weights.iter().all(|w| *w == T::zero()) {
        _ if weights.is_empty() => Err(Error::Empty { argument }),
        true => Err(Error::NoMass { argument }),
        false => Ok(()),
    }
}

/// Each weight must be finite and not below zero.
pub(super) fn check<T: Real>(argument: &'static str, weights: ArrayView1<'_, T>) -> Result<()> {
    match weights.iter().position(|w| !(w.is_finite() && *w >= T::zero())) {
        None => Ok(()),
        Some(at) => {
            let value = weights[at].as_f64();
            Err(Error::Value { argument, position: at.into(), value, allowed: "finite and >= 0" })
        }
    }
}

/// The places with mass.
pub(super) fn held(masses: &[f64]) -> Vec<usize> {
    (0..masses.len()).filter(|&place| masses[place] > 0.0).collect()
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

/// Both totals, of so many weights together, must be finite and agree but for the rounding of sums in `f32`.
pub(super) fn balanced(names: Names, left_sum: f64, right_sum: f64, weights: usize) -> Result<()> {
    for (argument, sum) in [(names.left, left_sum), (names.right, right_sum)] {
        if !sum.is_finite() {
            return Err(Error::overflow::<f64>(argument, Position::default()));
        }
    }
    let tolerance = require::sum_rounding(weights);
    if (left_sum - right_sum).abs() <= tolerance * left_sum.max(right_sum) {
        return Ok(());
    }
    Err(Error::Unbalanced { left: names.left, left_sum, right: names.right, right_sum, tolerance })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn any_weights_sum_to_one_once_normalized() {
        for weights in [array![3.0_f64, 0.0, 5.0], array![5e-324, 1e-323], array![1e308, 1.7e308], Array1::ones(1_000)]
        {
            let shares = normalized(&weights).unwrap();
            assert!((shares.sum() - 1.0).abs() < 1e-14, "{weights}");
            assert_eq!(
                shares.iter().filter(|share| **share == 0.0).count(),
                weights.iter().filter(|w| **w == 0.0).count()
            );
        }
    }

    #[test]
    fn what_cannot_be_normalized_is_named() {
        let message = |weights: Array1<f64>| normalized(&weights).unwrap_err().to_string();
        assert_eq!(message(array![]), "`weights` is empty, needed is at least one element");
        let expected = "`weights` holds no mass: every weight is 0, needed is at least one above 0";
        assert_eq!(message(array![0.0, -0.0]), expected);
        assert_eq!(message(array![1.0, -0.5]), "`weights`[1] is -0.5, allowed is finite and >= 0");
    }
}
