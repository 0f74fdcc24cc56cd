//! The Wasserstein distance on a line.

use super::measure::Atoms;
use super::merge::{Sum, level, walk};
use super::power::Power;
use crate::error::Position;
use crate::transport::Measure;
use crate::{Error, Real, Result, parallel, reduction, simd};

/// `W_p^p`: the least cost of moving one measure on the line onto another, at `|distance|^p` for each unit of mass.
///
/// ```math
/// W_p^p(x, y) = \min_{\gamma \in \Pi(x, y)} \int |s - t|^p \, d\gamma(s, t) = \int_0^m |F_x^{-1}(u) - F_y^{-1}(u)|^p \, du
/// ```
///
/// `F⁻¹` are the quantile functions and `m` is the common total. No root is taken: `W_p` is the result to the power
/// `1/p`. Mass counts as it is, so `m` times the weights cost `m` times as much, as in POT; a measure without weights
/// has the total 1.
///
/// Exact: the sorted quantile functions are merged, no histogram, no iteration. Both measures are copied and sorted in
/// `f64`, which takes 8 bytes for each point without and 16 with a weight, and `O(n log n)` time. What is left of an atom
/// carries a rounding error relative to itself, not to the total, and no mass is lost: a surplus within the tolerance
/// goes to the last atom of the other side. The result is 0 exactly where the measures are equal, in any order of their
/// points, and the same whichever measure comes first.
///
/// # Errors
///
/// - [`Error::Parameter`]: `p` is not finite or below 1.
/// - [`Error::Value`]: a point that holds mass is not finite, or a weight is not finite or below zero.
/// - [`Error::Shape`]: weights of another length than their points.
/// - [`Error::Empty`]: no points. [`Error::NoMass`]: weights that are all zero.
/// - [`Error::Unbalanced`]: the totals differ by more than 6e-8 (n + m + 16) of the larger, as sums in `f32` may;
///   [`normalized`](crate::transport::normalized) mends it.
/// - [`Error::Overflow`]: the result or a total does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::transport::{Measure, wasserstein_1d};
/// let here = Measure::weighted(aview1(&[3.0_f64, 0.0, 1.0]), aview1(&[0.25, 0.5, 0.25]));
/// let there = Measure::weighted(aview1(&[5.0, 6.0, 8.0]), aview1(&[0.5, 0.25, 0.25]));
/// assert_eq!(wasserstein_1d(here, there, 1.0)?, 5.0); // a shift by 5
/// assert_eq!(wasserstein_1d(here, there, 2.0)?, 25.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Villani, *Topics in Optimal Transportation*, 2003, theorem 2.18 and remark 2.19.
pub fn wasserstein_1d<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64) -> Result<T> {
    T::wasserstein_1d(x, y, p)
}

pub(in crate::transport) fn value<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64) -> Result<T> {
    let power = Power::new(p)?;
    let mut sides = Atoms::both(x, y)?;
    let bytes = 16 * (sides[0].len() + sides[1].len());
    parallel::for_each(sides.iter_mut().collect(), bytes, Atoms::sort);
    fitting(cost(&sides[0], &sides[1], power))
}

/// The value in the type of the caller, which must hold it.
pub(super) fn fitting<T: Real>(cost: f64) -> Result<T> {
    let value = T::from_f64(cost) + T::zero();
    if value.is_finite() { Ok(value) } else { Err(Error::overflow::<T>("x.points", Position::default())) }
}

/// `Σ mass · |distance|^p` over the optimal plan between sorted measures.
pub(super) fn cost(x: &Atoms, y: &Atoms, power: Power) -> f64 {
    match power {
        Power::First => cost_by(x, y, f64::abs),
        Power::Second => cost_by(x, y, |d| d * d),
        Power::Other(p) => cost_by(x, y, |d| d.abs().powf(p)),
        Power::Scaled { .. } => cost_by(x, y, |d| power.of(d)),
    }
}

