//! Every bound beside brute force, on small problems with wide spreads, forbidden ways, ties and places without mass.

use ndarray::{Array1, Array2, array};

use super::*;
use crate::testing::{cases, generator};
use crate::transport::{Cost, EmdBounds, GroundCost, TransportProblem};
use crate::{Error, Real, Result};

const NEVER: f64 = f64::INFINITY;

/// The least cost of whole weights, by trying all ways to pair units.
fn least(from: &mut Vec<usize>, to: &[usize], cost: &dyn Fn(usize, usize) -> f64) -> f64 {
    let Some((&row, rest)) = to.split_first() else { return 0.0 };
    let mut best = NEVER;
    for k in 0..from.len() {
        let i = from.swap_remove(k);
        best = best.min(cost(i, row) + least(from, rest, cost));
        from.push(i);
        let last = from.len() - 1;
        from.swap(k, last);
    }
    best
}

fn units(weights: &[usize]) -> Vec<usize> {
    weights.iter().enumerate().flat_map(|(i, &weight)| std::iter::repeat_n(i, weight)).collect()
}

/// Whole weights with zeros, of one total.
fn weights(n: usize, total: usize, next: &mut impl FnMut() -> f64) -> Vec<usize> {
    let mut weights = vec![0; n];
    (0..total).for_each(|_| weights[(next() * n as f64) as usize] += 1);
    weights
}

fn any(values: &[f64], next: &mut impl FnMut() -> f64) -> f64 {
    values[(next() * values.len() as f64) as usize]
}

/// Round-off of what a lower bound is the sum of, in units of ε.
const ROUNDINGS: f64 = 64.0 * f64::EPSILON;

/// All bounds of a problem whose least cost is `exact`, which may be infinite. `scale` is what masses were multiplied by.
fn check<T: Real>(problem: TransportProblem<'_, T>, exact: f64, next: &mut impl FnMut() -> f64) {
    let told = || format!("{problem:?}: {exact}");
    let [n, m] = problem.cost.shape();
    let no_more = |bound: Result<T>, size: f64, name: &str| match bound {
        Ok(bound) => assert!(bound.as_f64() <= exact + ROUNDINGS * size, "{name} {bound} of {}", told()),
        Err(error) => assert!(
            matches!(
                error,
                Error::Missing { .. } | Error::Value { .. } | Error::Shape { .. } | Error::NoFinitePlan { .. }
            ),
            "{name}: {error} of {}",
            told()
        ),
    };
    let mut potentials = |n: usize| Array1::from_shape_simple_fn(n, || T::from_f64((20.0 * next()).floor() - 10.0));
    let (u, v) = (potentials(n), potentials(m));
    no_more(dual_bound(problem, &u, &v), 1e3, "dual");
    no_more(total_variation_bound(problem), exact, "variation");
    no_more(axis_bound(problem), exact, "axes");
    no_more(centroid_bound(problem), exact, "centroids");
    if let Cost::Points { x, .. } = problem.cost {
        let direction = Array2::from_shape_fn((1, x.ncols()), |(_, k)| T::from_f64(1.0 + k as f64));
        no_more(projection_bound(problem, &direction), exact, "projection");
    }
    match product_coupling_cost(problem) {
        Ok(bound) => assert!(bound.is_finite() && bound.as_f64() >= exact * (1.0 - ROUNDINGS), "product of {}", told()),
        Err(error) => assert!(matches!(error, Error::Value { .. } | Error::Overflow { .. }), "{error} of {}", told()),
    }
    for (gap, budget) in [(0.0, 1), (0.0, 9), (0.0, 2_000), (0.05, 2_000)] {
        match (EmdBounds { gap, budget }.solve(problem), exact.is_finite()) {
            (Ok(interval), true) => {
                let (lower, upper) = (interval.lower.as_f64(), interval.upper.as_f64());
                assert!(0.0 <= lower && lower <= exact && exact <= upper, "{interval:?} of {}", told());
            }
            (Err(error), false) => assert!(matches!(error, Error::NoFinitePlan { .. }), "{error} of {}", told()),
            (result, _) => panic!("{result:?} of {}", told()),
        }
    }
}

fn search<T: Real>(costs: &[f64], seed: u64, runs: usize) {
    let mut next = generator(seed);
    for run in 0..runs {
        let (n, m, total) = (1 + run % 4, 1 + run / 4 % 4, 1 + run % 5);
        let (a, b) = (weights(n, total, &mut next), weights(m, total, &mut next));
        let narrow = |weights: &[usize]| weights.iter().map(|&w| T::from_f64(w as f64)).collect::<Array1<T>>();
        let (wide_a, wide_b) = (narrow(&a), narrow(&b));
        let mut matrix = Array2::from_shape_simple_fn((n, m), || T::from_f64(any(costs, &mut next)));
        let exact = least(&mut units(&a), &units(&b), &|i, j| matrix[[i, j]].as_f64());
        // Nothing of a place without mass is read.
        for ((i, j), cost) in matrix.indexed_iter_mut() {
            if a[i] == 0 || b[j] == 0 {
                *cost = T::nan();
            }
        }
        check(TransportProblem::new(wide_a.view(), wide_b.view(), Cost::matrix(matrix.view())), exact, &mut next);
        if run % 4 == 0 {
            let mut points = |weights: &[usize]| {
                let mut points =
                    Array2::from_shape_simple_fn((weights.len(), 2), || T::from_f64((5.0 * next()).floor()));
                points
                    .rows_mut()
                    .into_iter()
                    .zip(weights)
                    .filter(|(_, w)| **w == 0)
                    .for_each(|(mut p, _)| p.fill(T::nan()));
                points
            };
            let (x, y) = (points(&a), points(&b));
            for ground in [GroundCost::SquaredEuclidean, GroundCost::Manhattan] {
                let cost = Cost::points(x.view(), y.view(), ground);
                let exact = least(&mut units(&a), &units(&b), &|i, j| cost.at(i, j));
                check(TransportProblem::new(wide_a.view(), wide_b.view(), cost), exact, &mut next);
            }
        }
    }
}

