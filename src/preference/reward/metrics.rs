//! Metrics of the training of a reward model.

use crate::error::Position;
use crate::preference::{Label, LabelUse, PairBatch, PairObjective, Pairs, ProcessReward, Row};
use crate::reduction::joint_mean;
use crate::{Error, Real, Result, SumCount};

/// Metrics of a reward model: accuracy, margin and moments of the scores of a batch, in `f64` for every element type.
///
/// TRL calls three of the fields `min_reward`, `mean_reward` and `max_reward`.
#[doc(alias = "reward accuracy")]
#[doc(alias = "min_reward")]
#[doc(alias = "mean_reward")]
#[doc(alias = "max_reward")]
#[doc(alias = "center_rewards_loss")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct RewardMetrics {
    /// Share of pairs whose chosen response has the larger score; a tie does not count as a win.
    pub accuracy: f64,
    /// Mean difference of the two scores.
    pub margin: f64,
    /// Smallest score, of both sides.
    pub min: f64,
    /// Mean score, of both sides.
    pub mean: f64,
    /// Largest score, of both sides.
    pub max: f64,
    /// Standard deviation of the scores of both sides about their mean, divided by their number.
    pub deviation: f64,
    /// Mean of `(r_w + r_l)²`: the centering term, without its weight.
    pub centering: f64,
    /// Number of pairs.
    pub count: f64,
}

impl Default for RewardMetrics {
    /// Those of nothing.
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { accuracy: 0.0, margin: 0.0, min, mean: 0.0, max, deviation: 0.0, centering: 0.0, count: 0.0 }
    }
}

impl RewardMetrics {
    /// The metrics of both batches together: each counts by its number of pairs.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let mean = joint_mean(self.count, other.count);
        let apart = self.mean - other.mean;
        let variance = mean(self.deviation.powi(2), other.deviation.powi(2))
            + (self.count / count) * (other.count / count) * apart * apart;
        Self {
            accuracy: mean(self.accuracy, other.accuracy),
            margin: mean(self.margin, other.margin),
            min: self.min.min(other.min),
            mean: mean(self.mean, other.mean),
            max: self.max.max(other.max),
            deviation: variance.sqrt(),
            centering: mean(self.centering, other.centering),
            count,
        }
    }
}

/// Metrics of a reward model ([`RewardMetrics`]), for a batch whose policy column holds scores, in one pass that
/// allocates nothing.
///
/// # Errors
///
/// Arrays of different lengths; a score that is not finite, or a result that does not fit; a batch without pairs.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::reward_metrics;
/// let scores = PairBatch::new(Pairs { chosen: aview1(&[2.0_f64, 1.0]), rejected: aview1(&[-1.0, 2.0]) });
/// let metrics = reward_metrics(scores)?;
/// assert_eq!((metrics.accuracy, metrics.margin, metrics.centering), (0.5, 1.0, 5.0));
/// assert_eq!((metrics.min, metrics.mean, metrics.max), (-1.0, 1.0, 2.0));
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "reward accuracy")]
pub fn reward_metrics<T: Real>(batch: PairBatch<'_, T>) -> Result<RewardMetrics> {
    T::reward_metrics(batch)
}

/// [`reward_metrics`], compiled here.
pub(in crate::preference) fn compute_reward_metrics<T: Real>(batch: PairBatch<'_, T>) -> Result<RewardMetrics> {
    batch.check_shapes()?;
    if batch.is_empty() {
        return Err(Error::NothingToAverage { argument: "batch" });
    }
    let mut total = RewardMetrics::default();
    for (index, (chosen, rejected)) in scores(&batch).enumerate() {
        finite(Row::NAMES.policy.chosen, index, chosen)?;
        finite(Row::NAMES.policy.rejected, index, rejected)?;
        let (sum, gap) = (chosen + rejected, chosen - rejected);
        total = total.merge(RewardMetrics {
            accuracy: f64::from(u8::from(gap > 0.0)),
            margin: gap,
            min: chosen.min(rejected),
            mean: 0.5 * sum,
            max: chosen.max(rejected),
            deviation: 0.5 * gap.abs(),
            centering: sum * sum,
            count: 1.0,
        });
    }
    let RewardMetrics { margin, mean, deviation, centering, .. } = total;
    if ![margin, mean, deviation, centering].iter().all(|x| x.is_finite()) {
        return Err(Error::overflow::<f64>("batch", Position::default()));
    }
    Ok(total)
}

/// Accuracy of a process reward model (PRM): the number of steps of a
/// [`ProcessReward`](crate::preference::ProcessReward) batch that the model gets right, and the number of steps that
/// have a label. The accuracy is the mean of these parts.
///
/// A step is right where the larger logit is that of the class with the larger probability; equal logits are wrong. A label
/// of 1/2 says nothing, and the step is not counted.
///
/// # Errors
///
/// A batch without soft label; arrays of different lengths; a logit that is not finite; a soft label outside `[0, 1]`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::process_accuracy;
/// let logits = Pairs { chosen: aview1(&[1.5_f64, 0.0, 2.0]), rejected: aview1(&[0.0, 1.0, 2.5]) };
/// let steps = process_accuracy(PairBatch::new(logits).soft_label(aview1(&[1.0, 0.5, 0.75])))?;
/// assert_eq!(steps, SumCount { sum: 1.0, count: 2.0 });
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "PRM accuracy")]
#[doc(alias = "step accuracy")]
pub fn process_accuracy<T: Real>(batch: PairBatch<'_, T>) -> Result<SumCount> {
    T::process_accuracy(batch)
}

