//! Where weights, penalties, regularization and costs end.

use ndarray::{Array1, Array2, array, s};

use super::{GROUNDS, Small, cloud, problem, settings, sharp};
use crate::testing::{all_close, close};
use crate::transport::{Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportProblem, emd};

#[test]
fn places_without_weight_take_no_part_and_have_the_potential_of_mass_that_arrives() {
    let small = Small::new();
    let (a, b) = (array![0.1, 0.0, 0.4, 0.3, 0.2], array![0.5, 0.2, 0.3, 0.0]);
    let (mut x, mut y) = (Array2::zeros((5, 2)), Array2::from_elem((4, 2), 1e3));
    x.row_mut(1).assign(&array![-0.5, 7.0]);
    [0, 2, 3, 4].into_iter().zip(small.x.rows()).for_each(|(i, row)| x.row_mut(i).assign(&row));
    y.slice_mut(s![..3, ..]).assign(&small.y);
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    for sinkhorn in settings() {
        let without = sinkhorn.solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
        let with = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
        close(with.value, without.value, 1e-13);
        let plan = with.plan();
        assert!(plan.row(1).iter().chain(plan.column(3)).all(|&mass| mass == 0.0));
        let gradient = with.grad().unwrap();
        assert!(gradient.a.iter().chain(&gradient.b).all(|slope| slope.is_finite()));
        if sinkhorn.marginal_penalty.is_none() {
            let arrives = |by: f64| {
                let mut a = a.clone();
                a[1] += by;
                a[0] -= by;
                let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
                sinkhorn.value(TransportProblem::new(a.view(), b.view(), cost)).unwrap()
            };
            let slope = (4.0 * arrives(1e-6) - 3.0 * arrives(0.0) - arrives(2e-6)) / 2e-6;
            assert!((gradient.a[1] - gradient.a[0] - slope).abs() < 1e-4, "{slope}");
        }
    }
}

#[test]
fn a_stiff_penalty_is_a_constraint() {
    let small = Small::new();
    let balanced = sharp(0.2).solve(small.points(GroundCost::Euclidean)).unwrap();
    for (penalty, tolerance) in [(1e3, 1e-2), (1e6, 1e-5), (1e9, 1e-8), (1e12, 1e-9)] {
        let sinkhorn = Sinkhorn { marginal_penalty: Some(penalty), ..sharp(0.2) };
        let free = sinkhorn.solve(small.points(GroundCost::Euclidean)).unwrap();
        assert!(free.converged && free.iterations < 100);
        close(free.value, balanced.value, tolerance);
        assert!((free.plan() - balanced.plan()).iter().all(|d| d.abs() < tolerance));
    }
}

#[test]
fn it_tends_to_exact_transport_from_above() {
    let ((a, x), (b, y)) = (cloud(12, 2, 7), cloud(15, 2, 8));
    for ground in GROUNDS {
        let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        let exact = emd(problem).unwrap();
        let mut before = f64::INFINITY;
        for regularization in [1.0, 0.1, 0.01, 1e-3, 1e-4] {
            let sinkhorn = Sinkhorn { regularization, tolerance: 1e-9, max_iterations: 100_000, ..Sinkhorn::default() };
            let solution = sinkhorn.solve(problem).unwrap();
            assert!(solution.converged, "{regularization}: {}", solution.marginal_error);
            assert!(solution.value >= exact - 1e-8 && solution.value < before);
            assert!(solution.transport_cost >= exact - 1e-8);
            before = solution.value;
        }
        assert!(before - exact < 6e-4, "{before} against {exact}");
    }
}

