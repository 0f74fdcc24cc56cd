//! The loops over a row of costs: exponents in `f64`, exponentials in the type of the caller.

use crate::Real;
use crate::math::mul_add;
use crate::simd::{Kernel, LANES, Lanes, join};

/// Exponents above it are cut: a sum that holds one that was is at least `e^TOP`, and is formed anew.
pub(super) const TOP: f64 = 8.0;

/// How a cost becomes an exponent: `(base - C) inverse + shift`.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub(super) base: f64,
    /// `1/ε`.
    pub(super) inverse: f64,
    pub(super) shift: f64,
}

impl Affine {
    #[inline(always)]
    fn at<C: Real, const FMA: bool>(&self, cost: C, exponent: f64) -> f64 {
        mul_add::<f64, FMA>(self.base - cost.as_f64(), self.inverse, exponent + self.shift)
    }
}

/// `e^(v_j + shift - C_j/ε)` for a block of columns, each multiplied by `1 / T::SCALE` so that none is subnormal; returns
/// their sum. What lies below the range of the type leaves the smallest trace that it can: `e^-125` in `f32`.
pub(super) struct Exponentials<'a, C, T> {
    pub(super) costs: &'a [C],
    pub(super) exponents: &'a [f64],
    pub(super) affine: Affine,
    pub(super) out: &'a mut [T],
}

impl<C: Real, T: Real> Exponentials<'_, C, T> {
    #[inline(always)]
    fn step<const FMA: bool>(
        affine: Affine,
        (costs, exponents): (&[C; LANES], &[f64; LANES]),
        out: &mut [T; LANES],
        sums: &mut [T; LANES],
    ) {
        for i in 0..LANES {
            let x = affine.at::<C, FMA>(costs[i], exponents[i]);
            let (mantissa, power) = T::from_f64(if x > TOP { TOP } else { x }).exp_parts_lane::<FMA>();
            out[i] = mantissa * power;
            sums[i] += out[i];
        }
    }
}

impl<C: Real, T: Real> Kernel for Exponentials<'_, C, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        let mut sums = [T::zero(); LANES];
        let (costs, last_costs) = self.costs.as_chunks::<LANES>();
        let (exponents, last) = self.exponents.as_chunks::<LANES>();
        let (out, last_out) = self.out.as_chunks_mut::<LANES>();
        for ((costs, exponents), out) in costs.iter().zip(exponents).zip(out) {
            Self::step::<FMA>(self.affine, (costs, exponents), out, &mut sums);
        }
        if !last.is_empty() {
            let (costs, exponents) = (filled(last_costs, C::zero()), filled(last, f64::NEG_INFINITY));
            let mut out = [T::zero(); LANES];
            Self::step::<FMA>(self.affine, (&costs, &exponents), &mut out, &mut sums);
            last_out.copy_from_slice(&out[..last_out.len()]);
        }
        join(sums, |a, b| a + b)
    }
}

/// The largest exponent of a row: `max_j (v_j - C_j/ε)`, without the shift.
pub(super) struct Largest<'a, C> {
    pub(super) costs: &'a [C],
    pub(super) exponents: &'a [f64],
    pub(super) affine: Affine,
}

impl<C: Real> Kernel for Largest<'_, C> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut largest = [f64::NEG_INFINITY; LANES];
        let affine = Affine { shift: 0.0, ..self.affine };
        let (costs, last_costs) = self.costs.as_chunks::<LANES>();
        let (exponents, last) = self.exponents.as_chunks::<LANES>();
        for (costs, exponents) in costs.iter().zip(exponents) {
            for i in 0..LANES {
                largest[i] = larger(affine.at::<C, FMA>(costs[i], exponents[i]), largest[i]);
            }
        }
        for (i, (&cost, &exponent)) in last_costs.iter().zip(last).enumerate() {
            largest[i] = larger(affine.at::<C, FMA>(cost, exponent), largest[i]);
        }
        join(largest, larger)
    }
}

