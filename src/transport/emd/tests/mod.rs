//! The simplex against programmes that are solved in other ways, and its certificate on problems of every kind.

mod empty;
mod forbidden;
mod spread;

use ndarray::{Array1, Array2, Axis, array};

use super::*;
use crate::Error;
use crate::testing::{close, generator};
use crate::transport::{Cost, GroundCost};

fn problem<'a>(a: &'a Array1<f64>, b: &'a Array1<f64>, cost: &'a Array2<f64>) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))
}

fn weights(n: usize, next: &mut impl FnMut() -> f64) -> Array1<f64> {
    let weights = Array1::from_shape_simple_fn(n, || 0.01 + next());
    &weights / weights.sum()
}

/// Marginals, feasible potentials, slackness and gap, each to what round-off explains.
#[track_caller]
fn proves(problem: TransportProblem<'_, f64>) -> EmdSolution<f64> {
    let solution = emd_plan(problem).unwrap();
    let costs = problem.cost.to_matrix().unwrap();
    let (total, largest) = (problem.a.sum(), costs.iter().fold(0.0, |max: f64, c| max.max(c.abs())));
    let (rows, columns) = solution.plan.marginals();
    for (got, wanted) in rows.iter().zip(problem.a).chain(columns.iter().zip(problem.b)) {
        assert!((got - wanted).abs() <= 1e-14 * total, "{got} is not {wanted}");
    }
    let slack = 1e-14 * largest;
    assert!(costs.indexed_iter().all(|((i, j), c)| solution.u[i] <= c - solution.v[j]));
    for flow in solution.plan.flows() {
        let reduced = costs[[flow.from, flow.to]] - solution.u[flow.from] - solution.v[flow.to];
        assert!(reduced <= 100.0 * slack, "mass flows at a reduced cost of {reduced}");
    }
    assert!((0.0..=10.0 * slack * total).contains(&solution.gap), "the gap is {}", solution.gap);
    let places = problem.a.iter().chain(problem.b).filter(|&&mass| mass > 0.0).count();
    assert!(solution.plan.flows().len() < places);
    solution
}

/// The cheapest of all ways to pair rows with columns.
fn best_assignment(cost: &Array2<f64>, row: usize, taken: u32) -> f64 {
    if row == cost.nrows() {
        return 0.0;
    }
    let free = (0..cost.ncols()).filter(|j| taken & (1 << j) == 0);
    free.map(|j| cost[[row, j]] + best_assignment(cost, row + 1, taken | 1 << j)).fold(f64::INFINITY, f64::min)
}

#[test]
fn small_assignments_are_the_best_of_all() {
    let mut next = generator(1);
    for trial in 0..400 {
        let n = 1 + trial % 6;
        // Few whole costs: ties everywhere.
        let cost = Array2::from_shape_simple_fn((n, n), || (4.0 * next()).floor() - 1.0);
        let ones = Array1::ones(n);
        let solution = proves(problem(&ones, &ones, &cost));
        assert_eq!(solution.cost, best_assignment(&cost, 0, 0));
        assert_eq!(solution.plan.flows().len(), n);
    }
}

#[test]
fn values_are_those_of_the_linear_programme() {
    // scipy.optimize.linprog (HiGHS) and POT 0.9.7 agree on these to the last digit given.
    let a = array![0.1, 0.3, 0.05, 0.35, 0.2];
    let b = array![0.25, 0.15, 0.4, 0.2];
    let (x, y) = (array![0.7_f64, -1.2, 3.5, 0.7, 2.25], array![1.5, -0.25, 0.7, -2.0]);
    for (p, expected) in [(1.0, 0.5525), (2.0, 0.575_875), (3.7, 0.930_449_452_368_591)] {
        let cost = Array2::from_shape_fn((5, 4), |(i, j)| (x[i] - y[j]).abs().powf(p));
        close(proves(problem(&a, &b, &cost)).cost, expected, 4e-15);
    }
}

#[test]
fn random_problems_of_every_shape_are_proved() {
    let mut next = generator(2);
    for (n, m) in [(1, 1), (1, 9), (9, 1), (2, 3), (30, 30), (100, 7), (7, 100), (150, 160)] {
        for scale in [1e-12, 1.0, 1e12] {
            let (a, b) = (weights(n, &mut next), weights(m, &mut next));
            let cost = Array2::from_shape_simple_fn((n, m), || scale * (next() - 0.3));
            proves(problem(&a, &b, &cost));
        }
    }
}

