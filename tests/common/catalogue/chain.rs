//! From logits to losses of pairs, and back.

use loglik::preference::{Dpo, Ipo, Length, LogitPairs, PairObjective, Pairs};
use loglik::sequence::{Alignment, Responses, TokenMask};
use loglik::{Real, Reduction};
use ndarray::{Ix1, Ix2, Ix3};

use super::{Call, Entry, Inputs, Random, Results, Size, dot};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("LogitPairs to Dpo", pairs, |call, out| {
            run(call, out, Alignment::Next, &Dpo { beta: 0.3, label_smoothing: 0.1 }, Reduction::Mean);
        }),
        Entry::new("LogitPairs to Ipo of means", pairs, |call, out| {
            let objective = Ipo { beta: 0.4, length: Length::Mean };
            run(call, out, Alignment::Same, &objective, Reduction::Weighted(&call.real(4)));
        }),
        Entry::new("Responses, packed", packed, |call, out| {
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
        }),
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

const CLASSES: usize = 6;

/// Logits of both sides, reference of both, weights; tokens and masks of both sides.
fn pairs(random: &mut Random, size: Size) -> Inputs {
    let b = size.pick(3, 31);
    let (chosen, rejected) = ([b, size.pick(5, 2_003)], [b, size.pick(4, 1_501)]);
    let logits = [chosen, rejected].map(|shape| random.uniform(&[shape[0], shape[1], CLASSES], -3.0, 3.0));
    let reals = logits.into_iter().chain([-9.0, -9.0, 0.0].map(|low| random.uniform(&[b], low, low + 1.0))).collect();
    let classes = [chosen, rejected].map(|shape| random.classes(&shape, CLASSES)).into();
    let masks = [chosen, rejected].map(|shape| {
        let mut mask = random.mask(&shape);
        mask.index_axis_mut(ndarray::Axis(1), 1).fill(true); // no response is empty
        mask
    });
    Inputs { reals, classes, masks: masks.into() }
}

/// Logits and cotangent; tokens; mask.
fn packed(random: &mut Random, size: Size) -> Inputs {
    let n = size.pick(11, 60_001);
    let reals = [random.uniform(&[n, CLASSES], -3.0, 3.0), random.uniform(&[3], -1.0, 1.0)];
    Inputs::reals(reals).classes([random.classes(&[n], CLASSES)]).masks([random.mask(&[n])])
}
