//! Densities: one negative log-likelihood for each observation, gradients of their sum.

use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments,
};
use loglik::{Real, Reduction};
use ndarray::{ArrayD, Zip};

use super::{Case, Failure};

/// The files give the standard deviation σ: `ln σ²` goes in, and a gradient in σ is `2/σ` times that in `ln σ²`.
pub fn normal<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (mean, x): (ArrayD<T>, ArrayD<T>) = (case.input("mean")?, case.input("x")?);
    let std = case.wide("std").ok_or("input `std` is missing")?;
    let log_variance = std.mapv(|std| T::from_f64(2.0 * std.ln()));
    case.give("nll", &Gaussian.each(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x })?);
    let (_, gradient) =
        Gaussian.grad(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)?;
    case.give("grad.mean", &gradient.mean);
    case.give("grad.x", &gradient.x);
    let by_std = Zip::from(&gradient.log_variance).and(std).map_collect(|&slope, &std| slope * T::from_f64(2.0 / std));
    case.give("grad.std", &by_std);
    Ok(())
}

pub fn bernoulli_logits<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (logits, x): (ArrayD<T>, ArrayD<T>) = (case.input("logits")?, case.input("x")?);
    case.give("nll", &Bernoulli.each(BernoulliArguments { logits: &logits, x: &x })?);
    case.give("grad.logits", &Bernoulli.grad(BernoulliArguments { logits: &logits, x: &x }, Reduction::Sum)?.1);
    Ok(())
}

pub fn poisson_log<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (log_rate, x): (ArrayD<T>, ArrayD<T>) = (case.input("log_rate")?, case.input("x")?);
    case.give("nll", &Poisson.each(PoissonArguments { log_rate: &log_rate, x: &x })?);
    case.give("grad.log_rate", &Poisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Sum)?.1);
    Ok(())
}