/// [`process_accuracy`], compiled here.
pub(in crate::preference) fn compute_process_accuracy<T: Real>(batch: PairBatch<'_, T>) -> Result<SumCount> {
    ProcessReward {}.validate(&batch)?;
    let labels =
        batch.columns(LabelUse::Optional(Label::SoftLabel)).label.into_iter().flatten().map(|label| label.as_f64());
    let mut parts = SumCount::default();
    for (index, ((right, wrong), label)) in scores(&batch).zip(labels).enumerate() {
        finite(Row::NAMES.policy.chosen, index, right)?;
        finite(Row::NAMES.policy.rejected, index, wrong)?;
        if !(0.0..=1.0).contains(&label) {
            let (argument, position) = (Label::SoftLabel.name(), Position::from(index));
            return Err(Error::Value { argument, position, value: label, allowed: "[0, 1]" });
        }
        let hit = (label > 0.5 && right > wrong) || (label < 0.5 && right < wrong);
        parts = parts.merge(SumCount { sum: f64::from(u8::from(hit)), count: f64::from(u8::from(label != 0.5)) });
    }
    Ok(parts)
}

/// The policy columns, pair by pair.
fn scores<T: Real>(batch: &PairBatch<'_, T>) -> impl Iterator<Item = (f64, f64)> {
    let Pairs { chosen, rejected } = batch.columns(LabelUse::Unused).policy.map(|side| side.into_iter().flatten());
    chosen.zip(rejected).map(|(chosen, rejected)| (chosen.as_f64(), rejected.as_f64()))
}

fn finite(argument: &'static str, index: usize, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::Value { argument, position: Position::from(index), value, allowed: "finite" })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1, s};

    use super::*;
    use crate::preference::testing::Sample;
    use crate::testing::close;

    fn of(sample: &Sample<f64>, from: usize, to: usize) -> RewardMetrics {
        let cut = |side: &Array1<f64>| side.slice(s![from..to]).to_owned();
        let scores = sample.policy.as_ref().map(cut);
        reward_metrics(PairBatch::new(scores.view())).unwrap()
    }

    #[test]
    fn metrics_are_what_they_say() {
        let sample = Sample::<f64>::of(500);
        let (metrics, Pairs { chosen, rejected }) = (of(&sample, 0, 500), &sample.policy);
        let all: Vec<f64> = chosen.iter().chain(rejected).copied().collect();
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        close(metrics.mean, mean(&all), 1e-12);
        close(metrics.deviation, mean(&all.iter().map(|x| (x - mean(&all)).powi(2)).collect::<Vec<_>>()).sqrt(), 1e-12);
        assert_eq!(metrics.min, all.iter().copied().fold(0.0, f64::min));
        assert_eq!(metrics.max, all.iter().copied().fold(-100.0, f64::max));
        close(metrics.margin, (chosen - rejected).mean().unwrap(), 1e-11);
        close(metrics.centering, (chosen + rejected).mapv(|x| x * x).mean().unwrap(), 1e-12);
        let wins = chosen.iter().zip(rejected).filter(|(a, b)| a > b).count();
        close(metrics.accuracy, wins as f64 / 500.0, 1e-13);
        assert_eq!(metrics.count, 500.0);
    }

    #[test]
    fn batches_merge_by_their_number_of_pairs() {
        let sample = Sample::<f64>::of(100);
        let (whole, merged) = (of(&sample, 0, 100), of(&sample, 0, 13).merge(of(&sample, 13, 100)));
        close(merged.mean, whole.mean, 1e-13);
        close(merged.deviation, whole.deviation, 1e-13);
        close(merged.margin, whole.margin, 1e-12);
        assert_eq!((merged.min, merged.max, merged.count), (whole.min, whole.max, 100.0));
        assert_eq!(RewardMetrics::default().merge(whole), whole);
        assert_eq!(RewardMetrics::default().merge(RewardMetrics::default()), RewardMetrics::default());
    }

    #[test]
    fn a_step_is_hit_on_the_side_of_its_label() {
        let (right, wrong) = ([2.0, 2.0, 0.0, 0.0, 3.0], [1.0, 1.0, 1.0, 1.0, 0.0]);
        let hits = |labels: &[f64; 5]| {
            let steps = PairBatch::new(Pairs { chosen: aview1(&right), rejected: aview1(&wrong) });
            process_accuracy(steps.soft_label(aview1(labels))).unwrap()
        };
        assert_eq!(hits(&[1.0, 0.25, 0.75, 0.0, 0.5]), SumCount { sum: 2.0, count: 4.0 });
        assert_eq!(hits(&[1.0, 1.0, 0.0, 0.0, 0.0]), SumCount { sum: 4.0, count: 5.0 });
    }

    #[test]
    fn a_tie_is_no_win_and_bad_input_is_named() {
        let both = |x: &'static [f64]| PairBatch::new(Pairs { chosen: aview1(x), rejected: aview1(x) });
        assert_eq!(reward_metrics(both(&[1.0, 2.0])).unwrap().accuracy, 0.0);
        let message = |batch| reward_metrics(batch).unwrap_err().to_string();
        assert_eq!(message(both(&[1.0, f64::NAN])), "`policy.chosen`[1] is NaN, allowed is finite");
        assert_eq!(message(both(&[])), "`batch` holds nothing to average over");
        assert_eq!(message(both(&[1e200])), "the result at `batch` overflows f64");
        let steps = both(&[0.0, 0.0]);
        assert_eq!(process_accuracy(steps).unwrap_err().to_string(), "ProcessReward needs `soft_label`");
        let error = process_accuracy(steps.soft_label(aview1(&[0.0, 1.5]))).unwrap_err();
        assert_eq!(error.to_string(), "`soft_label`[1] is 1.5, allowed is [0, 1]");
        assert_eq!(process_accuracy(steps.soft_label(aview1(&[0.0, 1.0]))), Ok(SumCount { sum: 0.0, count: 2.0 }));
    }
}
