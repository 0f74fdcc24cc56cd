//! When to stop: rounds until the marginals agree, first at a large regularization and then at smaller ones.

/// An iteration of which the potentials that solve a problem are the fixed point.
pub(super) trait FixedPointStep {
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

/// The regularizations of the stages: from the range of the costs down to the last, by this factor from one to the next.
pub(super) fn regularizations(range: f64, last: f64, factor: f64, max_iterations: usize) -> Vec<f64> {
    let count = ((last / range).ln() / factor.ln()).floor();
    let count = if count > 0.0 && factor < 1.0 { count as usize } else { 0 };
    let stage = |left: usize| last * factor.powf(-(left as f64));
    (0..=count.min(max_iterations - 1)).rev().map(stage).collect()
}

/// Runs stages of which the first is set. At least one round is at the last.
pub(super) fn run(
    step: &mut dyn FixedPointStep,
    regularizations: &[f64],
    last_tolerance: f64,
    max_iterations: usize,
) -> Report {
    let (mut iterations, mut marginal_error) = (0, f64::INFINITY);
    for (k, &regularization) in regularizations.iter().enumerate() {
        let later = regularizations.len() - 1 - k;
        if k > 0 {
            step.advance();
            step.set_regularization(regularizations[k - 1] / regularization, regularization);
        }
        let tolerance = if later == 0 { last_tolerance } else { STAGE_TOLERANCE.max(last_tolerance) };
        loop {
            marginal_error = step.round();
            iterations += 1;
            if marginal_error <= tolerance || iterations + later >= max_iterations {
                break;
            }
            step.advance();
        }
    }
    Report { iterations, marginal_error }
}
