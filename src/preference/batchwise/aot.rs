//! Alignment by optimal transport, of paired data (AOT).

use super::quantity::Which;
use super::ranked::{Ranked, Side};
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::objective::forward;
use crate::preference::{Out, PairBatch, PairObjective, Pairs};
use crate::{Real, Reduction, Result, SumCount};

/// Alignment via optimal transport (AOT) of paired data: the logistic loss of the ranks, that is, of the sorted margins
/// of the policy against the sorted margins of the reference.
///
/// ```math
/// L_k = (1-ε) \operatorname{softplus}(-\beta d_k) + ε \operatorname{softplus}(\beta d_k), \qquad
/// d_k = u_{(k)} - v_{(k)}, \quad u_i = \log\pi_i^w - \log\pi_i^l, \quad v_i = \log\rho_i^w - \log\rho_i^l
/// ```
///
/// `u_(1) <= u_(2) <= ...` are sorted, and so is `v`, separately: the loss compares the distributions of the margins,
/// not the margins of one pair. It is least where those of the policy dominate those of the reference in the first
/// order. With one pair it is [`Dpo`](crate::preference::Dpo). Equal margins are ranked in the order of their pairs.
///
/// The gradient of rank `k` goes to the pair whose policy margin stands there, `∓β (σ(-βd) - ε)`; the order is a constant
/// in it. Where margins of the policy are equal, the ranks that they share may have different slopes: the loss has a kink
/// there, and what is returned is one of its subgradients, the same one every time.
///
/// **The whole batch.** The losses of two micro-batches are not that of both together, as each is sorted separately:
/// TRL sorts per device and so depends on its micro-batch. [`Reduction::Sum`] and [`Reduction::Mean`] are over ranks,
/// `each` gives a pair the loss of its policy margin's rank. Weights of single pairs and `parts` would not mean what they
/// mean elsewhere and are [`Error::NotSeparable`](crate::Error::NotSeparable), also where they are 0: leave masked pairs out
/// of the batch. Sorting takes `n log n` steps and 24 bytes for each pair and side (40 in `f64`).
///
/// # Errors
///
/// `beta` or `label_smoothing` out of range; a batch without reference; [`Reduction::Weighted`]; infinite margins of both
/// models at one rank.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::Aot;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.5_f64, -30.25, -8.0]), rejected: aview1(&[-14.25, -28.5, -20.0]) })
///     .reference(Pairs { chosen: aview1(&[-13.0, -29.0, -9.5]), rejected: aview1(&[-13.5, -29.75, -16.0]) });
/// let (loss, gradient) = Aot { label_smoothing: 0.1, ..Aot::default() }.grad(batch, Reduction::Sum)?;
/// assert!((loss - 1.954_351_144).abs() < 1e-9);
/// assert!((gradient.chosen[1] + 0.045_601_389).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Melnyk et al., Distributional preference alignment of LLMs via optimal transport, NeurIPS 2024,
/// [arXiv:2406.05882](https://arxiv.org/abs/2406.05882).
#[doc(alias = "alignment via optimal transport")]
#[doc(alias = "AOT-paired")]
#[doc(alias = "distributional preference alignment")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Aot {
    /// Strength of the pull towards the reference, `> 0`. Default 0.1 (TRL).
    pub beta: f64,
    /// Probability that a label is flipped, in `[0, 0.5)`. Default 0 (TRL).
    pub label_smoothing: f64,
}

impl Default for Aot {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0 }
    }
}

impl Aot {
    fn ranked(&self) -> Ranked {
        let columns = Pairs { chosen: Which::PolicyGap, rejected: Which::ReferenceGap };
        Ranked::new("Aot", (self.beta, self.label_smoothing), columns, Side::Large)
    }
}

