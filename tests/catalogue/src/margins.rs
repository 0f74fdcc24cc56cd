//! Pairwise objectives of a batch that holds everything: functions of the margin and of labels.

use loglik::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, ExoPair, FlexDpo, Hinge,
    JensenShannonLink, Length, Linked, Odpo, PairBatch, PairObjective, Pairs, Poft, Pso, RDpo, RaoKupper, Rebel,
    RewardAwareRpo, RewardDistance, RewardGap, RobustDpo, SigmoidNorm, SimPo, Slic, SoftDpo,
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
    entries![
        "RobustDpo": RobustDpo { beta: knob(0.3), label_smoothing: knob(0.2) },
        "Hinge": Hinge { beta: knob(0.1) },
        "Slic of means": Slic { delta: knob(0.5), length: Length::Mean },
        "ExoPair": ExoPair { beta: knob(0.3), label_smoothing: knob(0.1) },
        "DiscoPop": DiscoPop { beta: knob(0.1), tau: knob(0.5) },
        "SigmoidNorm": SigmoidNorm { beta: knob(2.0), label_smoothing: knob(0.1) },
        "Cpo of sums": Cpo { beta: knob(0.3), label_smoothing: knob(0.0), length: Length::Sum },
        "Cpo of means": Cpo { beta: knob(2.0), label_smoothing: knob(0.1), length: Length::Mean },
        "CpoHinge of sums": CpoHinge { beta: knob(0.3), length: Length::Sum },
        "CpoIpo of means": CpoIpo { beta: knob(0.4), length: Length::Mean },
        "SimPo": SimPo { beta: knob(2.0), gamma: knob(0.5), label_smoothing: knob(0.1) },
        "AlphaPo, likelier ones weighed up": AlphaPo { alpha: knob(-0.5), beta: knob(2.0), gamma: knob(0.5), label_smoothing: knob(0.1) },
        "AlphaPo, likelier ones weighed down": AlphaPo { alpha: knob(0.25), beta: knob(0.5), gamma: knob(0.5), label_smoothing: knob(0.0) },
        "RDpo": RDpo { beta: knob(0.3), alpha: knob(0.1), label_smoothing: knob(0.1) },
        "Odpo by a logarithm": Odpo { beta: knob(0.3), alpha: knob(0.5), gap: RewardGap::Log },
        "Odpo by a difference": Odpo { beta: knob(0.3), alpha: knob(0.5), gap: RewardGap::Difference },
        "FlexDpo": FlexDpo { beta_chosen: knob(0.3), beta_rejected: knob(0.1) },
        "ChiPo": ChiPo { beta: knob(0.001), clip: knob(1.0) },
        "Rebel": Rebel { eta: knob(2.0) },
        "SoftDpo": SoftDpo { beta: knob(0.3) },
        "RewardAwareRpo, backward": reward_aware(RewardDistance::BackwardKl, Length::Sum),
        "RewardAwareRpo, forward": reward_aware(RewardDistance::ForwardKl, Length::Mean),
        "RewardAwareRpo, squared": reward_aware(RewardDistance::Squared, Length::Sum),
        "RaoKupper": RaoKupper { beta: knob(0.3), nu: knob(2.0) },
        "RaoKupper scored by Jensen-Shannon": Linked { loss: RaoKupper { beta: knob(0.3), nu: knob(2.0) }, link: JensenShannonLink },
        "Davidson": Davidson { beta: knob(0.3), nu: knob(2.0) },
        "Poft": Poft { beta: knob(1.5), gamma: knob(0.25) },
        "DiffusionDpo": DiffusionDpo { beta: knob(0.5) },
        "Pso of means": Pso { beta: knob(4.0), epsilon: knob(0.5), length: Length::Mean },
    ]
}

fn reward_aware(distance: RewardDistance, length: Length) -> RewardAwareRpo {
    RewardAwareRpo { beta: knob(0.2), eta: knob(0.5), distance, length }
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
