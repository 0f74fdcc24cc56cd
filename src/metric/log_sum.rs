//! Logarithms of sums of exponentials over some entries of a row, and the share of each entry in the sum.

use crate::math::{exp, ln_1p};
use crate::reduction;
use crate::simd::{self, Exponentials};

/// `ln Σ e^z` over some places, -inf of nothing; gives each place and its `e^z / Σ e^z` to `store`.
pub(super) fn log_sum_shares(
    places: impl Iterator<Item = usize> + Clone,
    z: impl Fn(usize) -> f64,
    mut store: impl FnMut(usize, f64),
) -> f64 {
    let mut terms: Vec<f64> = places.clone().map(z).collect();
    let log_sum = to_shares(&mut terms);
    places.zip(terms).for_each(|(place, share)| store(place, share));
    log_sum
}

/// [`log_sum_shares`] of `1 + Σ e^z`: 0 of nothing.
pub(super) fn log_one_plus_sum_shares(
    places: impl Iterator<Item = usize> + Clone,
    z: impl Fn(usize) -> f64,
    mut store: impl FnMut(usize, f64),
) -> f64 {
    let mut terms: Vec<f64> = std::iter::once(0.0).chain(places.clone().map(z)).collect();
    let log_sum = to_shares(&mut terms);
    places.zip(&terms[1..]).for_each(|(place, &share)| store(place, share));
    log_sum
}

/// Replaces each `z` by `e^z / Σ e^z`; returns `ln Σ e^z`. The largest term is kept out of the sum, so that a small rest
/// keeps its digits.
fn to_shares(z: &mut [f64]) -> f64 {
    let top = if z.is_empty() { f64::NEG_INFINITY } else { f64::top(z).0 };
    if top.is_infinite() {
        z.fill(f64::NAN); // infinities have no shares
        return top;
    }
    let place = f64::place(z, top);
    simd::scale_exp(z, top, 1.0);
    z[place] = 0.0;
    let rest = reduction::sum(z);
    z[place] = 1.0;
    simd::scale(z, (1.0 + rest).recip());
    top + ln_1p::<f64, false>(rest)
}

/// `e^x`.
pub(super) fn e(x: f64) -> f64 {
    exp::<f64, false>(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{all_close, close};

    fn shares(z: &[f64]) -> (f64, Vec<f64>) {
        let mut shares = vec![f64::NAN; z.len()];
        let log_sum = log_sum_shares(0..z.len(), |i| z[i], |i, share| shares[i] = share);
        (log_sum, shares)
    }

    #[test]
    fn shares_are_a_softmax_and_a_small_rest_keeps_its_digits() {
        let (log_sum, found) = shares(&[1e3, 1e3 + 3.0_f64.ln(), f64::NEG_INFINITY]);
        close(log_sum, 1e3 + 4.0_f64.ln(), 1e-15);
        all_close(found, [0.25, 0.75, 0.0], 1e-13);
        let tail = (-50.0_f64).exp();
        assert_eq!(log_one_plus_sum_shares(0..1, |_| -50.0, |_, share| close(share, tail, 1e-15)), tail);
    }

    #[test]
    fn nothing_has_no_mass_and_infinity_all_of_it() {
        assert_eq!(shares(&[]), (f64::NEG_INFINITY, vec![]));
        assert_eq!(log_one_plus_sum_shares(0..0, |_| 1.0, |_, _| ()), 0.0);
        let (log_sum, found) = shares(&[0.0, f64::INFINITY]);
        assert!(log_sum == f64::INFINITY && found.iter().all(|share| share.is_nan()));
    }
}
