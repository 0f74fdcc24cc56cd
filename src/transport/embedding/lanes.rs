//! The two vectorized loops over a row of logits and its cosines with the target.

use crate::Real;
use crate::math::{exp, mul_add};
use crate::simd::{Kernel, LANES, join};

/// What a cosine costs: its distance from the mass of the target, which no rounding takes below zero.
#[inline(always)]
pub(super) fn cost<T: Real>(cosine: T, mass: T) -> T {
    let cost = mass - cosine;
    if cost > T::zero() { cost } else { T::zero() }
}

/// `Σ e^(x - max) C` over a block.
pub(super) struct ExpectedCost<'a, T> {
    pub(super) logits: &'a [T],
    pub(super) cosines: &'a [T],
    pub(super) max: T,
    /// `Σ p`, 1 for a class.
    pub(super) mass: T,
}

impl<T: Real> Kernel for ExpectedCost<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let mut sums = [T::zero(); LANES];
        let ((logits, last_logits), (cosines, last)) = (self.logits.as_chunks(), self.cosines.as_chunks());
        for (logits, cosines) in logits.iter().zip(cosines) {
            add::<T, FMA>(&mut sums, logits, cosines, self.max, self.mass);
        }
        if !last.is_empty() {
            let (mut logits, mut cosines) = ([T::neg_infinity(); LANES], [T::one(); LANES]);
            logits[..last.len()].copy_from_slice(last_logits);
            cosines[..last.len()].copy_from_slice(last);
            add::<T, FMA>(&mut sums, &logits, &cosines, self.max, self.mass);
        }
        join(sums, |a, b| a + b)
    }
}

#[inline(always)]
fn add<T: Real, const FMA: bool>(sums: &mut [T; LANES], logits: &[T; LANES], cosines: &[T; LANES], max: T, mass: T) {
    for i in 0..LANES {
        sums[i] = mul_add::<T, FMA>(exp::<T, FMA>(logits[i] - max), cost(cosines[i], mass), sums[i]);
    }
}

/// Replaces each cosine by `e^(x - max) (base + per_cost C)`.
pub(super) struct CostSlope<'a, T> {
    pub(super) logits: &'a [T],
    pub(super) slopes: &'a mut [T],
    pub(super) max: T,
    pub(super) mass: T,
    pub(super) base: T,
    pub(super) per_cost: T,
}

impl<T: Real> Kernel for CostSlope<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (slope, &x) in self.slopes.iter_mut().zip(self.logits) {
            let value = mul_add::<T, FMA>(self.per_cost, cost(*slope, self.mass), self.base);
            *slope = exp::<T, FMA>(x - self.max) * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};

    #[test]
    fn every_level_agrees_with_the_formula() {
        for n in [0, 1, 32, 75] {
            let logits: Vec<f64> = (0..n).map(|i| -0.25 * (i % 40) as f64).collect();
            let cosines: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            let terms = || logits.iter().zip(&cosines).map(|(x, cosine)| ((x - 0.5).exp(), 1.5 - cosine));
            let expected: f64 = terms().map(|(weight, cost)| weight * cost).sum();
            for level in available() {
                let sum = run_at(level, ExpectedCost { logits: &logits, cosines: &cosines, max: 0.5, mass: 1.5 });
                assert!((sum - expected).abs() <= 1e-14 * expected, "{n} at {level:?}: {sum}, not {expected}");
                let mut slopes = cosines.clone();
                let (max, mass, base, per_cost) = (0.5, 1.5, 2.0, -3.0);
                run_at(level, CostSlope { logits: &logits, slopes: &mut slopes, max, mass, base, per_cost });
                for (slope, (weight, cost)) in slopes.into_iter().zip(terms()) {
                    assert!((slope - weight * (2.0 - 3.0 * cost)).abs() < 1e-14, "{n} at {level:?}");
                }
            }
        }
    }
}
