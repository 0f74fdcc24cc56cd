//! From logits to losses of pairs, and back.

use loglik::logits::{LinearGradientMut, LinearHead};
use loglik::preference::{Dpo, Ipo, Length, LinearPairs, LogitPairs, PairObjective, Pairs};
use loglik::sequence::{Alignment, HiddenResponses, Responses, TokenMask};
use loglik::{Real, Reduction};
use ndarray::{Ix1, Ix2, Ix3};

use super::{Call, Entry, Inputs, Random, Results, Size, dot, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("LogitPairs to Dpo", pairs, |call, out| {
            run(call, out, Alignment::Next, &Dpo { beta: knob(0.3), label_smoothing: knob(0.1) }, Reduction::Mean);
        })
        .forming(FORMED),
        Entry::new("LogitPairs to Ipo of means", pairs, |call, out| {
            let objective = Ipo { beta: knob(0.4), length: Length::Mean };
            run(call, out, Alignment::Same, &objective, Reduction::Weighted(&call.real(4)));
        })
        .forming(FORMED),
        Entry::new("LinearPairs to Dpo", hidden_pairs, |call, out| {
            linear(call, out, Alignment::Next, &Dpo { beta: knob(0.3), label_smoothing: knob(0.1) }, Reduction::Mean);
        })
        .forming(FORMED),
        Entry::new("LinearPairs to Ipo of means", hidden_pairs, |call, out| {
            let objective = Ipo { beta: knob(0.4), length: Length::Mean };
            linear(call, out, Alignment::Same, &objective, Reduction::Weighted(&call.real(4)));
        })
        .forming(FORMED),
        Entry::of_cotangent("Responses, packed", packed, |call, out| {
            let (logits, cotangent) = (call.real::<Ix2>(0), call.real::<Ix1>(1));
            let (targets, mask) = (call.class::<Ix1>(0), call.mask::<Ix1>(0));
            let offsets = super::sequence::offsets(targets.len(), cotangent.len());
            let mask = match TokenMask::packed(mask.view(), &offsets) {
                Ok(mask) => mask,
                Err(error) => return out.scalar("mask", Err(error)),
            };
            let responses =
                Responses { logits: logits.view(), targets: targets.view(), mask, alignment: Alignment::Next };
            out.scalar("value", responses.sequences().map(|sequences| dot(&sequences.sums, cotangent)));
            out.array("lengths", responses.sequences().map(|sequences| sequences.lengths));
            out.array("grad 0", responses.backward(&cotangent));
            let into = call.into(logits.raw_dim(), |mut to| responses.backward_into(&cotangent, &mut to));
            out.array("into: grad 0", into.map(|(_, to)| to));
        })
        .forming(FORMED),
    ]
}

fn run<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    alignment: Alignment,
    objective: &dyn PairObjective<T>,
    reduction: Reduction<T>,
) {
    let logits = [0, 1].map(|side| call.real::<Ix3>(side));
    let targets = [0, 1].map(|side| call.class::<Ix2>(side));
    let masks = [0, 1].map(|side| call.mask::<Ix2>(side));
    let reference = [2, 3].map(|side| call.real::<Ix1>(side));
    let side = |i: usize| Responses {
        logits: logits[i].view(),
        targets: targets[i].view(),
        mask: TokenMask::padded(masks[i].view()),
        alignment,
    };
    let pairs = LogitPairs::new(Pairs { chosen: side(0), rejected: side(1) })
        .reference(Pairs { chosen: reference[0].view(), rejected: reference[1].view() });
    out.scalar("value", pairs.value(objective, reduction));
    out.grad("", [0, 1], pairs.grad(objective, reduction).map(|(value, g)| (value, [g.chosen, g.rejected])));
    let (mut chosen, mut rejected) = (call.buffer(logits[0].raw_dim()), call.buffer(logits[1].raw_dim()));
    let to = Pairs { chosen: chosen.view_mut(), rejected: rejected.view_mut() };
    let result = pairs.grad_into(objective, reduction, to);
    out.grad("into: ", [0, 1], result.map(|value| (value, [chosen, rejected].map(|side| side.view().to_owned()))));
}