/// `columns_j += factor masses_j`.
pub(super) struct Deposit<'a, T> {
    pub(super) masses: &'a [T],
    pub(super) factor: f64,
    pub(super) columns: &'a mut [f64],
}

impl<T: Real> Kernel for Deposit<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (column, mass) in self.columns.iter_mut().zip(self.masses) {
            *column = mul_add::<f64, FMA>(self.factor, mass.as_f64(), *column);
        }
    }
}

/// `Σ T::SCALE masses_j (C_j - base)`, in an order in which large costs do not overflow. Ways that are forbidden cost
/// nothing: there is no mass on them.
pub(super) struct Spent<'a, C, T> {
    pub(super) masses: &'a [T],
    pub(super) costs: &'a [C],
    pub(super) base: f64,
}

impl<C: Real, T: Real> Kernel for Spent<'_, C, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (costs, last_costs) = self.costs.as_chunks::<LANES>();
        let (masses, last) = self.masses.as_chunks::<LANES>();
        for (costs, masses) in costs.iter().zip(masses) {
            for i in 0..LANES {
                let mass = masses[i].as_f64() * T::SCALE.as_f64();
                sums[i] = mul_add::<f64, FMA>(mass, above(costs[i], self.base), sums[i]);
            }
        }
        for (i, (&cost, mass)) in last_costs.iter().zip(last).enumerate() {
            sums[i] += (mass.as_f64() * T::SCALE.as_f64()) * above(cost, self.base);
        }
        join(sums, |a, b| a + b)
    }
}

/// `C - base`, 0 where the way is forbidden.
#[inline(always)]
fn above<C: Real>(cost: C, base: f64) -> f64 {
    if cost < C::infinity() { cost.as_f64() - base } else { 0.0 }
}

/// `e^(v_j - C_j/ε) - 1` of columns, where costs hardly matter beside ε; returns their mean by the shares.
pub(super) struct Deviations<'a, C> {
    pub(super) costs: &'a [C],
    pub(super) exponents: &'a [f64],
    pub(super) affine: Affine,
    pub(super) shares: &'a [f64],
    pub(super) out: &'a mut [f64],
}

impl<C: Real> Kernel for Deviations<'_, C> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (costs, last_costs) = self.costs.as_chunks::<LANES>();
        let (exponents, last_exponents) = self.exponents.as_chunks::<LANES>();
        let (shares, last) = self.shares.as_chunks::<LANES>();
        let (out, last_out) = self.out.as_chunks_mut::<LANES>();
        for (((costs, exponents), shares), out) in costs.iter().zip(exponents).zip(shares).zip(out) {
            for i in 0..LANES {
                out[i] = self.affine.at::<C, FMA>(costs[i], exponents[i]).exp_m1_lane::<FMA>();
                sums[i] = mul_add::<f64, FMA>(shares[i], out[i], sums[i]);
            }
        }
        for (i, out) in last_out.iter_mut().enumerate() {
            *out = self.affine.at::<C, FMA>(last_costs[i], last_exponents[i]).exp_m1_lane::<FMA>();
            sums[i] += last[i] * *out;
        }
        join(sums, |a, b| a + b)
    }
}

/// The least and the largest cost of a row.
pub(super) struct Extremes<'a, C>(pub(super) &'a [C]);

impl<C: Real> Kernel for Extremes<'_, C> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<const FMA: bool>(self) -> (f64, f64) {
        let (mut low, mut high) = ([C::infinity(); LANES], [C::neg_infinity(); LANES]);
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                (low[i], high[i]) = (lesser(chunk[i], low[i]), larger(chunk[i], high[i]));
            }
        }
        for (i, &cost) in rest.iter().enumerate() {
            (low[i], high[i]) = (lesser(cost, low[i]), larger(cost, high[i]));
        }
        (join(low, lesser).as_f64(), join(high, larger).as_f64())
    }
}

