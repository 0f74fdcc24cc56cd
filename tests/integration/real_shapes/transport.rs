//! Exact transport between a thousand places on each side, proved optimal by its own potentials in a plain loop.

use loglik::Real;
use loglik::transport::{Cost, CostGradient, EmdSolution, GroundCost, TransportProblem, emd, emd_grad, emd_plan};
use ndarray::{Array1, Array2, ArrayView1, Axis};

const PLACES: usize = 1_000;

/// Numbers in `[0, 1)`, the same for the same seed.
fn numbers(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Weights that sum to one, of which one in ten is zero where `gaps` is.
fn weights<T: Real>(gaps: bool, next: &mut impl FnMut() -> f64) -> Array1<T> {
    let weights = Array1::from_shape_simple_fn(PLACES, || if gaps && next() < 0.1 { 0.0 } else { 0.01 + next() });
    (&weights / weights.sum()).mapv(T::from_f64)
}

/// Whether the plan meets the weights, the potentials are feasible, and mass flows only where they touch the costs.
#[track_caller]
fn is_optimal<T: Real>(
    (a, b): (ArrayView1<'_, T>, ArrayView1<'_, T>),
    costs: &Array2<f64>,
    solution: &EmdSolution<T>,
    tolerance: f64,
) {
    let mut plan = Array2::<f64>::zeros((PLACES, PLACES));
    let mut paid = 0.0;
    for flow in solution.plan.flows() {
        plan[[flow.from, flow.to]] = flow.mass.as_f64();
        let (cost, potentials) =
            (costs[[flow.from, flow.to]], solution.u[flow.from].as_f64() + solution.v[flow.to].as_f64());
        assert!(cost - potentials <= tolerance, "mass flows where it saves {}", potentials - cost);
        paid += flow.mass.as_f64() * cost;
    }
    for (sums, wanted) in [(plan.sum_axis(Axis(1)), a), (plan.sum_axis(Axis(0)), b)] {
        assert!(sums.iter().zip(wanted).all(|(sum, wanted)| (sum - wanted.as_f64()).abs() <= tolerance));
    }
    for ((i, j), cost) in costs.indexed_iter() {
        let potentials = solution.u[i].as_f64() + solution.v[j].as_f64();
        assert!(potentials <= cost + 2.0 * f64::EPSILON * cost.abs(), "{i}, {j}: {potentials} above {cost}");
    }
    let worth = |weights: ArrayView1<'_, T>, potentials: &Array1<T>| {
        weights.iter().zip(potentials).map(|(weight, potential)| weight.as_f64() * potential.as_f64()).sum::<f64>()
    };
    let dual = worth(a, &solution.u) + worth(b, &solution.v);
    let near = |value: f64| (value - paid).abs() <= tolerance;
    assert!(near(dual) && near(solution.cost.as_f64()) && near(solution.dual.as_f64()), "{solution:?}");
    assert!((0.0..=tolerance).contains(&solution.gap.as_f64()), "the gap is {}", solution.gap);
}

fn solves<T: Real>(tolerance: f64) {
    let mut next = numbers(1);
    let even = Array1::from_elem(PLACES, T::from_f64(1.0 / PLACES as f64));
    let (a, b) = (weights::<T>(true, &mut next), weights::<T>(true, &mut next));
    let costs = Array2::from_shape_simple_fn((PLACES, PLACES), || T::from_f64(next() - 0.25));
    let wide = costs.mapv(Real::as_f64);
    for (a, b) in [(even.view(), even.view()), (a.view(), b.view())] {
        let problem = TransportProblem::new(a, b, Cost::matrix(costs.view()));
        let solution = emd_plan(problem).unwrap();
        is_optimal((a, b), &wide, &solution, tolerance);
        assert_eq!(emd(problem), Ok(solution.cost));
        let (value, gradient) = emd_grad(problem).unwrap();
        assert_eq!((value, gradient.cost), (solution.cost, CostGradient::Matrix(solution.plan.to_dense())));
    }
    let x = Array2::from_shape_simple_fn((PLACES, 3), || T::from_f64(next()));
    let y = Array2::from_shape_simple_fn((PLACES, 3), || T::from_f64(1.5 * next()));
    for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
        let wide = Array2::from_shape_fn((PLACES, PLACES), |(i, j)| {
            let differences = x.row(i).iter().zip(y.row(j)).map(|(x, y)| x.as_f64() - y.as_f64()).collect::<Vec<_>>();
            let squares = differences.iter().map(|d| d * d).sum::<f64>();
            match ground {
                GroundCost::SquaredEuclidean => squares,
                GroundCost::Euclidean => squares.sqrt(),
                GroundCost::Manhattan => differences.iter().map(|d| d.abs()).sum(),
            }
        });
        let problem = TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground));
        is_optimal((a.view(), b.view()), &wide, &emd_plan(problem).unwrap(), tolerance);
    }
}

#[test]
fn transport_of_a_thousand_places_is_optimal_in_f64() {
    solves::<f64>(1e-14);
}

#[test]
fn transport_of_a_thousand_places_is_optimal_in_f32() {
    solves::<f32>(2e-6);
}

#[test]
fn a_thousand_places_with_forbidden_ways_and_far_costs_are_optimal() {
    let mut next = numbers(2);
    let even = Array1::from_elem(PLACES, 1.0 / PLACES as f64);
    let costs = Array2::from_shape_simple_fn((PLACES, PLACES), || match next() {
        share if share < 0.5 => f64::INFINITY,
        share if share < 0.9 => 1e18 * share,
        _ => next(),
    });
    let solution = emd_plan(TransportProblem::new(even.view(), even.view(), Cost::matrix(costs.view()))).unwrap();
    assert!(solution.cost < 1.0);
    is_optimal((even.view(), even.view()), &costs, &solution, 1e-13);
}
