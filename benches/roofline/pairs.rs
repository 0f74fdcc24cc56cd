//! Losses of pairs: the value reads its columns, the gradient writes two more.

use loglik::Real;
use loglik::ndarray::{Array1, Array2};
use loglik::preference::{
    AlphaPo, ChiPo, CpoHinge, Davidson, DiffusionDpo, DiscoPop, FlexDpo, JensenShannonLink, Odpo, Pso, RDpo, RaoKupper,
    Rebel, SigmoidNorm, Slic, SoftDpo,
};
use loglik::prelude::*;

use super::common::{bell, keep};
use super::probe::Probe;
use super::table::{Loop, Roofline};

/// Both names, the batch with its number of columns, and the objective.
type Row<'a, T> = (&'static str, &'static str, (usize, PairBatch<'a, T>), &'a (dyn PairObjective<T> + Sync));

/// A [`Row`].
macro_rules! row {
    ($name:literal, $batch:expr, $objective:expr) => {
        (concat!($name, "_value"), concat!($name, "_grad_into"), $batch, &$objective)
    };
}

pub(crate) fn run<T: Real>(roofline: &mut Roofline) {
    let n = roofline.sizes.pairs;
    // Log-probabilities of both models and both sides, lengths, rewards, a probability.
    let number = |(column, i): (usize, usize)| {
        let x: f64 = bell(column * n + i);
        T::from_f64(match column {
            0..4 => -x.abs() - 0.01,
            4 | 5 => (8.0 * x.abs()).floor() + 1.0,
            6 => x.abs() + 4.0,
            7 => -x.abs(),
            _ => 0.5 + 0.01 * x.clamp(-9.0, 9.0),
        })
    };
    let data = Array2::<T>::from_shape_fn((9, n), number);
    let both = |first: usize| Pairs { chosen: data.row(first), rejected: data.row(first + 1) };
    let alone = (2, PairBatch::new(both(0)));
    let alone_lengths = (4, alone.1.lengths(both(4)));
    let plain = (4, alone.1.reference(both(2)));
    let lengths = (6, plain.1.lengths(both(4)));
    let rewards = (6, plain.1.rewards(both(6)));
    let soft = (5, plain.1.soft_label(data.row(8)));
    let mut out = Pairs { chosen: Array1::zeros(n), rejected: Array1::zeros(n) };
    let sums = Length::Sum;
    let objectives: &[Row<'_, T>] = &[
        row!("dpo", plain, Dpo::default()),
        row!("dpo_smoothed", plain, Dpo { beta: 0.1, label_smoothing: 0.1 }),
        row!("dpo_jensen_shannon", plain, Linked { loss: Dpo::default(), link: JensenShannonLink }),
        row!("robust_dpo", plain, RobustDpo::default()),
        row!("hinge", plain, Hinge::default()),
        row!("ipo", plain, Ipo { beta: 0.1, length: sums }),
        row!("exo_pair", plain, ExoPair::default()),
        row!("disco_pop", plain, DiscoPop::default()),
        row!("chi_po", plain, ChiPo { beta: 0.1, clip: 2.0 }),
        row!("flex_dpo", plain, FlexDpo { beta_chosen: 0.1, beta_rejected: 0.02 }),
        row!("diffusion_dpo", plain, DiffusionDpo { beta: 0.5 }),
        row!("pso", plain, Pso { beta: 50.0, epsilon: 0.1, length: sums }),
        row!("soft_dpo", soft, SoftDpo::default()),
        row!("rao_kupper", plain, RaoKupper::default()),
        row!("davidson", plain, Davidson::default()),
        row!("sigmoid_norm", lengths, SigmoidNorm { beta: 5.0, label_smoothing: 0.0 }),
        row!("r_dpo", lengths, RDpo { beta: 0.1, alpha: 0.01, label_smoothing: 0.0 }),
        row!("odpo", rewards, Odpo::default()),
        row!("rebel", rewards, Rebel::default()),
        row!("slic", alone, Slic { delta: 1.0, length: sums }),
        row!("cpo", alone, Cpo { beta: 0.1, label_smoothing: 0.0, length: sums }),
        row!("cpo_hinge", alone, CpoHinge { beta: 0.1, length: sums }),
        row!("sim_po", alone_lengths, SimPo::default()),
        row!("alpha_po", alone_lengths, AlphaPo::default()),
        row!("orpo", alone, Orpo { lambda: 0.1, length: sums }),
    ];
    let input = data.as_slice().unwrap_or_default();
    for &(value, gradient, (read, batch), objective) in objectives {
        let what = |name, written: usize| {
            let bytes = (read + written) * n * size_of::<T>();
            Loop { name, dtype: T::NAME, size: n.to_string(), input: &input[..read * n], bytes, probe: Probe::Read }
        };
        roofline.measure(what(value, 0), || keep(objective.value(batch, Reduction::Mean)));
        roofline.measure(what(gradient, 2), || keep(objective.grad_into(batch, Reduction::Mean, out.view_mut())));
    }
}
