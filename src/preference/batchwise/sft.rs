//! Negative log-likelihood of the chosen responses per token of the batch, the supervised term of mixed objectives.

use super::quantity::{Quantity, Which, total_weight};
use crate::error::{Error, Position};
use crate::preference::batch_objective::{BatchObjective, compile_objective};
use crate::preference::{Length, Nll, Out, PairBatch, PairObjective};
use crate::reduction::to_real;
use crate::{Real, Reduction, Result, SumCount, check};

/// Supervised fine-tuning (SFT): the mean cross-entropy over all chosen tokens of the batch, in which long responses
/// count for more.
///
/// ```math
/// L = -\frac{\sum_i \log\pi_i^w}{\sum_i n_i^w}
/// ```
///
/// `n` is the number of scored tokens. Unlike [`Nll`] with [`Length::Mean`], which is the mean over responses of means over
/// their tokens, it divides once, by the tokens of the whole batch. The gradient is `-1/Σn` for each chosen response and 0
/// for the others.
///
/// **The whole batch.** [`Reduction::Mean`] is `L`. For weights `w` with total `W`, [`Reduction::Weighted`] is
/// `-W Σ w log π / Σ w n`, of which weights of `1/n` are the mean and weights of 1 [`Reduction::Sum`], the number of pairs
/// times `L`. `each` is the share of each response in the sum. `parts` count **tokens**, so that micro-batches combine
/// exactly; TRL takes the mean of the micro-batches' means.
///
/// # Errors
///
/// A batch without lengths.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-12.0_f64, -3.0]), rejected: aview1(&[-14.0, -9.0]) })
///     .lengths(Pairs { chosen: aview1(&[10.0, 2.0]), rejected: aview1(&[12.0, 3.0]) });
/// assert_eq!(Sft.value(batch, Reduction::Mean)?, 1.25);
/// assert_eq!(Sft.sum_count(batch)?, SumCount { sum: 15.0, count: 12.0 });
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// The `sft` of TRL's `loss_type` and Liger's `alpha`; Wang et al. (MPO), 2024,
/// [arXiv:2411.10442](https://arxiv.org/abs/2411.10442).
#[doc(alias = "supervised fine-tuning")]
#[doc(alias = "cross-entropy")]
#[doc(alias = "token-mean NLL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Sft;

impl Sft {
    const LENGTH: Quantity = Quantity { of: "Sft", which: Which::ChosenLength };
    const NLL: Nll = Nll { length: Length::Sum };
}

compile_objective!(Sft);

impl<T: Real> BatchObjective<T> for Sft {
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()> {
        Self::LENGTH.validate(batch)
    }

    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T> {
        self.validate_batch(batch)?;
        check::finite("scale", scale.as_f64())?;
        out.check_shapes(batch.len())?;
        let total = total_weight(batch, reduction)?;
        if matches!(reduction, Reduction::Mean) && batch.is_empty() {
            return Err(Error::NothingToAverage { argument: "batch" });
        }
        if scale == T::zero() || total == 0.0 {
            return Ok(out.nothing());
        }
        let tokens = Self::LENGTH.sum(batch, reduction)?;
        let (reduction, weight) = match reduction {
            Reduction::Sum => (Reduction::Sum, total),
            Reduction::Mean => (Reduction::Sum, 1.0),
            Reduction::Weighted(_) => (reduction, total),
        };
        let scale = to_real(scale.as_f64() * (weight / tokens), "loss", Position::default())?;
        Self::NLL.run(batch, reduction, scale, out)
    }

    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount> {
        self.validate_batch(&batch)?;
        let sum = Self::NLL.sum_count(batch)?.sum;
        Ok(SumCount { sum, count: Self::LENGTH.sum(&batch, Reduction::Sum)? })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, s};

    use super::*;
    use crate::preference::testing::{Sample, agrees_with_differences, one};
    use crate::preference::{PairConfig, Pairs, Term, WeightedSum};
    use crate::testing::close;

    #[test]
    fn the_gradient_is_that_of_the_value() {
        agrees_with_differences(&Sft);
    }

    #[test]
    fn parts_of_micro_batches_are_those_of_the_whole() {
        let sample = Sample::<f64>::of(100);
        let cut = |from: usize, to: usize| {
            let part = |side: &Array1<f64>| side.slice(s![from..to]).to_owned();
            let (policy, lengths) = (sample.policy.as_ref().map(part), sample.lengths.as_ref().map(part));
            Sft.sum_count(PairBatch::new(policy.view()).lengths(lengths.view())).unwrap()
        };
        let whole = Sft.value(sample.batch(), Reduction::Mean).unwrap();
        close(cut(0, 13).merge(cut(13, 100)).mean().unwrap(), whole, 1e-13);
        close(-sample.policy.chosen.sum() / sample.lengths.chosen.sum(), whole, 1e-13);
    }

    #[test]
    fn weights_of_one_and_of_one_over_n_are_sum_and_mean() {
        let sample = Sample::<f64>::of(64);
        for (weight, reduction) in [(1.0, Reduction::Sum), (1.0 / 64.0, Reduction::Mean)] {
            let weights = Array1::from_elem(64, weight);
            let weighted = Sft.value(sample.batch(), Reduction::Weighted(&weights)).unwrap();
            close(weighted, Sft.value(sample.batch(), reduction).unwrap(), 1e-13);
        }
        close(Sft.each(sample.batch()).unwrap().sum(), Sft.value(sample.batch(), Reduction::Sum).unwrap(), 1e-13);
    }

    #[test]
    fn a_weight_of_zero_is_an_absent_pair() {
        let (policy, lengths) = (array![-3.0, f64::NAN], array![2.0, 0.0]);
        let both = |side| Pairs { chosen: side, rejected: side };
        let batch = PairBatch::new(both(policy.view())).lengths(both(lengths.view()));
        assert_eq!(Sft.value(batch, Reduction::Weighted(&array![2.0, 0.0])), Ok(3.0));
        assert_eq!(Sft.value(batch, Reduction::Weighted(&array![0.0, 0.0])), Ok(0.0));
    }

    #[test]
    fn it_counts_tokens_where_others_count_pairs() {
        let sample = Sample::<f64>::of(5);
        let terms = vec![
            Term { weight: 1.0, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
            Term { weight: 1.0, objective: PairConfig::Sft(Sft) },
        ];
        let sum = WeightedSum { terms };
        assert!(sum.value(sample.batch(), Reduction::Mean).is_ok());
        let error = sum.sum_count(sample.batch()).unwrap_err().to_string();
        assert!(error.starts_with("WeightedSum is a function of the whole batch: it has no parts"), "{error}");
        let parts = sum.term_sum_counts(sample.batch()).unwrap();
        assert_eq!((parts[0].count, parts[1].count), (5.0, sample.lengths.chosen.sum()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let inf = f64::INFINITY;
        assert_eq!(Sft.value(one(&[-inf, -1.0], &[-1.0], &[2.0]), Reduction::Mean), Ok(inf));
        let error = Sft.value(one(&[-1.0, -1.0], &[-1.0], &[0.0]), Reduction::Mean).unwrap_err().to_string();
        assert_eq!(error, "`lengths.chosen`[0] is 0, allowed is finite and > 0");
        let sample = Sample::<f64>::of(2);
        let bare = PairBatch::new(sample.policy.view());
        assert_eq!(Sft.value(bare, Reduction::Mean).unwrap_err().to_string(), "Sft needs `lengths`");
    }
}
