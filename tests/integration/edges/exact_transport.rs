//! Exact transport where costs and masses are far away, many, or all the same.

use loglik::Error;
use loglik::transport::{Cost, EmdBounds, GroundCost, TransportProblem, emd, emd_plan};
use ndarray::{Array1, Array2, Axis, array};

use super::{assert_narrow, assert_wide};

#[test]
fn costs_of_any_size_give_their_sum() {
    let (a, b) = (array![0.25, 0.75], array![0.5, 0.5]);
    for scale in [1e-300, 1e-12, 1.0, 1e12, 1e300] {
        let cost = array![[2.0, 1.0], [3.0, 5.0]] * scale;
        let value = emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))).unwrap();
        assert_wide("emd", value, 3.0 * scale); // 0.25 at 1, 0.5 at 3, 0.25 at 5
        let away = cost.mapv(|c| -c);
        let value = emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(away.view()))).unwrap();
        assert_wide("emd", value, -3.75 * scale); // 0.25 at -2, 0.25 at -3, 0.5 at -5
    }
    let (a, b, cost) = (array![0.25_f32, 0.75], array![0.5_f32, 0.5], array![[2e30_f32, 1e30], [3e30, 5e30]]);
    let value = emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))).unwrap();
    assert_narrow("emd", value, 3e30);
}

#[test]
fn points_may_lie_far_away_or_in_one_place() {
    let a = array![0.5, 0.5];
    for scale in [1e-150, 1.0, 1e150] {
        let (x, y) = (array![[0.0, 0.0], [6.0, 0.0]] * scale, array![[3.0, 4.0], [3.0, 4.0]] * scale);
        let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
        assert_wide("emd", emd(TransportProblem::new(a.view(), a.view(), cost)).unwrap(), 5.0 * scale);
    }
    let here = Array2::<f64>::zeros((50, 3));
    let even = Array1::from_elem(50, 0.02);
    let cost = Cost::points(here.view(), here.view(), GroundCost::SquaredEuclidean);
    assert_eq!(emd(TransportProblem::new(even.view(), even.view(), cost)), Ok(0.0));
}

#[test]
fn one_place_against_many_leaves_no_choice() {
    let cost = Array2::from_shape_fn((1, 1_000), |(_, j)| j as f64);
    let (one, many) = (array![1_000.0], Array1::ones(1_000));
    let problem = TransportProblem::new(one.view(), many.view(), Cost::matrix(cost.view()));
    for problem in [problem, problem.transposed()] {
        let solution = emd_plan(problem).unwrap();
        assert_wide("emd", solution.cost, 499_500.0);
        assert!(solution.plan.flows().iter().all(|flow| flow.mass == 1.0) && solution.plan.flows().len() == 1_000);
    }
}

#[test]
fn masses_of_any_total_are_kept() {
    for total in [1e-300, 1e300] {
        let (a, cost) = (array![0.25, 0.75] * total, array![[1.0, 0.0], [0.0, 1.0]]);
        let b = array![0.5, 0.5] * total;
        let value = emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))).unwrap();
        assert_wide("emd", value, 0.25 * total);
    }
    let (much, cost) = (array![1e300], array![[1e300]]);
    let beyond = emd(TransportProblem::new(much.view(), much.view(), Cost::matrix(cost.view())));
    assert!(matches!(beyond, Err(Error::Overflow { argument: "cost", .. })));
}

/// What makes a simplex go round in circles: a square of equal masses in which nearly everything ties.
#[test]
fn ties_of_every_kind_come_to_an_end() {
    let n = 120;
    let even = Array1::from_elem(n, 1.0 / n as f64);
    let costs: [fn((usize, usize)) -> f64; 5] = [
        |_| 1.0,
        |(i, j)| f64::from(u8::from(i != j)),
        |(i, j)| ((i + j) % 2) as f64,
        |(i, j)| (i * j) as f64,
        |(i, j)| i.abs_diff(j) as f64,
    ];
    let expected = [1.0, 0.0, 0.0, (n * (n - 1) * (n - 2)) as f64 / (6 * n) as f64, 0.0];
    for (cost, expected) in costs.into_iter().zip(expected) {
        let cost = Array2::from_shape_fn((n, n), cost);
        let problem = TransportProblem::new(even.view(), even.view(), Cost::matrix(cost.view()));
        let value = emd(problem).unwrap();
        assert!((value - expected).abs() <= 1e-13 * expected, "{value} is not {expected}");
        let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
        assert!(interval.lower <= expected && expected <= interval.upper && interval.upper - interval.lower < 1e-7);
        // Columns in another order are the same problem.
        let shuffled = cost.select(Axis(1), &(0..n).map(|j| j * 7 % n).collect::<Vec<_>>());
        let again = emd(TransportProblem::new(even.view(), even.view(), Cost::matrix(shuffled.view()))).unwrap();
        assert!((again - expected).abs() <= 1e-13 * expected, "{again} is not {expected}");
    }
}
