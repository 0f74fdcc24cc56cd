//! Likelihoods, log-ratios and transport.

use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments,
};
use loglik::ndarray::{Array1, Array2};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::transport::{
    Cost, EmdBounds, GroundCost, Measure, Sinkhorn, SinkhornDivergence, SlicedWasserstein, TransportProblem, emd,
    emd_grad, emd_plan, wasserstein_1d,
};
use loglik::{Real, Reduction, Result};

/// The total over all likelihoods and log-ratios.
pub fn likelihoods<T: Real>() -> Result<f64> {
    let column = |step: f64| Array1::from_shape_fn(64, |i| T::from_f64((step * i as f64) % 3.0));
    let (x, y, z) = (column(0.7), column(1.3), column(1.0));
    let mut total = 0.0;
    let mut add = |x: T| total += x.as_f64();
    add(Gaussian.grad(GaussianArguments { mean: &x, log_variance: &y, x: &z }, Reduction::Mean)?.0);
    add(Poisson.grad(PoissonArguments { log_rate: &x, x: &z }, Reduction::Mean)?.0);
    let labels = z.mapv(|z| if z > T::one() { T::one() } else { T::zero() });
    add(Bernoulli.grad(BernoulliArguments { logits: &x, x: &labels }, Reduction::Sum)?.0);
    let ratios = Samples { real: x.view(), fake: y.view() };
    add(Ddo::default().grad(ratios, Samples::both(Reduction::Mean))?.0);
    Ok(total)
}

/// The total over exact and entropic transport.
pub fn transport<T: Real>() -> Result<f64> {
    let points =
        |seed: usize| Array2::from_shape_fn((6, 2), |(i, j)| T::from_f64(((i * 7 + j * seed) % 11) as f64 / 4.0));
    let (x, y) = (points(3), points(5));
    let weights = Array1::from_elem(6, T::from_f64(0.125));
    let cost = Array2::from_shape_fn((6, 6), |(i, j)| T::from_f64(((i * 5 + j * 3) % 7) as f64));
    let by_matrix = TransportProblem::new(weights.view(), weights.view(), Cost::matrix(cost.view()));
    let by_points =
        TransportProblem::new(weights.view(), weights.view(), Cost::points(x.view(), y.view(), GroundCost::Euclidean));
    let mut total = 0.0;
    let mut add = |x: T| total += x.as_f64();
    for problem in [by_matrix, by_points] {
        add(emd(problem)? + emd_grad(problem)?.0 + emd_plan(problem)?.dual);
        add(EmdBounds::default().solve(problem)?.upper);
        add(Sinkhorn::default().grad(problem)?.0);
    }
    add(SinkhornDivergence::default().value(by_points)?);
    let line = |x: &Array2<T>| x.column(0).to_owned();
    let (x, y) = (line(&x), line(&y));
    add(wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), 2.0)?);
    let _ = SlicedWasserstein::default();
    Ok(total)
}