compile_objective!(Aot);
forward!(BatchObjective { validate_batch, run_batch, sum_count_of_batch } for Aot, |this| &this.ranked());

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1};

    use super::*;
    use crate::preference::Dpo;
    use crate::preference::testing::{Sample, one, pair};
    use crate::testing::close;

    const SMOOTH: Aot = Aot { beta: 0.1, label_smoothing: 0.1 };

    /// The three pairs of the peers' tables: losses in the order of ranks, slopes in that of pairs.
    #[test]
    fn values_are_those_of_the_peers() {
        let policy = Pairs { chosen: aview1(&[-12.5, -30.25, -8.0]), rejected: aview1(&[-14.25, -28.5, -20.0]) };
        let reference = Pairs { chosen: aview1(&[-13.0, -29.0, -9.5]), rejected: aview1(&[-13.5, -29.75, -16.0]) };
        let batch = PairBatch::<f64>::new(policy).reference(reference);
        let ranks = [0.789_462_002_049_703_7, 0.654_396_660_073_570_9, 0.510_492_481_463_337_6];
        let each = SMOOTH.each(batch).unwrap();
        // Margins of the policy 1.75, -1.75, 12: the second pair has the first rank.
        for (place, rank) in [(1, 0), (0, 1), (2, 2)] {
            close(each[place], ranks[rank], 1e-14);
        }
        let (loss, grad) = SMOOTH.grad(batch, Reduction::Sum).unwrap();
        close(loss, ranks.iter().sum(), 1e-14);
        for (i, slope) in
            [-0.037_502_081_252_106, -0.045_601_389_054_462, -0.026_586_440_898_919_93].into_iter().enumerate()
        {
            close(grad.chosen[i], slope, 1e-14);
            assert_eq!(grad.rejected[i], -grad.chosen[i]);
        }
    }

    #[test]
    fn one_pair_is_dpo() {
        for label_smoothing in [0.0, 0.2] {
            let (aot, dpo) = (Aot { beta: 0.3, label_smoothing }, Dpo { beta: 0.3, label_smoothing });
            for policy in [[-3.0, -7.0], [-800.0, -1.0], [-1.0, -1e4], [-1e-8, 0.0]] {
                let batch = one(&policy, &[-2.0], &[1.0]);
                assert_eq!(pair::<f64>(&aot, batch), pair(&dpo, batch));
            }
        }
    }

    #[test]
    fn ties_go_to_pairs_in_their_order() {
        // The margins of the policy are equal, those of the reference 1 and -1: the first pair has the smaller one.
        let policy = Pairs { chosen: array![-2.0, -3.0], rejected: array![-2.0, -3.0] };
        let reference = Pairs { chosen: array![-1.0, -3.0], rejected: array![-2.0, -2.0] };
        let batch = PairBatch::<f64>::new(policy.view()).reference(reference.view());
        let (_, grad) = Aot { beta: 1.0, label_smoothing: 0.0 }.grad(batch, Reduction::Sum).unwrap();
        close(grad.chosen[0], -1.0 / (1.0 + 1.0_f64.exp()), 1e-15);
        close(grad.chosen[1], -1.0 / (1.0 + (-1.0_f64).exp()), 1e-15);
    }

    #[test]
    fn the_gradient_is_added_and_scaled_where_asked() {
        let sample = Sample::<f32>::of(2500);
        let (value, once) = SMOOTH.grad(sample.batch(), Reduction::Mean).unwrap();
        let mut twice = once.clone();
        let out = Out::AddGrad(twice.view_mut());
        let scaled = SMOOTH.run(&sample.batch(), Reduction::Mean, 2.0, out).unwrap();
        assert!((scaled - 2.0 * value).abs() < 1e-6 * value);
        let expected = once.clone().map(|side| 3.0 * side);
        assert!((expected.chosen - twice.chosen).iter().all(|d: &f32| d.abs() < 1e-9));
        assert!((expected.rejected - twice.rejected).iter().all(|d: &f32| d.abs() < 1e-9));
        let mut gone = once;
        let nan = Array1::from_elem(2500, f32::NAN);
        let batch =
            PairBatch::new(Pairs { chosen: nan.view(), rejected: nan.view() }).reference(sample.reference.view());
        assert_eq!(SMOOTH.run(&batch, Reduction::Mean, 0.0, Out::Grad(gone.view_mut())), Ok(0.0));
        assert!(gone.chosen.iter().chain(&gone.rejected).all(|&x| x == 0.0));
    }

    #[test]
    fn what_belongs_to_single_pairs_is_refused() {
        let sample = Sample::<f64>::of(3);
        let weights = array![1.0, 1.0, 1.0];
        let error = SMOOTH.value(sample.batch(), Reduction::Weighted(&weights)).unwrap_err().to_string();
        assert_eq!(error, "Aot is a function of the whole batch: it has no weights of single pairs");
        let error = SMOOTH.sum_count(sample.batch()).unwrap_err().to_string();
        assert_eq!(error, "Aot is a function of the whole batch: it has no parts");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pair() {
        let inf = f64::INFINITY;
        let message = |chosen: [f64; 3], reference: [f64; 3]| {
            let zero = array![0.0, 0.0, 0.0];
            let (chosen, reference) = (aview1(&chosen), aview1(&reference));
            let batch = PairBatch::new(Pairs { chosen, rejected: zero.view() })
                .reference(Pairs { chosen: reference, rejected: zero.view() });
            Aot::default().value(batch, Reduction::Mean).map_err(|error| error.to_string())
        };
        assert_eq!(
            message([-1.0, f64::NAN, -2.0], [0.0; 3]).unwrap_err(),
            "`policy.chosen`[1] is NaN, allowed is finite or -inf"
        );
        assert_eq!(message([-1.0, -inf, -2.0], [0.0; 3]), Ok(inf));
        let both = message([-1.0, -inf, -2.0], [-1.0, -1.0, -inf]).unwrap_err();
        assert!(both.starts_with("`policy.chosen`[1] is -inf"), "{both}");
        let empty = PairBatch::<f64>::new(Pairs { chosen: aview1(&[]), rejected: aview1(&[]) });
        assert_eq!(Aot::default().value(empty, Reduction::Sum).unwrap_err().to_string(), "Aot needs `reference`");
        let empty = empty.reference(Pairs { chosen: aview1(&[]), rejected: aview1(&[]) });
        assert_eq!(Aot::default().value(empty, Reduction::Sum), Ok(0.0));
        assert!(Aot::default().value(empty, Reduction::Mean).is_err());
        let wild = Aot { beta: 0.0, label_smoothing: 0.0 }.value(empty, Reduction::Sum).unwrap_err();
        assert_eq!(wild.to_string(), "`beta` is 0, allowed is finite and > 0");
    }
}