#[test]
fn costs_of_any_size_give_the_same_plan() {
    let ((a, x), (b, y)) = (cloud(20, 2, 9), cloud(25, 2, 10));
    let costs = Cost::points(x.view(), y.view(), GroundCost::Euclidean).to_matrix().unwrap();
    let plain = sharp(1e-2).solve(problem(&a, &b, &costs)).unwrap();
    for scale in [1e-300, 1e-12, 1e12, 1e300] {
        let scaled = &costs * scale;
        let solution = Sinkhorn { regularization: 1e-2 * scale, ..sharp(1.0) }.solve(problem(&a, &b, &scaled)).unwrap();
        close(solution.value / scale, plain.value, 1e-12);
        assert!((solution.plan() - plain.plan()).iter().all(|d| d.abs() < 1e-13));
    }
    for shift in [-1e6, 3.0, 1e9] {
        let shifted = &costs + shift;
        let exact = &shifted - shift; // what rounding leaves of the costs
        let expected = sharp(1e-2).solve(problem(&a, &b, &exact)).unwrap();
        let solution = sharp(1e-2).solve(problem(&a, &b, &shifted)).unwrap();
        close(solution.value - shift, expected.value, 1e-15 * shift.abs() / expected.value + 1e-12);
        assert!((solution.plan() - expected.plan()).iter().all(|d| d.abs() < 1e-13));
    }
    // A thousandth of the costs' scale, which underflows wherever exponentials are formed without their logarithm.
    let far = Array2::from_shape_fn((3, 3), |(i, j)| if i == j { 1e9 } else { 1e12 * (1 + i + 2 * j) as f64 });
    let third = Array1::from_elem(3, 1.0 / 3.0);
    let solution = sharp(1e6).solve(problem(&third, &third, &far)).unwrap();
    close(solution.transport_cost, 1e9, 1e-13);
    close(solution.value, 1e9 + 1e6 * 3.0_f64.ln(), 1e-13);
}

#[test]
fn a_large_regularization_leaves_the_product() {
    let small = Small::new();
    let solution = sharp(1e9).solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let product = Array2::from_shape_fn((4, 3), |(i, j)| small.a[i] * small.b[j]);
    all_close(solution.plan(), product, 1e-8);
    // And the divergence, for squared costs, the squared distance of the means.
    let mean = small.a.dot(&small.x) - small.b.dot(&small.y);
    let divergence = SinkhornDivergence { sinkhorn: sharp(1e5) };
    let value = divergence.value(small.points(GroundCost::SquaredEuclidean)).unwrap();
    assert!((value - mean.dot(&mean)).abs() < 1e-4, "{value} against {mean}");
}

#[test]
fn a_divergence_is_zero_at_home_and_a_shift_costs_its_square() {
    let (a, x) = cloud(40, 3, 11);
    for (sinkhorn, ground) in settings().into_iter().flat_map(|sinkhorn| GROUNDS.map(|ground| (sinkhorn, ground))) {
        let divergence = SinkhornDivergence { sinkhorn };
        let home = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), x.view(), ground));
        let solution = divergence.solve(home).unwrap();
        assert!(solution.converged && solution.iterations[1] < 60 && solution.iterations[1] == solution.iterations[2]);
        assert!(solution.value.abs() < 1e-14, "{ground:?}: {}", solution.value);
        let gradient = solution.grad().unwrap();
        let CostGradient::Points { x: in_x, y: in_y } = gradient.cost else { panic!("costs are between points") };
        assert!(in_x.iter().chain(&in_y).chain(&gradient.a).chain(&gradient.b).all(|slope| slope.abs() < 1e-12));
    }
    let y = &x + &array![0.5, -1.0, 0.25];
    let moved =
        TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean));
    let (value, gradient) = SinkhornDivergence { sinkhorn: sharp(0.1) }.grad(moved).unwrap();
    close(value, 0.25 + 1.0 + 0.0625, 1e-12);
    let CostGradient::Points { y: in_y, .. } = gradient.cost else { panic!("costs are between points") };
    for (row, weight) in in_y.rows().into_iter().zip(&a) {
        assert!((row[0] - weight).abs() < 1e-10 && (row[1] + 2.0 * weight).abs() < 1e-10);
    }
}