fn linear<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    alignment: Alignment,
    objective: &dyn PairObjective<T>,
    reduction: Reduction<T>,
) {
    let (hidden, targets) = ([0, 1].map(|i| call.real::<Ix3>(i)), [0, 1].map(|i| call.class::<Ix2>(i)));
    let (masks, reference) = ([0, 1].map(|i| call.mask::<Ix2>(i)), [2, 3].map(|i| call.real::<Ix1>(i)));
    let (weight, bias) = (call.real::<Ix2>(5), call.real::<Ix1>(6));
    let side = |i: usize| HiddenResponses {
        hidden: hidden[i].view(),
        targets: targets[i].view(),
        mask: TokenMask::padded(masks[i].view()),
        alignment,
    };
    let head = LinearHead::new(weight.view()).bias(bias.view());
    let pairs = LinearPairs::new(Pairs { chosen: side(0), rejected: side(1) }, head)
        .reference(Pairs { chosen: reference[0].view(), rejected: reference[1].view() });
    out.scalar("value", pairs.value(objective, reduction));
    let graded = pairs.grad(objective, reduction);
    out.scalar("grad: value", graded.clone().map(|(value, _)| value));
    out.array("grad 0", graded.clone().map(|(_, g)| g.hidden.chosen));
    out.array("grad 1", graded.clone().map(|(_, g)| g.hidden.rejected));
    out.array("grad 5", graded.clone().map(|(_, g)| g.weight));
    out.array("grad 6", graded.map(|(_, g)| g.bias.expect("there is one")));
    let (mut chosen, mut rejected) = (call.buffer(hidden[0].raw_dim()), call.buffer(hidden[1].raw_dim()));
    let (mut to_weight, mut to_bias) = (call.buffer(weight.raw_dim()), call.buffer(bias.raw_dim()));
    let to = LinearGradientMut {
        hidden: Pairs { chosen: chosen.view_mut(), rejected: rejected.view_mut() },
        weight: to_weight.view_mut(),
        bias: Some(to_bias.view_mut()),
    };
    let result = pairs.grad_into(objective, reduction, to);
    out.array("into: grad 0", result.clone().map(|_| chosen.view().to_owned()));
    out.array("into: grad 1", result.clone().map(|_| rejected.view().to_owned()));
    out.array("into: grad 5", result.clone().map(|_| to_weight.view().to_owned()));
    out.array("into: grad 6", result.map(|_| to_bias.view().to_owned()));
}

/// Hidden states of both sides, reference of both, weights of pairs, weight and bias; tokens and masks of both sides.
fn hidden_pairs(random: &mut Random, size: Size) -> Inputs {
    let mut inputs = pairs_of(random, size.pick(3, 7), [size.pick(5, 53), size.pick(4, 41)], size.pick(3, 9));
    let classes = size.pick(CLASSES, 2_003);
    inputs
        .reals
        .extend([random.uniform(&[classes, size.pick(3, 9)], -1.0, 1.0), random.uniform(&[classes], -1.0, 1.0)]);
    inputs
}

const CLASSES: usize = 6;

/// What log-probabilities and lengths of responses are called where they are used.
const FORMED: &[&str] =
    &["policy.chosen", "policy.rejected", "lengths.chosen", "lengths.rejected", "lengths", "offsets"];

/// Logits of both sides, reference of both, weights; tokens and masks of both sides.
fn pairs(random: &mut Random, size: Size) -> Inputs {
    pairs_of(random, size.pick(3, 31), [size.pick(5, 2_003), size.pick(4, 1_501)], CLASSES)
}

/// The same for so many pairs, of so many tokens on each side, with so many numbers for each token.
fn pairs_of(random: &mut Random, b: usize, tokens: [usize; 2], width: usize) -> Inputs {
    let shapes = tokens.map(|tokens| [b, tokens]);
    let outputs = shapes.map(|shape| random.uniform(&[shape[0], shape[1], width], -3.0, 3.0));
    let reals = outputs.into_iter().chain([-9.0, -9.0, 0.0].map(|low| random.uniform(&[b], low, low + 1.0))).collect();
    let classes = shapes.map(|shape| random.classes(&shape, CLASSES)).into();
    let masks = shapes.map(|shape| {
        let mut mask = random.mask(&shape);
        mask.index_axis_mut(ndarray::Axis(1), 1).fill(true); // no response is empty
        mask
    });
    Inputs { reals, classes, masks: masks.into(), knobs: None }
}

/// Logits and cotangent; tokens; mask.
fn packed(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(11, 60_001);
    let reals = [random.uniform(&[n, CLASSES], -3.0, 3.0), random.uniform(&[3], -1.0, 1.0)];
    Inputs::reals(reals).classes([random.classes(&[n], CLASSES)]).masks([random.mask(&[n])])
}
