//! Metrics of training on denoising errors, with the signs of Diffusion-DPO.

use crate::error::Position;
use crate::preference::metrics::metrics_of;
use crate::preference::{DiffusionDpo, LabelUse, PairBatch, PairObjective, Pairs, Row};
use crate::reduction::joint_mean;
use crate::{Error, Real, Result};

/// Metrics of Diffusion-DPO: means over the pairs of a batch of denoising errors, in `f64` for every element type.
///
/// A small error corresponds to a large log-probability. The reward of a sample is `-β/2 (e - ẽ)`, of the errors
/// of policy and reference: above 0 where the policy's is the smaller one.
#[doc(alias = "implicit accuracy")]
#[doc(alias = "implicit_acc")]
#[doc(alias = "Diffusion-DPO metrics")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct DiffusionMetrics {
    /// Mean reward of the preferred samples.
    pub reward_chosen: f64,
    /// Mean reward of the other samples.
    pub reward_rejected: f64,
    /// Mean of their difference.
    pub margin: f64,
    /// Share of pairs whose preferred sample has the larger reward; a tie does not count as a win
    /// (`implicit_acc` of the authors' code).
    pub accuracy: f64,
    /// Mean error of the policy on the preferred samples. The mean with that on the others is the authors'
    /// `raw_model_loss`.
    pub error_chosen: f64,
    /// Mean error of the policy on the other samples.
    pub error_rejected: f64,
    /// Number of pairs.
    pub count: f64,
}

impl DiffusionMetrics {
    /// The metrics of both batches together: each counts by its number of pairs.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        if count == 0.0 {
            return self;
        }
        let mean = joint_mean(self.count, other.count);
        Self {
            reward_chosen: mean(self.reward_chosen, other.reward_chosen),
            reward_rejected: mean(self.reward_rejected, other.reward_rejected),
            margin: mean(self.margin, other.margin),
            accuracy: mean(self.accuracy, other.accuracy),
            error_chosen: mean(self.error_chosen, other.error_chosen),
            error_rejected: mean(self.error_rejected, other.error_rejected),
            count,
        }
    }
}

/// Metrics of Diffusion-DPO ([`DiffusionMetrics`]), for a batch of [`DiffusionDpo`]. Nothing is allocated.
///
/// [`pair_metrics`](crate::preference::pair_metrics) of the same batch has the wrong signs: it takes the errors for
/// log-probabilities, and a model that is always right has the accuracy 0. `beta` is that of the objective.
///
/// # Errors
///
/// `beta` out of range; a batch without reference or without pairs; arrays of different lengths; an error that is below zero
/// (as log-probabilities are, if they were passed by mistake) or not finite; a mean that does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::preference::diffusion_metrics;
/// let errors = PairBatch::new(Pairs { chosen: aview1(&[0.25_f64, 0.5]), rejected: aview1(&[0.5, 0.25]) })
///     .reference(Pairs { chosen: aview1(&[0.5, 0.25]), rejected: aview1(&[0.25, 0.25]) });
/// let metrics = diffusion_metrics(errors, 8.0)?;
/// assert_eq!((metrics.reward_chosen, metrics.reward_rejected), (0.0, -0.5)); // 1 and -1 on the preferred, -1 and 0
/// assert_eq!((metrics.margin, metrics.accuracy), (0.5, 0.5)); // margins 2 and -1
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "implicit accuracy")]
#[doc(alias = "Diffusion-DPO metrics")]
pub fn diffusion_metrics<T: Real>(batch: PairBatch<'_, T>, beta: f64) -> Result<DiffusionMetrics> {
    T::diffusion_metrics(batch, beta)
}

