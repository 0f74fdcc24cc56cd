//! Logarithms of sums of exponentials over some entries of a row.

use crate::math::{exp, log_sum};

/// `ln (1 + Σ e^z)`, 0 of nothing.
pub(super) fn log_one_plus_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    log_sum(std::iter::once(0.0).chain(terms))
}

/// `e^x`.
pub(super) fn e(x: f64) -> f64 {
    exp::<f64, false>(x)
}
