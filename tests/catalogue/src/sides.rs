//! Pairwise objectives that look at each side by itself, and reward models.

use loglik::preference::{
    ApoDown, ApoZero, Asft, BcoPair, BradleyTerry, CalDpo, Dpop, Length, NcaPair, Nll, Orpo, PairBatch, PairConfig,
    Pairs, Placement, ProcessReward, RatingGap, RewardRegression, RewardTies, SimPer, SppoHard, SppoSoft, TieModel,
    Tpo, reward_metrics,
};
use loglik::{Real, Reduction};
use ndarray::Ix1;

use super::objectives::rows;
use super::pairs::{methods, pairs};
use super::{Call, Entry, Inputs, Random, Results, Size};

rows! { everything, run;
    "NcaPair": NcaPair(NcaPair { beta: positive(0.3) }),
    "BcoPair": BcoPair(BcoPair { beta: positive(0.3), delta: finite(-0.4) }),
    "SppoHard": SppoHard(SppoHard { beta: positive(0.3) }),
    "SppoSoft": SppoSoft(SppoSoft { beta: positive(0.2) }),
    "ApoZero": ApoZero(ApoZero { beta: positive(0.3) }),
    "ApoDown": ApoDown(ApoDown { beta: positive(0.3) }),
    "Asft of means": Asft(Asft {
        lambda: positive(0.7),
        beta: number(1.0, |p| if p.random.below(2) == 0 { 1.0 } else { p.positive() }),
        length: length(Length::Mean),
    }),
    "Asft, tempered": Asft(Asft { lambda: positive(0.7), beta: positive(0.6), length: length(Length::Sum) }),
    "SimPer": SimPer(SimPer { length: one_of([Length::Mean]) }),
    "SimPer of log-probs as they come": SimPer(SimPer { length: length(Length::Sum) }),
    "CalDpo": CalDpo(CalDpo { beta: positive(0.3) }),
    "Dpop, inside": Dpop(Dpop {
        beta: positive(0.3),
        lambda: weight(2.0),
        placement: one_of([Placement::Inside, Placement::Outside]),
    }),
    "Dpop, outside": Dpop(Dpop {
        beta: positive(0.3),
        lambda: weight(2.0),
        placement: one_of([Placement::Outside]),
    }),
    "Tpo": Tpo(Tpo {
        beta: positive(0.3),
        alpha: weight(0.5),
        gamma: finite(0.0),
        label_smoothing: smoothing(0.0),
        length: length(Length::Sum),
    }),
    "Tpo, length-normalized": Tpo(Tpo {
        beta: positive(2.0),
        alpha: weight(1.0),
        gamma: finite(0.5),
        label_smoothing: smoothing(0.1),
        length: length(Length::Mean),
    }),
    "Orpo": Orpo(Orpo { lambda: positive(0.7), length: length(Length::Mean) }),
    "Nll": Nll(Nll { length: length(Length::Sum) }),
    "BradleyTerry, margin": BradleyTerry(BradleyTerry {
        gap: one_of([RatingGap::Margin, RatingGap::Scale]),
        centering: weight(0.01),
    }),
    "BradleyTerry, scale": BradleyTerry(BradleyTerry {
        gap: one_of([RatingGap::Scale]),
        centering: weight(0.0),
    }),
    "RewardTies": RewardTies(RewardTies {
        model: one_of([TieModel::RaoKupper, TieModel::Davidson]),
        nu: number(2.0, |p| 1.0 + p.positive()),
        centering: weight(0.01),
    }),
    "RewardTies, Davidson": RewardTies(RewardTies {
        model: one_of([TieModel::Davidson]),
        nu: positive(2.0),
        centering: weight(0.0),
    }),
    "RewardRegression": RewardRegression(RewardRegression {}),
    "ProcessReward": ProcessReward(ProcessReward {}),
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let mut entries = row_entries();
    entries.push(Entry::new("reward_metrics", everything, |call, out| {
        batch(call, |batch| {
            let metrics = reward_metrics(batch);
            out.scalar("mean", metrics.clone().map(|m| T::from_f64(m.mean)));
            out.scalar("deviation", metrics.clone().map(|m| T::from_f64(m.deviation)));
            out.scalar("margin", metrics.map(|m| T::from_f64(m.margin)));
        });
    }));
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

/// What every objective has, and the gradient by the gold column where there is one.
fn run<T: Real>(call: &Call<T>, out: &mut Results<T>, config: &PairConfig) {
    batch(call, |batch| {
        methods(call, out, config, batch, Reduction::Mean);
        if let PairConfig::Tpo(tpo) = config {
            out.array(&format!("grad {GOLD}"), tpo.gold_grad(batch, Reduction::Mean));
            let into = call.into(Ix1(batch.len()), |to| tpo.gold_grad_into(batch, Reduction::Mean, to));
            out.array(&format!("into: grad {GOLD}"), into.map(|(_, grad)| grad));
        }
    });
}