#[test]
fn ties_everywhere_end() {
    let mut next = generator(4);
    for n in [10, 60, 150] {
        for levels in [1.0, 2.0, 10.0] {
            let cost = Array2::from_shape_simple_fn((n, n), || (levels * next()).floor());
            let even = Array1::from_elem(n, 1.0 / n as f64);
            proves(problem(&even, &even, &cost));
            let whole = Array1::from_shape_simple_fn(n, || 1.0 + (3.0 * next()).floor());
            let mut back = whole.clone();
            back.as_slice_mut().unwrap().reverse();
            proves(problem(&whole, &back, &cost));
        }
    }
}

#[test]
fn costs_of_all_magnitudes_at_once_end() {
    let mut next = generator(5);
    for _ in 0..20 {
        let (a, b) = (weights(25, &mut next), weights(30, &mut next));
        let cost = Array2::from_shape_simple_fn((25, 30), || 10_f64.powf(24.0 * next() - 12.0));
        proves(problem(&a, &b, &cost));
        let signed = cost.mapv(|c| if c > 1.0 { -c } else { c });
        proves(problem(&a, &b, &signed));
    }
}

#[test]
fn masses_of_all_magnitudes_end() {
    let mut next = generator(6);
    for _ in 0..20 {
        let a = Array1::from_shape_simple_fn(20, || 10_f64.powf(-30.0 * next()));
        let b = Array1::from_shape_simple_fn(30, || 10_f64.powf(-30.0 * next()));
        let b = &b * (a.sum() / b.sum());
        proves(problem(&a, &b, &Array2::from_shape_simple_fn((20, 30), &mut next)));
    }
}

#[test]
fn identical_points_cost_nothing_and_points_need_no_matrix() {
    let mut next = generator(8);
    let x = Array2::from_shape_simple_fn((60, 3), || (3.0 * next()).floor());
    let (a, y) = (weights(60, &mut next), Array2::from_shape_simple_fn((40, 3), &mut next));
    let b = weights(40, &mut next);
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let home = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), x.view(), ground));
        assert_eq!(proves(home).cost, 0.0);
        let away = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        let costs = away.cost.to_matrix().unwrap();
        close(proves(away).cost, emd(problem(&a, &b, &costs)).unwrap(), 1e-14);
    }
}

#[test]
fn gradients_are_slopes() {
    let mut next = generator(10);
    let (a, b) = (weights(6, &mut next), weights(8, &mut next));
    let cost = Array2::from_shape_simple_fn((6, 8), &mut next);
    let (value, gradient) = emd_grad(problem(&a, &b, &cost)).unwrap();
    let step = 1e-5;
    let CostGradient::Matrix(slopes) = &gradient.cost else { panic!("costs are a matrix") };
    for ((i, j), plan) in slopes.indexed_iter() {
        let at = |by: f64| {
            let mut cost = cost.clone();
            cost[[i, j]] += by;
            emd(problem(&a, &b, &cost)).unwrap()
        };
        assert!(((at(step) - at(-step)) / (2.0 * step) - plan).abs() < 1e-9, "cost {i}, {j}");
    }
    let along = |masses: &Array1<f64>, by: f64, i: usize| {
        let mut masses = masses.clone();
        masses[i] += by;
        masses[0] -= by;
        masses
    };
    for i in 1..6 {
        let at = |by| emd(problem(&along(&a, by, i), &b, &cost)).unwrap();
        assert!(((at(step) - at(-step)) / (2.0 * step) - (gradient.a[i] - gradient.a[0])).abs() < 1e-9, "a {i}");
    }
    for j in 1..8 {
        let at = |by| emd(problem(&a, &along(&b, by, j), &cost)).unwrap();
        assert!(((at(step) - at(-step)) / (2.0 * step) - (gradient.b[j] - gradient.b[0])).abs() < 1e-9, "b {j}");
    }
    assert!(gradient.a.sum().abs() < 1e-15 && gradient.b.sum().abs() < 1e-15);
    close((slopes * &cost).sum(), value, 1e-14);
}

#[test]
fn gradients_in_points_are_slopes() {
    let mut next = generator(12);
    let (a, b) = (weights(6, &mut next), weights(7, &mut next));
    let mut cloud = |n: usize| Array2::from_shape_simple_fn((n, 3), || 2.0 * next() - 1.0);
    let clouds = [cloud(6), cloud(7)];
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let solve = |[x, y]: &[Array2<f64>; 2]| {
            emd_grad(TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground))).unwrap()
        };
        let CostGradient::Points { x, y } = solve(&clouds).1.cost else { panic!("costs are of points") };
        for (side, slopes) in [x, y].iter().enumerate() {
            for ((i, k), slope) in slopes.indexed_iter() {
                let at = |by: f64| {
                    let mut moved = clouds.clone();
                    moved[side][[i, k]] += by;
                    solve(&moved).0
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((slope - difference).abs() < 1e-8, "{ground:?}, {i}, {k}: {slope} against {difference}");
            }
        }
    }
}

