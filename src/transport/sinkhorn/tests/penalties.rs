//! Penalties, regularizations and masses at which the plan leaves the range of the type: the exact plan or an error.

use ndarray::{Array1, Array2, array};

use crate::error::Position;
use crate::testing::{close, generator};
use crate::transport::{Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportProblem};
use crate::{Error, Real, Result};

fn unbalanced(regularization: f64, penalty: f64) -> Sinkhorn {
    Sinkhorn { regularization, marginal_penalty: Some(penalty), max_iterations: 200, ..Sinkhorn::default() }
}

/// `ln` of the mass of the plan where all costs are 0: `(A B)^((ρ + ε) / (2ρ + ε))`.
fn log_mass(sinkhorn: Sinkhorn, a: f64, b: f64) -> f64 {
    let softness = sinkhorn.marginal_penalty.map_or(0.0, |penalty| sinkhorn.regularization / penalty);
    let share = if softness.is_infinite() { 1.0 } else { (1.0 + softness) / (2.0 + softness) };
    share * (a.ln() + b.ln())
}

/// Whatever is told of a problem without costs is exact, or an error.
fn check<T: Real>(sinkhorn: Sinkhorn, a: &Array1<T>, b: &Array1<T>) -> Result<()> {
    let costs =
        Array2::from_shape_fn((a.len(), b.len()), |(i, _)| if a[i] == T::zero() { T::nan() } else { T::zero() });
    let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(costs.view()));
    let total = |weights: &Array1<T>| weights.iter().map(|w| w.as_f64()).sum::<f64>();
    let (left, right) = (total(a), total(b));
    let log = log_mass(sinkhorn, left, right);
    let solution = sinkhorn.solve(problem)?;
    let told = || format!("{sinkhorn:?}, {a}, {b}, mass e^{log}: {solution:?}");
    assert!(solution.value.is_finite() && solution.transport_cost == T::zero(), "{}", told());
    assert!(solution.f.iter().chain(&solution.g).all(|p| p.is_finite()), "{}", told());
    let gradient = solution.grad();
    if let Ok(gradient) = &gradient {
        assert!(gradient.a.iter().chain(&gradient.b).all(|slope| slope.is_finite()), "{}", told());
        assert_eq!(gradient.cost, CostGradient::Matrix(solution.plan()), "{}", told());
    }
    let share = |weight: T, total: f64| weight.as_f64().ln() - total.ln();
    for ((i, j), mass) in solution.plan().indexed_iter() {
        let exact = (log + share(a[i], left) + share(b[j], right)).exp();
        let off = (mass.as_f64() - exact).abs();
        // Beside its row an entry may be subnormal.
        let tiny = T::min_positive_value().as_f64() * (1.0 + (log + share(a[i], left)).exp());
        assert!(mass.is_finite() && off <= 1e-5 * exact + tiny, "[{i}, {j}]: {mass} for {exact} of {}", told());
    }
    Ok(())
}

#[test]
fn a_plan_that_does_not_fit_is_an_error_that_names_its_place() {
    let overflow = |argument, position: Position, type_name| Err(Error::Overflow { argument, position, type_name });
    let (a, b) = (array![4.240_707e37_f32, 2.413_614_9e37, 3.345_678e37, 0.0], array![3.202_007_8e37, 6.797_992_4e37]);
    assert_eq!(check(unbalanced(1e-300, 1e30), &a, &b), overflow("marginal_penalty", Position::default(), "f64"));
    assert_eq!(check(unbalanced(1e-45, 1e5), &a, &b), Ok(()));
    let (a, b) = (array![0.0_f32, 1e38], array![4.573_07e37, 5.426_93e37]);
    assert_eq!(check(unbalanced(1e-300, 1e-300), &a, &b), overflow("a", 1.into(), "f32"));
    assert_eq!(check(unbalanced(1e-300, 1e-300), &a.mapv(f64::from), &b.mapv(f64::from)), Ok(()));
    let (a, b) = (array![6.057_391e29_f32, 3.942_609_3e29], array![1e30]);
    assert_eq!(check(unbalanced(1e300, 1e-300), &a, &b), overflow("a", 0.into(), "f32"));
    assert_eq!(check(unbalanced(1e300, 1e-300), &a.mapv(f64::from), &b.mapv(f64::from)), Ok(()));
}

