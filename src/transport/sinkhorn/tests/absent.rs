//! Places without weight: nothing of them is read.

use ndarray::{Array1, Array2, array};

use super::{GROUNDS, Small, problem, settings};
use crate::transport::{Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportProblem};

/// The small problem with a place more on each side, which has no weight and lies here.
fn padded(small: &Small, at: f64) -> Small {
    let with = |weights: &Array1<f64>, k: usize| {
        let mut all = weights.to_vec();
        all.insert(k, 0.0);
        Array1::from(all)
    };
    let point = |points: &Array2<f64>, k: usize| {
        let mut all: Vec<f64> = points.iter().copied().collect();
        (0..2).for_each(|_| all.insert(2 * k, at));
        Array2::from_shape_vec((points.nrows() + 1, 2), all).unwrap()
    };
    Small { a: with(&small.a, 1), b: with(&small.b, 3), x: point(&small.x, 1), y: point(&small.y, 3) }
}

#[test]
fn half_the_mass_from_each_of_two_points_and_none_from_what_is_no_point() {
    let (a, x) = (array![0.5, 0.5, 0.0], array![[0.0], [1.0], [f64::NAN]]);
    let (b, y) = (array![1.0], array![[2.0]]);
    let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
    for regularization in [1e-3, 0.05, 1.0, 1e9] {
        let solution = Sinkhorn { regularization, ..Sinkhorn::default() }.solve(problem).unwrap();
        assert!((solution.value - 1.5).abs() < 1e-14 && (solution.transport_cost - 1.5).abs() < 1e-14);
    }
}

#[test]
fn whatever_lies_there_leaves_the_bits_and_has_no_slope() {
    let small = Small::new();
    for (sinkhorn, ground) in settings().into_iter().flat_map(|sinkhorn| GROUNDS.map(|ground| (sinkhorn, ground))) {
        for regularization in [0.3, 1e6] {
            let sinkhorn = Sinkhorn { regularization, ..sinkhorn };
            let divergence = SinkhornDivergence { sinkhorn };
            let expected = sinkhorn.solve(small.points(ground)).unwrap();
            let (expected_divergence, slopes) = divergence.grad(small.points(ground)).unwrap();
            let CostGradient::Points { x: expected_x, y: expected_y } = slopes.cost else { panic!("of points") };
            for at in [0.5, 1e3, f64::NAN, f64::INFINITY, f64::MAX] {
                let padded = padded(&small, at);
                let solution = sinkhorn.solve(padded.points(ground)).unwrap();
                assert_eq!((solution.value, solution.iterations), (expected.value, expected.iterations), "{at}");
                let plan = solution.plan();
                assert!(plan.row(1).iter().chain(plan.column(3)).all(|&mass| mass == 0.0));
                let (value, gradient) = divergence.grad(padded.points(ground)).unwrap();
                assert_eq!(value, expected_divergence);
                let CostGradient::Points { x, y } = gradient.cost else { panic!("of points") };
                assert!(x.row(1).iter().chain(y.row(3)).all(|&slope| slope == 0.0));
                assert!(x.row(2) == expected_x.row(1) && y.row(2) == expected_y.row(2));
                assert_eq!((gradient.a[0], gradient.b[0]), (slopes.a[0], slopes.b[0]));
                assert!(gradient.a[1].is_finite() && gradient.b[3].is_finite());
                // A potential is known where there is a point to go from.
                for potential in [solution.f[1], solution.g[3]] {
                    assert!(potential.is_finite() && (potential == 0.0) == (at.abs() > 1e6 || at.is_nan()), "{at}");
                }
            }
        }
    }
}

#[test]
fn rows_and_columns_of_costs_are_not_read_either() {
    let (a, b) = (array![0.5, 0.0, 0.5], array![0.25, 0.75, 0.0]);
    let (some, never) = (f64::NAN, f64::INFINITY);
    let inner = array![[1.0, 2.0], [0.5, 3.0]];
    let (kept_a, kept_b) = (array![0.5, 0.5], array![0.25, 0.75]);
    for sinkhorn in settings() {
        let expected = sinkhorn.solve(problem(&kept_a, &kept_b, &inner)).unwrap();
        for (outer, potential) in [(some, Some(0.0)), (-never, Some(0.0)), (never, Some(never)), (4.0, None)] {
            let costs = array![[1.0, 2.0, outer], [outer, outer, some], [0.5, 3.0, outer]];
            let solution = sinkhorn.solve(problem(&a, &b, &costs)).unwrap();
            assert_eq!((solution.value, solution.f[2]), (expected.value, expected.f[1]));
            for got in [solution.f[1], solution.g[2]] {
                assert!(
                    potential.map_or(got.is_finite() && got != 0.0, |potential| got == potential),
                    "{outer}: {got}"
                );
            }
            let gradient = solution.grad().unwrap();
            assert!(gradient.a.iter().chain(&gradient.b).all(|slope| !slope.is_nan()));
            let from = sinkhorn.solve_from(problem(&a, &b, &costs), &array![solution.g[0], solution.g[1], f64::NAN]);
            assert!(from.unwrap().iterations < 10);
        }
    }
}