/// `largest_j = max(largest_j, shift - C_j/ε)`.
pub(super) struct Raise<'a, C> {
    pub(super) costs: &'a [C],
    pub(super) affine: Affine,
    pub(super) largest: &'a mut [f64],
}

impl<C: Real> Kernel for Raise<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (largest, &cost) in self.largest.iter_mut().zip(self.costs) {
            *largest = larger(self.affine.at::<C, FMA>(cost, 0.0), *largest);
        }
    }
}

/// `sums_j += e^(shift - C_j/ε - largest_j)`; nothing where all ways are forbidden.
pub(super) struct AddBelow<'a, C> {
    pub(super) costs: &'a [C],
    pub(super) affine: Affine,
    pub(super) largest: &'a [f64],
    pub(super) sums: &'a mut [f64],
}

impl<C: Real> Kernel for AddBelow<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((sum, &cost), &largest) in self.sums.iter_mut().zip(self.costs).zip(self.largest) {
            let from = if largest > f64::NEG_INFINITY { largest } else { f64::MIN };
            *sum += (self.affine.at::<C, FMA>(cost, 0.0) - from).exp_down_lane::<FMA>();
        }
    }
}

/// `logs_j <- ln(sums_j / wanted_j)`.
pub(super) struct LogRatios<'a> {
    pub(super) sums: &'a [f64],
    pub(super) wanted: &'a [f64],
    pub(super) logs: &'a mut [f64],
}

impl Kernel for LogRatios<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((log, &sum), &wanted) in self.logs.iter_mut().zip(self.sums).zip(self.wanted) {
            *log = crate::math::ln::<f64, FMA>(sum / wanted);
        }
    }
}

/// `Σ w_j l_j r_j`.
pub(super) struct WeightedProduct<'a> {
    pub(super) left: &'a [f64],
    pub(super) right: &'a [f64],
    pub(super) weights: &'a [f64],
}

impl Kernel for WeightedProduct<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (left, last_left) = self.left.as_chunks::<LANES>();
        let (right, last_right) = self.right.as_chunks::<LANES>();
        let (weights, last) = self.weights.as_chunks::<LANES>();
        for ((left, right), weights) in left.iter().zip(right).zip(weights) {
            for i in 0..LANES {
                sums[i] = mul_add::<f64, FMA>(weights[i] * left[i], right[i], sums[i]);
            }
        }
        for (i, ((left, right), weight)) in last_left.iter().zip(last_right).zip(last).enumerate() {
            sums[i] += weight * left * right;
        }
        join(sums, |a, b| a + b)
    }
}

#[inline(always)]
fn larger<T: Real>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