fn search<T: Real>(seed: u64, largest: f64) -> usize {
    let mut next = generator(seed);
    let mut power = |low: f64, high: f64| 10_f64.powf(low + (high - low) * next());
    let mut answers = 0;
    for trial in 0..3_000 {
        let mut weight = |k: usize| T::from_f64(if (trial + k) % 5 == 4 { 0.0 } else { power(-largest, largest) });
        let (mut a, mut b): (Array1<T>, Array1<T>) =
            ((0..1 + trial % 3).map(&mut weight).collect(), (3..4 + trial / 3 % 3).map(&mut weight).collect());
        // Small deviations from the whole are lost among weights of one size.
        if trial % 2 == 0 {
            let top = T::from_f64(power(-largest, largest));
            a.mapv_inplace(|w| if w > T::zero() { top } else { w });
            b.mapv_inplace(|w| if w > T::zero() { top + top } else { w });
        }
        let sinkhorn = unbalanced(power(-305.0, 305.0), power(-305.0, 305.0));
        answers += usize::from(check(sinkhorn, &a, &b).is_ok());
        let close = unbalanced(sinkhorn.regularization, (sinkhorn.regularization * power(-25.0, 25.0)).min(1e305));
        answers += usize::from(check(close, &a, &b).is_ok());
    }
    answers
}

#[test]
fn without_costs_the_plan_is_a_multiple_of_the_product_at_every_scale() {
    for answers in [search::<f32>(31, 37.0), search::<f64>(32, 300.0)] {
        assert!(answers > 1_000, "{answers}");
    }
}

#[test]
fn totals_that_differ_keep_their_mean_under_a_strict_penalty() {
    let (a, b, cost) = (array![0.25, 0.75], array![1.5, 0.5], array![[0.0, 1.0], [2.0, 0.5]]);
    let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
    for regularization in [0.05, 1e3] {
        for penalty in [1e10, 1e18, 1e30, 1e100] {
            let solution = unbalanced(regularization, penalty).solve(problem).unwrap();
            close(solution.plan().sum(), 2_f64.sqrt(), 1e-6);
        }
    }
}

#[test]
fn nothing_that_does_not_fit_comes_with_an_answer() {
    let mut next = generator(33);
    let mut power = |low: f64, high: f64| 10_f64.powf(low + (high - low) * next());
    let mut answers = 0;
    for trial in 0..2_000 {
        let (n, m) = (1 + trial % 3, 1 + trial / 3 % 3);
        let mut weights =
            |n: usize| (0..n).map(|k| if k > 0 && trial % 4 == 0 { 0.0 } else { power(-37.0, 38.0) as f32 }).collect();
        let (a, b): (Array1<f32>, Array1<f32>) = (weights(n), weights(m));
        let mut points = |n: usize| Array2::from_shape_simple_fn((n, 2), || power(-18.0, 18.0) as f32);
        let (x, y) = (points(n), points(m));
        let sinkhorn = Sinkhorn { max_iterations: 20, ..unbalanced(power(-305.0, 305.0), power(-305.0, 305.0)) };
        let cost = Cost::points(x.view(), y.view(), GroundCost::Manhattan);
        let problem = TransportProblem::new(a.view(), b.view(), cost);
        let told = || format!("{sinkhorn:?}, {problem:?}");
        let all_fit = |gradient: &crate::transport::TransportGradient<f32>| {
            let weights = gradient.a.iter().chain(&gradient.b).all(|slope| slope.is_finite());
            let CostGradient::Points { x, y } = &gradient.cost else { return false };
            weights && x.iter().chain(y).all(|slope| slope.is_finite())
        };
        if let Ok(solution) = sinkhorn.solve(problem) {
            answers += 1;
            assert!(solution.plan().iter().all(|mass| mass.is_finite() && *mass >= 0.0), "{}", told());
            assert!(solution.value.is_finite() && solution.transport_cost.is_finite(), "{}", told());
            assert!(solution.f.iter().chain(&solution.g).all(|p| p.is_finite()), "{}", told());
            assert!(solution.grad().iter().all(all_fit), "{}", told());
        }
        if let Ok(solution) = (SinkhornDivergence { sinkhorn }).solve(problem) {
            assert!(solution.value.is_finite() && !solution.marginal_error.is_nan(), "{}", told());
            assert!(solution.grad().iter().all(all_fit), "{}", told());
        }
    }
    assert!(answers > 200, "{answers}");
}
