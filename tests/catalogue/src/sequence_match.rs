//! Occupancies of sequences.

use loglik::Real;
use loglik::divergence::{Occupancy, SequenceMatch, Trajectory, TrajectoryEnd, TrajectorySource};
use ndarray::{Ix1, Ix2};

use super::{Call, Entry, Inputs, Random, Results, Size, knob};

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("SequenceMatch, mixture, data", trajectory, |call, out| {
            matching(call, out, Occupancy::ChiSquareMixture { alpha: knob(2.0) }, TrajectorySource::Data);
        }),
        Entry::new("SequenceMatch, mixture, model", trajectory, |call, out| {
            matching(call, out, Occupancy::ChiSquareMixture { alpha: knob(2.0) }, TrajectorySource::Model);
        }),
        Entry::new("SequenceMatch, reverse KL", trajectory, |call, out| {
            matching(call, out, Occupancy::ReverseKl, TrajectorySource::Data);
        }),
    ]
}

/// The last action is ignored.
fn matching<T: Real>(call: &Call<T>, out: &mut Results<T>, occupancy: Occupancy, source: TrajectorySource) {
    let (logits, actions) = (call.real::<Ix2>(0), call.class::<Ix1>(0));
    let of = |end| Trajectory { logits: logits.view(), actions: actions.view(), source, end };
    let objective = SequenceMatch { gamma: knob(0.9), occupancy, data_share: knob(0.4), ignore_index: Some(5) };
    let absorbed = of(TrajectoryEnd::Absorbed);
    out.scalar("truncated", objective.value(&of(TrajectoryEnd::Truncated)));
    out.scalar("value", objective.value(&absorbed));
    out.array("rewards", objective.terms(&absorbed).map(|terms| terms.rewards));
    out.array("values", objective.terms(&absorbed).map(|terms| terms.values));
    out.grad("", [0], objective.grad(&absorbed).map(|(value, gradient)| (value, [gradient])));
    let into = call.into(logits.raw_dim(), |mut to| objective.grad_into(&absorbed, &mut to));
    out.grad("into: ", [0], into.map(|(value, gradient)| (value, [gradient])));
}

/// Logits of the states, and the actions between them.
fn trajectory(random: &mut Random, size: Size) -> Inputs {
    let (states, actions) = (size.pick(5, 301), size.pick(6, 3_001));
    Inputs::reals([random.uniform(&[states, actions], -1.0, 1.0)]).classes([random.classes(&[states - 1], actions)])
}
