//! A mean that is carried from step to step: the baseline of objectives that need one.

use crate::preference::PairMetrics;

/// Running mean: the mean and the count of all numbers so far, in `f64`.
///
/// ```math
/// \bar x \leftarrow \bar x + \frac{n}{N + n} (\bar x_n - \bar x), \qquad N \leftarrow N + n
/// ```
///
/// Objectives take a baseline (BCO's `δ`) as a number and never change it; this type computes that number. It can be
/// computed by one process or by several, in any grouping: parts [`merge`](Self::merge), first over the machines and
/// then into the total. Update it once per step, before the loss, and only in training. An update for each micro-batch
/// would change the baseline within a step.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::RunningMean;
/// let batch = PairBatch::new(Pairs { chosen: aview1(&[-3.0_f64]), rejected: aview1(&[-9.0]) })
///     .reference(Pairs { chosen: aview1(&[-4.0]), rejected: aview1(&[-6.0]) });
/// let mut rewards = RunningMean::default();
/// rewards = rewards.merge(RunningMean::of_rewards(&pair_metrics(batch, 0.5)?));
/// assert_eq!(rewards, RunningMean { mean: -0.5, count: 2.0 }); // rewards 0.5 and -1.5
/// let loss = BcoPair { beta: 0.5, delta: rewards.mean }.value(batch, Reduction::Mean)?;
/// assert!((loss - 0.626_523_375).abs() < 1e-9); // softplus(-1) twice
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chan, Golub and LeVeque, The American Statistician 37, 1983.
#[doc(alias = "moving baseline")]
#[doc(alias = "running moments")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RunningMean {
    /// The mean, 0 of nothing.
    pub mean: f64,
    /// Of how many numbers.
    pub count: f64,
}

impl RunningMean {
    /// The mean of the rewards of both sides of a batch, which are two for each pair.
    #[must_use]
    pub fn of_rewards(metrics: &PairMetrics) -> Self {
        let mean = 0.5 * metrics.reward_chosen + 0.5 * metrics.reward_rejected;
        Self { mean, count: 2.0 * metrics.count }
    }

    /// The mean of both together: each counts by its count.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let (apart, share) = (other.mean - self.mean, other.count / count);
        let near = self.mean + share * apart;
        // Where the difference of the means overflows, the mean of both does not.
        let far = self.count / count * self.mean + share * other.mean;
        Self { mean: if apart.is_finite() { near } else { far }, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[f64]) -> RunningMean {
        RunningMean { mean: numbers.iter().sum::<f64>() / numbers.len() as f64, count: numbers.len() as f64 }
    }

    #[test]
    fn batches_of_any_size_give_the_mean_of_all() {
        let numbers = [0.5, -1.25, 3.0, 7.5, -2.0, 0.25, 1.0];
        let all = of(&numbers);
        for cut in 1..7 {
            let (left, right) = numbers.split_at(cut);
            let merged = RunningMean::default().merge(of(left)).merge(of(right));
            assert!((merged.mean - all.mean).abs() < 1e-15);
            assert_eq!(merged.count, 7.0);
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let some = RunningMean { mean: -0.75, count: 3.0 };
        assert_eq!(some.merge(RunningMean::default()), some);
        assert_eq!(RunningMean::default().merge(some), some);
        assert_eq!(RunningMean::default().merge(RunningMean::default()), RunningMean::default());
    }

    #[test]
    fn means_at_both_ends_of_the_type_meet_in_the_middle() {
        let (high, low) = (RunningMean { mean: 1.5e308, count: 3.0 }, RunningMean { mean: -1.5e308, count: 1.0 });
        assert_eq!(high.merge(low), RunningMean { mean: 0.75e308, count: 4.0 });
    }

    #[test]
    fn a_batch_counts_both_of_its_sides() {
        let metrics = PairMetrics { reward_chosen: 3.0, reward_rejected: -4.0, count: 5.0, ..PairMetrics::default() };
        assert_eq!(RunningMean::of_rewards(&metrics), RunningMean { mean: -0.5, count: 10.0 });
    }
}
