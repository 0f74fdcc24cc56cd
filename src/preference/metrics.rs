//! Metrics of training on pairs: rewards, margin, accuracy, log-probabilities, log-odds.

use ndarray::ArrayView1;

use crate::error::Position;
use crate::preference::columns::arrays;
use crate::preference::{LabelUse, Needs, PairBatch, Row};
use crate::reduction::{BLOCK, Total, joint_mean};
use crate::simd::{Kernel, LANES, dispatch};
use crate::{Error, Real, Result, check, math};

/// Metrics of preference optimization: means over the pairs of a batch, in `f64` for every element type.
///
/// The reward of a response is `β (log π - log ρ)`, of sums over its tokens: never divided by lengths, nor passed through
/// the score of a divergence. Quantiles need the whole batch in order and are not here.
#[doc(alias = "rewards/chosen")]
#[doc(alias = "rewards/rejected")]
#[doc(alias = "rewards/margins")]
#[doc(alias = "rewards/accuracies")]
#[doc(alias = "logps/chosen")]
#[doc(alias = "logps/rejected")]
#[doc(alias = "log_odds_chosen")]
#[doc(alias = "reward accuracy")]
#[doc(alias = "implicit reward")]
#[doc(alias = "likelihood displacement")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct PairMetrics {
    /// Mean reward of the chosen responses (TRL's `rewards/chosen`).
    pub reward_chosen: f64,
    /// Mean reward of the rejected responses (`rewards/rejected`).
    pub reward_rejected: f64,
    /// Mean of their difference (`rewards/margins`).
    pub margin: f64,
    /// Share of pairs whose chosen response has the larger reward; a tie does not count as a win
    /// (`rewards/accuracies`).
    pub accuracy: f64,
    /// Mean log-probability of the chosen responses, in nats (`logps/chosen`).
    pub log_prob_chosen: f64,
    /// Mean log-probability of the rejected responses, in nats (`logps/rejected`).
    pub log_prob_rejected: f64,
    /// Share of pairs whose chosen response is less likely than under the reference: displaced likelihood.
    pub displaced: f64,
    /// Mean number of tokens of the chosen responses, 1 for a batch without lengths.
    pub length_chosen: f64,
    /// Mean number of tokens of the rejected responses, 1 for a batch without lengths.
    pub length_rejected: f64,
    /// Mean log-probability per token of the chosen responses, each response counted once (`logps` of SimPO and TPO).
    /// Without lengths that of whole responses, here and below.
    pub token_log_prob_chosen: f64,
    /// Mean log-probability per token of the rejected responses.
    pub token_log_prob_rejected: f64,
    /// Mean of the log-odds of the chosen responses minus those of the rejected ones, of log-probabilities per token
    /// (ORPO's `log_odds_chosen`). Infinite where a response is certain; NaN where both of a pair are, and where a
    /// log-probability is above 0 and no odds exist. So is the next.
    pub log_odds: f64,
    /// Mean of the logarithm of the logistic function of that difference (`log_odds_ratio`), minus ORPO's loss at weight 1.
    pub log_odds_ratio: f64,
    /// Number of pairs.
    pub count: f64,
}

/// How many means there are.
const MEANS: usize = 13;

impl PairMetrics {
    /// The metrics of both batches together: each counts by its number of pairs.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return self;
        }
        if self.count == 0.0 {
            return other;
        }
        let mean = joint_mean(self.count, other.count);
        let (left, right) = (self.means(), other.means());
        Self::new(std::array::from_fn(|i| mean(left[i], right[i])), count)
    }

    fn means(self) -> [f64; MEANS] {
        [
            self.reward_chosen,
            self.reward_rejected,
            self.margin,
            self.accuracy,
            self.log_prob_chosen,
            self.log_prob_rejected,
            self.displaced,
            self.length_chosen,
            self.length_rejected,
            self.token_log_prob_chosen,
            self.token_log_prob_rejected,
            self.log_odds,
            self.log_odds_ratio,
        ]
    }

    /// From the means in the order of [`Self::means`].
    fn new(means: [f64; MEANS], count: f64) -> Self {
        Self {
            reward_chosen: means[0],
            reward_rejected: means[1],
            margin: means[2],
            accuracy: means[3],
            log_prob_chosen: means[4],
            log_prob_rejected: means[5],
            displaced: means[6],
            length_chosen: means[7],
            length_rejected: means[8],
            token_log_prob_chosen: means[9],
            token_log_prob_rejected: means[10],
            log_odds: means[11],
            log_odds_ratio: means[12],
            count,
        }
    }
}

/// Metrics of preference optimization ([`PairMetrics`]) for a batch, in one pass that allocates nothing.
///
/// `beta` is that of the objective. A batch without reference has the rewards `β log π`, as CPO and ORPO do. A batch of
/// denoising errors goes to [`diffusion_metrics`](crate::preference::diffusion_metrics): here its signs would be wrong.
///
/// # Errors
///
/// `beta` out of range; arrays of different lengths; a log-probability that is not finite, a length that is not above
/// zero, or a mean (but for the log-odds) that does not fit; a batch without pairs.
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
/// assert_eq!(metrics.displaced, 0.5); // and less likely than under the reference
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "reward accuracy")]
#[doc(alias = "implicit reward")]
pub fn pair_metrics<T: Real>(batch: PairBatch<'_, T>, beta: f64) -> Result<PairMetrics> {
    T::pair_metrics(batch, beta)
}

