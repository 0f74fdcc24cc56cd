//! Types, layouts, threads and bad input.

use ndarray::{Array1, Array2, ShapeBuilder, array};

use super::{Small, cloud, problem};
use crate::testing::close;
use crate::transport::{Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportProblem};
use crate::{Error, Real, Result};

#[test]
fn single_precision_is_near_double() {
    let ((a, x), (b, y)) = (cloud(60, 2, 12), cloud(70, 2, 13));
    let (a32, b32, x32, y32) = (a.mapv(|w| w as f32), b.mapv(|w| w as f32), x.mapv(|x| x as f32), y.mapv(|y| y as f32));
    for regularization in [0.1, 1e-3] {
        let sinkhorn = Sinkhorn { regularization, tolerance: 2e-6, ..Sinkhorn::default() };
        for penalty in [None, Some(0.7)] {
            let sinkhorn = Sinkhorn { marginal_penalty: penalty, ..sinkhorn };
            let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
            let wide = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
            let cost = Cost::points(x32.view(), y32.view(), GroundCost::Euclidean);
            let narrow = sinkhorn.solve(TransportProblem::new(a32.view(), b32.view(), cost)).unwrap();
            assert!(narrow.converged, "{regularization}, {penalty:?}: {}", narrow.marginal_error);
            close(narrow.value.into(), wide.value, 1e-5);
            let plan = narrow.plan().mapv(f64::from);
            assert!((plan - wide.plan()).mapv(f64::abs).sum() < 1e-3);
        }
    }
}

/// Everything that a call gives, as bits.
fn bits<T: Real>(problem: TransportProblem<'_, T>) -> Vec<u64> {
    let sinkhorn = Sinkhorn { regularization: 0.02, max_iterations: 30, ..Sinkhorn::default() };
    let solution = sinkhorn.solve(problem).unwrap();
    let gradient = solution.grad().unwrap();
    let mut numbers = vec![solution.value, solution.transport_cost];
    numbers.extend(solution.plan().iter().chain(&solution.f).chain(&solution.g).chain(&gradient.a).chain(&gradient.b));
    if let CostGradient::Points { x, y } = gradient.cost {
        numbers.extend(x.iter().chain(&y));
        let divergence = SinkhornDivergence { sinkhorn: Sinkhorn { max_iterations: 5, ..sinkhorn } };
        numbers.push(divergence.value(problem).unwrap());
    }
    numbers.into_iter().map(|x| x.as_f64().to_bits()).collect()
}

fn layouts_leave_no_trace<T: Real>() {
    let ((a, x), (b, y)) = (cloud(45, 2, 14), cloud(1_100, 2, 15));
    let (a, b) = (a.mapv(T::from_f64), (b.mapv(T::from_f64)));
    let (x, y) = (x.mapv(T::from_f64), y.mapv(T::from_f64));
    let columns = |array: &Array2<T>| {
        let mut other = Array2::zeros(array.raw_dim().f());
        other.assign(array);
        other
    };
    let (x_other, y_other) = (columns(&x), columns(&y));
    let costs = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
    let expected = bits(TransportProblem::new(a.view(), b.view(), costs));
    let other = Cost::points(x_other.view(), y_other.view(), GroundCost::Euclidean);
    assert_eq!(bits(TransportProblem::new(a.view(), b.view(), other)), expected);
    let costs = costs.to_matrix().unwrap();
    let (expected, other) = (bits(problem(&a, &b, &costs)), columns(&costs));
    assert_eq!(bits(problem(&a, &b, &other)), expected);
}

#[test]
fn every_layout_gives_the_same_bits() {
    layouts_leave_no_trace::<f64>();
    layouts_leave_no_trace::<f32>();
}

#[cfg(feature = "rayon")]
#[test]
fn threads_leave_no_trace() {
    let ((a, x), (b, y)) = (cloud(500, 2, 16), cloud(400, 2, 17));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(TransportProblem::new(a.view(), b.view(), cost)))
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn bad_input_is_named() {
    let small = Small::new();
    let message = |sinkhorn: Sinkhorn| {
        let problem = small.points(GroundCost::Euclidean);
        let error = sinkhorn.solve(problem).unwrap_err().to_string();
        assert_eq!(SinkhornDivergence { sinkhorn }.value(problem).unwrap_err().to_string(), error);
        error
    };
    let plain = Sinkhorn::default();
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("is {bad}, allowed is finite and > 0");
        assert_eq!(message(Sinkhorn { regularization: bad, ..plain }), format!("`regularization` {expected}"));
        let penalty = Sinkhorn { marginal_penalty: Some(bad), ..plain };
        assert_eq!(message(penalty), format!("`marginal_penalty` {expected}"));
    }
    assert_eq!(message(Sinkhorn { tolerance: -1.0, ..plain }), "`tolerance` is -1, allowed is finite and >= 0");
    assert_eq!(message(Sinkhorn { max_iterations: 0, ..plain }), "`max_iterations` is 0, allowed is >= 1");
    assert_eq!(message(Sinkhorn { scaling: 1.5, ..plain }), "`scaling` is 1.5, allowed is (0, 1]");
    assert_eq!(message(Sinkhorn { scaling: 0.0, ..plain }), "`scaling` is 0, allowed is (0, 1]");
    assert_eq!(message(Sinkhorn { regularization: 1e-305, ..plain }), "the result at `cost` overflows f64");
    let costs = small.points(GroundCost::Euclidean).cost.to_matrix().unwrap();
    let error = |result: Result<f64>| result.unwrap_err().to_string();
    let divergence = SinkhornDivergence::default().value(problem(&small.a, &small.b, &costs));
    assert_eq!(error(divergence), "SinkhornDivergence needs `cost.x`");
    let unequal = plain.value(problem(&small.a, &(2.0 * &small.b), &costs));
    assert!(matches!(unequal, Err(Error::Unbalanced { .. })));
    let from = |g: Array1<f64>| plain.solve_from(problem(&small.a, &small.b, &costs), &g).unwrap_err().to_string();
    assert_eq!(from(array![0.0]), "`g` has shape [1], expected [3]");
    assert_eq!(from(array![0.0, f64::NAN, 0.0]), "`g`[1] is NaN, allowed is finite");
    let bad = array![[0.0, f64::NAN, 1.0], [0.0; 3], [0.0; 3], [0.0; 3]];
    assert_eq!(error(plain.value(problem(&small.a, &small.b, &bad))), "`cost`[0, 1] is NaN, allowed is finite or +inf");
    // A gain beyond all bounds.
    let (one, gift) = (array![1.0], array![[-1e9]]);
    let free = Sinkhorn { marginal_penalty: Some(1.0), ..plain };
    assert_eq!(error(free.value(problem(&one, &one, &gift))), "the result at `cost` overflows f64");
}
