//! Gradients against differences.

use ndarray::{Array1, Array2, ArrayView2, array};

use super::{GROUNDS, Small, problem, settings};
use crate::transport::{
    Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportGradient, TransportProblem,
};

/// The derivative of `value` by one entry.
fn difference(array: &Array2<f64>, at: (usize, usize), value: impl Fn(ArrayView2<'_, f64>) -> f64) -> f64 {
    const STEP: f64 = 1e-4;
    let moved = |by: f64| {
        let mut array = array.clone();
        array[at] += by;
        value(array.view())
    };
    (8.0 * (moved(STEP) - moved(-STEP)) - (moved(2.0 * STEP) - moved(-2.0 * STEP))) / (12.0 * STEP)
}

/// Checks gradients in points and in weights, these along the directions that keep totals where that must be.
fn check_gradient(
    sinkhorn: Sinkhorn,
    ground: GroundCost,
    value: impl Fn(TransportProblem<'_, f64>) -> f64,
    gradient: impl Fn(TransportProblem<'_, f64>) -> TransportGradient<f64>,
) {
    let mut small = if sinkhorn.marginal_penalty.is_some() { Small::unequal() } else { Small::new() };
    small.y += &array![0.013, 0.017]; // no coordinate twice, where the slope of Manhattan's cost jumps
    let Small { a, b, x, y } = &small;
    let TransportGradient { a: in_a, b: in_b, cost } = gradient(small.points(ground));
    let CostGradient::Points { x: in_x, y: in_y } = cost else { panic!("costs are between points") };
    let of_points = |x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>| {
        value(TransportProblem::new(a.view(), b.view(), Cost::points(x, y, ground)))
    };
    for (at, &slope) in in_x.indexed_iter() {
        let expected = difference(x, at, |x| of_points(x, y.view()));
        assert!((slope - expected).abs() < 1e-8, "x{at:?}, {ground:?}: {slope} against {expected}");
    }
    for (at, &slope) in in_y.indexed_iter() {
        let expected = difference(y, at, |y| of_points(x.view(), y));
        assert!((slope - expected).abs() < 1e-8, "y{at:?}, {ground:?}: {slope} against {expected}");
    }
    let is_free = sinkhorn.marginal_penalty.is_some();
    // Entry 0 pays for what another gets, unless totals are free.
    let given = |weights: &Array1<f64>, i: usize, by: f64| {
        let mut weights = weights.clone();
        weights[i] += by;
        weights[0] -= if is_free { 0.0 } else { by };
        weights
    };
    let of_weights = |a: &Array1<f64>, b: &Array1<f64>| {
        value(TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground)))
    };
    let central = |value: &dyn Fn(f64) -> f64| {
        let h = 1e-4;
        (8.0 * (value(h) - value(-h)) - (value(2.0 * h) - value(-2.0 * h))) / (12.0 * h)
    };
    for i in 1 - usize::from(is_free)..a.len() {
        let slope = in_a[i] - if is_free { 0.0 } else { in_a[0] };
        let expected = central(&|by| of_weights(&given(a, i, by), b));
        assert!((slope - expected).abs() < 1e-8, "a[{i}], {ground:?}: {slope} against {expected}");
    }
    for j in 1 - usize::from(is_free)..b.len() {
        let slope = in_b[j] - if is_free { 0.0 } else { in_b[0] };
        let expected = central(&|by| of_weights(a, &given(b, j, by)));
        assert!((slope - expected).abs() < 1e-8, "b[{j}], {ground:?}: {slope} against {expected}");
    }
    assert!(is_free || (in_a.sum().abs() < 1e-14 && in_b.sum().abs() < 1e-14));
}

#[test]
fn gradients_are_differences_of_the_value() {
    for (sinkhorn, ground) in settings().into_iter().flat_map(|sinkhorn| GROUNDS.map(|ground| (sinkhorn, ground))) {
        check_gradient(sinkhorn, ground, |p| sinkhorn.value(p).unwrap(), |p| sinkhorn.grad(p).unwrap().1);
        let divergence = SinkhornDivergence { sinkhorn };
        check_gradient(sinkhorn, ground, |p| divergence.value(p).unwrap(), |p| divergence.grad(p).unwrap().1);
    }
}

#[test]
fn the_gradient_in_a_matrix_of_costs_is_the_plan() {
    let small = Small::unequal();
    let costs = small.points(GroundCost::Manhattan).cost.to_matrix().unwrap();
    for (sinkhorn, b) in settings().into_iter().zip([&small.b * (2.0 / 0.7), small.b.clone()]) {
        let (_, gradient) = sinkhorn.grad(problem(&small.a, &b, &costs)).unwrap();
        let CostGradient::Matrix(slopes) = gradient.cost else { panic!("costs are a matrix") };
        for (at, &slope) in slopes.indexed_iter() {
            let expected = difference(&costs, at, |costs| {
                sinkhorn.value(TransportProblem::new(small.a.view(), b.view(), Cost::matrix(costs))).unwrap()
            });
            assert!((slope - expected).abs() < 1e-9, "{at:?}: {slope} against {expected}");
        }
    }
}