/// [`pair_metrics`], compiled here.
pub(in crate::preference) fn compute_pair_metrics<T: Real>(batch: PairBatch<'_, T>, beta: f64) -> Result<PairMetrics> {
    metrics_of(batch, beta, 1.0)
}

/// [`pair_metrics`] with rewards of `share · beta`, which need not be a number that the type holds.
pub(in crate::preference) fn metrics_of<T: Real>(
    batch: PairBatch<'_, T>,
    beta: f64,
    share: f64,
) -> Result<PairMetrics> {
    check::positive("beta", beta)?;
    batch.check_shapes()?;
    if batch.is_empty() {
        return Err(Error::NothingToAverage { argument: "batch" });
    }
    let held = batch.columns(LabelUse::Unused);
    let (reference, lengths) = (held.reference.chosen.is_some(), held.lengths.chosen.is_some());
    let sources = arrays(&batch, Needs { reference, lengths, ..Needs::default() });
    let neutral = Row { lengths: Row::NAMES.lengths.map(|_| 1.0), ..Row::default() };
    let columns = sources.zip(neutral).map(|(source, neutral)| match source {
        None => Column::Absent(neutral),
        Some(view) => view.to_slice().map_or(Column::Spread(view), Column::Slice),
    });
    let n = batch.len();
    let mut means = dispatch(Totals { columns, n }).map_err(|at| first_wrong::<T>(columns.map(|c| c.at(at)), at))?;
    means.iter_mut().for_each(|mean| *mean /= n as f64);
    means[..3].iter_mut().for_each(|mean| *mean = *mean * share * beta);
    if !means[..MEANS - 2].iter().all(|mean| mean.is_finite()) {
        return Err(Error::overflow::<f64>("batch", Position::default()));
    }
    Ok(PairMetrics::new(means, n as f64))
}

/// One column, wherever it lies in memory.
#[derive(Clone, Copy)]
enum Column<'a, T> {
    Slice(&'a [T]),
    Spread(ArrayView1<'a, T>),
    Absent(f64),
}

impl<T: Real> Column<'_, T> {
    /// The number of this pair.
    #[inline(always)]
    fn at(self, index: usize) -> f64 {
        match self {
            Self::Slice(slice) => slice[index].as_f64(),
            Self::Spread(view) => view[index].as_f64(),
            Self::Absent(neutral) => neutral,
        }
    }

    /// The numbers of these pairs; 0.5 beyond the last, where nothing is out of range.
    #[inline(always)]
    fn group(self, start: usize, len: usize) -> [f64; LANES] {
        let mut group = [0.5; LANES];
        match self {
            Self::Slice(slice) => {
                group.iter_mut().zip(&slice[start..start + len]).for_each(|(to, x)| *to = x.as_f64());
            }
            Self::Spread(_) | Self::Absent(_) => {
                group[..len].iter_mut().enumerate().for_each(|(i, to)| *to = self.at(start + i));
            }
        }
        group
    }
}

/// Sums over all pairs of what the means are of, rewards still without `β`; or the first pair that has none.
struct Totals<'a, T> {
    columns: Row<Column<'a, T>>,
    n: usize,
}

impl<T: Real> Kernel for Totals<'_, T> {
    type Output = Result<[f64; MEANS], usize>;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> Self::Output {
        let mut totals = [Total::default(); MEANS];
        for block in (0..self.n).step_by(BLOCK) {
            let mut sums = [[0.0; LANES]; MEANS];
            let end = self.n.min(block + BLOCK);
            for start in (block..end).step_by(LANES) {
                let len = LANES.min(end - start);
                let group = self.columns.map(|column| column.group(start, len));
                let mut wrong = false;
                for lane in 0..LANES {
                    let row = group.as_ref().map(|values| values[lane]);
                    wrong |= !is_ordinary(row);
                    let counts = if lane < len { 1.0 } else { 0.0 };
                    let values = observe::<FMA>(row);
                    for (sum, value) in sums.iter_mut().zip(values) {
                        sum[lane] += if counts == 0.0 { 0.0 } else { value };
                    }
                }
                if wrong {
                    let at = (start..start + len).find(|&i| !is_ordinary(self.columns.map(|column| column.at(i))));
                    return Err(at.unwrap_or(start));
                }
            }
            totals.iter_mut().zip(sums).for_each(|(total, sum)| total.add(sum.iter().sum()));
        }
        Ok(totals.map(Total::value))
    }
}

/// Whether the pair has a finite margin and lengths above zero.
#[inline(always)]
fn is_ordinary(row: Row<f64>) -> bool {
    let (ratios, n) = (row.log_ratios(), row.lengths);
    let lengths = n.chosen > 0.0 && n.rejected > 0.0 && (n.chosen + n.rejected).is_finite();
    (ratios.chosen - ratios.rejected).is_finite() && lengths
}

