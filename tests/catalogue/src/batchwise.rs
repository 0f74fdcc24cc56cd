//! Objectives of the whole batch, scores of other divergences, and what is measured of hidden states and gradients.

use loglik::diagnostics::{Ches, displacement, log_gradient_ratio};
use loglik::logits::log_collision;
use loglik::preference::{
    AlphaDpo, AlphaLink, Aot, AotUnpaired, Baseline, BetaDpo, Dpo, DrDpo, ForwardKlLink, KtoPair, Length, Link, Linked,
    MarginMoments, PairConfig, PairObjective, Pairs, Sft,
};
use loglik::sequence::TokenMask;
use loglik::{Real, Reduction};
use ndarray::{Ix1, Ix2, Ix3};

use super::objectives::rows;
use super::pairs::{WEIGHTS, batch, pairs, routes, run};
use super::{By, Call, Entry, Inputs, Random, Results, Seen, Size, knob};

rows! { pairs, mean;
    "Aot, mean": Aot(Aot { beta: positive(0.3), label_smoothing: smoothing(0.1) }),
    "AotUnpaired, mean": AotUnpaired(AotUnpaired { beta: positive(0.3), label_smoothing: smoothing(0.1) }),
    "DrDpo, mean": DrDpo(DrDpo { loss: dpo(0.3, 0.1), beta_prime: positive(0.7) }),
    "BetaDpo without its factor, mean": BetaDpo(BetaDpo {
        beta: positive(0.3),
        alpha: weight(0.0),
        baseline: finite(0.0),
        floor: positive(1e-3),
        label_smoothing: smoothing(0.0),
    }),
    "AlphaDpo without its offset": AlphaDpo(AlphaDpo {
        beta: positive(2.0),
        gamma: finite(0.5),
        alpha: weight(0.0),
        label_smoothing: smoothing(0.1),
        usual: moments(MarginMoments::default()),
    }),
    "KtoPair, mean": KtoPair(KtoPair {
        beta: positive(0.3),
        baseline: one_of([Baseline::Differentiated, Baseline::Detached]),
    }),
    "Sft": Sft(Sft {}),
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let mut entries = row_entries();
    entries.extend(others());
    entries
}

