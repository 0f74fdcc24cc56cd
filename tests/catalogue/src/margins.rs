//! Pairwise objectives of a batch that holds everything: functions of the margin and of labels.

use loglik::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiscoPop, ExoPair, FlexDpo, Hinge, JensenShannon,
    Length, Odpo, PairBatch, PairObjective, Pairs, Poft, Pso, RDpo, RaoKupper, Rebel, RewardAwareRpo, RewardDistance,
    RewardGap, RobustDpo, Scored, SigmoidNorm, SimPo, Slic, SoftDpo,
};
use loglik::{Real, Reduction};
use ndarray::Ix1;

use super::pairs::{methods, pairs};
use super::{Call, Entry, Inputs, Random, Results, Size};

/// An entry for each objective, all of the same batch.
macro_rules! entries {
    ($($name:literal: $objective:expr,)*) => {
        vec![$(Entry::new($name, everything, |call, out| run(call, out, &$objective)),)*]
    };
}

pub fn entries<T: Real>() -> Vec<Entry<T>> {
    entries![
        "RobustDpo": RobustDpo { beta: 0.3, label_smoothing: 0.2 },
        "Hinge": Hinge { beta: 0.1 },
        "Slic of means": Slic { delta: 0.5, length: Length::Mean },
        "ExoPair": ExoPair { beta: 0.3, label_smoothing: 0.1 },
        "DiscoPop": DiscoPop { beta: 0.1, tau: 0.5 },
        "SigmoidNorm": SigmoidNorm { beta: 2.0, label_smoothing: 0.1 },
        "Cpo of sums": Cpo { beta: 0.3, label_smoothing: 0.0, length: Length::Sum },
        "Cpo of means": Cpo { beta: 2.0, label_smoothing: 0.1, length: Length::Mean },
        "CpoHinge of sums": CpoHinge { beta: 0.3, length: Length::Sum },
        "CpoIpo of means": CpoIpo { beta: 0.4, length: Length::Mean },
        "SimPo": SimPo { beta: 2.0, gamma: 0.5, label_smoothing: 0.1 },
        "AlphaPo, likelier ones weighed up": AlphaPo { alpha: -0.5, beta: 2.0, gamma: 0.5, label_smoothing: 0.1 },
        "AlphaPo, likelier ones weighed down": AlphaPo { alpha: 0.25, beta: 0.5, gamma: 0.5, label_smoothing: 0.0 },
        "RDpo": RDpo { beta: 0.3, alpha: 0.1, label_smoothing: 0.1 },
        "Odpo by a logarithm": Odpo { beta: 0.3, alpha: 0.5, gap: RewardGap::Log },
        "Odpo by a difference": Odpo { beta: 0.3, alpha: 0.5, gap: RewardGap::Difference },
        "FlexDpo": FlexDpo { beta_chosen: 0.3, beta_rejected: 0.1 },
        "ChiPo": ChiPo { beta: 0.001, clip: 1.0 },
        "Rebel": Rebel { eta: 2.0 },
        "SoftDpo": SoftDpo { beta: 0.3 },
        "RewardAwareRpo, backward": reward_aware(RewardDistance::BackwardKl, Length::Sum),
        "RewardAwareRpo, forward": reward_aware(RewardDistance::ForwardKl, Length::Mean),
        "RewardAwareRpo, squared": reward_aware(RewardDistance::Squared, Length::Sum),
        "RaoKupper": RaoKupper { beta: 0.3, nu: 2.0 },
        "RaoKupper scored by Jensen-Shannon": Scored { loss: RaoKupper { beta: 0.3, nu: 2.0 }, score: JensenShannon },
        "Davidson": Davidson { beta: 0.3, nu: 2.0 },
        "Poft": Poft { beta: 1.5, gamma: 0.25 },
        "DiffusionDpo": DiffusionDpo { beta: 0.5 },
        "Pso of means": Pso { beta: 4.0, epsilon: 0.5, length: Length::Mean },
    ]
}

fn reward_aware(distance: RewardDistance, length: Length) -> RewardAwareRpo {
    RewardAwareRpo { beta: 0.2, eta: 0.5, distance, length }
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
    let batch = PairBatch::new(side(0)).reference(side(2)).lengths(side(4)).rewards(side(7)).target(columns[9].view());
    methods(call, out, objective, batch, Reduction::Mean);
}
