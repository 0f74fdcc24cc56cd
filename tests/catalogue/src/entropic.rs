//! Entropic transport.

use loglik::transport::{
    Cost, CostGradient, GroundCost, Sinkhorn, SinkhornDivergence, TransportGradient, TransportProblem,
};
use loglik::{Real, Result};
use ndarray::Array2;

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Sinkhorn", clouds, |call, out| {
            let sinkhorn =
                Sinkhorn { regularization: knob(0.3), max_iterations: 40, tolerance: 1e-12, ..Sinkhorn::default() };
            entropic(call, out, |problem| {
                sinkhorn.solve(problem).and_then(|solved| Ok((solved.value, solved.grad()?)))
            });
            let solution = sinkhorn.solve(problem(call));
            out.array("plan", solution.as_ref().map(|solution| solution.plan()).map_err(Clone::clone));
            out.scalar("transport cost", solution.map(|solution| solution.transport_cost));
        })
        .without(By::Weights(0), &[2], Seen::Only("value"))
        .without(By::Weights(1), &[3], Seen::Only("value")),
        Entry::new("Sinkhorn, unbalanced", clouds, |call, out| {
            let sinkhorn =
                Sinkhorn { regularization: knob(0.3), max_iterations: 40, tolerance: 1e-12, ..Sinkhorn::default() };
            free(call, out, |problem| Sinkhorn { marginal_penalty: Some(knob(0.8)), ..sinkhorn }.grad(problem));
        })
        .without(By::Weights(0), &[2], Seen::Only("value"))
        .without(By::Weights(1), &[3], Seen::Only("value")),
        Entry::new("SinkhornDivergence, unbalanced", clouds, |call, out| {
            let sinkhorn =
                Sinkhorn { regularization: knob(0.3), max_iterations: 40, tolerance: 1e-12, ..Sinkhorn::default() };
            let sinkhorn = Sinkhorn { marginal_penalty: Some(knob(0.8)), ..sinkhorn };
            free(call, out, |problem| SinkhornDivergence { sinkhorn }.grad(problem));
        })
        .without(By::Weights(0), &[2], Seen::Only("value"))
        .without(By::Weights(1), &[3], Seen::Only("value")),
    ]
}

/// Weights and points of both sides.
fn problem<'a, T: Real>(call: &'a Call<'_, T>) -> TransportProblem<'a, T> {
    TransportProblem::new(call.real(0), call.real(1), Cost::points(call.real(2), call.real(3), GroundCost::default()))
}

/// A value whose slopes in weights are of those that keep totals: they are no differences.
fn entropic<'a, T: Real>(
    call: &'a Call<'_, T>,
    out: &mut Results<T>,
    f: impl Fn(TransportProblem<'a, T>) -> Result<(T, TransportGradient<T>)>,
) {
    let result = f(problem(call));
    out.array("slopes in a", result.clone().map(|(_, gradient)| gradient.a));
    out.array("slopes in b", result.clone().map(|(_, gradient)| gradient.b));
    out.grad("", [2, 3], result.map(|(value, gradient)| (value, points(gradient))));
}

/// A value that has slopes in everything.
fn free<'a, T: Real>(
    call: &'a Call<'_, T>,
    out: &mut Results<T>,
    f: impl Fn(TransportProblem<'a, T>) -> Result<(T, TransportGradient<T>)>,
) {
    let result = f(problem(call));
    out.grad("", [0, 1], result.clone().map(|(value, gradient)| (value, [gradient.a, gradient.b])));
    out.grad("points: ", [2, 3], result.map(|(value, gradient)| (value, points(gradient))));
}

fn points<T: Real>(gradient: TransportGradient<T>) -> [Array2<T>; 2] {
    match gradient.cost {
        CostGradient::Points { x, y } => [x, y],
        CostGradient::Matrix(slopes) => [slopes.clone(), slopes],
    }
}

/// Weights of both sides with one total, and their points in the plane.
fn clouds(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = (size.pick(5, 211), size.pick(4, 701));
    let weights = [random.uniform(&[n], 0.5, 1.0), random.uniform(&[m], 0.5, 1.0)];
    let [a, b] = weights.map(|weights| &weights / weights.sum());
    Inputs::reals([a, b, random.uniform(&[n, 2], -1.0, 1.0), random.uniform(&[m, 2], -1.0, 1.0)])
}