fn cost_by(x: &Atoms, y: &Atoms, cost: impl Fn(f64) -> f64) -> f64 {
    if let (Atoms::Equal(x), Atoms::Equal(y)) = (x, y)
        && x.len() == y.len()
    {
        return mean_by(x, y, cost);
    }
    let (x, y, unit) = level(x, y);
    let mut sum = Sum::default();
    walk(&x, &y, |step| sum.add((step.mass * unit) * cost(step.distance)));
    sum.total()
}

/// As many points on both sides meet one by one.
fn mean_by(x: &[f64], y: &[f64], cost: impl Fn(f64) -> f64) -> f64 {
    let share = 1.0 / x.len() as f64;
    let mut costs = [0.0; reduction::BLOCK];
    let blocks = x.chunks(reduction::BLOCK).zip(y.chunks(reduction::BLOCK)).map(|(x, y)| {
        let costs = &mut costs[..x.len()];
        costs.iter_mut().zip(x).zip(y).for_each(|((to, x), y)| *to = share * cost(x - y));
        simd::sum(costs)
    });
    reduction::pairwise(&blocks.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1, s};

    use super::*;
    use crate::testing;

    const X: [f64; 5] = [0.7, -1.2, 3.5, 0.7, 2.25];
    const Y: [f64; 4] = [1.5, -0.25, 0.7, -2.0];
    const A: [f64; 5] = [0.1, 0.3, 0.05, 0.35, 0.2];
    const B: [f64; 4] = [0.25, 0.15, 0.4, 0.2];

    fn weighted<'a>(points: &'a [f64], weights: &'a [f64]) -> Measure<'a, f64> {
        Measure::weighted(aview1(points), aview1(weights))
    }

    fn uniform(points: &[f64]) -> Measure<'_, f64> {
        Measure::uniform(aview1(points))
    }

    fn close(got: f64, expected: f64) {
        testing::close(got, expected, 4e-15);
    }

    #[test]
    fn values_are_those_of_pot_and_of_the_linear_programme() {
        let expected = [
            (1.0, 0.5525, 1.2025),
            (1.5, 0.553_325_336_778_489_6, 1.484_043_895_283_184),
            (2.0, 0.575_875, 1.906_625),
            (3.7, 0.930_449_452_368_591, 5.642_459_162_106_42),
            (10.0, 51.322_548_080_307_69, 1_246.435_908_955_341),
        ];
        for (p, with_weights, without) in expected {
            close(wasserstein_1d(weighted(&X, &A), weighted(&Y, &B), p).unwrap(), with_weights);
            close(wasserstein_1d(uniform(&X), uniform(&Y), p).unwrap(), without);
        }
    }

    #[test]
    fn f32_is_computed_in_f64() {
        let (x, y) = (X.map(|x| x as f32), Y.map(|y| y as f32));
        let got = wasserstein_1d(Measure::uniform(aview1(&x)), Measure::uniform(aview1(&y)), 10.0).unwrap();
        let (x, y) = (x.map(f64::from), y.map(f64::from));
        assert_eq!(got, wasserstein_1d(uniform(&x), uniform(&y), 10.0).unwrap() as f32);
    }

    #[test]
    fn a_measure_is_at_no_distance_from_itself_in_any_order() {
        let (points, weights) = ([0.7, 3.5, 0.7, 2.25, -1.2], [0.35, 0.05, 0.1, 0.2, 0.3]);
        assert_eq!(wasserstein_1d(weighted(&X, &A), weighted(&points, &weights), 1.0), Ok(0.0));
        let many = |step: usize| Array1::from_shape_fn(997, |i| ((i * step % 997) as f64).sin());
        let (x, y) = (many(1), many(5));
        let weight = |x: &Array1<f64>| x.mapv(|x| 0.1 * (2.0 + x));
        let (a, b) = (weight(&x), weight(&y));
        assert_eq!(
            wasserstein_1d(Measure::weighted(x.view(), a.view()), Measure::weighted(y.view(), b.view()), 2.0),
            Ok(0.0)
        );
    }

    #[test]
    fn the_order_of_the_arguments_leaves_no_trace() {
        for p in [1.0, 1.5, 2.0] {
            let (x, y) = (weighted(&X, &A), weighted(&Y, &B));
            assert_eq!(wasserstein_1d(x, y, p), wasserstein_1d(y, x, p));
            assert_eq!(wasserstein_1d(uniform(&X), y, p), wasserstein_1d(y, uniform(&X), p));
        }
    }

    #[test]
    fn a_shift_by_c_costs_c_to_the_power_p() {
        let shifted = X.map(|x| x - 8.0);
        for p in [1.0_f64, 2.0, 3.5] {
            close(wasserstein_1d(weighted(&X, &A), weighted(&shifted, &A), p).unwrap(), 8_f64.powf(p));
            close(wasserstein_1d(uniform(&X), uniform(&shifted), p).unwrap(), 8_f64.powf(p));
        }
    }

    #[test]
    fn points_scale_by_the_power_and_mass_in_proportion() {
        let plain = wasserstein_1d(weighted(&X, &A), weighted(&Y, &B), 3.0).unwrap();
        let (x, y) = (X.map(|x| -4.0 * x), Y.map(|y| -4.0 * y));
        close(wasserstein_1d(weighted(&x, &A), weighted(&y, &B), 3.0).unwrap(), 64.0 * plain);
        let (a, b) = (A.map(|a| 6.0 * a), B.map(|b| 6.0 * b));
        close(wasserstein_1d(weighted(&X, &a), weighted(&Y, &b), 3.0).unwrap(), 6.0 * plain);
    }

    #[test]
    fn the_triangle_inequality_holds() {
        let z = [0.0, 0.1, 5.0];
        for p in [1.0_f64, 2.0, 4.0] {
            let distance = |x, y| wasserstein_1d::<f64>(x, y, p).unwrap().powf(1.0 / p);
            let (x, y, z) = (weighted(&X, &A), weighted(&Y, &B), uniform(&z));
            assert!(distance(x, y) <= distance(x, z) + distance(z, y));
            assert!(distance(x, z) <= distance(x, y) + distance(y, z));
        }
    }

    #[test]
    fn whole_masses_lose_nothing() {
        // 3,000 points against 7,001: every quantile of y is 1 above that of x, but at the 7,001st part of the steps.
        let (n, m) = (3_000, 7_001);
        let (x, y) = (vec![0.0; n], vec![1.0; m]);
        close(wasserstein_1d(uniform(&x), uniform(&y), 1.0).unwrap(), 1.0);
        let tenths = vec![0.1; 10];
        close(wasserstein_1d(weighted(&[0.0; 10], &tenths), weighted(&[1e3], &[1.0]), 1.0).unwrap(), 1e3);
    }

    #[test]
    fn points_without_mass_are_never_looked_at() {
        let x = [f64::NAN, 0.7, -1.2, 3.5, 0.7, 2.25, f64::INFINITY];
        let a = [0.0, 0.1, 0.3, 0.05, 0.35, 0.2, 0.0];
        assert_eq!(
            wasserstein_1d(weighted(&x, &a), weighted(&Y, &B), 2.0),
            wasserstein_1d(weighted(&X, &A), weighted(&Y, &B), 2.0)
        );
    }

    #[test]
    fn totals_may_differ_by_the_tolerance_and_the_surplus_goes_to_the_last_atom() {
        let nearly = [0.25, 0.15, 0.4, 0.2 + 9e-10];
        assert!(wasserstein_1d(weighted(&X, &A), weighted(&Y, &nearly), 1.0).is_ok());
        let (more, less) = (weighted(&[0.0, 1.0], &[0.5, 0.5 + 5e-10]), weighted(&[3.0], &[1.0]));
        close(wasserstein_1d(more, less, 1.0).unwrap(), 2.5 + 1e-9);
        let error = wasserstein_1d(weighted(&X, &A), weighted(&[0.0], &[1.5]), 1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`x.weights` sums to 1 and `y.weights` to 1.5, allowed is a relative difference of 1.3e-6; \
             `transport::normalized` divides weights by their sum"
        );
        let (points, weights) = (array![0.0_f32, 1.0], array![0.5_f32, 0.500_000_5]);
        let nearly = Measure::weighted(points.view(), weights.view());
        assert!(wasserstein_1d(nearly, Measure::uniform(points.view()), 1.0).is_ok());
    }

    #[test]
    fn every_layout_gives_the_same_bits() {
        let wide = Array1::from_shape_fn(600, |i| (i as f64).sin());
        let view = wide.slice(s![..;-3]);
        let mass = view.mapv(f64::abs);
        let owned = view.to_owned();
        let y = Measure::weighted(aview1(&[0.25]), aview1(std::slice::from_ref(&1.0)));
        let total: f64 = mass.sum();
        let mass = mass / total;
        let both = [view, owned.view()].map(|x| wasserstein_1d(Measure::weighted(x, mass.view()), y, 1.3).unwrap());
        assert_eq!(both[0].to_bits(), both[1].to_bits());
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_leave_no_trace() {
        let x = Array1::from_shape_fn(100_000, |i| (i as f64).sin());
        let y = Array1::from_shape_fn(90_001, |i| (i as f64).cos());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), 2.0).unwrap())
        };
        assert_eq!(run(1).to_bits(), run(2).to_bits());
    }

    #[test]
    fn bad_input_is_named() {
        let message = |x, y, p| wasserstein_1d(x, y, p).unwrap_err().to_string();
        let (x, nan) = (uniform(&X), f64::NAN);
        assert_eq!(message(x, x, 0.5), "`p` is 0.5, allowed is finite and >= 1");
        assert_eq!(message(x, x, nan), "`p` is NaN, allowed is finite and >= 1");
        let points = [1.0, nan];
        assert_eq!(message(uniform(&points), x, 1.0), "`x.points`[1] is NaN, allowed is finite");
        assert_eq!(message(x, uniform(&[f64::INFINITY]), 1.0), "`y.points`[0] is inf, allowed is finite");
        assert_eq!(message(uniform(&[]), x, 1.0), "`x.points` is empty, needed is at least one element");
        assert_eq!(
            message(x, weighted(&[1.0], &[0.0]), 1.0),
            "`y.weights` holds no mass: every weight is 0, needed is at least one above 0"
        );
        assert_eq!(message(weighted(&X, &B), x, 1.0), "`x.weights` has shape [4], expected [5]");
        let negative = weighted(&[1.0, 2.0], &[2.0, -1.0]);
        assert_eq!(message(negative, x, 1.0), "`x.weights`[1] is -1, allowed is finite and >= 0");
        assert_eq!(
            message(weighted(&[1.0], &points[1..]), x, 1.0),
            "`x.weights`[0] is NaN, allowed is finite and >= 0"
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let message = |x, y, p| wasserstein_1d(x, y, p).unwrap_err().to_string();
        assert_eq!(message(uniform(&[1e200]), uniform(&[0.0]), 2.0), "the result at `x.points` overflows f64");
        assert_eq!(message(uniform(&[1e308]), uniform(&[-1e308]), 1.0), "the result at `x.points` overflows f64");
        let heavy = weighted(&[0.0, 1.0], &[1e308, 1e308]);
        assert_eq!(message(heavy, heavy, 1.0), "the result at `x.weights` overflows f64");
        close(wasserstein_1d(uniform(&[1e150; 9]), uniform(&[0.0; 7]), 2.0).unwrap(), 1e300);
    }
}
