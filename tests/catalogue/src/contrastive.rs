//! Losses over embeddings whose similarities are one large matrix.

use loglik::contrastive::{
    Denominator, Directions, EmbeddingBatch, FalseNegatives, Hardness, InfoNce, InfoNceShard, Partition, SigLip,
    Similarity, SupervisedContrastive,
};
use loglik::logits::LogSumExp;
use loglik::{Error, Real, Reduction};
use ndarray::{Array1, Axis, Ix1, Ix2};

use super::call::dot;
use super::{Call, Entry, Inputs, Random, Results, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("InfoNce, mean", sides, |call, out| {
            info_nce(call, out, &InfoNce { temperature: knob(0.3), ..InfoNce::default() }, Reduction::Mean);
        }),
        Entry::new("InfoNce, symmetric, weighted", sides, |call, out| {
            let loss = InfoNce { temperature: knob(0.4), directions: Directions::Symmetric, ..InfoNce::default() };
            info_nce(call, out, &loss, Reduction::Weighted(&call.real(2)));
        }),
        Entry::new("InfoNce, all directions, joint, debiased, sum", sides, |call, out| {
            let loss = InfoNce {
                temperature: knob(0.4),
                directions: Directions::All,
                partition: Partition::Joint,
                denominator: Denominator::Debiased { prior: 0.05 },
                ..InfoNce::default()
            };
            info_nce(call, out, &loss, Reduction::Sum);
        }),
        Entry::new("InfoNce, all directions, negatives alone, products", sides, |call, out| {
            let loss = InfoNce {
                temperature: knob(1.3),
                directions: Directions::All,
                denominator: Denominator::Negatives,
                similarity: Similarity::Dot,
                ..InfoNce::default()
            };
            info_nce(call, out, &loss, Reduction::Mean);
        }),
        Entry::new("InfoNce, guided", sides, |call, out| {
            let (a, b, guide) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix2>(3));
            let of_first = guide.slice_axis(Axis(0), (..a.nrows().min(guide.nrows())).into());
            let batch = || EmbeddingBatch::new(&a, &b).guide(&of_first, &guide);
            let loss = InfoNce {
                temperature: knob(0.3),
                false_negatives: FalseNegatives::Relative(0.1),
                ..InfoNce::default()
            };
            let hard = InfoNce { hardness: Hardness::All(knob(2.0)), ..loss };
            out.array("hard", hard.each(batch()));
            let result = loss.grad(batch(), Reduction::Sum);
            out.grad("", [0, 1], result.map(|(value, slopes)| (value, [slopes.first, slopes.second])));
        }),
        Entry::new("InfoNce of similarities", similarities, |call, out| {
            let x = call.real::<Ix2>(0);
            let loss = InfoNce { temperature: knob(0.7), directions: Directions::Symmetric, ..InfoNce::default() };
            out.scalar("of: value", loss.value_of(&x, Reduction::Mean));
            let result = loss.grad_of(&x, Reduction::Mean);
            out.scalar("temperature", result.clone().map(|(_, _, temperature)| temperature));
            out.grad("", [0], result.map(|(value, slopes, _)| (value, [slopes])));
        }),
        Entry::new("SupervisedContrastive", classes, |call, out| {
            let (x, labels) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
            let loss = SupervisedContrastive { temperature: knob(0.4), ..SupervisedContrastive::default() };
            out.scalar("alone: value", loss.value(&x, &labels, Reduction::Sum));
            out.array("each", loss.each(&x, &labels));
            let result = loss.grad(&x, &labels, Reduction::Sum);
            out.scalar("temperature", result.clone().map(|(_, _, temperature)| temperature));
            out.grad("", [0], result.map(|(value, slopes, _)| (value, [slopes])));
        })
        .rounding(),
        Entry::new("SigLip", sides, |call, out| {
            let (a, b) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
            let batch = || EmbeddingBatch::new(&a, &b);
            let loss = SigLip { scale: knob(3.0), bias: -1.0, ..SigLip::default() };
            out.scalar("alone: value", loss.value(batch(), Reduction::Mean));
            out.array("losses", loss.each(batch()));
            let result = loss.grad(batch(), Reduction::Mean);
            out.scalar("scale", result.clone().map(|(_, slopes)| slopes.scale));
            out.scalar("bias", result.clone().map(|(_, slopes)| slopes.bias));
            out.grad("", [0, 1], result.map(|(value, slopes)| (value, [slopes.first, slopes.second])));
        }),
        Entry::of_cotangent("InfoNceShard", sides, |call, out| {
            let (a, b, cotangent) = (call.real::<Ix2>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
            let positives: Array1<usize> = (0..a.nrows()).collect();
            let left = InfoNceShard { temperature: knob(0.4), ..InfoNceShard::default() };
            let right = InfoNceShard { first_candidate: 2.min(b.nrows()), ..left };
            let (near, far) = b.view().split_at(Axis(0), right.first_candidate);
            let parts = [(left, near), (right, far)];
            let whole = parts.iter().map(|(shard, part)| shard.log_sum_exp(&a, part, &positives));
            let whole = whole.reduce(|x, y| LogSumExp::merge_rows(&x?, &y?)).unwrap_or_else(|| Ok(Array1::default(0)));
            // An anchor whose positive is among no candidates has no probability.
            let log_prob =
                |sum: &LogSumExp<T>| sum.log_prob().map(T::from_f64).ok_or(Error::Empty { argument: "candidates" });
            let log_probs =
                whole.clone().and_then(|whole| whole.iter().map(log_prob).collect::<Result<Array1<T>, _>>());
            out.array("log_prob", log_probs.clone());
            out.scalar("value", log_probs.clone().map(|log_probs| dot(&log_probs, cotangent)));
            let back = log_probs.and(whole).and_then(|whole| {
                let [near, far] = parts.map(|(shard, part)| shard.backward(&a, &part, &positives, &whole, &cotangent));
                let (near, far) = (near?, far?);
                let second = ndarray::concatenate(Axis(0), &[near.second.view(), far.second.view()]);
                Ok((near.temperature + far.temperature, near.first + far.first, second.expect("of one width")))
            });
            out.scalar("temperature", back.clone().map(|(temperature, ..)| temperature));
            out.array("grad 0", back.clone().map(|(_, first, _)| first));
            out.array("grad 1", back.map(|(.., second)| second));
        })
        .forming(&["candidates"]),
    ]
}

