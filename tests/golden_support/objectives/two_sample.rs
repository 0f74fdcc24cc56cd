//! Two samples: distances, bounds of a critic, and areas under curves.

use loglik::ratio::Samples;
use loglik::ratio::bound::{donsker_varadhan_grad, info_nce_bound_grad, jensen_shannon_bound_grad, nwj_bound_grad};
use loglik::ratio::decision::{auc as area, roc_curve};
use loglik::ratio::two_sample::{Mmd, MmdEstimator, RadialKernel, energy_distance_grad};
use loglik::{Real, Reduction};
use ndarray::{Array1, Dimension, Ix1, Ix2};

use super::{Case, Failure};

type Arrays<T, D> = Samples<ndarray::Array<T, D>>;

fn sides<T: Real, D: Dimension>(case: &Case<T>) -> Result<Arrays<T, D>, Failure> {
    Ok(Samples { real: case.input("real")?, fake: case.input("fake")? })
}

fn give<T: Real, D: Dimension>(case: &Case<T>, value: T, gradient: &Arrays<T, D>) -> Result<(), Failure> {
    case.give_scalar("out", value);
    case.give("grad.real", &gradient.real);
    case.give("grad.fake", &gradient.fake);
    Ok(())
}

pub fn mmd<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let points = sides::<T, Ix2>(case)?;
    let widths = case.list("widths", |width| width.as_f64())?;
    let estimator = match case.word("estimator")? {
        Some("biased") => MmdEstimator::Biased,
        Some("unbiased") => MmdEstimator::Unbiased,
        other => return Err(format!("no estimator is {other:?}").into()),
    };
    let kernels = widths.into_iter().map(|width| RadialKernel::Gaussian { width }).collect();
    let points = Samples { real: points.real.view(), fake: points.fake.view() };
    let (value, gradient) = Mmd { kernels, estimator }.grad(points)?;
    give(case, value, &gradient)
}

pub fn energy_distance<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let points = sides::<T, Ix2>(case)?;
    let (value, gradient) = energy_distance_grad(Samples { real: points.real.view(), fake: points.fake.view() })?;
    give(case, value, &gradient)
}

/// A bound of a critic, by name.
pub fn bound<T: Real>(case: &Case<T>, name: &str) -> Result<(), Failure> {
    let scores = sides::<T, Ix1>(case)?;
    let scores = Samples { real: scores.real.view(), fake: scores.fake.view() };
    let both = Samples::both(Reduction::Mean);
    let (value, gradient) = match name {
        "nwj_bound" => nwj_bound_grad(scores, both)?,
        "jensen_shannon_bound" => jensen_shannon_bound_grad(scores, both)?,
        _ => donsker_varadhan_grad(scores, both)?,
    };
    give(case, value, &gradient)
}

pub fn info_nce_bound<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let (value, gradient) = info_nce_bound_grad(&case.input::<Ix2>("scores")?)?;
    case.give_scalar("out", value);
    case.give("grad.scores", &gradient);
    Ok(())
}

pub fn auc<T: Real>(case: &Case<T>) -> Result<(), Failure> {
    let scores = sides::<T, Ix1>(case)?;
    let (u, v) = (case.optional::<Ix1>("real_weights")?, case.optional::<Ix1>("fake_weights")?);
    fn by<T>(weights: &Option<Array1<T>>) -> Reduction<'_, T> {
        weights.as_ref().map_or(Reduction::Mean, |weights| Reduction::Weighted(weights))
    }
    let reductions = Samples { real: by(&u), fake: by(&v) };
    let scores = Samples { real: scores.real.view(), fake: scores.fake.view() };
    case.give_scalar("out", area(scores, reductions)?);
    let curve = roc_curve(scores, reductions)?;
    case.give("false_positive_rate", &curve.false_positive_rate);
    case.give("true_positive_rate", &curve.true_positive_rate);
    case.give("thresholds", &curve.thresholds);
    Ok(())
}
