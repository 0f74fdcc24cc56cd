//! When to stop: rounds until the marginals agree, first at a large regularization and then at smaller ones.

use super::Sinkhorn;

/// An iteration towards potentials.
pub(super) trait Rounds {
    /// Updates what it can, and says how far the plan's marginals then are from what they should be: in L1, relative to
    /// the total.
    fn round(&mut self) -> f64;

    /// Makes use of what the round has found about the other side.
    fn advance(&mut self);

    /// Goes on with another regularization; potentials, in its units, become larger by the factor.
    fn set_regularization(&mut self, factor: f64, regularization: f64);
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) iterations: usize,
    pub(super) marginal_error: f64,
}

/// Marginals of a stage that is not the last need not agree better.
const STAGE_TOLERANCE: f64 = 0.05;

impl Sinkhorn {
    /// The regularizations of the stages: from the range of the costs down to the own.
    pub(super) fn stages(&self, range: f64) -> Vec<f64> {
        let count = ((self.regularization / range).ln() / self.scaling.ln()).floor();
        let count = if count > 0.0 && self.scaling < 1.0 { count as usize } else { 0 };
        let stage = |left: usize| self.regularization * self.scaling.powf(-(left as f64));
        (0..=count.min(self.max_iterations - 1)).rev().map(stage).collect()
    }

    /// Runs stages of which the first is set. At least one round is at the last.
    pub(super) fn run(&self, rounds: &mut impl Rounds, stages: &[f64]) -> Report {
        let (mut iterations, mut marginal_error) = (0, f64::INFINITY);
        for (k, &regularization) in stages.iter().enumerate() {
            let later = stages.len() - 1 - k;
            if k > 0 {
                rounds.advance();
                rounds.set_regularization(stages[k - 1] / regularization, regularization);
            }
            let tolerance = if later == 0 { self.tolerance } else { STAGE_TOLERANCE.max(self.tolerance) };
            loop {
                marginal_error = rounds.round();
                iterations += 1;
                if marginal_error <= tolerance || iterations + later >= self.max_iterations {
                    break;
                }
                rounds.advance();
            }
        }
        Report { iterations, marginal_error }
    }
}
