//! Entropic transport and bounds on exact transport between more than a thousand places.

use loglik::Real;
use loglik::transport::{Cost, EmdBounds, GroundCost, Sinkhorn, TransportProblem};
use ndarray::{Array1, Array2, Axis};

const N: usize = 1_030;
const M: usize = 1_100;

/// Weights of which every ninth is zero, that sum to one exactly, and points of a line; all numbers are ones of `f32`.
fn side(n: usize, seed: usize) -> (Array1<f64>, Array2<f64>) {
    let number = |i: usize| (i * 7_919 + seed * 104_729) % 8_191;
    let mut units: Vec<usize> = (0..n).map(|i| if i % 9 == 4 { 0 } else { 1 + number(i) }).collect();
    let total: usize = units.iter().sum();
    // 2^23 of them make one: each then has 23 bits.
    units[0] += (1 << 23) - total;
    let weights = units.into_iter().map(|unit| unit as f64 / f64::from(1 << 23)).collect();
    (weights, Array2::from_shape_fn((n, 1), |(i, _)| number(3 * i + 1) as f64 / 4_096.0))
}

/// Replaces what is said of places without weight.
fn padded<T: Real>(weights: &Array1<f64>, points: &Array2<f64>) -> (Array1<T>, Array2<T>) {
    let mut points = points.mapv(T::from_f64);
    for (mut point, _) in points.rows_mut().into_iter().zip(weights).filter(|(_, weight)| **weight == 0.0) {
        point.fill(T::nan());
    }
    (weights.mapv(T::from_f64), points)
}

/// `OT_ε` and the rows' potential, by scaling rows and columns of `e^(-C/ε)` in turn.
fn scaled(
    (a, x): &(Array1<f64>, Array2<f64>),
    (b, y): &(Array1<f64>, Array2<f64>),
    regularization: f64,
) -> (f64, Array1<f64>) {
    let kernel = Array2::from_shape_fn((N, M), |(i, j)| (-(x[[i, 0]] - y[[j, 0]]).abs() / regularization).exp());
    let (mut u, mut v) = (Array1::ones(N), Array1::<f64>::ones(M));
    for _ in 0..60 {
        u = kernel.dot(&(&v * b)).mapv(f64::recip);
        v = kernel.t().dot(&(&u * a)).mapv(f64::recip);
    }
    let (f, g) = (u.mapv(f64::ln) * regularization, v.mapv(f64::ln) * regularization);
    (f.dot(a) + g.dot(b), f)
}

fn check_sinkhorn<T: Real>(tolerance: f64) {
    let (left, right) = (side(N, 1), side(M, 2));
    let ((a, x), (b, y)) = (padded::<T>(&left.0, &left.1), padded::<T>(&right.0, &right.1));
    let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), GroundCost::Manhattan));
    for regularization in [0.5, 200.0] {
        let (value, potential) = scaled(&left, &right, regularization);
        let sinkhorn = Sinkhorn { regularization, tolerance, ..Sinkhorn::default() };
        let solution = sinkhorn.solve(problem).unwrap();
        assert!(solution.converged, "{regularization}: {}", solution.marginal_error);
        let allowed = 20.0 * tolerance;
        assert!(
            (solution.value.as_f64() - value).abs() <= allowed,
            "{regularization}: {}, not {value}",
            solution.value
        );
        // Potentials up to a constant, which is that of the first place.
        for (i, (got, expected)) in solution.f.iter().zip(&potential).enumerate().filter(|(i, _)| left.0[*i] > 0.0) {
            let (got, expected) = ((*got - solution.f[0]).as_f64(), expected - potential[0]);
            assert!((got - expected).abs() <= allowed, "{regularization}, {i}: {got}, {expected}");
        }
        let rows = solution.plan().mapv(|mass| mass.as_f64()).sum_axis(Axis(1));
        assert!((rows - &left.0).iter().all(|d| d.abs() <= tolerance));
    }
}

#[test]
fn sinkhorn_between_a_thousand_places_is_that_of_plain_scaling() {
    check_sinkhorn::<f64>(1e-11);
    check_sinkhorn::<f32>(3e-6);
}

/// The distance on a line, as the area between both sums of weights.
fn on_the_line((a, x): &(Array1<f64>, Array2<f64>), (b, y): &(Array1<f64>, Array2<f64>)) -> f64 {
    let mut steps: Vec<(f64, f64)> = x.iter().copied().zip(a.iter().copied()).collect();
    steps.extend(y.iter().copied().zip(b.iter().map(|b| -b)));
    steps.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut sum, mut area) = (0.0_f64, 0.0);
    for pair in steps.windows(2) {
        sum += pair[0].1;
        area += sum.abs() * (pair[1].0 - pair[0].0);
    }
    area
}

fn check_bounds<T: Real>() {
    let (left, right) = (side(N, 3), side(M, 4));
    let exact = on_the_line(&left, &right);
    let ((a, x), (b, y)) = (padded::<T>(&left.0, &left.1), padded::<T>(&right.0, &right.1));
    let costs = Array2::from_shape_fn((N, M), |(i, j)| (x[[i, 0]] - y[[j, 0]]).abs());
    let costs = [Cost::points(x.view(), y.view(), GroundCost::Manhattan), Cost::matrix(costs.view())];
    for (cost, budget) in costs.into_iter().flat_map(|cost| [1, 30, 120].map(|budget| (cost, budget))) {
        let problem = TransportProblem::new(a.view(), b.view(), cost);
        let interval = EmdBounds { gap: 0.02, budget }.solve(problem).unwrap();
        assert!(
            interval.lower.as_f64() <= exact && exact <= interval.upper.as_f64(),
            "{budget}: {interval:?}, {exact}"
        );
        assert!(interval.lower >= T::zero());
    }
}

#[test]
fn bounds_between_a_thousand_places_hold_the_area_between_sums() {
    check_bounds::<f64>();
    check_bounds::<f32>();
}
