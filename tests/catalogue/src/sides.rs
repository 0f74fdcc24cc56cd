//! Pairwise objectives that look at each side by itself, and reward models.

use loglik::preference::{
    ApoDown, ApoZero, Asft, BcoPair, BradleyTerry, CalDpo, Dpop, Length, NcaPair, PairBatch, PairObjective, Pairs,
    Placement, ProcessReward, RatingGap, RewardRegression, RewardTies, SimPer, SppoHard, SppoSoft, TieModel, Tpo,
    reward_metrics,
};
use loglik::{Real, Reduction};
use ndarray::Ix1;

use super::pairs::{methods, pairs};
use super::{Call, Entry, Inputs, Random, Results, Size, knob};

/// An entry for each objective, all of the same batch.
macro_rules! entries {
    ($($name:literal: $objective:expr,)*) => {
        vec![$(Entry::new($name, everything, |call, out| run(call, out, &$objective)),)*]
    };
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let mut entries: Vec<Entry<T>> = entries![
        "NcaPair": NcaPair { beta: knob(0.3) },
        "BcoPair": BcoPair { beta: knob(0.3), delta: knob(-0.4) },
        "SppoHard": SppoHard { beta: knob(0.3) },
        "SppoSoft": SppoSoft { beta: knob(0.2) },
        "ApoZero": ApoZero { beta: knob(0.3) },
        "ApoDown": ApoDown { beta: knob(0.3) },
        "Asft of means": Asft { lambda: knob(0.7), ..Asft::default() },
        "Asft, tempered": Asft { lambda: knob(0.7), beta: knob(0.6), length: Length::Sum },
        "SimPer": SimPer { length: Length::Mean },
        "SimPer of log-probs as they come": SimPer { length: Length::Sum },
        "CalDpo": CalDpo { beta: knob(0.3) },
        "Dpop, inside": Dpop { beta: knob(0.3), lambda: knob(2.0), placement: Placement::Inside },
        "Dpop, outside": Dpop { beta: knob(0.3), lambda: knob(2.0), placement: Placement::Outside },
        "BradleyTerry, margin": BradleyTerry { gap: RatingGap::Margin, centering: knob(0.01) },
        "BradleyTerry, scale": BradleyTerry { gap: RatingGap::Scale, centering: knob(0.0) },
        "RewardTies": RewardTies { model: TieModel::RaoKupper, nu: knob(2.0), centering: knob(0.01) },
        "RewardTies, Davidson": RewardTies { model: TieModel::Davidson, nu: knob(2.0), centering: knob(0.0) },
        "RewardRegression": RewardRegression {},
        "ProcessReward": ProcessReward {},
    ];
    entries.extend([
        Entry::new("Tpo", everything, |call, out| {
            tpo(call, out, Tpo { beta: knob(0.3), alpha: knob(0.5), ..Tpo::default() })
        }),
        Entry::new("Tpo, length-normalized", everything, |call, out| {
            tpo(call, out, Tpo { beta: knob(2.0), label_smoothing: knob(0.1), ..Tpo::length_normalized() });
        }),
        Entry::new("reward_metrics", everything, |call, out| {
            batch(call, |batch| {
                let metrics = reward_metrics(batch);
                out.scalar("mean", metrics.clone().map(|m| T::from_f64(m.mean)));
                out.scalar("deviation", metrics.clone().map(|m| T::from_f64(m.deviation)));
                out.scalar("margin", metrics.map(|m| T::from_f64(m.margin)));
            });
        }),
    ]);
    entries
}

/// Where the gold column is among the real inputs.
const GOLD: usize = 10;

/// Those of [`pairs`], then probabilities as rewards of both and as labels, and a gold column.
fn everything(random: &mut Random, size: Size) -> Inputs {
    let mut inputs = pairs(random, size);
    let n = inputs.reals[0].shape().to_vec();
    for (low, high) in [(0.5, 1.0), (0.0, 0.5), (0.0, 1.0), (-9.0, -0.5)] {
        inputs.reals.push(random.uniform(&n, low, high));
    }
    inputs
}

fn batch<T: Real>(call: &Call<T>, f: impl FnOnce(PairBatch<'_, T>)) {
    let columns: Vec<_> = (0..=GOLD).map(|i| call.real::<Ix1>(i)).collect();
    let side = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
    let batch = PairBatch::new(side(0)).reference(side(2)).lengths(side(4)).rewards(side(7));
    f(batch
        .offset(columns[9].view())
        .soft_label(columns[9].view())
        .tie_probability(columns[9].view())
        .rating_gap(columns[9].view())
        .gold(columns[GOLD].view()));
}

fn run<T: Real>(call: &Call<T>, out: &mut Results<T>, objective: &dyn PairObjective<T>) {
    batch(call, |batch| methods(call, out, objective, batch, Reduction::Mean));
}

/// What every objective has, and the gradient by the gold column.
fn tpo<T: Real>(call: &Call<T>, out: &mut Results<T>, tpo: Tpo) {
    batch(call, |batch| {
        methods(call, out, &tpo, batch, Reduction::Mean);
        out.array(&format!("grad {GOLD}"), tpo.gold_grad(batch, Reduction::Mean));
        let into = call.into(Ix1(batch.len()), |to| tpo.gold_grad_into(batch, Reduction::Mean, to));
        out.array(&format!("into: grad {GOLD}"), into.map(|(_, grad)| grad));
    });
}
