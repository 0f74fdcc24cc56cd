//! Densities, and what one watches of logits.

use loglik::diagnostics::{TokenStats, TopK, TopKNormalization};
use loglik::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, Poisson, PoissonArguments, QuasiPoisson,
    SharedGaussian, SharedGaussianArguments, WeightedBernoulli, WeightedBernoulliArguments,
};
use loglik::{Real, Reduction};
use ndarray::{ArrayViewMut2, Ix1, Ix2};

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
        Entry::new("shared_gaussian_nll, mean", shared, |call, out| {
            let (mean, log_variance, x) = (call.real::<Ix2>(0), call.real::<Ix1>(1), call.real::<Ix2>(2));
            let arguments = SharedGaussianArguments { mean: &*mean, log_variance: &*log_variance, x: &*x };
            out.scalar("value", SharedGaussian.value(arguments, Reduction::Mean));
            out.array("each", SharedGaussian.each(arguments));
            out.sum_count(SharedGaussian.sum_count(arguments));
            let result = SharedGaussian.grad(arguments, Reduction::Mean);
            out.array("grad 0", result.clone().map(|(_, gradient)| gradient.mean));
            out.array("grad 1", result.clone().map(|(_, gradient)| gradient.log_variance));
            out.array("grad 2", result.map(|(_, gradient)| gradient.x));
        }),
        Entry::new("weighted_bernoulli_nll, weighted", weighted_labels, |call, out| {
            let (logits, x, positive) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
            let weights = call.real::<Ix2>(3);
            let reduction = Reduction::Weighted(&weights);
            let arguments = WeightedBernoulliArguments { logits: &*logits, x: &*x, positive_weight: &*positive };
            out.scalar("value", WeightedBernoulli.value(arguments, reduction));
            out.array("each", WeightedBernoulli.each(arguments));
            out.sum_count(WeightedBernoulli.sum_count(arguments));
            let result = WeightedBernoulli.grad(arguments, reduction);
            out.grad("", [0], result.map(|(value, g)| (value, [g])));
            let grad_into = |mut to: ArrayViewMut2<T>| WeightedBernoulli.grad_into(arguments, reduction, &mut to);
            out.grad("into: ", [0], call.into(x.raw_dim(), grad_into).map(|(value, g)| (value, [g])));
        })
        .without(By::Weights(3), &[0, 1, 2], Seen::Reduced),
        Entry::new("quasi_poisson_nll, weighted", amounts, |call, out| {
            let (log_rate, x, weights) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
            let reduction = Reduction::Weighted(&weights);
            let arguments = PoissonArguments { log_rate: &*log_rate, x: &*x };
            out.scalar("value", QuasiPoisson.value(arguments, reduction));
            out.array("each", QuasiPoisson.each(arguments));
            out.sum_count(QuasiPoisson.sum_count(arguments));
            out.grad("", [0], QuasiPoisson.grad(arguments, reduction).map(|(value, g)| (value, [g])));
            let into = call.into(x.raw_dim(), |mut to| QuasiPoisson.grad_into(arguments, reduction, &mut to));
            out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
        })
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
        Entry::new("TopK", rows, |call, out| {
            for (name, normalization) in
                [("raw", TopKNormalization::Raw), ("renormalized", TopKNormalization::Renormalized)]
            {
                let stats = TopK { k: 3, normalization }.each(&call.real::<Ix2>(0));
                out.array(&format!("entropy, {name}"), stats.clone().map(|stats| stats.entropy));
                out.array(&format!("mass, {name}"), stats.map(|stats| stats.mass));
            }
        }),
        Entry::new("TokenStats", tokens, |call, out| {
            let stats = TokenStats { top_k: Some(3), ignore_index: Some(1) };
            let each = stats.each(&call.real::<Ix2>(0), &call.class::<Ix1>(0));
            let flags = |of: bool| T::from_f64(f64::from(u8::from(of)));
            out.array("log_prob", each.clone().map(|each| each.log_prob));
            out.array("max", each.clone().map(|each| each.max));
            out.array("log_sum_exp", each.clone().map(|each| each.log_sum_exp));
            out.array("entropy", each.clone().map(|each| each.entropy));
            out.array("correct", each.clone().map(|each| each.correct.mapv(flags)));
            out.array("mass", each.clone().map(|each| each.top_k_mass.expect("it is asked for")));
            out.array("kept", each.clone().map(|each| each.kept.mapv(flags)));
            out.scalar("nll", each.and_then(|each| each.means()).map(|means| T::from_f64(means.nll)));
        })
        .without(By::Class(0, 1), &[0], Seen::All),
    ]
}

fn gaussian<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (mean, log_variance, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(2));
    let arguments = GaussianArguments { mean: &*mean, log_variance: &*log_variance, x: &*x };
    out.scalar("value", Gaussian.value(arguments, reduction));
    out.array("each", Gaussian.each(arguments));
    out.sum_count(Gaussian.sum_count(arguments));
    let result = Gaussian.grad(arguments, reduction);
    out.grad("", [0, 1, 2], result.map(|(value, g)| (value, [g.mean, g.log_variance, g.x])));
    let buffer = || call.buffer(mean.raw_dim());
    let (mut a, mut b, mut c) = (buffer(), buffer(), buffer());
    let to = GaussianArguments { mean: &mut *a.view_mut(), log_variance: &mut *b.view_mut(), x: &mut *c.view_mut() };
    let result = Gaussian.grad_into(arguments, reduction, to);
    out.grad("into: ", [0, 1, 2], result.map(|value| (value, [a, b, c].map(|buffer| buffer.view().to_owned()))));
}

fn bernoulli<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (logits, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let arguments = BernoulliArguments { logits: &*logits, x: &*x };
    out.scalar("value", Bernoulli.value(arguments, reduction));
    out.array("each", Bernoulli.each(arguments));
    out.sum_count(Bernoulli.sum_count(arguments));
    out.grad("", [0], Bernoulli.grad(arguments, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| Bernoulli.grad_into(arguments, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
}

fn poisson<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T, Ix2>) {
    let (log_rate, x) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let arguments = PoissonArguments { log_rate: &*log_rate, x: &*x };
    out.scalar("value", Poisson.value(arguments, reduction));
    out.array("each", Poisson.each(arguments));
    out.sum_count(Poisson.sum_count(arguments));
    out.grad("", [0], Poisson.grad(arguments, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| Poisson.grad_into(arguments, reduction, &mut to));
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

/// Mean, one log-variance for each column, observation.
fn shared(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(3, 100_003), 4];
    let mut uniform = |shape: &[usize], low, high| random.uniform(shape, low, high);
    Inputs::reals([uniform(&shape, -2.0, 2.0), uniform(&[4], -1.0, 1.0), uniform(&shape, -3.0, 3.0)])
}

/// Logits, labels between 0 and 1, weights of positive labels, weights.
fn weighted_labels(random: &mut Random, size: Size) -> Inputs {
    let mut uniform = |low, high| random.uniform(&shape(size), low, high);
    Inputs::reals([uniform(-3.0, 3.0), uniform(0.0, 1.0), uniform(0.5, 4.0), uniform(0.0, 1.0)])
}

/// Log-rate, numbers that are no counts, weights.
fn amounts(random: &mut Random, size: Size) -> Inputs {
    let mut uniform = |low, high| random.uniform(&shape(size), low, high);
    Inputs::reals([uniform(-1.0, 2.0), uniform(0.5, 8.0), uniform(0.0, 1.0)])
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
