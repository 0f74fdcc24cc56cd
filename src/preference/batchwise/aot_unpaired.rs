//! Alignment by optimal transport, of unpaired data.

use super::quantity::Which;
use super::ranked::{Ranked, Side};
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::objective::forward;
use crate::preference::{Out, PairBatch, PairObjective, Pairs};
use crate::{Real, Reduction, Result, SumCount};

/// Alignment via optimal transport (AOT) of unpaired data: the logistic loss of the ranks, that is, of the sorted
/// log-ratios of the chosen responses against those of the rejected ones.
///
/// ```math
/// L_k = (1-ε) \operatorname{softplus}(-\beta d_k) + ε \operatorname{softplus}(\beta d_k), \qquad
/// d_k = a_{(k)} - b_{(k)}, \quad a_i = \log\pi_i^w - \log\rho_i^w, \quad b_i = \log\pi_i^l - \log\rho_i^l
/// ```
///
/// It does not matter which chosen response belongs to which rejected one: to permute one side only permutes its
/// gradient. With one pair it is [`Dpo`](crate::preference::Dpo). Equal log-ratios are ranked in the order of their
/// pairs.
///
/// The gradient of rank `k` goes to the chosen response that stands there, `-β (σ(-βd) - ε)`, and its opposite to the
/// rejected one. All else (subgradients at ties, reductions, errors, what it costs) is as in [`Aot`](super::Aot); `each`
/// gives a pair the loss of its chosen response's rank.
///
/// # Errors
///
/// Those of [`Aot`](super::Aot).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::AotUnpaired;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64, -30.25, -8.0]), rejected: aview1(&[-14.25, -28.5, -20.0]) })
///     .reference(Pairs { chosen: aview1(&[-13.0, -29.0, -9.5]), rejected: aview1(&[-13.5, -29.75, -16.0]) });
/// let (loss, gradient) = AotUnpaired { label_smoothing: 0.1, ..AotUnpaired::default() }.grad(batch, Reduction::Sum)?;
/// assert!((loss - 1.920_895_007).abs() < 1e-9);
/// assert!((gradient.rejected[0] - 0.036_879_063).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Melnyk et al., NeurIPS 2024, [arXiv:2406.05882](https://arxiv.org/abs/2406.05882).
#[doc(alias = "AOT-unpaired")]
#[doc(alias = "aot_unpaired")]
#[doc(alias = "alignment via optimal transport")]
#[doc(alias = "distributional preference alignment")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AotUnpaired {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL).
    pub beta: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0 (TRL).
    pub label_smoothing: f64,
}

impl Default for AotUnpaired {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0 }
    }
}

impl AotUnpaired {
    fn ranked(&self) -> Ranked {
        let columns = Pairs { chosen: Which::ChosenRatio, rejected: Which::RejectedRatio };
        Ranked::new("AotUnpaired", (self.beta, self.label_smoothing), columns, Side::Compared)
    }
}

compile_objective!(AotUnpaired);
forward!(BatchObjective { validate_batch, run_batch, sum_count_of_batch } for AotUnpaired, |this| &this.ranked());

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1};

    use super::*;
    use crate::preference::Dpo;
    use crate::preference::testing::{Sample, one, pair};
    use crate::testing::close;

    const SMOOTH: AotUnpaired = AotUnpaired { beta: 0.1, label_smoothing: 0.1 };

    /// The three pairs of the peers' tables: losses in the order of ranks, slopes in that of pairs.
    #[test]
    fn values_are_those_of_the_peers() {
        let policy = Pairs { chosen: aview1(&[-12.5, -30.25, -8.0]), rejected: aview1(&[-14.25, -28.5, -20.0]) };
        let reference = Pairs { chosen: aview1(&[-13.0, -29.0, -9.5]), rejected: aview1(&[-13.5, -29.75, -16.0]) };
        let batch = PairBatch::<f64>::new(policy).reference(reference);
        let ranks = [0.592_570_667_689_600_2, 0.645_099_035_317_169_1, 0.683_225_303_525_524_9];
        let each = SMOOTH.each(batch).unwrap();
        for (place, rank) in [(1, 0), (0, 1), (2, 2)] {
            close(each[place], ranks[rank], 1e-14);
        }
        let slopes = [
            (-0.036_879_062_662_624_374, 0.036_879_062_662_624_374),
            (-0.033_168_001_652_175_19, 0.039_375_032_550_048_957),
            (-0.039_375_032_550_048_957, 0.033_168_001_652_175_19),
        ];
        let (_, grad) = SMOOTH.grad(batch, Reduction::Sum).unwrap();
        for (i, (chosen, rejected)) in slopes.into_iter().enumerate() {
            close(grad.chosen[i], chosen, 1e-14);
            close(grad.rejected[i], rejected, 1e-14);
        }
    }

    #[test]
    fn one_pair_is_dpo() {
        let (aot, dpo) = (AotUnpaired { beta: 0.3, label_smoothing: 0.2 }, Dpo { beta: 0.3, label_smoothing: 0.2 });
        for policy in [[-3.0, -7.0], [-800.0, -1.0], [-1.0, -1e4]] {
            let batch = one(&policy, &[-2.0], &[1.0]);
            assert_eq!(pair::<f64>(&aot, batch), pair(&dpo, batch));
        }
    }

    #[test]
    fn which_rejected_response_belongs_to_which_chosen_one_does_not_matter() {
        let sample = Sample::<f64>::of(1500);
        let (loss, grad) = SMOOTH.grad(sample.batch(), Reduction::Mean).unwrap();
        let turn = |side: &Array1<f64>| Array1::from_shape_fn(1500, |i| side[(i * 7 + 3) % 1500]);
        let mut turned = sample.clone();
        turned.policy.rejected = turn(&sample.policy.rejected);
        turned.reference.rejected = turn(&sample.reference.rejected);
        let (same, other) = SMOOTH.grad(turned.batch(), Reduction::Mean).unwrap();
        assert_eq!((loss, grad.chosen), (same, other.chosen));
        assert_eq!(turn(&grad.rejected), other.rejected);
    }

    #[test]
    fn what_belongs_to_single_pairs_is_refused() {
        let sample = Sample::<f64>::of(1);
        let weights = ndarray::array![1.0];
        assert!(SMOOTH.value(sample.batch(), Reduction::Weighted(&weights)).is_err());
        let error = SMOOTH.sum_count(sample.batch()).unwrap_err().to_string();
        assert_eq!(error, "AotUnpaired is a function of the whole batch: it has no parts");
    }
}
