//! One sequence of states and actions, and the sums over its states.

use ndarray::{ArrayView1, ArrayView2};

use crate::rowwise::{RowReader, improper_row};
use crate::simd::RowSum;
use crate::target::{self, Class, Indices};
use crate::{Error, Real, Result, check};

/// One sequence: the logits of its states and the actions that lead from each to the next.
///
/// `logits` are `[T, A]`, those of the states `s_0 .. s_N` with `N = T - 1`; `actions` are `[N]`. The last row is the state
/// that the last action leads to: after an end-of-sequence token the one that stays, else the one where the sequence was
/// cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trajectory<'a, E, I> {
    /// Logits of every state, `[T, A]`: a soft value of each action, whose level matters.
    pub logits: ArrayView2<'a, E>,
    /// Action at every state but the last, `[T - 1]`.
    pub actions: ArrayView1<'a, I>,
    /// Who wrote it.
    pub source: TrajectorySource,
    /// What comes after the last state.
    pub end: TrajectoryEnd,
}

/// Where a sequence is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TrajectorySource {
    /// The data.
    Data,
    /// The model, sampled: counts as fixed in the gradient.
    Model,
}

/// What comes after the last state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum TrajectoryEnd {
    /// The same state for ever, each step with the reward `(1 - γ) V`: the sum of all of them is taken.
    Absorbed,
    /// Something that was not recorded: the value of the last state stands for it.
    Truncated,
}

/// A [`Trajectory`] of any types.
pub(crate) struct AnyTrajectory<'a, T> {
    pub(super) logits: Result<Box<dyn RowReader<T> + 'a>>,
    pub(super) shape: [usize; 2],
    pub(super) actions: Indices<'a>,
    pub(super) source: TrajectorySource,
    pub(super) end: TrajectoryEnd,
}

/// A trajectory whose states have been summed.
pub(super) struct StateSums<'a, T> {
    pub(super) logits: Box<dyn RowReader<T> + 'a>,
    pub(super) sums: Vec<RowSum<T>>,
    /// The action at each state but the last; `None` where it is ignored.
    pub(super) actions: Vec<Option<usize>>,
}

impl<'a, T: Real> StateSums<'a, T> {
    pub(super) fn new(trajectory: AnyTrajectory<'a, T>, ignore_index: Option<i64>) -> Result<Self> {
        let [states, classes] = trajectory.shape;
        if states == 0 {
            return Err(Error::Empty { argument: "logits" });
        }
        check::shape("actions", trajectory.actions.shape(), &[states - 1])?;
        let action = |(step, action): (usize, i64)| match target::class(action, ignore_index, classes) {
            Class::Is(class) => Ok(Some(class)),
            Class::Ignored => Ok(None),
            Class::Invalid => Err(Error::Target { argument: "actions", position: step.into(), value: action, classes }),
        };
        let logits = trajectory.logits?;
        let actions = trajectory.actions.all().into_iter().enumerate().map(action).collect::<Result<_>>()?;
        let mut sums = vec![RowSum::new(); states];
        logits.jobs(1).each_value(&mut sums, |row, sum: &mut RowSum<T>| {
            logits.for_each_block(row, &mut |block| sum.push(block));
            Ok(())
        })?;
        match sums.iter().position(|sum| !sum.is_proper()) {
            Some(state) => Err(improper_row("logits", &[states], state, &*logits)),
            None => Ok(Self { logits, sums, actions }),
        }
    }

    /// `V`, the log-sum-exp of a state.
    pub(super) fn value(&self, state: usize) -> f64 {
        self.sums[state].log_sum_exp()
    }

    /// `r = l(a) - γ V'` of the action at a state; `None` where it is ignored, and -inf where its logit is.
    pub(super) fn reward(&self, state: usize, gamma: f64) -> Result<Option<f64>> {
        let Some(action) = self.actions[state] else { return Ok(None) };
        let logit = self.logits.at(state, action).as_f64();
        let reward = logit - gamma * self.value(state + 1);
        match reward.is_finite() || logit == f64::NEG_INFINITY {
            true => Ok(Some(reward)),
            false => Err(Error::overflow::<f64>("logits", state)),
        }
    }
}