/// What one pair adds, in the order of [`PairMetrics::means`].
#[inline(always)]
fn observe<const FMA: bool>(row: Row<f64>) -> [f64; MEANS] {
    let (ratios, policy, n) = (row.log_ratios(), row.policy, row.lengths);
    let (w, l) = (policy.chosen / n.chosen, policy.rejected / n.rejected);
    let log_odds = math::log_odds::<f64, FMA>(w) - math::log_odds::<f64, FMA>(l);
    let share = |holds: bool| if holds { 1.0 } else { 0.0 };
    [
        ratios.chosen,
        ratios.rejected,
        ratios.chosen - ratios.rejected,
        share(ratios.chosen > ratios.rejected),
        policy.chosen,
        policy.rejected,
        share(ratios.chosen < 0.0),
        n.chosen,
        n.rejected,
        w,
        l,
        log_odds,
        math::log_sigmoid::<f64, FMA>(log_odds),
    ]
}

fn first_wrong<T: Real>(row: Row<f64>, position: usize) -> Error {
    let position = Position::from(position);
    let told = row.zip(Row::NAMES).zip(Row::ALLOWED);
    let log_prob = |((value, argument), _)| (value, argument, "finite", f64::is_finite(value));
    let length = |((value, argument), allowed)| (value, argument, allowed, value > 0.0 && f64::is_finite(value));
    let [p, r, n] = [told.policy.map(log_prob), told.reference.map(log_prob), told.lengths.map(length)];
    let all = [p.chosen, p.rejected, r.chosen, r.rejected, n.chosen, n.rejected];
    match all.into_iter().find(|(.., good)| !good) {
        Some((value, argument, allowed, _)) => Error::Value { argument, position, value, allowed },
        None => Error::overflow::<T>(Row::NAMES.policy.chosen, position),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1, s};

    use super::*;
    use crate::preference::Pairs;
    use crate::preference::testing::{Sample, one};
    use crate::preference::{Length, Orpo, PairObjective};
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
        close(metrics.log_prob_rejected, mean(&p.rejected), 1e-11);
        let n = &sample.lengths;
        close(metrics.length_chosen, mean(&n.chosen), 1e-13);
        close(metrics.length_rejected, mean(&n.rejected), 1e-13);
        close(metrics.token_log_prob_chosen, mean(&(&p.chosen / &n.chosen)), 1e-11);
        close(metrics.token_log_prob_rejected, mean(&(&p.rejected / &n.rejected)), 1e-11);
        let odds = |side: Array1<f64>| side.mapv(|x| x - (-x.exp_m1()).ln());
        let log_odds = odds(&p.chosen / &n.chosen) - odds(&p.rejected / &n.rejected);
        close(metrics.log_odds, mean(&log_odds), 1e-11);
        close(metrics.log_odds_ratio, -mean(&log_odds.mapv(|x| (-x).exp().ln_1p())), 1e-11);
        let below = ratios.chosen.iter().filter(|x| **x < 0.0).count();
        assert_eq!(metrics.displaced, below as f64 / 5000.0);
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
    fn no_layout_changes_a_bit() {
        let sample = Sample::<f32>::of(1500);
        let expected = pair_metrics(sample.batch(), 0.1).unwrap();
        let mut table = ndarray::Array2::zeros((6, 1500));
        let columns =
            [&sample.policy, &sample.reference, &sample.lengths].map(|pairs| [&pairs.chosen, &pairs.rejected]);
        table.rows_mut().into_iter().zip(columns.as_flattened()).for_each(|(mut row, column)| row.assign(column));
        let table = table.reversed_axes().as_standard_layout().into_owned();
        let both = |i: usize| Pairs { chosen: table.column(i), rejected: table.column(i + 1) };
        let batch = PairBatch::new(both(0)).reference(both(2)).lengths(both(4));
        assert_eq!(pair_metrics(batch, 0.1).unwrap(), expected);
    }

    #[test]
    fn the_log_odds_are_those_that_orpo_has() {
        let sample = Sample::<f64>::of(300);
        let loss = Orpo { lambda: 1.0, length: Length::Mean }.value(sample.batch(), crate::Reduction::Mean).unwrap();
        close(pair_metrics(sample.batch(), 0.1).unwrap().log_odds_ratio, -loss, 1e-13);
        let certain = pair_metrics(one(&[0.0_f64, -1.0], &[0.0], &[1.0]), 0.1).unwrap();
        assert_eq!((certain.log_odds, certain.log_odds_ratio), (f64::INFINITY, 0.0));
        let density = pair_metrics(one(&[0.5_f64, -1.0], &[0.0], &[1.0]), 0.1).unwrap();
        assert!(density.log_odds.is_nan() && density.log_odds_ratio.is_nan());
        assert_eq!(density.margin, 0.1 * 1.5);
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
        let empty_response = one(&[-1.0, -1.0], &[-1.0], &[0.0]);
        assert_eq!(message(empty_response, 0.1), "`lengths.chosen`[0] is 0, allowed is finite and > 0");
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
