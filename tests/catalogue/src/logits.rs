//! Kernels over logits.

use loglik::logits::{
    CrossEntropy, LogSumExp, LogitTransform, SoftCrossEntropy, TokenObjective, VocabularyShard, class_log_probs,
    class_log_probs_backward, entropy, entropy_grad, log_softmax, log_softmax_in_place, log_softmax_into, log_sum_exp,
    log_sum_exp_grad, log_sum_exp_or_empty, log_sum_exp_or_empty_grad, token_log_probs, token_log_probs_backward,
    token_log_probs_backward_into, token_log_probs_masked, weighted_log_sum_exp, weighted_log_sum_exp_grad,
};
use loglik::{Real, Reduction, Result};
use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Axis, Ix2, Ix3, concatenate};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, dot, knob};

const CLASSES: usize = 5;

/// The class that is ignored where one is.
const LAST: i64 = CLASSES as i64 - 1;

/// Bent enough for a cap that is left out, or a slope, to show.
fn transform() -> LogitTransform {
    LogitTransform { temperature: knob(0.8), soft_cap: Some(knob(3.0)) }
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("log_sum_exp", logits, |call, out| {
            out.array("each", log_sum_exp(&call.real::<Ix3>(0)));
            let result = log_sum_exp_grad(&call.real::<Ix3>(0));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::new("log_sum_exp_or_empty", logits, |call, out| {
            out.array("each", log_sum_exp_or_empty(&call.real::<Ix3>(0)));
            let result = log_sum_exp_or_empty_grad(&call.real::<Ix3>(0));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::new("weighted_log_sum_exp", weighted, |call, out| {
            let (x, weights) = (call.real::<Ix3>(0), call.real::<Ix3>(1));
            out.array("each", weighted_log_sum_exp(&x, &weights).map(|sum| sum.log));
            let result = weighted_log_sum_exp_grad(&x, &weights);
            out.array("grad: each", result.clone().map(|(sum, _)| sum.log));
            out.array("sign", result.clone().map(|(sum, _)| sum.sign));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        })
        .without(By::Weights(1), &[0], Seen::All)
        .infinite(),
        Entry::of_cotangent("class_log_probs, backward", several, |call, out| {
            let (x, classes, cotangent) = (call.real::<Ix3>(0), call.class::<Ix3>(0), call.real::<Ix3>(1));
            out.array("each", class_log_probs(&x, &classes));
            out.scalar("value", class_log_probs(&x, &classes).map(|each| dot(&each, cotangent)));
            out.array("grad 0", class_log_probs_backward(&x, &classes, &cotangent));
        }),
        Entry::new("log_softmax", logits, |call, out| {
            let x = call.real::<Ix3>(0);
            out.array("each", log_softmax(&x));
            out.array("into: each", call.into(x.raw_dim(), |mut to| log_softmax_into(&x, &mut to)).map(|(_, to)| to));
            let in_place = call.in_place::<Ix3, _>(0, |mut x| log_softmax_in_place(&mut x));
            out.array("in place: each", in_place.map(|(_, x)| x));
        }),
        Entry::new("entropy", logits, |call, out| {
            out.array("each", entropy(&call.real::<Ix3>(0)));
            let result = entropy_grad(&call.real::<Ix3>(0));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::new("LogitTransform, log_sum_exp", logits, |call, out| {
            out.array("each", transform().log_sum_exp(&call.real::<Ix3>(0)));
            let result = transform().log_sum_exp_grad(&call.real::<Ix3>(0));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::new("LogitTransform, log_softmax", logits, |call, out| {
            let x = call.real::<Ix3>(0);
            out.array("each", transform().log_softmax(&x));
            let into = call.into(x.raw_dim(), |mut to| transform().log_softmax_into(&x, &mut to));
            out.array("into: each", into.map(|(_, to)| to));
            let in_place = call.in_place::<Ix3, _>(0, |mut x| transform().log_softmax_in_place(&mut x));
            out.array("in place: each", in_place.map(|(_, x)| x));
        }),
        Entry::new("LogitTransform, entropy", logits, |call, out| {
            out.array("each", transform().entropy(&call.real::<Ix3>(0)));
            let result = transform().entropy_grad(&call.real::<Ix3>(0));
            out.array("grad: each", result.clone().map(|(each, _)| each));
            out.array("grad 0", result.map(|(_, gradient)| gradient));
        }),
        Entry::of_cotangent("LogitTransform, token_log_probs and its backward", tokens, |call, out| {
            let (x, targets, mask) = (call.real::<Ix3>(0), call.class::<Ix2>(0), call.mask::<Ix2>(0));
            let (each, cotangent) = (transform().token_log_probs(&x, &targets), call.real::<Ix2>(1));
            out.scalar("value", each.map(|each| dot(&each, cotangent)));
            out.array("masked", transform().token_log_probs_masked(&x, &targets, &mask));
            out.array("grad 0", transform().token_log_probs_backward(&x, &targets, &cotangent));
            let into =
                |mut to: ArrayViewMut3<T>| transform().token_log_probs_backward_into(&x, &targets, &cotangent, &mut to);
            out.array("into: grad 0", call.into(x.raw_dim(), into).map(|(_, to)| to));
        })
        .without(By::Mask(0), &[0], Seen::Only("masked")),
        Entry::new("token_log_probs", tokens, |call, out| {
            let (x, targets, mask) = (call.real::<Ix3>(0), call.class::<Ix2>(0), call.mask::<Ix2>(0));
            out.array("token_log_probs", token_log_probs(&x, &targets));
            out.array("masked", token_log_probs_masked(&x, &targets, &mask));
        })
        .without(By::Mask(0), &[0], Seen::Only("masked")),
        Entry::of_cotangent("token_log_probs_backward", tokens, |call, out| {
            let (x, targets, cotangent) = (call.real::<Ix3>(0), call.class::<Ix2>(0), call.real::<Ix2>(1));
            out.scalar("value", token_log_probs(&x, &targets).map(|each| dot(&each, cotangent)));
            out.array("grad 0", token_log_probs_backward(&x, &targets, &cotangent));
            let into =
                call.into(x.raw_dim(), |mut to| token_log_probs_backward_into(&x, &targets, &cotangent, &mut to));
            out.array("into: grad 0", into.map(|(_, to)| to));
        }),
        Entry::new("VocabularyShard, log-probabilities", tokens, |call, out| {
            let log_probs = |sum: &LogSumExp<T>| T::from_f64(sum.log_prob().unwrap_or_default());
            let whole = merged(call);
            out.array("log_prob", whole.clone().map(|whole| whole.map(log_probs)));
            out.array("others", whole.map(|whole| whole.map(|sum| T::from_f64(sum.others()))));
        })
        .forming(&["logits"]),
        Entry::of_cotangent("VocabularyShard, backward", tokens, |call, out| {
            let cotangent = call.real::<Ix2>(1);
            let log_probs =
                |whole: Array2<LogSumExp<T>>| whole.map(|sum| T::from_f64(sum.log_prob().unwrap_or_default()));
            out.scalar("value", merged(call).map(|whole| dot(&log_probs(whole), cotangent)));
            let backward = |shard: VocabularyShard, x: ArrayView3<T>, whole: &Array2<LogSumExp<T>>| {
                shard.backward(&x, &call.class::<Ix2>(0), whole, &cotangent)
            };
            out.array("grad 0", gradient(call, backward));
            let into = |shard: VocabularyShard, x: ArrayView3<T>, whole: &Array2<LogSumExp<T>>| {
                let targets = call.class::<Ix2>(0);
                let into = |mut to: ArrayViewMut3<T>| shard.backward_into(&x, &targets, whole, &cotangent, &mut to);
                call.into(x.raw_dim(), into).map(|(_, to)| to)
            };
            out.array("into: grad 0", gradient(call, into));
        })
        .forming(&["logits"]),
        Entry::new("CrossEntropy, sum", tokens, |call, out| hard(call, out, &CrossEntropy::default(), Reduction::Sum))
            .rounding(),
        Entry::new("CrossEntropy, mean, everything on", tokens, |call, out| {
            hard(call, out, &everything(classes(call)), Reduction::Mean);
        })
        .rounding()
        .without(By::Class(0, LAST), &[0], Seen::All),
        Entry::new("CrossEntropy, weighted, everything on", tokens, |call, out| {
            hard(call, out, &everything(classes(call)), Reduction::Weighted(&call.real(2)));
        })
        .rounding()
        .without(By::Class(0, LAST), &[0], Seen::All)
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("CrossEntropy, weighted, capped and tempered", tokens, |call, out| {
            let LogitTransform { temperature, soft_cap } = transform();
            let loss = CrossEntropy { temperature, soft_cap, ..everything(classes(call)) };
            hard(call, out, &loss, Reduction::Weighted(&call.real(2)));
        })
        .rounding()
        .without(By::Class(0, LAST), &[0], Seen::All)
        .without(By::Weights(2), &[0], Seen::Reduced),
        Entry::new("SoftCrossEntropy, mean, capped and tempered", soft_tokens, |call, out| {
            let LogitTransform { temperature, soft_cap } = transform();
            let loss = SoftCrossEntropy { temperature, soft_cap, ..soft_everything(classes(call)) };
            soft(call, out, &loss, Reduction::Mean);
        })
        .rounding(),
        Entry::new("SoftCrossEntropy, sum", soft_tokens, |call, out| {
            soft(call, out, &SoftCrossEntropy::default(), Reduction::Sum);
        })
        .rounding(),
        Entry::new("SoftCrossEntropy, mean, everything on", soft_tokens, |call, out| {
            soft(call, out, &soft_everything(classes(call)), Reduction::Mean);
        })
        .rounding(),
        Entry::new("SoftCrossEntropy, weighted, everything on", soft_tokens, |call, out| {
            soft(call, out, &soft_everything(classes(call)), Reduction::Weighted(&call.real(2)));
        })
        .rounding()
        .without(By::Weights(2), &[0, 1], Seen::Reduced),
    ]
}

fn classes<T: Real>(call: &Call<T>) -> usize {
    call.real::<Ix3>(0).len_of(Axis(2))
}

/// The last of five classes is ignored.
fn everything(classes: usize) -> CrossEntropy {
    let class_weights = [0.5, 1.5, 0.0, 2.0, 1.0].into_iter().cycle().take(classes).collect();
    CrossEntropy {
        ignore_index: Some(LAST),
        label_smoothing: knob(0.2),
        z_loss: knob(0.03),
        class_weights: Some(class_weights),
        ..CrossEntropy::default()
    }
}

fn soft_everything(classes: usize) -> SoftCrossEntropy {
    let CrossEntropy { label_smoothing, z_loss, class_weights, .. } = everything(classes);
    SoftCrossEntropy { label_smoothing, z_loss, class_weights, ..SoftCrossEntropy::default() }
}

/// The loss has one method for each thing it gives, over hard or soft targets, and the two share no trait.
macro_rules! methods {
    ($call:ident, $out:ident, $loss:ident, $targets:expr, $reduction:ident) => {{
        let (x, targets) = ($call.real::<Ix3>(0), $targets);
        $out.scalar("value", $loss.value(&x, &targets, $reduction));
        $out.array("each", $loss.each(&x, &targets));
        $out.sum_count($loss.sum_count(&x, &targets));
        $out.grad("", [0], $loss.grad(&x, &targets, $reduction).map(|(value, gradient)| (value, [gradient])));
        let into = $call.into(x.raw_dim(), |mut to| $loss.grad_into(&x, &targets, $reduction, &mut to));
        $out.grad("into: ", [0], into.map(|(value, gradient)| (value, [gradient])));
        let in_place = $call.in_place::<Ix3, _>(0, |mut x| $loss.grad_in_place(&mut x, &targets, $reduction));
        $out.grad("in place: ", [0], in_place.map(|(value, gradient)| (value, [gradient])));
    }};
}

fn hard<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &CrossEntropy, reduction: Reduction<T, Ix2>) {
    methods!(call, out, loss, call.class::<Ix2>(0), reduction);
}

fn soft<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &SoftCrossEntropy, reduction: Reduction<T, Ix2>) {
    methods!(call, out, loss, call.real::<Ix3>(1), reduction);
}

/// The classes on two machines.
fn shards<'a, T: Real>(call: &'a Call<T>) -> [(VocabularyShard, ArrayView3<'a, T>); 2] {
    let x = call.real::<Ix3>(0);
    let first_class = x.len_of(Axis(2)).min(2);
    let (left, right) = x.split_at(Axis(2), first_class);
    let shard = VocabularyShard { ignore_index: Some(LAST), ..VocabularyShard::default() };
    [(shard, left), (VocabularyShard { first_class, ..shard }, right)]
}

fn merged<T: Real>(call: &Call<T>) -> Result<Array2<LogSumExp<T>>> {
    let [left, right] = shards(call).map(|(shard, x)| shard.log_sum_exp(&x, &call.class::<Ix2>(0)));
    LogSumExp::merge_rows(&left?, &right?)
}

/// The gradients of both, side by side.
fn gradient<T: Real>(
    call: &Call<T>,
    backward: impl Fn(VocabularyShard, ArrayView3<T>, &Array2<LogSumExp<T>>) -> Result<Array3<T>>,
) -> Result<Array3<T>> {
    let whole = merged(call)?;
    let [left, right] = shards(call).map(|(shard, x)| backward(shard, x, &whole));
    Ok(concatenate(Axis(2), &[left?.view(), right?.view()]).expect("both have the same rows"))
}

/// Logits of two batches of rows.
fn logits(random: &mut Random, size: Size) -> Inputs {
    // Large rows are longer than a block, and their number is odd.
    let shape = [2, size.pick(3, 21), size.pick(7, 20_011)];
    Inputs::reals([random.uniform(&shape, -4.0, 4.0)])
}

/// Logits, and weights of the same shape.
fn weighted(random: &mut Random, size: Size) -> Inputs {
    let logits = logits(random, size).reals.remove(0);
    let weights = random.uniform(logits.shape(), 0.1, 1.5);
    Inputs::reals([logits, weights])
}

/// Logits, cotangent; three classes of each row.
fn several(random: &mut Random, size: Size) -> Inputs {
    let rows = [2, size.pick(4, 70_001)];
    let (shape, asked) = ([rows[0], rows[1], CLASSES], [rows[0], rows[1], 3]);
    let reals = [random.uniform(&shape, -4.0, 4.0), random.uniform(&asked, -1.0, 1.0)];
    Inputs::reals(reals).classes([random.classes(&asked, CLASSES)])
}

/// Logits, cotangent, weights; targets; mask.
fn tokens(random: &mut Random, size: Size) -> Inputs {
    let rows = [2, size.pick(4, 70_001)];
    let shape = [rows[0], rows[1], size.long(CLASSES, 32_000)];
    let reals = [random.uniform(&shape, -4.0, 4.0), random.uniform(&rows, -1.0, 1.0), random.uniform(&rows, 0.0, 1.0)];
    Inputs::reals(reals).classes([random.classes(&rows, CLASSES)]).masks([random.mask(&rows)])
}

/// Logits, probabilities of the same shape, weights.
fn soft_tokens(random: &mut Random, size: Size) -> Inputs {
    let mut inputs = tokens(random, size);
    let mut probs = random.uniform(inputs.reals[0].shape(), 0.0, 1.0);
    for mut row in probs.rows_mut() {
        row /= row.sum();
    }
    inputs.reals[1] = probs;
    inputs
}
