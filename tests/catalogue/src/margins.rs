//! Pairwise objectives of a batch that holds everything: functions of the margin and of labels.

use loglik::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, Dpo, ExoPair, FlexDpo, Hinge, Ipo,
    JensenShannonLink, Length, Link, LinkableConfig, Linked, Odpo, PairBatch, PairObjective, Pairs, Poft, Pso, RDpo,
    RaoKupper, Rebel, RewardAwareRpo, RewardDistance, RewardGap, RobustDpo, SigmoidNorm, SimPo, Slic, SoftDpo,
    SoftmaxHinge,
};
use loglik::{Real, Reduction};
use ndarray::Ix1;

use super::objectives::rows;
use super::pairs::{methods, pairs};
use super::{Call, Entry, Inputs, Random, Results, Size, knob};

rows! { everything, run;
    "Dpo": Sigmoid(Dpo { beta: positive(0.3), label_smoothing: smoothing(0.1) }),
    "RobustDpo": Robust(RobustDpo { beta: positive(0.3), label_smoothing: smoothing(0.2) }),
    "Hinge": Hinge(Hinge { beta: positive(0.1) }),
    "Slic of means": Slic(Slic { delta: positive(0.5), length: length(Length::Mean) }),
    "Ipo": Ipo(Ipo { beta: positive(0.4), length: length(Length::Sum) }),
    "ExoPair": ExoPair(ExoPair { beta: positive(0.3), label_smoothing: smoothing(0.1) }),
    "DiscoPop": DiscoPop(DiscoPop { beta: positive(0.1), tau: number(0.5, |p| p.one_of(&[0.05, 0.5, 1.0])) }),
    "SigmoidNorm": SigmoidNorm(SigmoidNorm { beta: positive(2.0), label_smoothing: smoothing(0.1) }),
    "Cpo of sums": Cpo(Cpo { beta: positive(0.3), label_smoothing: smoothing(0.0), length: length(Length::Sum) }),
    "Cpo of means": Cpo(Cpo { beta: positive(2.0), label_smoothing: smoothing(0.1), length: length(Length::Mean) }),
    "CpoHinge of sums": CpoHinge(CpoHinge { beta: positive(0.3), length: length(Length::Sum) }),
    "CpoIpo of means": CpoIpo(CpoIpo { beta: positive(0.4), length: length(Length::Mean) }),
    "SimPo": SimPo(SimPo { beta: positive(2.0), gamma: weight(0.5), label_smoothing: smoothing(0.1) }),
    "AlphaPo, likelier ones weighed up": AlphaPo(AlphaPo {
        alpha: number(-0.5, |p| 0.1 * p.finite()),
        beta: positive(2.0),
        gamma: weight(0.5),
        label_smoothing: smoothing(0.1),
    }),
    "AlphaPo, likelier ones weighed down": AlphaPo(AlphaPo {
        alpha: number(0.25, |p| 0.1 * p.finite()),
        beta: positive(0.5),
        gamma: weight(0.5),
        label_smoothing: smoothing(0.0),
    }),
    "RDpo": RDpo(RDpo { beta: positive(0.3), alpha: finite(0.1), label_smoothing: smoothing(0.1) }),
    "Odpo by a logarithm": Odpo(Odpo {
        beta: positive(0.3),
        alpha: weight(0.5),
        gap: one_of([RewardGap::Log, RewardGap::Difference]),
    }),
    "Odpo by a difference": Odpo(Odpo {
        beta: positive(0.3),
        alpha: weight(0.5),
        gap: one_of([RewardGap::Difference, RewardGap::Log]),
    }),
    "FlexDpo": FlexDpo(FlexDpo { beta_chosen: positive(0.3), beta_rejected: weight(0.1) }),
    "ChiPo": ChiPo(ChiPo { beta: number(0.001, |p| 0.01 * p.positive()), clip: positive(1.0) }),
    "Rebel": Rebel(Rebel { eta: positive(2.0) }),
    "SoftDpo": SoftDpo(SoftDpo { beta: positive(0.3) }),
    "SoftmaxHinge": SoftmaxHinge(SoftmaxHinge {}),
    "RewardAwareRpo, backward": RewardAwareRpo(RewardAwareRpo {
        beta: positive(0.2),
        eta: weight(0.5),
        distance: one_of([RewardDistance::BackwardKl, RewardDistance::ForwardKl, RewardDistance::Squared]),
        length: length(Length::Sum),
    }),
    "RewardAwareRpo, forward": RewardAwareRpo(RewardAwareRpo {
        beta: positive(0.2),
        eta: weight(0.5),
        distance: one_of([RewardDistance::ForwardKl]),
        length: length(Length::Mean),
    }),
    "RewardAwareRpo, squared": RewardAwareRpo(RewardAwareRpo {
        beta: positive(0.2),
        eta: weight(0.5),
        distance: one_of([RewardDistance::Squared]),
        length: length(Length::Sum),
    }),
    "RaoKupper": RaoKupper(RaoKupper { beta: positive(0.3), nu: number(2.0, |p| 1.0 + p.positive()) }),
    "Davidson": Davidson(Davidson { beta: positive(0.3), nu: positive(2.0) }),
    "Poft": Poft(Poft { beta: positive(1.5), gamma: finite(0.25) }),
    "DiffusionDpo": DiffusionDpo(DiffusionDpo { beta: positive(0.5) }),
    "Pso of means": Pso(Pso {
        beta: positive(4.0),
        epsilon: number(0.5, |p| p.one_of(&[0.1, 0.5])),
        length: length(Length::Mean),
    }),
    "Linked": Linked(Linked {
        loss: linkable(LinkableConfig::Hinge(Hinge { beta: 0.1 })),
        link: link(Link::JsDivergence),
    }),
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    let mut entries = row_entries();
    entries.push(Entry::new("RaoKupper scored by Jensen-Shannon", everything, |call, out| {
        run(call, out, &Linked { loss: RaoKupper { beta: knob(0.3), nu: knob(2.0) }, link: JensenShannonLink });
    }));
    entries
}

/// Those of [`pairs`], then the rewards of both, and targets that are probabilities.
fn everything(random: &mut Random, size: Size) -> Inputs {
    let mut inputs = pairs(random, size);
    let n = inputs.reals[0].shape().to_vec();
    for (low, high) in [(0.5, 2.0), (-1.0, 0.25), (0.0, 1.0)] {
        inputs.reals.push(random.uniform(&n, low, high));
    }
    inputs
}

fn run<T: Real>(call: &Call<T>, out: &mut Results<T>, objective: &dyn PairObjective<T>) {
    let columns: Vec<_> = (0..10).map(|i| call.real::<Ix1>(i)).collect();
    let side = |i: usize| Pairs { chosen: columns[i].view(), rejected: columns[i + 1].view() };
    let batch = PairBatch::new(side(0))
        .reference(side(2))
        .lengths(side(4))
        .rewards(side(7))
        .offset(columns[9].view())
        .soft_label(columns[9].view())
        .tie_probability(columns[9].view())
        .rating_gap(columns[9].view());
    methods(call, out, objective, batch, Reduction::Mean);
}
