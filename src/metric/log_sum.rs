//! Logarithms of sums of exponentials over some entries of a row.

use crate::math::{exp, ln_1p};

/// `ln Σ e^z`, -inf of nothing: the largest term is kept out of the sum, so that a small rest keeps its digits.
pub(super) fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let larger = |top: (usize, f64), (at, z): (usize, f64)| if z > top.1 { (at, z) } else { top };
    let (place, largest) = terms.clone().enumerate().fold((usize::MAX, f64::NEG_INFINITY), larger);
    if largest.is_infinite() {
        return largest;
    }
    let rest: f64 = terms.enumerate().filter(|(at, _)| *at != place).map(|(_, z)| e(z - largest)).sum();
    largest + ln_1p::<f64, false>(rest)
}

/// `ln (1 + Σ e^z)`, 0 of nothing.
pub(super) fn log_one_plus_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    log_sum(std::iter::once(0.0).chain(terms))
}

/// `e^x`.
pub(super) fn e(x: f64) -> f64 {
    exp::<f64, false>(x)
}