/// [`diffusion_metrics`], compiled here.
pub(in crate::preference) fn compute_diffusion_metrics<T: Real>(
    batch: PairBatch<'_, T>,
    beta: f64,
) -> Result<DiffusionMetrics> {
    DiffusionDpo { beta }.validate(&batch)?;
    let held = batch.columns(LabelUse::Unused);
    let Row { policy, reference, .. } = held.zip(Row::NAMES);
    for pair in 0..batch.len() {
        for (column, argument) in [policy.chosen, policy.rejected, reference.chosen, reference.rejected] {
            let value = column.map_or(0.0, |column| column[pair].as_f64());
            if !(value >= 0.0 && value.is_finite()) {
                let position = Position::from(pair);
                return Err(Error::Value { argument, position, value, allowed: "finite and >= 0" });
            }
        }
    }
    let swapped = |sides: Pairs<Option<_>>| Some(Pairs { chosen: sides.rejected?, rejected: sides.chosen? });
    let (Some(policy), Some(reference)) = (swapped(held.policy), swapped(held.reference)) else {
        return Err(Error::Missing { objective: "DiffusionDpo", argument: "reference" });
    };
    // The smaller error is the better one: with its sides swapped the batch has the signs of log-probabilities.
    let metrics = metrics_of(PairBatch::new(policy).reference(reference), beta, 0.5)?;
    Ok(DiffusionMetrics {
        reward_chosen: 0.0 - metrics.reward_rejected,
        reward_rejected: 0.0 - metrics.reward_chosen,
        margin: metrics.margin,
        accuracy: metrics.accuracy,
        error_chosen: metrics.log_prob_rejected,
        error_rejected: metrics.log_prob_chosen,
        count: metrics.count,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, aview1, s};

    use super::*;
    use crate::Reduction;
    use crate::preference::pair_metrics;
    use crate::testing::close;

    type Column = Array1<f64>;

    fn errors(n: usize) -> (Pairs<Column>, Pairs<Column>) {
        let column = |seed: usize| Array1::from_shape_fn(n, |i| ((i * 31 + seed * 17) % 97) as f64 / 128.0);
        (Pairs { chosen: column(1), rejected: column(5) }, Pairs { chosen: column(3), rejected: column(11) })
    }

    #[test]
    fn the_smallest_beta_is_as_good_as_any() {
        let (policy, reference) = ([1e300], [0.5]);
        let both = |x| Pairs { chosen: x, rejected: aview1(&reference) };
        let batch = PairBatch::new(both(aview1(&policy))).reference(both(aview1(&reference)));
        let metrics = diffusion_metrics(batch, 5e-324).unwrap();
        assert_eq!(metrics.reward_chosen, -(0.5 * 1e300) * 5e-324);
    }

    #[test]
    fn means_are_those_of_a_plain_loop() {
        let (policy, reference) = errors(5000);
        let metrics = diffusion_metrics(PairBatch::new(policy.view()).reference(reference.view()), 3.0).unwrap();
        let reward = |e: &Column, r: &Column| -1.5 * (e - r);
        let (w, l) = (reward(&policy.chosen, &reference.chosen), reward(&policy.rejected, &reference.rejected));
        let mean = |x: &Column| x.sum() / 5000.0;
        close(metrics.reward_chosen, mean(&w), 1e-11);
        close(metrics.reward_rejected, mean(&l), 1e-11);
        close(metrics.margin, mean(&(&w - &l)), 1e-11);
        close(metrics.error_chosen, mean(&policy.chosen), 1e-12);
        close(metrics.error_rejected, mean(&policy.rejected), 1e-12);
        let wins = w.iter().zip(&l).filter(|(w, l)| w > l).count();
        assert_eq!((metrics.accuracy, metrics.count), (wins as f64 / 5000.0, 5000.0));
    }

    #[test]
    fn whoever_is_always_right_has_the_accuracy_one_and_a_loss_below_ln_two() {
        let side = |x: &'static [f32; 2]| aview1(x);
        let batch = PairBatch::new(Pairs { chosen: side(&[0.1, 0.2]), rejected: side(&[0.4, 0.5]) })
            .reference(Pairs { chosen: side(&[0.2, 0.3]), rejected: side(&[0.3, 0.4]) });
        let metrics = diffusion_metrics(batch, 2000.0).unwrap();
        assert_eq!(metrics.accuracy, 1.0);
        assert!(metrics.reward_chosen > 0.0 && metrics.reward_rejected < 0.0);
        assert!(DiffusionDpo { beta: 2000.0 }.value(batch, Reduction::Mean).unwrap() < 0.6);
        assert_eq!(pair_metrics(batch, 2000.0).unwrap().accuracy, 0.0); // which takes errors for log-probabilities
    }

    #[test]
    fn the_margin_is_that_of_the_loss_and_ties_are_no_wins() {
        let of = |e: [f64; 2]| {
            let batch = PairBatch::new(Pairs { chosen: aview1(&e[..1]), rejected: aview1(&e[1..]) });
            let zeros = aview1(&[0.0]);
            let batch = batch.reference(Pairs { chosen: zeros, rejected: zeros });
            (diffusion_metrics(batch, 5.0).unwrap(), DiffusionDpo { beta: 5.0 }.value(batch, Reduction::Mean).unwrap())
        };
        let (metrics, loss) = of([0.25, 0.75]);
        close(loss, (-metrics.margin).exp().ln_1p(), 1e-14);
        assert_eq!(metrics.margin, 1.25);
        let (tie, _) = of([0.5, 0.5]);
        assert_eq!((tie.accuracy, tie.margin, tie.reward_chosen), (0.0, 0.0, -1.25));
        let (none, _) = of([0.0, 0.0]);
        assert!(none.reward_chosen == 0.0 && none.reward_chosen.is_sign_positive());
    }

    #[test]
    fn batches_merge_by_their_number_of_pairs() {
        let (policy, reference) = errors(100);
        let part = |from: usize, to: usize| {
            let cut = |pairs: &Pairs<Column>| pairs.as_ref().map(|side| side.slice(s![from..to]).to_owned());
            let (policy, reference) = (cut(&policy), cut(&reference));
            diffusion_metrics(PairBatch::new(policy.view()).reference(reference.view()), 2.0).unwrap()
        };
        let (whole, merged) = (part(0, 100), part(0, 13).merge(part(13, 100)));
        close(merged.margin, whole.margin, 1e-12);
        close(merged.accuracy, whole.accuracy, 1e-12);
        close(merged.error_chosen, whole.error_chosen, 1e-12);
        assert_eq!(merged.count, 100.0);
        assert_eq!(DiffusionMetrics::default().merge(DiffusionMetrics::default()), DiffusionMetrics::default());
    }

    #[test]
    fn log_probabilities_in_the_place_of_errors_are_refused() {
        let of = |e: [f64; 2], beta: f64| {
            let reference = aview1(&[0.5]);
            let batch = PairBatch::new(Pairs { chosen: aview1(&e[..1]), rejected: aview1(&e[1..]) });
            let batch = batch.reference(Pairs { chosen: reference, rejected: reference });
            diffusion_metrics(batch, beta).unwrap_err().to_string()
        };
        assert_eq!(of([0.25, -12.5], 1.0), "`policy.rejected`[0] is -12.5, allowed is finite and >= 0");
        assert_eq!(of([f64::INFINITY, 0.5], 1.0), "`policy.chosen`[0] is inf, allowed is finite and >= 0");
        assert_eq!(of([0.25, 0.5], 0.0), "`beta` is 0, allowed is finite and > 0");
        let bare = PairBatch::new(Pairs { chosen: aview1(&[0.5]), rejected: aview1(&[0.5]) });
        assert_eq!(diffusion_metrics(bare, 1.0).unwrap_err().to_string(), "DiffusionDpo needs `reference`");
    }
}
