//! Where likelihoods and margins are going while one trains.

use std::collections::VecDeque;

use crate::preference::PairMetrics;
use crate::{Result, check};

/// Follows [`PairMetrics`] step by step and says what has changed over a window of steps.
///
/// It compares the latest window with the one before it, each step weighted by its number of pairs, so that the noise of
/// single batches averages out. [`Trend::is_displacing`] is the sign of likelihood displacement: the margin grows because
/// both likelihoods fall.
///
/// # Examples
///
/// ```
/// # use loglik::prelude::*;
/// # use loglik::diagnostics::PairTrend;
/// # use loglik::preference::PairMetrics;
/// let mut trend = PairTrend::new(2)?;
/// for step in 0..4 {
///     let step = f64::from(step);
///     let metrics = PairMetrics {
///         margin: 0.1 * step,
///         log_prob_chosen: -10.0 - step,
///         log_prob_rejected: -10.0 - 2.0 * step,
///         count: 8.0,
///         ..PairMetrics::default()
///     };
///     trend.push(metrics);
/// }
/// let change = trend.change().expect("two windows of two steps");
/// assert_eq!((change.log_prob_chosen, change.log_prob_rejected), (-2.0, -4.0));
/// assert!(change.is_displacing());
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Shi et al., Understanding likelihood over-optimization in direct alignment algorithms, 2024,
/// [arXiv:2410.11677](https://arxiv.org/abs/2410.11677); Razin et al., ICLR 2025,
/// [arXiv:2410.08847](https://arxiv.org/abs/2410.08847).
#[derive(Clone, Debug)]
pub struct PairTrend {
    window: usize,
    steps: VecDeque<PairMetrics>,
}

/// By how much means have changed from one window of steps to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Trend {
    /// Mean margin of the rewards.
    pub margin: f64,
    /// Mean log-probability of the chosen responses, in nats.
    pub log_prob_chosen: f64,
    /// Mean log-probability of the rejected responses, in nats.
    pub log_prob_rejected: f64,
    /// Share of pairs in the right order.
    pub accuracy: f64,
}

impl Trend {
    /// Whether the margin grows while the chosen responses become less likely.
    #[must_use]
    pub fn is_displacing(&self) -> bool {
        self.margin > 0.0 && self.log_prob_chosen < 0.0
    }
}

impl PairTrend {
    /// One that compares windows of this many steps.
    ///
    /// # Errors
    ///
    /// A window of no steps.
    pub fn new(window: usize) -> Result<Self> {
        check::parameter("window", window as f64, ">= 1", window >= 1)?;
        Ok(Self { window, steps: VecDeque::new() })
    }

    /// Adds a step; what lies before two windows is forgotten.
    pub fn push(&mut self, metrics: PairMetrics) {
        self.steps.push_back(metrics);
        if self.steps.len() > 2 * self.window {
            self.steps.pop_front();
        }
    }

    /// The change from the window before to the latest one; `None` before there are two.
    #[must_use]
    pub fn change(&self) -> Option<Trend> {
        if self.steps.len() < 2 * self.window {
            return None;
        }
        let mean = |from: usize| {
            let steps = self.steps.iter().skip(from).take(self.window);
            steps.fold(PairMetrics::default(), |all, step| all.merge(*step))
        };
        let (before, latest) = (mean(0), mean(self.window));
        Some(Trend {
            margin: latest.margin - before.margin,
            log_prob_chosen: latest.log_prob_chosen - before.log_prob_chosen,
            log_prob_rejected: latest.log_prob_rejected - before.log_prob_rejected,
            accuracy: latest.accuracy - before.accuracy,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(margin: f64, chosen: f64, count: f64) -> PairMetrics {
        PairMetrics { margin, log_prob_chosen: chosen, accuracy: margin, count, ..PairMetrics::default() }
    }

    #[test]
    fn the_latest_window_is_compared_with_the_one_before() {
        let mut trend = PairTrend::new(2).unwrap();
        for metrics in [step(9.0, 9.0, 1.0), step(0.0, -1.0, 1.0), step(0.5, -3.0, 3.0), step(1.0, -4.0, 1.0)] {
            assert_eq!(trend.change(), None);
            trend.push(metrics);
        }
        trend.push(step(2.0, -6.0, 1.0)); // the first step is forgotten
        let change = trend.change().unwrap();
        assert_eq!(change.margin, 1.5 - 0.375); // steps count by their pairs
        assert_eq!(change.log_prob_chosen, -5.0 + 2.5);
        assert_eq!(change.accuracy, change.margin);
        assert!(change.is_displacing());
    }

    #[test]
    fn a_margin_that_grows_with_the_likelihood_is_no_displacement() {
        let mut trend = PairTrend::new(1).unwrap();
        trend.push(step(0.0, -5.0, 1.0));
        trend.push(step(1.0, -4.0, 1.0));
        assert!(!trend.change().unwrap().is_displacing());
        trend.push(step(0.5, -6.0, 1.0));
        assert!(!trend.change().unwrap().is_displacing());
    }

    #[test]
    fn a_window_holds_at_least_one_step() {
        assert_eq!(PairTrend::new(0).unwrap_err().to_string(), "`window` is 0, allowed is >= 1");
    }
}
