//! Optimal transport.

use loglik::Real;
use loglik::transport::{Cost, Measure, Sinkhorn, TransportProblem, emd_grad, wasserstein_1d as distance};
use ndarray::{Array1, Ix1, Ix2};

use super::{Case, Failure};

/// `W_p^p`; a side without weights is uniform.
pub fn wasserstein_1d<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let p = case.number("p")?.unwrap_or(1.0);
    let (x, y) = (case.input::<Ix1>("x")?, case.input::<Ix1>("y")?);
    let (x_weights, y_weights) = (case.optional("x_weights")?, case.optional("y_weights")?);
    case.give_scalar("out", distance(measure(&x, &x_weights), measure(&y, &y_weights), p)?);
    Ok(())
}

/// The least cost, by the call that also gives its plan.
pub fn emd<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (a, b, cost) = (case.input::<Ix1>("a")?, case.input::<Ix1>("b")?, case.input::<Ix2>("cost")?);
    let (value, _) = emd_grad(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?;
    case.give_scalar("out", value);
    Ok(())
}

/// The plan and what it pays, not less nearly than the element type allows.
pub fn sinkhorn<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (a, b, cost) = (case.input::<Ix1>("a")?, case.input::<Ix1>("b")?, case.input::<Ix2>("cost")?);
    let regularization = case.number("regularization")?.ok_or("sinkhorn has no default for `regularization`")?;
    let sinkhorn = Sinkhorn { regularization, tolerance: T::epsilon().as_f64().max(1e-13), ..Sinkhorn::default() };
    let solution = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view())))?;
    if !solution.converged {
        let (iterations, error) = (solution.iterations, solution.marginal_error);
        return Err(format!("no plan after {iterations} iterations: the marginals are off by {error:e}").into());
    }
    case.give("plan", &solution.plan());
    case.give_scalar("transport_cost", solution.transport_cost);
    Ok(())
}

fn measure<'a, T: Real>(points: &'a Array1<T>, weights: &'a Option<Array1<T>>) -> Measure<'a, T> {
    match weights {
        None => Measure::uniform(points.view()),
        Some(weights) => Measure::weighted(points.view(), weights.view()),
    }
}
