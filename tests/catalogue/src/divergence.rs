//! Divergences between distributions over classes.

use loglik::divergence::{
    AmariDivergence, Categorical, CategoricalDivergence, ClassDivergence, FDivergence, GeneralizedJsd, InterpolatedJsd,
    JensenShannonDivergence, KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare, RenyiDivergence,
    ReverseKlDivergence, Sides, SparseDivergence, SparseTeacher, SquaredHellinger, Tail, TotalVariation,
};
use loglik::logits::LogitTransform;
use loglik::ratio::{RatioObjective, Samples, bound::VariationalBound};
use loglik::{Real, Reduction};
use ndarray::{Array, Ix1, Ix2, Ix3};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

/// An entry for each kind of divergence, all of the same logits.
macro_rules! entries {
    ($inputs:ident, $run:ident: $($name:literal: $divergence:expr,)*) => {
        vec![$(Entry::new($name, $inputs, |call, out| $run(call, out, &$divergence)),)*]
    };
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let dense: Vec<Entry<T>> = entries![
        both, dense:
        "KlDivergence": KlDivergence,
        "JensenShannonDivergence": JensenShannonDivergence,
        "GeneralizedJsd": GeneralizedJsd { beta: knob(0.3) },
        "InterpolatedJsd": InterpolatedJsd { beta: knob(0.3) },
        "AmariDivergence": AmariDivergence { alpha: knob(0.3) },
        "RenyiDivergence": RenyiDivergence { alpha: knob(2.5) },
        "PearsonChiSquare": PearsonChiSquare,
        "NeymanChiSquare": NeymanChiSquare,
        "MixtureChiSquare": MixtureChiSquare,
        "TotalVariation": TotalVariation,
        "FDivergence": FDivergence { generator: JensenShannonDivergence },
    ];
    let sparse: Vec<Entry<T>> = entries![
        some, sparse:
        "SparseDivergence, bucket": SparseDivergence::<KlDivergence> { tail: Tail::Bucket, ..Default::default() },
        "SparseDivergence, bucket reverse": SparseDivergence::<ReverseKlDivergence> { tail: Tail::Bucket, ..Default::default() },
        "SparseDivergence, cut": SparseDivergence::<JensenShannonDivergence> { tail: Tail::Cut, ..Default::default() },
        "SparseDivergence, conditional": SparseDivergence::<ReverseKlDivergence> { tail: Tail::Conditional, ..Default::default() },
        "SparseDivergence, ignored": SparseDivergence::<KlDivergence> { tail: Tail::Ignored, ..Default::default() },
        "SparseDivergence, transformed": SparseDivergence {
            divergence: JensenShannonDivergence,
            tail: Tail::Bucket,
            transform: LogitTransform { temperature: knob(0.8), soft_cap: Some(knob(4.0)) },
        },
    ];
    let dense = dense.into_iter().map(|entry| entry.without(By::Weights(3), &[0, 1], Seen::Reduced));
    let sparse = sparse.into_iter().map(|entry| entry.without(By::Weights(2), &[0, 1], Seen::Reduced));
    let mut entries: Vec<Entry<T>> = dense.chain(sparse).collect();
    entries.push(Entry::new("Categorical::Probs", both, probs));
    let transformed = Entry::new("Categorical::Transformed", both, transformed);
    entries.push(transformed.without(By::Weights(3), &[0, 1], Seen::All));
    let masked = Entry::new("CategoricalDivergence, masked", both, masked);
    entries.push(masked.without(By::Mask(0), &[0, 1], Seen::All));
    let masked = Entry::new("SparseDivergence, masked", some, masked_sparse);
    entries.push(masked.without(By::Mask(0), &[0, 1], Seen::All));
    entries.push(Entry::new("VariationalBound", critics, bound));
    entries
}

