//! Every interval holds the exact value, whatever the budget; a large one closes it.

use ndarray::{Array1, Array2, array};

use super::*;
use crate::testing::generator;
use crate::transport::{Cost, GroundCost, TransportProblem, emd};

fn weights(n: usize, next: &mut impl FnMut() -> f64) -> Array1<f64> {
    let weights = Array1::from_shape_simple_fn(n, || 0.01 + next());
    &weights / weights.sum()
}

#[test]
fn the_exact_value_lies_within_at_every_budget() {
    let mut next = generator(61);
    for trial in 0..60 {
        let (n, m) = (1 + trial % 13, 1 + trial * 7 % 17);
        let (a, b) = (weights(n, &mut next), weights(m, &mut next));
        let scale = [1e-12, 1.0, 1e12][trial % 3];
        let cost = Array2::from_shape_simple_fn((n, m), || scale * (next() - 0.3));
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        let exact = emd(problem).unwrap();
        let mut before = f64::INFINITY;
        for budget in [1, 4, 6, 10, 20, 100, 2000] {
            let interval = EmdBounds { gap: 0.0, budget }.solve(problem).unwrap();
            assert!(interval.lower <= exact && exact <= interval.upper, "{interval:?} without {exact}");
            let width = interval.upper - interval.lower;
            assert!(width <= before, "{budget} passes give {width} after {before}");
            before = width;
        }
        assert!(before <= 1e-12 * scale, "{before}");
    }
}

#[test]
fn points_close_in_and_say_how() {
    let mut next = generator(62);
    let x = Array2::from_shape_simple_fn((80, 2), &mut next);
    let y = Array2::from_shape_simple_fn((90, 2), || 1.5 * next() - 0.25);
    let (a, b) = (weights(80, &mut next), weights(90, &mut next));
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        let exact = emd(problem).unwrap();
        for gap in [0.5, 0.1, 0.01, 1e-6] {
            let interval = EmdBounds { gap, ..EmdBounds::default() }.solve(problem).unwrap();
            assert!(interval.lower <= exact && exact <= interval.upper, "{interval:?} without {exact}");
            assert!(interval.upper - interval.lower <= gap * interval.upper, "{interval:?}");
        }
        let tight = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
        assert_eq!((tight.lower_by, tight.upper_by), (LowerBound::Exact, UpperBound::Exact));
    }
}

#[test]
fn stages_of_sinkhorn_close_a_gap_before_the_simplex_does() {
    let mut next = generator(65);
    let x = Array2::from_shape_simple_fn((60, 2), &mut next);
    let y = Array2::from_shape_simple_fn((60, 2), || 1.5 * next() - 0.25);
    let (a, b) = (weights(60, &mut next), weights(60, &mut next));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let problem = TransportProblem::new(a.view(), b.view(), cost);
    let interval = EmdBounds { gap: 0.1, ..EmdBounds::default() }.solve(problem).unwrap();
    assert!(matches!(interval.lower_by, LowerBound::Sinkhorn { .. }), "{interval:?}");
    assert!(matches!(interval.upper_by, UpperBound::Sinkhorn { .. }), "{interval:?}");
    assert!(interval.upper - interval.lower > 1e-6 * interval.upper);
}

#[test]
fn costs_that_hardly_differ_are_no_obstacle() {
    let a = array![0.5, 0.5];
    for (base, step) in [(1e300, 1e284), (1.0, f64::EPSILON), (0.0, 5e-324), (0.0, 1e-300)] {
        let cost = array![[base, base + step], [base + 3.0 * step, base + step]];
        let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
        let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
        let exact = emd(problem).unwrap();
        assert!(interval.lower <= exact && exact <= interval.upper, "{interval:?} without {exact}");
    }
}

#[test]
fn a_translation_is_known_without_a_plan_from_below() {
    let mut next = generator(63);
    let x = Array2::from_shape_simple_fn((30, 3), &mut next);
    let a = weights(30, &mut next);
    let y = &x + 2.0;
    let problem = TransportProblem::new(a.view(), a.view(), Cost::points(x.view(), y.view(), GroundCost::Manhattan));
    let interval = EmdBounds { gap: 1e-9, ..EmdBounds::default() }.solve(problem).unwrap();
    assert_eq!(interval.lower_by, LowerBound::Axes);
    assert!((interval.lower - 6.0).abs() < 1e-11 && interval.upper - interval.lower < 1e-8);
}

#[test]
fn nothing_to_do_is_found_at_once() {
    let (a, cost) = (array![0.5, 0.5], array![[3.0, 3.0], [3.0, 3.0]]);
    let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
    let interval = EmdBounds::default().solve(problem).unwrap();
    assert_eq!((interval.lower_by, interval.upper_by), (LowerBound::LeastCost, UpperBound::Product));
    assert!(interval.lower <= 3.0 && 3.0 <= interval.upper && interval.passes <= 2);
    let nothing = Array2::zeros((2, 2));
    let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(nothing.view()));
    let interval = EmdBounds { gap: 0.0, budget: 1 }.solve(problem).unwrap();
    assert_eq!((interval.lower, interval.upper), (0.0, 0.0));
}

#[test]
fn single_precision_rounds_outwards() {
    let mut next = generator(64);
    for _ in 0..50 {
        let cost = Array2::from_shape_simple_fn((4, 4), || next() as f32);
        let ones = Array1::<f32>::ones(4);
        let problem = TransportProblem::new(ones.view(), ones.view(), Cost::matrix(cost.view()));
        let interval = EmdBounds { gap: 0.0, ..EmdBounds::default() }.solve(problem).unwrap();
        let (wide, one) = (cost.mapv(f64::from), Array1::<f64>::ones(4));
        let exact = emd(TransportProblem::new(one.view(), one.view(), Cost::matrix(wide.view()))).unwrap();
        assert!(f64::from(interval.lower) <= exact && exact <= f64::from(interval.upper));
        assert!(interval.upper - interval.lower <= 1e-6);
    }
}

#[test]
fn bad_settings_are_named() {
    let (a, cost) = (array![1.0], array![[1.0]]);
    let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
    let message = |settings: EmdBounds| settings.solve(problem).unwrap_err().to_string();
    assert_eq!(message(EmdBounds { gap: -1.0, ..EmdBounds::default() }), "`gap` is -1, allowed is finite and >= 0");
    assert_eq!(message(EmdBounds { budget: 0, ..EmdBounds::default() }), "`budget` is 0, allowed is >= 1");
    let huge = array![[1e308, -1e308], [0.0, 0.0]];
    let ones = array![1.0, 1.0];
    let problem = TransportProblem::new(ones.view(), ones.view(), Cost::matrix(huge.view()));
    assert!(matches!(EmdBounds::default().solve(problem), Err(crate::Error::Overflow { .. })));
}
