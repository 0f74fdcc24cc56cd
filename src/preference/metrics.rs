//! What one watches while training on pairs: rewards, margin, accuracy, log-probabilities.

use crate::error::Position;
use crate::preference::columns::{Slots, sources};
use crate::preference::{Needs, PairBatch, Row};
use crate::reduction::{self, BLOCK};
use crate::{Error, Real, Result, check};

/// Means over the pairs of a batch, in `f64` for every element type.
///
/// The reward of a response is `β (log π - log ρ)`, of sums over its tokens: never divided by lengths, nor passed through
/// the score of a divergence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct PairMetrics {
    /// Mean reward of the chosen responses (TRL's `rewards/chosen`).
    pub reward_chosen: f64,
    /// Mean reward of the rejected responses (`rewards/rejected`).
    pub reward_rejected: f64,
    /// Mean of their difference (`rewards/margins`).
    pub margin: f64,
    /// Share of pairs whose chosen response has the larger reward; a tie is no win (`rewards/accuracies`).
    pub accuracy: f64,
    /// Mean log-probability of the chosen responses, in nats (`logps/chosen`).
    pub log_prob_chosen: f64,
    /// Mean log-probability of the rejected responses, in nats (`logps/rejected`).
    pub log_prob_rejected: f64,
    /// Number of pairs.
    pub count: f64,
}

impl PairMetrics {
    /// The metrics of both batches together: each counts by its number of pairs.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let (own, others) = (self.count / count, other.count / count);
        let mean = |a: f64, b: f64| own * a + others * b;
        Self {
            reward_chosen: mean(self.reward_chosen, other.reward_chosen),
            reward_rejected: mean(self.reward_rejected, other.reward_rejected),
            margin: mean(self.margin, other.margin),
            accuracy: mean(self.accuracy, other.accuracy),
            log_prob_chosen: mean(self.log_prob_chosen, other.log_prob_chosen),
            log_prob_rejected: mean(self.log_prob_rejected, other.log_prob_rejected),
            count,
        }
    }
}

/// [`PairMetrics`] of a batch, in one pass.
///
/// `beta` is that of the objective. A batch without reference has the rewards `β log π`, as CPO and ORPO do.
///
/// # Errors
///
/// `beta` out of range; arrays of different lengths; a log-probability that is not finite, or a mean that is not; a batch
/// without pairs.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64, -9.0]), rejected: aview1(&[-5.0, -9.0]) })
///     .reference(Pairs { chosen: aview1(&[-4.0, -8.0]), rejected: aview1(&[-4.0, -8.0]) });
/// let metrics = pair_metrics(batch, 0.5)?;
/// assert_eq!((metrics.reward_chosen, metrics.reward_rejected, metrics.margin), (0.0, -0.5, 0.5));
/// assert_eq!(metrics.accuracy, 0.5); // the second pair is a tie
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn pair_metrics<T: Real>(batch: PairBatch<'_, T>, beta: f64) -> Result<PairMetrics> {
    check::positive("beta", beta)?;
    batch.check_shapes()?;
    if batch.is_empty() {
        return Err(Error::Empty { argument: "batch" });
    }
    let n = batch.len();
    let needs = Needs { reference: batch.columns().reference.chosen.is_some(), ..Needs::default() };
    let sources = sources(&batch, needs);
    let mut slots = Slots::<T, BLOCK>::new(sources);
    let mut sums: [Vec<f64>; 6] = Default::default();
    for start in (0..n).step_by(BLOCK) {
        let at = start..n.min(start + BLOCK);
        let block = totals(slots.columns(sources, at.clone()), at)?;
        sums.iter_mut().zip(block).for_each(|(sums, sum)| sums.push(sum));
    }
    let [log_prob_chosen, log_prob_rejected, chosen, rejected, margin, accuracy] =
        sums.map(|sums| reduction::pairwise(&sums) / n as f64);
    if ![log_prob_chosen, log_prob_rejected, beta * chosen, beta * rejected, beta * margin]
        .iter()
        .all(|mean| mean.is_finite())
    {
        return Err(Error::overflow::<f64>("batch", Position::default()));
    }
    Ok(PairMetrics {
        reward_chosen: beta * chosen,
        reward_rejected: beta * rejected,
        margin: beta * margin,
        accuracy,
        log_prob_chosen,
        log_prob_rejected,
        count: n as f64,
    })
}