#[test]
fn every_bound_keeps_to_its_side_of_brute_force() {
    let wide = [1.0, 2.0, 3.0, 5.0, 9.0, 0.0, 1e6, 1e12, 1e18, 1e150];
    search::<f64>(&wide, 81, cases(2_500));
    search::<f64>(&[1.0, 2.0, 3.0, NEVER, 1e18, 0.0], 82, cases(2_500));
    search::<f32>(&[1.0, 2.0, 3.0, 7.0, 0.0, 1e6, 1e18, f64::INFINITY], 83, cases(2_500));
}

#[test]
fn three_by_three_with_dear_ways_is_thirteen_from_both_sides() {
    let one = Array1::ones(3);
    for far in [1e6, 1e15, 2e15, 1e18, 1e150, 1e300, NEVER] {
        let cost = array![[3.0, 2.0, far], [5.0, 6.0, far], [far, far, 6.0]];
        let problem = TransportProblem::new(one.view(), one.view(), Cost::matrix(cost.view()));
        let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
        assert!(
            interval.lower <= 13.0 && 13.0 <= interval.upper && interval.upper - interval.lower < 1e-10,
            "{interval:?}"
        );
    }
}

#[test]
fn masses_at_the_bottom_of_the_type_keep_the_ends_in_order() {
    for mass in [1e-301, 1e-310, 5e-324, 1e-160] {
        let (a, b) = (array![mass, 2.0 * mass, 0.0], array![3.0 * mass, 0.0]);
        for cost in [1.0, 1e-10, 1e10, 1e300] {
            let costs = array![[cost, f64::NAN], [2.0 * cost, 0.0], [f64::NAN; 2]];
            let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(costs.view()));
            let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
            let exact = 5.0 * (mass * cost);
            let (low, high) = (interval.lower, interval.upper);
            assert!(0.0 <= low && low <= exact && exact <= high, "{mass}, {cost}: {interval:?}");
            assert!(high - low <= 1e-12 * exact + 600.0 * f64::from_bits(1), "{mass}, {cost}: {interval:?}");
        }
    }
}

#[test]
fn bounds_that_do_not_fit_are_errors() {
    let (one, half) = (array![f64::MAX / 2.0], array![f64::MAX / 4.0, f64::MAX / 4.0]);
    let costs = array![[3.0, 3.0]];
    let problem = TransportProblem::new(one.view(), half.view(), Cost::matrix(costs.view()));
    let overflows = |result: Result<f64>| matches!(result, Err(Error::Overflow { .. }));
    assert!(overflows(product_coupling_cost(problem)));
    assert!(overflows(plan_cost(problem, &array![[f64::MAX / 4.0, f64::MAX / 4.0]])));
    assert!(overflows(dual_bound(problem, &array![3.0], &array![0.0, 0.0])));
    let (x, y) = (array![[0.0]], array![[3.0], [3.0]]);
    for ground in [GroundCost::Manhattan, GroundCost::Euclidean, GroundCost::SquaredEuclidean] {
        let problem = TransportProblem::new(one.view(), half.view(), Cost::points(x.view(), y.view(), ground));
        assert!(overflows(centroid_bound(problem)) && overflows(axis_bound(problem)));
    }
}

#[test]
fn a_plan_keeps_to_the_ways_that_are_open() {
    let (a, cost) = (array![0.5, 0.5], array![[1.0, NEVER], [2.0, 3.0]]);
    let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
    assert_eq!(plan_cost(problem, &array![[0.5, 0.0], [0.0, 0.5]]), Ok(2.0));
    let message = |result: Result<f64>| result.unwrap_err().to_string();
    assert_eq!(
        message(plan_cost(problem, &array![[0.25, 0.25], [0.25, 0.25]])),
        "`plan`[0, 1] is 0.25, allowed is 0 where the cost is +inf"
    );
    assert_eq!(
        message(product_coupling_cost(problem)),
        "`cost`[0, 1] is inf, allowed is finite, as all ways are taken"
    );
    // Potentials of places without mass may be anything.
    let (c, costs) = (array![0.5, 0.5, 0.0], array![[1.0, NEVER], [2.0, 3.0], [f64::NAN, NEVER]]);
    let problem = TransportProblem::new(c.view(), a.view(), Cost::matrix(costs.view()));
    assert_eq!(dual_bound(problem, &array![1.0, 2.0, f64::NAN], &array![0.0, 1.0]), Ok(2.0));
}

#[test]
fn half_the_mass_from_each_of_two_points_and_none_from_what_is_no_point() {
    let (a, x) = (array![0.5, 0.5, 0.0], array![[0.0], [1.0], [f64::NAN]]);
    let (b, y) = (array![1.0], array![[2.0]]);
    let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
    for bound in [axis_bound(problem), centroid_bound(problem), projection_bound(problem, &array![[2.0]])] {
        assert_eq!(bound, Ok(1.5));
    }
    assert_eq!(product_coupling_cost(problem), Ok(1.5));
    assert_eq!(plan_cost(problem, &array![[0.5], [0.5], [0.0]]), Ok(1.5));
    assert_eq!(dual_bound(problem, &array![2.0, 1.0, NEVER], &array![0.0]), Ok(1.5));
    let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
    assert!(interval.lower <= 1.5 && 1.5 <= interval.upper && interval.upper - interval.lower < 1e-12);
}
