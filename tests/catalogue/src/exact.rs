//! Exact transport between weighted places, and the bounds around it.

use loglik::Real;
use loglik::transport::{
    Cost, CostGradient, EmdBounds, GroundCost, TransportGradient, TransportProblem, axis_bound, c_transform,
    centroid_bound, dual_bound, emd, emd_grad, emd_plan, plan_cost, product_coupling_cost, projection_bound,
    round_plan, total_variation_bound,
};
use ndarray::{Array2, ArrayD, Ix1, Ix2};

use super::{By, Entry, Inputs, Random, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("emd", places, |call, out| {
            let (a, b, cost) = (call.real::<Ix1>(0), call.real::<Ix1>(1), call.real::<Ix2>(2));
            let problem = TransportProblem::new(a, b, Cost::matrix(cost));
            out.scalar("value", emd(problem));
            out.grad("", [2], emd_grad(problem).map(|(value, gradient)| (value, [plan(gradient)])));
            let solution = emd_plan(problem);
            out.array("u", solution.clone().map(|solution| solution.u));
            out.array("v", solution.clone().map(|solution| solution.v));
            out.scalar("gap", solution.map(|solution| solution.gap));
        })
        .without(By::Weights(0), &[2], Seen::Only("value")),
        Entry::new("bounds on emd", places, |call, out| {
            let (a, b) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let matrix = TransportProblem::new(a.view(), b.view(), Cost::matrix(call.real::<Ix2>(2)));
            out.scalar("product", product_coupling_cost(matrix));
            let rounded = round_plan(matrix, &call.real::<Ix2>(5));
            out.scalar("plan", rounded.clone().and_then(|plan| plan_cost(matrix, &plan)));
            out.array("rounded", rounded);
            out.array("c-transform", c_transform(matrix.cost, &a));
            out.scalar("dual", dual_bound(matrix, &a, &b));
            let (x, y) = (call.real::<Ix2>(3), call.real::<Ix2>(4));
            for ground in [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan] {
                let points = TransportProblem::new(a.view(), b.view(), Cost::points(x, y, ground));
                out.scalar("points", emd(points));
                out.scalar("centroids", centroid_bound(points));
                out.scalar("axes", axis_bound(points));
                out.scalar("projections", projection_bound(points, &x));
                interval(out, points);
            }
            let home = TransportProblem::new(a.view(), a.view(), Cost::points(x, x, GroundCost::Manhattan));
            out.scalar("variation", total_variation_bound(home));
            interval(out, matrix);
        })
        .forming(&["directions", "plan"]),
    ]
}

/// The gradient in the entries of a matrix of costs.
fn plan<T: Real>(gradient: TransportGradient<T>) -> Array2<T> {
    match gradient.cost {
        CostGradient::Matrix(plan) => plan,
        CostGradient::Points { x, .. } => x,
    }
}

fn interval<T: Real>(out: &mut Results<T>, problem: TransportProblem<'_, T>) {
    let interval = EmdBounds { gap: knob(0.05), budget: 60 }.solve(problem);
    out.scalar("lower", interval.clone().map(|interval| interval.lower));
    out.scalar("upper", interval.map(|interval| interval.upper));
}

/// Weights of both sides with one total, costs, points, and a guess of a plan.
fn places(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(6, 311), size.pick(9, 433));
    let weights = [random.uniform(&[n], 0.1, 1.0), random.uniform(&[m], 0.1, 1.0)];
    let [a, b] = weights.map(|weights| balanced(&weights));
    Inputs::reals([
        a,
        b,
        random.uniform(&[n, m], -0.5, 1.0),
        random.uniform(&[n, 2], -1.0, 1.0),
        random.uniform(&[m, 2], -0.5, 1.5),
        random.uniform(&[n, m], 0.0, 1.0 / (n * m) as f64),
    ])
}

/// Weights that sum to 1, exactly and in either type: multiples of 2⁻¹².
fn balanced(weights: &ArrayD<f64>) -> ArrayD<f64> {
    let mut weights = (weights / weights.sum()).mapv(|weight| (4_096.0 * weight).floor() / 4_096.0);
    weights[[0]] += 1.0 - weights.sum();
    weights
}
