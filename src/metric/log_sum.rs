//! Logarithms of sums of exponentials over some entries of a row, and the share of each entry in the sum.

use crate::math::{exp, ln_1p};
use crate::reduction;
use crate::simd::{self, Exponentials};

/// `ln Σ e^z` over those of `n` places that are `held`, -inf of none; gives each of them and its `e^z / Σ e^z` to `store`.
pub(super) fn log_sum_shares(
    n: usize,
    held: impl Fn(usize) -> bool,
    z: impl Fn(usize) -> f64,
    store: impl FnMut(usize, f64),
) -> f64 {
    shares_beside(Vec::with_capacity(n), n, held, z, store)
}

/// [`log_sum_shares`] of `1 + Σ e^z`: 0 of none.
pub(super) fn log_one_plus_sum_shares(
    n: usize,
    held: impl Fn(usize) -> bool,
    z: impl Fn(usize) -> f64,
    store: impl FnMut(usize, f64),
) -> f64 {
    let mut terms = Vec::with_capacity(n + 1);
    terms.push(0.0);
    shares_beside(terms, n, held, z, store)
}

/// [`log_sum_shares`] of these terms and those that come behind them. Loops, not adapters of iterators: what `filter` calls
/// another part of the crate may hold compiled.
fn shares_beside(
    mut terms: Vec<f64>,
    n: usize,
    held: impl Fn(usize) -> bool,
    z: impl Fn(usize) -> f64,
    mut store: impl FnMut(usize, f64),
) -> f64 {
    let mut next = terms.len();
    for place in 0..n {
        if held(place) {
            terms.push(z(place));
        }
    }
    let log_sum = to_shares(&mut terms);
    for place in 0..n {
        if held(place) {
            store(place, terms[next]);
            next += 1;
        }
    }
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
        let log_sum = log_sum_shares(z.len(), |_| true, |i| z[i], |i, share| shares[i] = share);
        (log_sum, shares)
    }

    #[test]
    fn shares_are_a_softmax_and_a_small_rest_keeps_its_digits() {
        let (log_sum, found) = shares(&[1e3, 1e3 + 3.0_f64.ln(), f64::NEG_INFINITY]);
        close(log_sum, 1e3 + 4.0_f64.ln(), 1e-15);
        all_close(found, [0.25, 0.75, 0.0], 1e-13);
        let tail = (-50.0_f64).exp();
        assert_eq!(log_one_plus_sum_shares(1, |_| true, |_| -50.0, |_, share| close(share, tail, 1e-15)), tail);
    }

    #[test]
    fn nothing_has_no_mass_and_infinity_all_of_it() {
        assert_eq!(shares(&[]), (f64::NEG_INFINITY, vec![]));
        assert_eq!(log_one_plus_sum_shares(3, |_| false, |_| 1.0, |_, _| ()), 0.0);
        let (log_sum, found) = shares(&[0.0, f64::INFINITY]);
        assert!(log_sum == f64::INFINITY && found.iter().all(|share| share.is_nan()));
    }
}