fn info_nce<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &InfoNce, reduction: Reduction<'_, T>) {
    let (a, b) = (call.real::<Ix2>(0), call.real::<Ix2>(1));
    let batch = || EmbeddingBatch::new(&a, &b);
    out.scalar("alone: value", loss.value(batch(), reduction));
    out.array("losses", loss.each(batch()));
    let result = loss.grad(batch(), reduction);
    out.scalar("temperature", result.clone().map(|(_, slopes)| slopes.temperature));
    out.grad("", [0, 1], result.map(|(value, slopes)| (value, [slopes.first, slopes.second])));
    let (mut first, mut second) = (call.buffer(a.raw_dim()), call.buffer(b.raw_dim()));
    let result = loss.grad_into(batch(), reduction, &mut first.view_mut(), &mut second.view_mut());
    out.grad("into: ", [0, 1], result.map(|(value, _)| (value, [first, second].map(|side| side.view().to_owned()))));
}

/// Embeddings of both sides, weights of the pairs, embeddings of a guide.
fn sides(random: &mut Random, size: Size) -> Inputs {
    let (n, d) = (size.pick(3, 301), size.pick(4, 24));
    Inputs::reals([
        random.uniform(&[n, d], -1.0, 1.0),
        random.uniform(&[2 * n, d], -1.0, 1.0),
        random.uniform(&[n], 0.1, 1.0),
        random.uniform(&[2 * n, 3], -1.0, 1.0),
    ])
}

fn similarities(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(4, 601);
    Inputs::reals([random.uniform(&[n, n + 2], -1.0, 1.0)])
}

/// Embeddings of which each has one of two labels.
fn classes(random: &mut Random, size: Size) -> Inputs {
    let (n, d) = (size.pick(6, 601), size.pick(4, 24));
    Inputs::reals([random.uniform(&[n, d], -1.0, 1.0)]).classes([random.classes(&[n], 2)])
}
