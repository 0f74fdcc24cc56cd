//! Densities, and what one watches of logits.

use loglik::diagnostics::{Normalisation, TokenStats, TopK};
use loglik::likelihood::{
    Gaussian, bernoulli_nll, bernoulli_nll_each, bernoulli_nll_grad, bernoulli_nll_grad_into, bernoulli_nll_parts,
    gaussian_nll, gaussian_nll_each, gaussian_nll_grad, gaussian_nll_grad_into, gaussian_nll_parts, poisson_nll,
    poisson_nll_each, poisson_nll_grad, poisson_nll_grad_into, poisson_nll_parts,
};
use loglik::{Real, Reduction};
use ndarray::{Ix1, Ix2};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("gaussian_nll, sum", normal, |call, out| gaussian(call, out, Reduction::Sum)),
        Entry::new("gaussian_nll, mean", normal, |call, out| gaussian(call, out, Reduction::Mean)),
        Entry::new("gaussian_nll, weighted", normal, |call, out| {
            gaussian(call, out, Reduction::Weighted(&call.real(3)));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
        Entry::new("bernoulli_nll, sum", labels, |call, out| bernoulli(call, out, Reduction::Sum)),
        Entry::new("bernoulli_nll, mean", labels, |call, out| bernoulli(call, out, Reduction::Mean)),
        Entry::new("bernoulli_nll, weighted", labels, |call, out| {
            bernoulli(call, out, Reduction::Weighted(&call.real(2)));
        })
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
        Entry::new("poisson_nll, sum", counts, |call, out| poisson(call, out, Reduction::Sum)),
        Entry::new("poisson_nll, mean", counts, |call, out| poisson(call, out, Reduction::Mean)),
        Entry::new("poisson_nll, weighted", counts, |call, out| {
            poisson(call, out, Reduction::Weighted(&call.real(2)));
        })
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
        Entry::new("TopK", rows, |call, out| {
            for (name, normalisation) in [("raw", Normalisation::Raw), ("renormalised", Normalisation::Renormalised)] {
                let stats = TopK { k: 3, normalisation }.of(&call.real::<Ix2>(0));
                out.array(&format!("entropy, {name}"), stats.clone().map(|stats| stats.entropy));
                out.array(&format!("mass, {name}"), stats.map(|stats| stats.mass));
            }
        }),
        Entry::new("TokenStats", tokens, |call, out| {
            let stats = TokenStats { top_k: Some(3), ignore_index: Some(1) };
            let each = stats.each(&call.real::<Ix2>(0), &call.class::<Ix1>(0));
            let flags = |of: bool| T::of(f64::from(u8::from(of)));
            out.array("log_prob", each.clone().map(|each| each.log_prob));
            out.array("max", each.clone().map(|each| each.max));
            out.array("log_sum_exp", each.clone().map(|each| each.log_sum_exp));
            out.array("entropy", each.clone().map(|each| each.entropy));
            out.array("correct", each.clone().map(|each| each.correct.mapv(flags)));
            out.array("mass", each.clone().map(|each| each.top_k_mass.expect("it is asked for")));
            out.array("kept", each.clone().map(|each| each.kept.mapv(flags)));
            out.scalar("nll", each.and_then(|each| each.means()).map(|means| T::of(means.nll)));
        })
        .without(By::Class(0, 1), &[0], Seen::All),
    ]
}

fn gaussian<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (mean, log_variance, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
    out.scalar("value", gaussian_nll(&mean, &log_variance, &x, reduction));
    out.array("each", gaussian_nll_each(&mean, &log_variance, &x));
    out.parts(gaussian_nll_parts(&mean, &log_variance, &x));
    let result = gaussian_nll_grad(&mean, &log_variance, &x, reduction);
    out.grad("", [0, 1, 2], result.map(|(value, g)| (value, [g.mean, g.log_variance, g.x])));
    let buffer = || call.buffer(mean.raw_dim());
    let (mut a, mut b, mut c) = (buffer(), buffer(), buffer());
    let to = Gaussian { mean: a.view_mut(), log_variance: b.view_mut(), x: c.view_mut() };
    let result = gaussian_nll_grad_into(&mean, &log_variance, &x, reduction, to);
    out.grad("into: ", [0, 1, 2], result.map(|value| (value, [a, b, c].map(|buffer| buffer.view().to_owned()))));
}

fn bernoulli<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (logits, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    out.scalar("value", bernoulli_nll(&logits, &x, reduction));
    out.array("each", bernoulli_nll_each(&logits, &x));
    out.parts(bernoulli_nll_parts(&logits, &x));
    out.grad("", [0], bernoulli_nll_grad(&logits, &x, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| bernoulli_nll_grad_into(&logits, &x, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
}

fn poisson<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (log_rate, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    out.scalar("value", poisson_nll(&log_rate, &x, reduction));
    out.array("each", poisson_nll_each(&log_rate, &x));
    out.parts(poisson_nll_parts(&log_rate, &x));
    out.grad("", [0], poisson_nll_grad(&log_rate, &x, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| poisson_nll_grad_into(&log_rate, &x, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
}

fn shape(size: Size) -> [usize; 2] {
    [3, size.pick(4, 100_003)]
}

/// Mean, log-variance, observation, weights.
fn normal(random: &mut Random, size: Size) -> Inputs {
    let mut uniform = |low, high| random.uniform(&shape(size), low, high);
    Inputs::reals([uniform(-2.0, 2.0), uniform(-1.0, 1.0), uniform(-3.0, 3.0), uniform(0.0, 1.0)])
}

/// Logits, labels between 0 and 1, weights.
fn labels(random: &mut Random, size: Size) -> Inputs {
    let mut uniform = |low, high| random.uniform(&shape(size), low, high);
    Inputs::reals([uniform(-3.0, 3.0), uniform(0.0, 1.0), uniform(0.0, 1.0)])
}

/// Log-rate, counts, weights.
fn counts(random: &mut Random, size: Size) -> Inputs {
    let counts = random.classes(&shape(size), 12).mapv(|count| count as f64);
    Inputs::reals([random.uniform(&shape(size), -1.0, 2.0), counts, random.uniform(&shape(size), 0.0, 1.0)])
}

/// Logits and targets, of which the class 1 is ignored.
fn tokens(random: &mut Random, size: Size) -> Inputs {
    let inputs = rows(random, size);
    let mut targets = random.classes(&inputs.reals[0].shape()[..1], 7);
    targets[[0]] = 2; // one at least is kept
    inputs.classes([targets])
}

fn rows(random: &mut Random, size: Size) -> Inputs {
    Inputs::reals([random.uniform(&[size.pick(4, 41), size.pick(7, 20_011)], -3.0, 3.0)])
}