/// Sums over one block: log-probabilities, log-ratios, their differences, wins.
fn totals<T: Real>(columns: Row<&[T]>, at: std::ops::Range<usize>) -> Result<[f64; 6]> {
    let mut sums = [0.0; 6];
    for (i, position) in at.enumerate() {
        let row = columns.map(|column| column[i].wide());
        let (chosen, rejected) =
            (row.policy.chosen - row.reference.chosen, row.policy.rejected - row.reference.rejected);
        if !(chosen - rejected).is_finite() {
            return Err(first_infinite::<T>(row, position));
        }
        let win = f64::from(u8::from(chosen > rejected));
        let values = [row.policy.chosen, row.policy.rejected, chosen, rejected, chosen - rejected, win];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    Ok(sums)
}

fn first_infinite<T: Real>(row: Row<f64>, position: usize) -> Error {
    let position = Position::from(position);
    match row.zip(Row::NAMES).into_array().into_iter().find(|(value, _)| !value.is_finite()) {
        Some((value, argument)) => Error::Value { argument, position, value, allowed: "finite" },
        None => Error::overflow::<T>(Row::NAMES.policy.chosen, position),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1, s};

    use super::*;
    use crate::preference::Pairs;
    use crate::preference::testing::{Sample, one};
    use crate::testing::close;

    #[test]
    fn metrics_are_means_of_what_they_say() {
        let sample = Sample::<f64>::of(5000);
        let (p, r) = (&sample.policy, &sample.reference);
        let ratios = Pairs { chosen: &p.chosen - &r.chosen, rejected: &p.rejected - &r.rejected };
        let metrics = pair_metrics(sample.batch(), 0.3).unwrap();
        let mean = |x: &Array1<f64>| x.iter().sum::<f64>() / 5000.0;
        close(metrics.reward_chosen, 0.3 * mean(&ratios.chosen), 1e-11);
        close(metrics.reward_rejected, 0.3 * mean(&ratios.rejected), 1e-11);
        close(metrics.margin, 0.3 * mean(&(&ratios.chosen - &ratios.rejected)), 1e-11);
        close(metrics.log_prob_chosen, mean(&p.chosen), 1e-11);
        close(metrics.log_prob_rejected, mean(&p.rejected), 1e-11);
        let wins = ratios.chosen.iter().zip(&ratios.rejected).filter(|(a, b)| a > b).count();
        assert_eq!((metrics.accuracy, metrics.count), (wins as f64 / 5000.0, 5000.0));
    }

    #[test]
    fn batches_merge_by_their_number_of_pairs() {
        let sample = Sample::<f64>::of(100);
        let half = |from: usize, to: usize| {
            let cut = |p: &Pairs<Array1<f64>>| Pairs {
                chosen: p.chosen.slice(s![from..to]).to_owned(),
                rejected: p.rejected.slice(s![from..to]).to_owned(),
            };
            let (policy, reference) = (cut(&sample.policy), cut(&sample.reference));
            pair_metrics(PairBatch::new(policy.view()).reference(reference.view()), 0.1).unwrap()
        };
        let (whole, merged) = (half(0, 100), half(0, 13).merge(half(13, 100)));
        close(merged.reward_chosen, whole.reward_chosen, 1e-12);
        close(merged.margin, whole.margin, 1e-12);
        close(merged.accuracy, whole.accuracy, 1e-12);
        close(merged.log_prob_rejected, whole.log_prob_rejected, 1e-12);
        assert_eq!(merged.count, 100.0);
        assert_eq!(PairMetrics::default().merge(PairMetrics::default()), PairMetrics::default());
    }

    #[test]
    fn without_a_reference_rewards_are_of_the_policy_alone() {
        let batch = PairBatch::new(Pairs { chosen: aview1(&[-2.0_f32]), rejected: aview1(&[-5.0]) });
        let metrics = pair_metrics(batch, 0.5).unwrap();
        assert_eq!((metrics.reward_chosen, metrics.reward_rejected, metrics.margin), (-1.0, -2.5, 1.5));
    }

    #[test]
    fn bad_input_is_named() {
        let message = |batch, beta| pair_metrics::<f64>(batch, beta).unwrap_err().to_string();
        let nan = one(&[-1.0, f64::NAN], &[-1.0], &[1.0]);
        assert_eq!(message(nan, 0.1), "`policy.rejected`[0] is NaN, allowed is finite");
        let inf = one(&[-1.0, -1.0], &[f64::NEG_INFINITY], &[1.0]);
        assert_eq!(message(inf, 0.1), "`reference.chosen`[0] is -inf, allowed is finite");
        assert_eq!(message(nan, 0.0), "`beta` is 0, allowed is finite and > 0");
        let empty = PairBatch::new(Pairs { chosen: aview1(&[]), rejected: aview1(&[]) });
        assert_eq!(message(empty, 0.1), "`batch` holds nothing to average over");
    }

    #[test]
    fn a_margin_keeps_its_digits_beside_large_rewards() {
        let (chosen, rejected) = ([-1e16, -1.0], [-1e16, -2.0]);
        let batch = PairBatch::new(Pairs { chosen: aview1(&chosen), rejected: aview1(&rejected) });
        assert_eq!(pair_metrics(batch, 1.0).unwrap().margin, 0.5);
    }
}
