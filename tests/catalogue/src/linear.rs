//! Objectives of logits that are a linear map of hidden states.

use loglik::logits::{
    CrossEntropy, LinearCrossEntropy, LinearGradient, LinearGradientMut, LinearHead, LinearPlan, LogitTransform,
    linear_token_log_probs, linear_token_log_probs_backward, linear_token_log_probs_backward_into,
    linear_token_log_probs_masked,
};
use loglik::{Real, Reduction, Result};
use ndarray::{Array3, ArrayD, ArrayViewMut, Ix1, Ix2, Ix3};

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, dot, knob};

fn transform() -> LogitTransform {
    LogitTransform { temperature: knob(0.8), soft_cap: Some(knob(2.0)) }
}
const PLANS: [LinearPlan; 2] = [LinearPlan::Chunked, LinearPlan::Recompute];

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("LinearCrossEntropy, sum", tokens, |call, out| {
            for plan in PLANS {
                run(call, out, &LinearCrossEntropy { plan, ..LinearCrossEntropy::default() }, Reduction::Sum);
            }
        })
        .rounding(),
        Entry::new("LinearCrossEntropy, mean, everything on", tokens, |call, out| {
            for plan in PLANS {
                run(call, out, &everything(call, plan), Reduction::Mean);
            }
        })
        .rounding(),
        Entry::new("LinearCrossEntropy, weighted, everything on", tokens, |call, out| {
            for plan in PLANS {
                run(call, out, &everything(call, plan), Reduction::Weighted(&call.real(WEIGHTS)));
            }
        })
        .rounding()
        .without(By::Weights(WEIGHTS), &[0], Seen::Reduced),
        Entry::new("LinearCrossEntropy, mean, capped and tempered", tokens, |call, out| {
            for plan in PLANS {
                let LinearCrossEntropy { loss, .. } = everything(call, plan);
                let LogitTransform { temperature, soft_cap } = transform();
                let loss = LinearCrossEntropy { loss: CrossEntropy { temperature, soft_cap, ..loss }, plan };
                run(call, out, &loss, Reduction::Mean);
            }
        })
        .rounding(),
        Entry::of_cotangent("LogitTransform, linear_token_log_probs and its backward", tokens, |call, out| {
            let (hidden, weight, bias) = (call.real::<Ix3>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
            let (targets, cotangent) = (call.class::<Ix2>(0), call.real::<Ix2>(COTANGENT));
            let head = LinearHead::new(weight).bias(bias);
            let each = transform().linear_token_log_probs(&hidden, head, &targets);
            out.scalar("value", each.map(|each| dot(&each, cotangent)));
            let masked = transform().linear_token_log_probs_masked(&hidden, head, &targets, &call.mask::<Ix2>(0));
            out.array("masked", masked);
            for plan in PLANS {
                let g = transform().linear_token_log_probs_backward(&hidden, head, &targets, &cotangent, plan);
                gradients(out, "", g.map(all_three));
            }
        })
        .without(By::Mask(0), &[0], Seen::Only("masked")),
        Entry::new("linear_token_log_probs", tokens, |call, out| {
            let (hidden, weight, bias) = (call.real::<Ix3>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
            let (targets, mask) = (call.class::<Ix2>(0), call.mask::<Ix2>(0));
            let head = LinearHead::new(weight).bias(bias);
            out.array("token_log_probs", linear_token_log_probs(&hidden, head, &targets));
            out.array("masked", linear_token_log_probs_masked(&hidden, head, &targets, &mask));
        })
        .without(By::Mask(0), &[0], Seen::Only("masked")),
        Entry::of_cotangent("linear_token_log_probs_backward", tokens, |call, out| {
            let (hidden, weight, bias) = (call.real::<Ix3>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
            let (targets, cotangent) = (call.class::<Ix2>(0), call.real::<Ix2>(COTANGENT));
            let head = LinearHead::new(weight).bias(bias);
            let each = linear_token_log_probs(&hidden, head, &targets);
            out.scalar("value", each.map(|each| dot(&each, cotangent)));
            for plan in PLANS {
                let g = linear_token_log_probs_backward(&hidden, head, &targets, &cotangent, plan);
                gradients(out, "", g.map(all_three));
                let all = buffers(call, |to| {
                    linear_token_log_probs_backward_into(&hidden, head, &targets, &cotangent, plan, to)
                });
                gradients(out, "into: ", all.map(|((), all)| all));
            }
        }),
    ]
}

/// The last class is ignored.
fn everything<T: Real>(call: &Call<T>, plan: LinearPlan) -> LinearCrossEntropy {
    let classes = call.real::<Ix2>(1).nrows();
    let class_weights = (0..classes).map(|class| [0.5, 1.5, 0.0, 2.0, 1.0][class % 5]).collect();
    let loss = CrossEntropy {
        ignore_index: Some(classes as i64 - 1),
        label_smoothing: knob(0.2),
        z_loss: knob(0.03),
        class_weights: Some(class_weights),
        ..CrossEntropy::default()
    };
    LinearCrossEntropy { loss, plan }
}

fn run<T: Real>(call: &Call<T>, out: &mut Results<T>, loss: &LinearCrossEntropy, reduction: Reduction<T, Ix2>) {
    let (hidden, weight, bias) = (call.real::<Ix3>(0), call.real::<Ix2>(1), call.real::<Ix1>(2));
    let (head, targets) = (LinearHead::new(weight).bias(bias), call.class::<Ix2>(0));
    out.scalar("value", loss.value(&hidden, head, &targets, reduction));
    out.array("each", loss.each(&hidden, head, &targets));
    out.sum_count(loss.sum_count(&hidden, head, &targets));
    let graded = loss.grad(&hidden, head, &targets, reduction);
    out.scalar("grad: value", graded.clone().map(|(value, _)| value));
    gradients(out, "", graded.map(|(_, g)| all_three(g)));
    let all = buffers(call, |to| loss.grad_into(&hidden, head, &targets, reduction, to));
    out.scalar("into: value", all.clone().map(|(value, _)| value));
    gradients(out, "into: ", all.map(|(_, all)| all));
}

fn all_three<T: Real>(g: LinearGradient<T, Array3<T>>) -> [ArrayD<T>; 3] {
    [g.hidden.into_dyn(), g.weight.into_dyn(), g.bias.expect("there is one").into_dyn()]
}

fn gradients<T: Real>(out: &mut Results<T>, route: &str, all: Result<[ArrayD<T>; 3]>) {
    for input in 0..3 {
        out.array(&format!("{route}grad {input}"), all.clone().map(|all| all[input].clone()));
    }
}

type Buffers<'a, T> = LinearGradientMut<'a, T, ArrayViewMut<'a, T, Ix3>>;

/// Calls `f` with buffers in the layout of the call and hands over what stands in them afterwards.
fn buffers<T: Real, R>(call: &Call<T>, f: impl FnOnce(Buffers<'_, T>) -> Result<R>) -> Result<(R, [ArrayD<T>; 3])> {
    let mut hidden = call.buffer(call.real::<Ix3>(0).raw_dim());
    let mut weight = call.buffer(call.real::<Ix2>(1).raw_dim());
    let mut bias = call.buffer(call.real::<Ix1>(2).raw_dim());
    let to = LinearGradientMut { hidden: hidden.view_mut(), weight: weight.view_mut(), bias: Some(bias.view_mut()) };
    let result = f(to)?;
    let all =
        [hidden.view().to_owned().into_dyn(), weight.view().to_owned().into_dyn(), bias.view().to_owned().into_dyn()];
    Ok((result, all))
}

const COTANGENT: usize = 3;
const WEIGHTS: usize = 4;

/// Hidden states, weight, bias, cotangent, weights of tokens; targets; mask.
fn tokens(random: &mut Random, size: Size) -> Inputs {
    // Large ones have several panels of tokens, and more classes than one job takes.
    let (rows, width, classes) = ([2, size.pick(4, 151)], size.pick(3, 11), size.pick(5, 9_001));
    let reals = [
        random.uniform(&[rows[0], rows[1], width], -2.0, 2.0),
        random.uniform(&[classes, width], -1.0, 1.0),
        random.uniform(&[classes], -1.0, 1.0),
        random.uniform(&rows, -1.0, 1.0),
        random.uniform(&rows, 0.0, 1.0),
    ];
    Inputs::reals(reals).classes([random.classes(&rows, classes)]).masks([random.mask(&rows)])
}
