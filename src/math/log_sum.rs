//! Logarithms of sums of exponentials of a few numbers in `f64`.

use super::{exp, ln_1p};

/// `ln Σ e^z`, -inf of nothing: the largest term is kept out of the sum, so that a small rest keeps its digits.
pub(crate) fn log_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let larger = |top: (usize, f64), (at, z): (usize, f64)| if z > top.1 { (at, z) } else { top };
    let (place, largest) = terms.clone().enumerate().fold((usize::MAX, f64::NEG_INFINITY), larger);
    if largest.is_infinite() {
        return largest;
    }
    let rest: f64 = terms.enumerate().filter(|(at, _)| *at != place).map(|(_, z)| exp::<f64, false>(z - largest)).sum();
    largest + ln_1p::<f64, false>(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_rest_keeps_its_digits_and_nothing_has_no_mass() {
        let of = |terms: &[f64]| log_sum(terms.iter().copied());
        assert_eq!(of(&[]), f64::NEG_INFINITY);
        assert_eq!(of(&[f64::NEG_INFINITY, 1e4]), 1e4);
        assert_eq!(of(&[0.0, -50.0]), (-50.0_f64).exp()); // ln(1 + e) would round to 0
        assert!((of(&[1e3, 1e3, 1e3]) - (1e3 + 3.0_f64.ln())).abs() < 1e-12);
    }
}
