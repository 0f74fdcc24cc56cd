//! Weights, penalties and costs drawn from the ends of their ranges: an answer or an error, never NaN.

use ndarray::{Array1, Array2};

use crate::testing::{cases, generator};
use crate::transport::{Cost, CostGradient, Sinkhorn, SinkhornDivergence, TransportProblem};
use crate::{Real, Result};

const WEIGHTS: [f64; 9] = [0.0, 1.0, 0.5, 3.0, 1e-7, 1e-31, 1e-150, 1e-301, 1e10];
const COSTS: [f64; 9] = [0.0, 1.0, 2.0, -3.0, 1e6, 1e-20, 1e20, f64::INFINITY, 1e-310];
const COORDINATES: [f64; 6] = [0.0, 1.0, -1.0, 1e-160, 1e3, 1e18];
const REGULARIZATIONS: [f64; 7] = [0.05, 1.0, 1e-3, 1e3, 1e13, 1e-12, 1e300];
const PENALTIES: [Option<f64>; 6] = [None, None, Some(3e-12), Some(1.0), Some(1e6), Some(1e300)];

/// Any of these.
fn any<T: Copy>(values: &[T], next: &mut impl FnMut() -> f64) -> T {
    values[(next() * values.len() as f64) as usize]
}

fn check<T: Real>(sinkhorn: Sinkhorn, problem: TransportProblem<'_, T>) -> Result<()> {
    let solution = sinkhorn.solve(problem)?;
    let told = || format!("{sinkhorn:?}, {problem:?}");
    assert!(solution.value.is_finite() && solution.transport_cost.is_finite(), "{}", told());
    assert!(!solution.marginal_error.is_nan(), "{}", told());
    assert!(solution.f.iter().chain(&solution.g).all(|p| !p.is_nan() && *p > T::neg_infinity()), "{}", told());
    assert!(solution.plan().iter().all(|mass| mass.is_finite() && *mass >= T::zero()), "{}", told());
    let gradient = solution.grad()?;
    assert!(gradient.a.iter().chain(&gradient.b).all(|slope| !slope.is_nan()), "{}", told());
    if let CostGradient::Points { x, y } = gradient.cost {
        assert!(x.iter().chain(&y).all(|slope| slope.is_finite()), "{}", told());
        let (value, gradient) = SinkhornDivergence { sinkhorn }.grad(problem)?;
        assert!(value.is_finite() && gradient.a.iter().chain(&gradient.b).all(|s| s.is_finite()), "{}", told());
    }
    Ok(())
}

fn search<T: Real>(seed: u64) -> usize {
    let mut next = generator(seed);
    let mut answers = 0;
    for _ in 0..cases(4_000) {
        let (n, m) = (1 + (3.0 * next()) as usize, 1 + (3.0 * next()) as usize);
        let mut weights = |n: usize| Array1::from_shape_simple_fn(n, || T::from_f64(any(&WEIGHTS, &mut next)));
        let (a, mut b) = (weights(n), weights(m));
        let sinkhorn = Sinkhorn {
            regularization: any(&REGULARIZATIONS, &mut next),
            marginal_penalty: any(&PENALTIES, &mut next),
            max_iterations: any(&[1, 3, 10, 60], &mut next),
            ..Sinkhorn::default()
        };
        if sinkhorn.marginal_penalty.is_none() {
            let total = |weights: &Array1<T>| weights.iter().map(|w| w.as_f64()).sum::<f64>();
            let by = total(&a) / total(&b);
            b.mapv_inplace(|weight| T::from_f64(weight.as_f64() * by));
        }
        let costs = Array2::from_shape_simple_fn((n, m), || T::from_f64(any(&COSTS, &mut next)));
        let mut points = |n: usize| Array2::from_shape_simple_fn((n, 2), || T::from_f64(any(&COORDINATES, &mut next)));
        let (x, y) = (points(n), points(m));
        let ground = any(&super::GROUNDS, &mut next);
        for cost in [Cost::matrix(costs.view()), Cost::points(x.view(), y.view(), ground)] {
            answers += usize::from(check(sinkhorn, TransportProblem::new(a.view(), b.view(), cost)).is_ok());
        }
    }
    answers
}

#[test]
fn no_input_gives_a_number_that_is_none() {
    for answers in [search::<f64>(71), search::<f32>(72)] {
        assert!(answers > cases(2_000), "{answers}");
    }
}

#[test]
fn little_mass_and_a_small_penalty_end_in_an_error_that_is_a_number() {
    let (a, b) = (Array1::from(vec![1e-31, 0.0, 1e-31]), Array1::from(vec![0.0, 1e-31]));
    let costs = Array2::from_shape_fn((3, 2), |(i, j)| (i + j) as f64);
    let sinkhorn = Sinkhorn { marginal_penalty: Some(3e-12), max_iterations: 10, ..Sinkhorn::default() };
    let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(costs.view()));
    let solution = sinkhorn.solve(problem).unwrap();
    assert!(solution.value.is_finite() && !solution.marginal_error.is_nan());
    check(sinkhorn, problem).unwrap();
}
