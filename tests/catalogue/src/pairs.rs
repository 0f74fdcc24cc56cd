//! Pairwise objectives.

use loglik::preference::{
    Dpo, Ipo, JensenShannonLink, Length, Linked, Nll, Orpo, Out, PairBatch, PairObjective, Pairs, ReverseKlLink, Term,
    WeightedSum, pair_metrics,
};
use loglik::{Real, Reduction};
use ndarray::Ix1;

use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

type Boxed<T> = Box<dyn PairObjective<T> + Send + Sync>;

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("Dpo, sum", pairs, |call, out| run(call, out, &dpo(0.0), Reduction::Sum)),
        Entry::new("Dpo, mean", pairs, |call, out| run(call, out, &dpo(0.0), Reduction::Mean)),
        Entry::new("Dpo, smoothed, weighted", pairs, |call, out| {
            run(call, out, &dpo(0.2), Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("Dpo, with an offset", pairs, |call, out| {
            let (chosen, rejected) = (call.real::<Ix1>(0), call.real::<Ix1>(1));
            let policy = Pairs { chosen: chosen.view(), rejected: rejected.view() };
            let (chosen, rejected) = (call.real::<Ix1>(2), call.real::<Ix1>(3));
            let offset = call.real::<Ix1>(WEIGHTS);
            let reference = Pairs { chosen: chosen.view(), rejected: rejected.view() };
            methods(call, out, &dpo(0.0), PairBatch::new(policy).reference(reference).offset(offset), Reduction::Sum);
        }),
        Entry::new("Ipo of sums", pairs, |call, out| {
            run(call, out, &Ipo { beta: knob(0.4), length: Length::Sum }, Reduction::Mean);
        }),
        Entry::new("Ipo of means", pairs, |call, out| {
            run(call, out, &Ipo { beta: knob(0.4), length: Length::Mean }, Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("Orpo of log-probs as they come", pairs, |call, out| {
            run(call, out, &Orpo { lambda: knob(0.7), length: Length::Sum }, Reduction::Sum);
        }),
        Entry::new("Orpo of means", pairs, |call, out| {
            run(call, out, &Orpo { lambda: knob(0.7), length: Length::Mean }, Reduction::Mean);
        }),
        Entry::new("Nll of sums", pairs, |call, out| run(call, out, &Nll { length: Length::Sum }, Reduction::Mean)),
        Entry::new("Nll of means", pairs, |call, out| {
            run(call, out, &Nll { length: Length::Mean }, Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("Dpo scored by reverse KL", pairs, |call, out| {
            run(call, out, &Linked { loss: dpo(0.2), link: ReverseKlLink }, Reduction::Mean);
        }),
        Entry::new("Dpo scored by Jensen-Shannon", pairs, |call, out| {
            run(call, out, &Linked { loss: dpo(0.2), link: JensenShannonLink }, Reduction::Sum);
        }),
        Entry::new("Ipo of means scored by Jensen-Shannon", pairs, |call, out| {
            let loss = Ipo { beta: knob(0.4), length: Length::Mean };
            run(call, out, &Linked { loss, link: JensenShannonLink }, Reduction::Mean);
        }),
        Entry::new("WeightedSum", pairs, |call, out| {
            let terms: [(f64, Boxed<T>); 3] = [
                (1.0, Box::new(dpo(0.2))),
                (0.25, Box::new(Nll { length: Length::Mean })),
                (0.5, Box::new(Orpo { lambda: knob(0.7), length: Length::Mean })),
            ];
            let terms = terms.into_iter().map(|(weight, objective)| Term { weight, objective }).collect();
            run(call, out, &WeightedSum { terms }, Reduction::Mean);
        }),
        Entry::new("pair_metrics", pairs, |call, out| {
            batch(call, |batch| {
                let metrics = pair_metrics(batch, 0.3);
                out.scalar("chosen", metrics.clone().map(|m| T::from_f64(m.reward_chosen)));
                out.scalar("rejected", metrics.clone().map(|m| T::from_f64(m.reward_rejected)));
                out.scalar("margin", metrics.clone().map(|m| T::from_f64(m.margin)));
                out.scalar("accuracy", metrics.map(|m| T::from_f64(m.accuracy)));
            });
        }),
    ]
}

fn dpo(label_smoothing: f64) -> Dpo {
    Dpo { beta: knob(0.3), label_smoothing: knob(label_smoothing) }
}

/// Where the weights are among the real inputs.
pub const WEIGHTS: usize = 6;

/// Policy of chosen and rejected, reference of both, lengths of both, weights.
pub fn pairs(random: &mut Random, size: Size) -> Inputs {
    let n = [size.pick(5, 200_003)];
    let mut log_probs = || random.uniform(&n, -9.0, -0.5);
    let reals = [log_probs(), log_probs(), log_probs(), log_probs()];
    let lengths = [random.classes(&n, 9), random.classes(&n, 9)].map(|n| n.mapv(|n| 1.0 + n as f64));
    let weights = random.uniform(&n, 0.0, 1.0);
    Inputs { reals: reals.into_iter().chain(lengths).chain([weights]).collect(), ..Inputs::default() }
}

pub fn batch<T: Real>(call: &Call<T>, f: impl FnOnce(PairBatch<'_, T>)) {
    let columns: Vec<_> = (0..WEIGHTS).map(|i| call.real::<Ix1>(i)).collect();
    let side = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
    f(PairBatch::new(side(0)).reference(side(2)).lengths(side(4)));
}

pub fn run<T: Real>(call: &Call<T>, out: &mut Results<T>, objective: &dyn PairObjective<T>, reduction: Reduction<T>) {
    batch(call, |batch| methods(call, out, objective, batch, reduction));
}

pub(super) fn methods<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    objective: &dyn PairObjective<T>,
    batch: PairBatch<'_, T>,
    reduction: Reduction<T>,
) {
    out.sum_count(objective.sum_count(batch));
    routes(call, out, objective, batch, reduction);
}

/// All but the parts, which functions of the whole batch do not have.
pub fn routes<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    objective: &dyn PairObjective<T>,
    batch: PairBatch<'_, T>,
    reduction: Reduction<T>,
) {
    out.scalar("value", objective.value(batch, reduction));
    out.array("each", objective.each(batch));
    out.grad("", [0, 1], objective.grad(batch, reduction).map(|(value, g)| (value, [g.chosen, g.rejected])));
    let buffer = || call.buffer(Ix1(batch.len()));
    let (mut chosen, mut rejected) = (buffer(), buffer());
    let to = Pairs { chosen: chosen.view_mut(), rejected: rejected.view_mut() };
    let result = objective.grad_into(batch, reduction, to);
    out.grad("into: ", [0, 1], result.map(|value| (value, [chosen, rejected].map(|side| side.view().to_owned()))));
    added(call, out, objective, batch, reduction);
}

/// The gradient added to zeros and multiplied by two.
fn added<T: Real>(
    call: &Call<T>,
    out: &mut Results<T>,
    objective: &dyn PairObjective<T>,
    batch: PairBatch<'_, T>,
    reduction: Reduction<T>,
) {
    let buffer = || call.buffer(Ix1(batch.len()));
    let (mut chosen, mut rejected) = (buffer(), buffer());
    chosen.view_mut().fill(T::zero());
    rejected.view_mut().fill(T::zero());
    let to = Out::AddGrad(Pairs { chosen: chosen.view_mut(), rejected: rejected.view_mut() });
    let result = objective.run(&batch, reduction, T::from_f64(2.0), to);
    out.grad(
        "added twice: ",
        [0, 1],
        result.map(|value| (value, [chosen, rejected].map(|side| side.view().to_owned()))),
    );
}