#[inline(always)]
fn lesser<T: Real>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// A chunk that begins with these.
#[inline(always)]
fn filled<T: Copy>(values: &[T], fill: T) -> [T; LANES] {
    let mut chunk = [fill; LANES];
    chunk[..values.len()].copy_from_slice(values);
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{available, run_at};
    use crate::testing::close;

    const LENGTHS: [usize; 6] = [0, 1, 31, 32, 33, 100];

    const AFFINE: Affine = Affine { base: 0.25, inverse: 3.0, shift: -1.5 };

    /// Costs and exponents of which every seventh is -inf.
    fn sample<C: Real>(n: usize) -> (Vec<C>, Vec<f64>) {
        let costs = (0..n).map(|i| C::from_f64(2.0 + (0.7 * i as f64).sin())).collect();
        let exponents = (0..n).map(|i| if i % 7 == 3 { f64::NEG_INFINITY } else { (1.3 * i as f64).cos() });
        (costs, exponents.collect())
    }

    fn check<C: Real, T: Real>() {
        let tolerance = 10.0 * T::epsilon().as_f64(); // exponents are rounded to the type
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let (costs, exponents) = sample::<C>(n);
            let at = |i: usize| (0.25 - costs[i].as_f64()) * 3.0 + exponents[i];
            let mut masses = vec![T::zero(); n];
            let kernel = Exponentials { costs: &costs, exponents: &exponents, affine: AFFINE, out: &mut masses };
            let sum = run_at(level, kernel) * T::SCALE;
            let exact: Vec<f64> = (0..n).map(|i| (at(i) - 1.5).exp()).collect();
            close(sum.as_f64(), exact.iter().sum(), tolerance);
            for (mass, exact) in masses.iter().zip(&exact) {
                assert!(
                    (mass.as_f64() * T::SCALE.as_f64() - exact).abs() <= tolerance * exact + 1e-50,
                    "{level:?}, {n}"
                );
            }
            let largest = run_at(level, Largest { costs: &costs, exponents: &exponents, affine: AFFINE });
            let expected = (0..n).map(at).fold(f64::NEG_INFINITY, f64::max);
            assert!(largest == expected || (largest - expected).abs() < 1e-14, "{level:?}, {n}");
            let mut columns = vec![0.5; n];
            run_at(level, Deposit { masses: &masses, factor: 2.0 * T::SCALE.as_f64(), columns: &mut columns });
            columns.iter().zip(&exact).for_each(|(column, exact)| close(*column, 0.5 + 2.0 * exact, tolerance));
            let spent = run_at(level, Spent { masses: &masses, costs: &costs, base: 0.25 });
            close(spent, exact.iter().zip(&costs).map(|(mass, cost)| mass * (cost.as_f64() - 0.25)).sum(), tolerance);
            let ends = run_at(level, Extremes(&costs));
            let fold = |start, op: fn(f64, f64) -> f64| costs.iter().map(|c| c.as_f64()).fold(start, op);
            assert_eq!(ends, (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max)));
            let mut raised = vec![-7.0; n];
            run_at(level, Raise { costs: &costs, affine: AFFINE, largest: &mut raised });
            let mut sums = vec![1.0; n];
            run_at(level, AddBelow { costs: &costs, affine: AFFINE, largest: &raised, sums: &mut sums });
            for (i, cost) in costs.iter().enumerate() {
                let x = (0.25 - cost.as_f64()) * 3.0 - 1.5;
                close(raised[i], x.max(-7.0), 1e-14);
                close(sums[i], 1.0 + (x - x.max(-7.0)).exp(), 1e-14);
            }
        }
    }

    #[test]
    fn every_level_agrees_with_a_plain_loop() {
        check::<f64, f64>();
        check::<f32, f32>();
        check::<f64, f32>();
    }

    #[test]
    fn products_and_ratios_agree_with_a_plain_loop() {
        for (level, n) in available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
            let [left, right, weights] =
                [0.3, 0.5, 0.9].map(|rate: f64| (0..n).map(|i| 1.5 + (rate * i as f64).sin()).collect::<Vec<_>>());
            let product = run_at(level, WeightedProduct { left: &left, right: &right, weights: &weights });
            close(product, (0..n).map(|i| weights[i] * left[i] * right[i]).sum(), 1e-14);
            let mut logs = vec![0.0; n];
            run_at(level, LogRatios { sums: &left, wanted: &right, logs: &mut logs });
            assert!((0..n).all(|i| (logs[i] - (left[i] / right[i]).ln()).abs() < 1e-15), "{level:?}, {n}");
        }
    }

    #[test]
    fn a_cut_exponent_shows_in_the_sum_and_a_vanished_one_does_not() {
        for (level, exponent) in available().into_iter().flat_map(|level| [TOP + 0.1, 1e3, 1e300].map(|x| (level, x))) {
            let affine = Affine { base: 0.0, inverse: 1.0, shift: 0.0 };
            let mut out = [0.0_f32; 2];
            let kernel =
                Exponentials { costs: &[0.0_f32; 2], exponents: &[exponent, -exponent], affine, out: &mut out };
            assert!(run_at(level, kernel) * f32::SCALE > 2_900.0, "{level:?}, {exponent}");
            assert_eq!(out[1] * f32::SCALE, if exponent > 100.0 { 0.0 } else { out[1] * f32::SCALE });
        }
    }
}