#[test]
fn points_that_stay_have_no_slope_and_slopes_that_do_not_fit_are_an_error() {
    let (one, x) = (array![1.0_f32], array![[3.0_f32, 4.0]]);
    let zero = Array2::zeros((1, 2));
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let home = TransportProblem::new(one.view(), one.view(), Cost::points(x.view(), x.view(), ground));
        assert_eq!(emd_grad(home).unwrap().1.cost, CostGradient::Points { x: zero.clone(), y: zero.clone() });
    }
    let (far, heavy) = (array![[1e19_f32, 0.0]], array![1e20_f32]);
    let cost = Cost::points(far.view(), zero.view(), GroundCost::SquaredEuclidean);
    let error = emd_grad(TransportProblem::new(heavy.view(), heavy.view(), cost)).unwrap_err();
    assert_eq!(error.to_string(), "the result at `cost.x`[0] overflows f32");
}

#[test]
fn shifts_scales_and_the_way_back() {
    let mut next = generator(11);
    let (a, b) = (weights(15, &mut next), weights(11, &mut next));
    let cost = Array2::from_shape_simple_fn((15, 11), &mut next);
    let plain = emd(problem(&a, &b, &cost)).unwrap();
    close(emd(problem(&a, &b, &cost).transposed()).unwrap(), plain, 1e-14);
    close(emd(problem(&a, &b, &(&cost * 4.0))).unwrap(), 4.0 * plain, 1e-15);
    close(emd(problem(&(&a * 3.0), &(&b * 3.0), &cost)).unwrap(), 3.0 * plain, 1e-14);
    let (rows, columns) = (Array1::from_shape_simple_fn(15, &mut next), Array1::from_shape_simple_fn(11, &mut next));
    let shifted = &cost + &rows.view().insert_axis(Axis(1)) + columns.view().insert_axis(Axis(0));
    close(emd(problem(&a, &b, &shifted)).unwrap(), plain + a.dot(&rows) + b.dot(&columns), 1e-14);
}

#[test]
fn a_surplus_within_the_tolerance_is_spread() {
    let (a, b) = (array![0.5, 0.5], array![0.25, 0.75 + 8e-10]);
    let cost = array![[0.0, 1.0], [1.0, 0.0]];
    let (rows, columns) = emd_plan(problem(&a, &b, &cost)).unwrap().plan.marginals();
    assert_eq!(rows, a);
    close(columns[0], 0.25 / (1.0 + 8e-10), 1e-15);
    assert!(emd(problem(&a, &array![0.25, 0.75 + 2e-6], &cost)).is_err());
}

#[test]
fn single_precision_and_every_layout_give_the_same() {
    let mut next = generator(12);
    let cost = Array2::from_shape_simple_fn((20, 30), || next() as f32);
    let (a, b) = (Array1::from_elem(20, 0.05_f32), Array1::from_elem(30, 1.0_f32 / 30.0));
    let turned = cost.t().as_standard_layout().to_owned();
    let [plain, strided] = [cost.view(), turned.t()]
        .map(|cost| emd(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost))).unwrap());
    assert_eq!(plain.to_bits(), strided.to_bits());
    let wide = cost.mapv(f64::from);
    let exact = emd(problem(&a.mapv(f64::from), &b.mapv(f64::from), &wide)).map(|value| value as f32);
    assert!(exact.is_err() || exact == Ok(plain)); // 30 times the rounded 1/30 is 1 within 1e-6 alone
}

#[test]
fn what_does_not_fit_is_an_error() {
    let ones = array![1.0, 1.0];
    let error = |a: &Array1<f64>, cost: Array2<f64>| emd(problem(a, a, &cost)).unwrap_err();
    assert_eq!(error(&ones, array![[1e308, 1e308], [1e308, 1e308]]).to_string(), "the result at `cost` overflows f64");
    assert!(matches!(error(&ones, array![[f64::NAN, 0.0], [0.0, 0.0]]), Error::Value { argument: "cost", .. }));
    let huge = array![[1.7e308, -1.7e308], [-1.7e308, 1.7e308]];
    assert!(matches!(error(&ones, huge), Error::Overflow { .. }));
    assert!(matches!(error(&array![0.0, 0.0], Array2::zeros((2, 2))), Error::NoMass { argument: "a" }));
}