/// Other reductions, detached factors, scores of other divergences, and measures.
fn others<T: Real>() -> Vec<Entry<T>> {
    vec![
        Entry::new("AotUnpaired, sum", pairs, |call, out| {
            whole(call, out, &AotUnpaired { beta: knob(0.3), label_smoothing: knob(0.1) }, Reduction::Sum);
        }),
        Entry::new("DrDpo, sum", pairs, |call, out| soft(call, out, &robust(), Reduction::Sum)),
        Entry::new("DrDpo, weighted", pairs, |call, out| {
            soft(call, out, &robust(), Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("KtoPair, weighted", pairs, |call, out| {
            whole(call, out, &kto(), Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("BetaDpo without its factor", pairs, |call, out| {
            let plain = BetaDpo { beta: knob(0.3), alpha: knob(0.0), ..BetaDpo::default() };
            whole(call, out, &plain, Reduction::Weighted(&call.real(WEIGHTS)));
        })
        .without(By::Weights(WEIGHTS), &[0, 1, 2, 3, 4, 5], Seen::Reduced),
        Entry::new("detached factors", pairs, |call, out| {
            batch(call, |batch| {
                let beta = BetaDpo::default().beta_of(batch, Reduction::Mean);
                out.scalar("beta", beta.map(T::from_f64));
                let usual = MarginMoments::new(batch, Length::Mean);
                out.scalar("std", usual.clone().map(|usual| T::from_f64(usual.std)));
                let usual = usual.unwrap_or_default();
                let offset =
                    AlphaDpo { beta: knob(2.0), gamma: knob(0.5), alpha: knob(0.1), label_smoothing: knob(0.0), usual };
                out.array("offsets", offset.offsets_of(batch));
                out.array("weights", robust().weights_of(batch));
                out.scalar("baseline", kto().baselines_of(batch, Reduction::Mean).map(|kept| T::from_f64(kept.chosen)));
            });
        })
        .forming(&["margin"]),
        Entry::new("Dpo scored by forward KL", pairs, |call, out| {
            run(
                call,
                out,
                &Linked { loss: Dpo { beta: knob(0.01), label_smoothing: knob(0.1) }, link: ForwardKlLink },
                Reduction::Mean,
            );
        }),
        Entry::new("Dpo scored by an alpha divergence", pairs, |call, out| {
            let link = AlphaLink { alpha: knob(0.8) };
            run(
                call,
                out,
                &Linked { loss: Dpo { beta: knob(0.1), label_smoothing: knob(0.1) }, link },
                Reduction::Mean,
            );
        }),
        Entry::new("Dpo scored by name", pairs, |call, out| {
            let link = Link::AlphaDivergence { f_alpha_divergence_coef: knob(1.1) };
            run(
                call,
                out,
                &Linked { loss: Dpo { beta: knob(0.1), label_smoothing: knob(0.1) }, link },
                Reduction::Mean,
            );
        }),
        Entry::new("displacement and gradient ratio", pairs, |call, out| {
            let columns: Vec<_> = (0..4).map(|i| call.real::<Ix1>(i)).collect();
            let moved = displacement(&columns[0], &columns[2]);
            out.scalar("rate", moved.clone().map(|moved| T::from_f64(moved.rate)));
            out.scalar("change", moved.map(|moved| T::from_f64(moved.mean_change)));
            let side = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
            out.array("ratio", log_gradient_ratio(side(0), side(2)));
        })
        .infinite(),
        Entry::new("Ches", states, |call, out| {
            let (chosen, rejected) = (call.real::<Ix3>(0), call.real::<Ix3>(1));
            let (left, right) = (call.mask::<Ix2>(0), call.mask::<Ix2>(1));
            for (name, length) in [("sums", Length::Sum), ("means", Length::Mean)] {
                let hidden = Pairs { chosen: chosen.view(), rejected: rejected.view() };
                let masks = Pairs { chosen: TokenMask::padded(left.view()), rejected: TokenMask::padded(right.view()) };
                out.array(name, Ches { length }.each(hidden, masks));
            }
            out.array("collision", log_collision(&chosen));
        })
        .forming(&["hidden.chosen", "hidden.rejected"]),
    ]
}

fn kto() -> KtoPair {
    KtoPair { beta: knob(0.3), baseline: Baseline::Differentiated }
}

fn robust() -> DrDpo<Dpo> {
    DrDpo { loss: Dpo { beta: knob(0.3), label_smoothing: knob(0.1) }, beta_prime: knob(0.7) }
}

/// Hidden states of both sides and the masks of their responses, each with a token.
fn states(random: &mut Random, size: Size) -> Inputs {
    let (pairs, tokens, units) = (size.pick(4, 150), size.pick(3, 40), size.pick(5, 260));
    let shape = [pairs, tokens, units];
    let reals = [random.uniform(&shape, -2.0, 2.0), random.uniform(&shape, -2.0, 2.0)];
    let mut mask = || {
        let mut mask = random.classes(&[pairs, tokens], 3).mapv(|class| class > 0);
        mask.index_axis_mut(ndarray::Axis(1), 0).fill(true);
        mask
    };
    let masks = [mask(), mask()];
    Inputs::reals(reals).masks(masks)
}

/// The mean, by every method that the objective has.
fn mean<T: Real>(call: &Call<T>, out: &mut Results<T>, config: &PairConfig) {
    match config {
        PairConfig::DrDpo(objective) => soft(call, out, objective, Reduction::Mean),
        PairConfig::AlphaDpo(_) => run(call, out, config, Reduction::Mean),
        _ => whole(call, out, config, Reduction::Mean),
    }
}

/// An objective that pairs have shares of, without parts.
fn whole<T: Real>(call: &Call<T>, out: &mut Results<T>, objective: &dyn PairObjective<T>, reduction: Reduction<T>) {
    batch(call, |batch| routes(call, out, objective, batch, reduction));
}

/// One that pairs have no shares of: without the loss of each pair.
fn soft<T: Real>(call: &Call<T>, out: &mut Results<T>, objective: &DrDpo<Dpo>, reduction: Reduction<T>) {
    batch(call, |batch| {
        let grad = objective.grad(batch, reduction).map(|(value, g)| (value, [g.chosen, g.rejected]));
        out.scalar("value", objective.value(batch, reduction));
        out.grad("", [0, 1], grad);
    });
}
