//! Objectives of logits with a detached factor, and the expected cost of distributions.

use loglik::logits::{MixCe, TaiLr, TokenObjective};
use loglik::transport::{CosineCost, demd_soft, demd_soft_grad};
use loglik::{Real, Reduction};
use ndarray::{ArrayD, Ix1, Ix2};

use super::{By, Call, Entry, Inputs, Random, Reduced, Results, Seen, Size, knob};

const CLASSES: usize = 5;

/// The class that is ignored where one is.
const LAST: i64 = CLASSES as i64 - 1;

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("TaiLr, sum", tokens, |call, out| tailr(call, out, knob(0.1), Reduction::Sum))
            .detaching(weighted_nll, Reduced::Sum)
            .rounding()
            .without(By::Class(0, LAST), &[0], Seen::All),
        Entry::new("TaiLr, mean", tokens, |call, out| tailr(call, out, knob(0.8), Reduction::Mean))
            .detaching(weighted_nll, Reduced::Mean)
            .rounding()
            .without(By::Class(0, LAST), &[0], Seen::All),
        Entry::new("TaiLr, weighted", long_tokens, |call, out| {
            tailr(call, out, knob(0.5), Reduction::Weighted(&call.real::<Ix1>(1)));
        })
        .detaching(weighted_nll, Reduced::Weighted(1))
        .rounding()
        .without(By::Weights(1), &[0], Seen::Reduced),
        Entry::new("MixCe, mean", tokens, |call, out| mix_ce(call, out, Reduction::Mean))
            .detaching(weighted_nll, Reduced::Mean)
            .rounding()
            .without(By::Class(0, LAST), &[0], Seen::All),
        Entry::new("MixCe, weighted", tokens, |call, out| {
            mix_ce(call, out, Reduction::Weighted(&call.real::<Ix1>(1)));
        })
        .detaching(weighted_nll, Reduced::Weighted(1))
        .rounding()
        .without(By::Weights(1), &[0], Seen::Reduced),
        Entry::new("demd_soft", distributions, |call, out| {
            let (x, p) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let cost = CosineCost::new(&call.real::<Ix2>(2));
            out.array("each", cost.clone().and_then(|cost| demd_soft(&x, &p, &cost)));
            let result = cost.and_then(|cost| demd_soft_grad(&x, &p, &cost));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
    ]
}

/// The losses of which the gradients are, with the weights of `base`.
fn weighted_nll(now: &Results<f64>, base: &Results<f64>) -> ArrayD<f64> {
    now.get("nll") * base.get("weight")
}

/// Both have the same methods and share no trait.
macro_rules! methods {
    ($call:ident, $out:ident, $loss:ident, $reduction:ident) => {{
        let (x, targets) = ($call.real::<Ix2>(0), $call.class::<Ix1>(0));
        $out.scalar("value", $loss.value(&x, &targets, $reduction));
        $out.array("each", $loss.each(&x, &targets));
        $out.sum_count($loss.sum_count(&x, &targets));
        let terms = $loss.terms(&x, &targets);
        $out.array("nll", terms.clone().map(|terms| terms.nll));
        $out.array("weight", terms.map(|terms| terms.weight));
        $out.grad("", [0], $loss.grad(&x, &targets, $reduction).map(|(value, gradient)| (value, [gradient])));
        let into = $call.into(x.raw_dim(), |mut to| $loss.grad_into(&x, &targets, $reduction, &mut to));
        $out.grad("into: ", [0], into.map(|(value, gradient)| (value, [gradient])));
        let in_place = $call.in_place::<Ix2, _>(0, |mut x| $loss.grad_in_place(&mut x, &targets, $reduction));
        $out.grad("in place: ", [0], in_place.map(|(value, gradient)| (value, [gradient])));
    }};
}

/// The last class is ignored.
fn tailr<T: Real>(call: &Call<T>, out: &mut Results<T>, gamma: f64, reduction: Reduction<T>) {
    let loss = TaiLr { gamma, min_weight: knob(0.05), ignore_index: Some(LAST) };
    methods!(call, out, loss, reduction);
}

fn mix_ce<T: Real>(call: &Call<T>, out: &mut Results<T>, reduction: Reduction<T>) {
    let loss = MixCe { eta: knob(0.3), ignore_index: Some(LAST) };
    methods!(call, out, loss, reduction);
}

fn rows(random: &mut Random, n: usize, classes: usize) -> Inputs {
    let reals = [random.uniform(&[n, classes], -3.0, 3.0), random.uniform(&[n], 0.0, 1.0)];
    Inputs::reals(reals).classes([random.classes(&[n], classes)])
}

/// Logits, weights; targets: rows that go sixteen at a time.
fn tokens(random: &mut Random, size: Size) -> Inputs {
    rows(random, size.pick(6, 90_001), size.long(CLASSES, 32_000))
}

/// The same, in rows that go one by one.
fn long_tokens(random: &mut Random, size: Size) -> Inputs {
    rows(random, size.pick(3, 201), size.pick(70, 5_003))
}

/// Logits, distributions over the classes, embeddings.
fn distributions(random: &mut Random, size: Size) -> Inputs {
    let shape = [size.pick(4, 301), size.pick(7, 1_511)];
    let mut probs = random.uniform(&shape, 0.0, 1.0);
    for mut row in probs.rows_mut() {
        row /= row.sum();
    }
    Inputs::reals([random.uniform(&shape, -2.0, 2.0), probs, random.uniform(&[shape[1], 5], -1.0, 1.0)])
}
