//! The loss of one trajectory and its gradient, from the sums over its states.

use ndarray::ArrayViewMutD;

use super::trajectory::{AnyTrajectory, StateSums};
use super::{Occupancy, SequenceMatch, SequenceMatchTerms, TrajectoryEnd, TrajectorySource};
use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::rowwise::RowsMut;
use crate::{Error, Real, Result, check, simd};

/// The loss, and for each state the slopes that make its gradient: `action` at the action taken, and `policy` times the
/// softmax.
struct LossSlopes {
    loss: f64,
    action: Vec<f64>,
    policy: Vec<f64>,
}

/// The loss; its gradient goes to the output, if there is one.
pub(crate) fn value<T: Real>(
    objective: &SequenceMatch,
    trajectory: AnyTrajectory<'_, T>,
    mut out: Option<ArrayViewMutD<'_, T>>,
) -> Result<T> {
    let (source, end, shape) = (trajectory.source, trajectory.end, trajectory.shape);
    if let Some(out) = &out {
        check::shape("out", out.shape(), &shape)?;
    }
    let states = objective.sums(trajectory)?;
    let slopes = objective.slopes(source, end, &states)?;
    let loss = to_real(slopes.loss, "logits", Position::default())?;
    let Some(out) = &mut out else { return Ok(loss) };
    let fits = |state: &usize| T::from_f64(slopes.action[*state].abs() + slopes.policy[*state].abs()).is_finite();
    if let Some(state) = (0..states.sums.len()).find(|state| !fits(state)) {
        return Err(Error::overflow::<T>("logits", state));
    }
    let out = RowsMut::new("out", out, &shape)?;
    let jobs = states.logits.jobs(1).of_work(2 * states.logits.bytes());
    jobs.each_output(out, |state, out| {
        write(&states, &slopes, state, out);
        Ok(())
    })?;
    Ok(loss)
}

/// The loss, with the rewards and values that the logits imply.
pub(crate) fn terms<T: Real>(
    objective: &SequenceMatch,
    trajectory: AnyTrajectory<'_, T>,
) -> Result<SequenceMatchTerms<T>> {
    let (source, end) = (trajectory.source, trajectory.end);
    let states = objective.sums(trajectory)?;
    let loss = to_real(objective.slopes(source, end, &states)?.loss, "logits", Position::default())?;
    let reward = |state| to_real(states.reward(state, objective.gamma)?.unwrap_or(0.0), "logits", state);
    Ok(SequenceMatchTerms {
        loss,
        rewards: (0..states.actions.len()).map(reward).collect::<Result<_>>()?,
        values: (0..states.sums.len())
            .map(|state| to_real(states.value(state), "logits", state))
            .collect::<Result<_>>()?,
    })
}

impl SequenceMatch {
    /// Checks everything and sums the states.
    fn sums<'a, T: Real>(&self, trajectory: AnyTrajectory<'a, T>) -> Result<StateSums<'a, T>> {
        let Self { gamma, data_share, .. } = *self;
        check::parameter("gamma", gamma, "(0, 1]", gamma > 0.0 && gamma <= 1.0)?;
        check::parameter("data_share", data_share, "[0, 1]", (0.0..=1.0).contains(&data_share))?;
        self.occupancy.check()?;
        let sums_forever = trajectory.end == TrajectoryEnd::Absorbed && trajectory.source == TrajectorySource::Data;
        if sums_forever && self.occupancy == Occupancy::ReverseKl {
            check::parameter("gamma", gamma, "(0, 1) with the reverse KL and an absorbed end", gamma < 1.0)?;
        }
        StateSums::new(trajectory, self.ignore_index)
    }

    /// `φ` of the data or `ψ` of the model, and its slope.
    fn gain(&self, source: TrajectorySource, reward: f64) -> Option<(f64, f64)> {
        match source {
            TrajectorySource::Data => self.occupancy.phi(reward),
            TrajectorySource::Model => Some(self.occupancy.penalty(reward)),
        }
    }

    /// The loss and the slopes of each state.
    fn slopes<T: Real>(
        &self,
        source: TrajectorySource,
        end: TrajectoryEnd,
        states: &StateSums<'_, T>,
    ) -> Result<LossSlopes> {
        let (gamma, last) = (self.gamma, states.actions.len());
        let at = |reward: f64, state: usize| -> Result<(f64, f64)> {
            let allowed = self.occupancy.domain();
            let outside = || Error::Value { argument: "logits", position: state.into(), value: reward, allowed };
            let (gain, slope) = self.gain(source, reward).ok_or_else(outside)?;
            // Of an action that cannot be taken the loss may be infinite with a finite slope; an infinite slope is no value.
            let fits = slope.is_finite() && (gain.is_finite() || reward.is_infinite()) && !gain.is_nan();
            if fits { Ok((gain, slope)) } else { Err(Error::overflow::<f64>("logits", state)) }
        };
        let (mut action, mut policy) = (vec![0.0; last + 1], vec![0.0; last + 1]);
        let mut gains = Vec::with_capacity(last + 3);
        for state in 0..last {
            if let Some(reward) = states.reward(state, gamma)? {
                let (discount, (gain, slope)) = (discount(gamma, state), at(reward, state)?);
                gains.push(discount * gain);
                action[state] = discount * slope;
                policy[state + 1] = -gamma * (discount * slope);
            }
        }
        let share = match source {
            TrajectorySource::Data => self.data_share,
            TrajectorySource::Model => 1.0 - self.data_share,
        };
        let (discount, value) = (discount(gamma, last), states.value(last));
        policy[0] -= share;
        gains.push(-share * states.value(0));
        match end {
            TrajectoryEnd::Truncated => {
                policy[last] += discount * share;
                gains.push(discount * share * value);
            }
            TrajectoryEnd::Absorbed => {
                let (gain, slope) = at((1.0 - gamma) * value, last)?;
                policy[last] += discount * slope;
                // At γ = 1 the limit of `φ((1 - γ) V) / (1 - γ)`, which is `φ'(0) V`.
                let forever = discount * if gamma < 1.0 { gain / (1.0 - gamma) } else { slope * value };
                if !forever.is_finite() {
                    return Err(Error::overflow::<f64>("logits", last));
                }
                gains.push(forever);
            }
        }
        let loss = reduction::finite_total(-reduction::sum(&gains), || gains.iter().all(|x| x.is_finite()), "logits")?;
        Ok(LossSlopes { loss, action, policy })
    }
}

/// `γ^i`.
fn discount(gamma: f64, step: usize) -> f64 {
    gamma.powf(step as f64)
}

/// One row of the gradient of the loss.
fn write<T: Real>(states: &StateSums<'_, T>, slopes: &LossSlopes, state: usize, row: &mut [T]) {
    let sum = &states.sums[state];
    let (action, policy) = (slopes.action[state], slopes.policy[state]);
    states.logits.copy(state, 0..row.len(), row);
    simd::scale_exp(row, sum.max, T::from_f64(-policy / (1.0 + sum.others)));
    if let Some(taken) = states.actions.get(state).copied().flatten() {
        // `a + p π` as `a (1 - π) + (a + p) π`: of a likelihood the second part is 0, and nothing cancels.
        let logit = states.logits.at(state, taken);
        row[taken] = T::from_f64(-(action * sum.complement(logit) + (action + policy) * sum.prob(logit)));
    }
}