fn dense<T: Real>(call: &Call<T>, out: &mut Results<T>, divergence: &dyn CategoricalDivergence<T, Ix3>) {
    let (x, y, weights) = (call.real::<Ix3>(0), call.real::<Ix3>(1), call.real::<Ix2>(3));
    let (p, q) = (Categorical::Logits(&*x), Categorical::Logits(&*y));
    let reduction = Reduction::Weighted(&*weights);
    out.scalar("value", divergence.value(p, q, reduction));
    out.array("each", divergence.each(p, q));
    out.sum_count(divergence.sum_count(p, q));
    out.grad("", [0, 1], divergence.grad(p, q, reduction).map(|(value, g)| (value, [g.p, g.q])));
    out.grad("grad: ", [0], divergence.grad_p(p, q, reduction).map(|(value, g)| (value, [g])));
    out.grad("grad: ", [1], divergence.grad_q(p, q, reduction).map(|(value, g)| (value, [g])));
    let (mut a, mut b) = (call.buffer(x.raw_dim()), call.buffer(y.raw_dim()));
    let to = Sides { p: Some(a.view_mut()), q: Some(b.view_mut()) };
    let into = divergence.grad_into(p, q, reduction, to);
    out.grad("into: ", [0, 1], into.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
}

/// One side as logits, one as probabilities, whose gradient is the one by their logarithms.
fn probs<T: Real>(call: &Call<T>, out: &mut Results<T>) {
    let (x, y, probs) = (call.real::<Ix3>(0), call.real::<Ix3>(1), call.real::<Ix3>(2));
    let (p, q) = (Categorical::Probs(&*probs), Categorical::Logits(&*y));
    out.scalar("value", KlDivergence.value(p, q, Reduction::Sum));
    let gradients = KlDivergence.grad(p, q, Reduction::Sum);
    out.array("slope of the probabilities", gradients.clone().map(|(_, g)| g.p));
    out.array("grad 1", gradients.map(|(_, g)| g.q));
    out.array("against the logits", TotalVariation.each(Categorical::Logits(&*x), p));
}

/// A soft cap and a temperature on one side, another temperature on the other; gradients are in the logits before.
fn transformed<T: Real>(call: &Call<T>, out: &mut Results<T>) {
    let (x, y, weights) = (call.real::<Ix3>(0), call.real::<Ix3>(1), call.real::<Ix2>(3));
    let p = Categorical::Transformed(&*x, LogitTransform { temperature: knob(0.5), soft_cap: Some(knob(3.0)) });
    let q = Categorical::Transformed(&*y, LogitTransform { temperature: knob(2.5), soft_cap: None });
    let (divergence, reduction) = (JensenShannonDivergence, Reduction::Weighted(&*weights));
    out.scalar("value", divergence.value(p, q, reduction));
    out.grad("", [0, 1], divergence.grad(p, q, reduction).map(|(value, g)| (value, [g.p, g.q])));
    let (mut a, mut b) = (call.buffer(x.raw_dim()), call.buffer(y.raw_dim()));
    let to = Sides { p: Some(a.view_mut()), q: Some(b.view_mut()) };
    let into = divergence.grad_into(p, q, reduction, to);
    out.grad("into: ", [0, 1], into.map(|value| (value, [a, b].map(|side| side.view().to_owned()))));
}

fn masked<T: Real>(call: &Call<T>, out: &mut Results<T>) {
    let (x, y, mask) = (call.real::<Ix3>(0), call.real::<Ix3>(1), call.mask::<Ix2>(0));
    let (p, q) = (Categorical::Logits(&*x), Categorical::Logits(&*y));
    out.array("each", KlDivergence.each_masked(p, q, &mask));
    out.sum_count(KlDivergence.sum_count_masked(p, q, &mask));
}

fn masked_sparse<T: Real>(call: &Call<T>, out: &mut Results<T>) {
    let (x, log_probs, mask) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.mask::<Ix1>(0));
    let classes = call.class::<Ix2>(0);
    let teacher = SparseTeacher { indices: classes.view(), log_probs: log_probs.view() };
    let sparse = SparseDivergence::<KlDivergence> { tail: Tail::Bucket, ..Default::default() };
    out.array("each", sparse.each_masked(teacher, &x, &mask));
    out.sum_count(sparse.sum_count_masked(teacher, &x, &mask));
}

fn sparse<T: Real>(call: &Call<T>, out: &mut Results<T>, sparse: &SparseDivergence<impl ClassDivergence>) {
    let (x, log_probs, weights) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
    let classes = call.class::<Ix2>(0);
    let teacher = SparseTeacher { indices: classes.view(), log_probs: log_probs.view() };
    let reduction = Reduction::Weighted(&*weights);
    out.scalar("value", sparse.value(teacher, &x, reduction));
    out.array("each", sparse.each(teacher, &x));
    out.sum_count(sparse.sum_count(teacher, &x));
    out.grad("", [0], sparse.grad(teacher, &x, reduction).map(|(value, g)| (value, [g])));
    let into = call.into(x.raw_dim(), |mut to| sparse.grad_into(teacher, &x, reduction, &mut to));
    out.grad("into: ", [0], into.map(|(value, g)| (value, [g])));
}

fn bound<T: Real>(call: &Call<T>, out: &mut Results<T>) {
    let (real, fake) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
    let (samples, mean) = (Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean));
    let bound = VariationalBound { generator: SquaredHellinger };
    out.scalar("value", bound.value(samples, mean));
    out.grad("", [0, 1], bound.grad(samples, mean).map(|(value, g)| (value, [g.real, g.fake])));
}

/// Logits of both sides, probabilities, weights; which rows count.
fn both(random: &mut Random, size: Size) -> Inputs {
    let shape = [2, size.pick(2, 37), size.pick(5, 4_111)];
    let reals = [
        random.uniform(&shape, -2.0, 2.0),
        random.uniform(&shape, -2.0, 2.0),
        random.uniform(&shape, 0.0, 1.0),
        random.uniform(&shape[..2], 0.1, 1.0),
    ];
    let [x, y, probs, weights] = reals;
    let mut probs = probs.into_dimensionality::<Ix3>().unwrap_or_else(|_| Array::zeros((0, 0, 0)));
    probs.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
    Inputs::reals([x, y, probs.into_dyn(), weights]).masks([random.mask(&shape[..2])])
}

/// Logits, log-probabilities of some classes, weights; those classes; which rows count.
fn some(random: &mut Random, size: Size) -> Inputs {
    let (n, classes, given) = (size.pick(3, 101), size.pick(6, 2_500), size.pick(3, 20));
    let reals = [
        random.uniform(&[n, classes], -2.0, 2.0),
        random.uniform(&[n, given], -9.0, -4.0),
        random.uniform(&[n], 0.1, 1.0),
    ];
    let mut indices = random.classes(&[n, given], 2);
    for (k, mut column) in indices.axis_iter_mut(ndarray::Axis(1)).enumerate() {
        column.mapv_inplace(|index| index + 2 * ((7 * k) % given) as i64); // each class once
    }
    Inputs::reals(reals).classes([indices]).masks([random.mask(&[n])])
}

/// Values of a critic on samples of both sides, inside the domain of the conjugate.
fn critics(random: &mut Random, size: Size) -> Inputs {
    let (n, m) = ([size.pick(5, 200_007)], [size.pick(4, 150_003)]);
    Inputs::reals([random.uniform(&n, -1.0, 0.4), random.uniform(&m, -1.0, 0.4)])
}
