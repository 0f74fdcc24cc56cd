//! The objective of one trajectory, and its gradient in the logits.

use ndarray::{Array1, Array2, ArrayRef2};
use num_traits::Float;

use super::trajectory::Seen;
use super::{Occupancy, Trajectory, TrajectoryEnd, TrajectorySource};
use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::rows::{self, RowsMut, rows_per_job};
use crate::{Element, Error, Real, Result, Target, check, parallel, simd};

/// SequenceMatch: a divergence between the occupancies of model and data, in the logits alone, without a discriminator.
///
/// The logits of a state are taken for soft values of its actions, so that they imply a reward:
///
/// ```math
/// V_i = \ln \sum_a e^{\ell_i(a)}, \qquad r_i = \ell_i(a_i) - \gamma V_{i+1}
/// ```
///
/// The loss of a trajectory with `N` actions is `-J`, with `φ` and `ψ` from [`Occupancy`], `κ` the `data_share`, and for
/// one that ends in its last state ([`TrajectoryEnd::Absorbed`])
///
/// ```math
/// \begin{aligned}
/// J_{\text{data}} &= \sum_{i<N} \gamma^i \phi(r_i) + \frac{\gamma^N}{1 - \gamma} \phi\bigl((1 - \gamma) V_N\bigr)
///     - \kappa\, V_0, \\
/// J_{\text{model}} &= \sum_{i<N} \gamma^i \psi(r_i) + \frac{\gamma^N}{1 - \gamma} \psi\bigl((1 - \gamma) V_N\bigr)
///     - (1 - \kappa)\, V_0
/// \end{aligned}
/// ```
///
/// The second term sums the last state's loop for ever. `V_0` is what `Σ γ^i (V_i - γ V_{i+1})` telescopes to; of a
/// trajectory that was cut ([`TrajectoryEnd::Truncated`]) the sum ends at N: `V_0 - γ^N V_N` takes its place, and there is
/// no loop. Add the losses of as many trajectories of both sources, or average each source.
///
/// ```math
/// \frac{\partial J}{\partial \ell_i} = \gamma^i \phi'(r_i)\, e_{a_i} - \gamma^i \phi'(r_{i-1})\, \pi_i, \qquad
/// \pi_i = \operatorname{softmax}(\ell_i)
/// ```
///
/// in the middle; the first state has `-κ π_0` in place of the second part, the last one `γ^N φ'((1 - γ) V_N) π_N` in
/// place of the first. Samples of the model count as fixed.
///
/// With [`Occupancy::Linear`] and `κ = 1` the loss is exactly `-Σ γ^i ln π(a_i | s_i)`, so with `γ = 1` maximum
/// likelihood. On complete trajectories the value terms depend on the first state alone, so samples of the model matter
/// only by the penalty of the mixture. The best logits are not quite those of the data: the occupancy's entropy is part of
/// the objective.
///
/// An action with the ignored index (a noise token that a backspace will take back) has no reward and no share in the
/// gradient; its states stay.
///
/// # Errors
///
/// - [`Error::Parameter`]: `gamma` not in `(0, 1]`, `data_share` not in `[0, 1]`, `alpha` not above 0; `gamma` of 1 with the
///   reverse KL, whose `φ(0)` is not 0, and an absorbed end, where the sum has no limit.
/// - [`Error::Empty`]: no state. [`Error::Shape`]: not one action for each state but the last.
/// - [`Error::Target`]: an action that is no class. [`Error::Value`]: logits that are no distribution, or a reward for which
///   `φ` is -inf.
/// - [`Error::Overflow`]: a reward, a loss or a gradient that does not fit the type. With [`Occupancy::Linear`] the loss is
///   +inf, as that of a likelihood, where an action is taken whose logit is -inf.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (logits, actions) = (array![[0.5_f64, 0.2], [1.0, 0.0], [0.3, 0.1]], array![1, 0]);
/// let trajectory = Trajectory {
///     logits: logits.view(),
///     actions: actions.view(),
///     source: TrajectorySource::Data,
///     end: TrajectoryEnd::Absorbed,
/// };
/// let likelihood = SequenceMatch { gamma: 1.0, occupancy: Occupancy::Linear, data_share: 1.0, ignore_index: None };
/// let log_probs = token_log_probs(&logits.slice(loglik::ndarray::s![..2, ..]), &actions)?;
/// assert!((likelihood.value(&trajectory)? + log_probs.sum()).abs() < 1e-15);
/// let matching = SequenceMatch {
///     gamma: 0.998,
///     occupancy: Occupancy::ChiSquareMixture { alpha: 1.0 },
///     data_share: 0.5,
///     ..likelihood
/// };
/// let (_loss, gradient) = matching.grad(&trajectory)?;
/// assert_eq!(gradient.dim(), (3, 2));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Cundy and Ermon, SequenceMatch: imitation learning for autoregressive sequence modeling with backtracking, ICLR 2024,
/// [arXiv:2306.05426](https://arxiv.org/abs/2306.05426).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct SequenceMatch {
    /// What a step later counts, in `(0, 1]`. No default; the authors take 0.998.
    pub gamma: f64,
    /// The divergence. No default; the authors recommend [`Occupancy::ChiSquareMixture`].
    pub occupancy: Occupancy,
    /// Share `κ` of the value terms that trajectories of the data carry, in `[0, 1]`; the model's carry the rest. ½ is the
    /// authors'.
    pub data_share: f64,
    /// Action that is walked over without a reward; -100 in PyTorch.
    pub ignore_index: Option<i64>,
}

/// What the loss of a trajectory is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceMatchTerms<T> {
    /// The loss.
    pub loss: T,
    /// `r_i` of each action, `[N]`; 0 where it is ignored.
    pub rewards: Array1<T>,
    /// `V_i` of each state, `[N + 1]`.
    pub values: Array1<T>,
}

/// The loss, and of each state what its gradient holds: `action` at the action taken, and `policy` times the softmax.
struct Found {
    loss: f64,
    action: Vec<f64>,
    policy: Vec<f64>,
}

impl SequenceMatch {
    /// The loss, `-J`.
    ///
    /// # Errors
    ///
    /// See [`SequenceMatch`].
    pub fn value<E: Element, I: Target>(&self, trajectory: &Trajectory<'_, E, I>) -> Result<E::Real> {
        let seen = self.see(trajectory)?;
        to_real(self.find(trajectory, &seen)?.loss, "logits", Position::default())
    }

    /// The loss, with the rewards and values that the logits imply.
    ///
    /// # Errors
    ///
    /// See [`SequenceMatch`].
    pub fn terms<E: Element, I: Target>(
        &self,
        trajectory: &Trajectory<'_, E, I>,
    ) -> Result<SequenceMatchTerms<E::Real>> {
        let seen = self.see(trajectory)?;
        let loss = to_real(self.find(trajectory, &seen)?.loss, "logits", Position::default())?;
        let reward = |state| to_real(seen.reward(state, self.gamma)?.unwrap_or(0.0), "logits", state);
        Ok(SequenceMatchTerms {
            loss,
            rewards: (0..seen.actions.len()).map(reward).collect::<Result<_>>()?,
            values: (0..seen.sums.len())
                .map(|state| to_real(seen.value(state), "logits", state))
                .collect::<Result<_>>()?,
        })
    }

    /// The loss and its gradient in the logits, `[T, A]`.
    ///
    /// # Errors
    ///
    /// See [`SequenceMatch`].
    pub fn grad<E: Element, I: Target>(&self, trajectory: &Trajectory<'_, E, I>) -> Result<(E::Real, Array2<E::Real>)> {
        let mut out = Array2::zeros(trajectory.logits.raw_dim());
        let loss = self.grad_into(trajectory, &mut out)?;
        Ok((loss, out))
    }

    /// The loss; its gradient goes to a buffer of the shape of the logits.
    ///
    /// # Errors
    ///
    /// See [`SequenceMatch`].
    pub fn grad_into<E: Element, I: Target>(
        &self,
        trajectory: &Trajectory<'_, E, I>,
        out: &mut ArrayRef2<E::Real>,
    ) -> Result<E::Real> {
        let shape = trajectory.logits.shape();
        check::shape("out", out.shape(), shape)?;
        let seen = self.see(trajectory)?;
        let found = self.find(trajectory, &seen)?;
        let loss = to_real(found.loss, "logits", Position::default())?;
        let fits =
            |state: &usize| E::Real::from_f64(found.action[*state].abs() + found.policy[*state].abs()).is_finite();
        if let Some(state) = (0..seen.sums.len()).find(|state| !fits(state)) {
            return Err(Error::overflow::<E::Real>("logits", state));
        }
        let per_job = rows_per_job::<E>(shape[1]);
        let jobs = RowsMut::new("out", out, shape)?.split(per_job).into_iter().enumerate().collect();
        parallel::for_each(jobs, 2 * seen.logits.bytes(), |(job, rows): (usize, RowsMut<'_, E::Real>)| {
            rows.for_each(|r, row| write(&seen, &found, job * per_job + r, row));
        });
        Ok(loss)
    }

    /// Checks everything and sums the states.
    fn see<'a, E: Element, I: Target>(&self, trajectory: &'a Trajectory<'_, E, I>) -> Result<Seen<'a, E>> {
        let Self { gamma, data_share, .. } = *self;
        check::parameter("gamma", gamma, "(0, 1]", gamma > 0.0 && gamma <= 1.0)?;
        check::parameter("data_share", data_share, "[0, 1]", (0.0..=1.0).contains(&data_share))?;
        self.occupancy.check()?;
        let sums_forever = trajectory.end == TrajectoryEnd::Absorbed && trajectory.source == TrajectorySource::Data;
        if sums_forever && self.occupancy == Occupancy::ReverseKl {
            check::parameter("gamma", gamma, "(0, 1) with the reverse KL and an absorbed end", gamma < 1.0)?;
        }
        Seen::new(trajectory, self.ignore_index)
    }

    /// `φ` of the data or `ψ` of the model, and its slope.
    fn gain(&self, source: TrajectorySource, reward: f64) -> Option<(f64, f64)> {
        match source {
            TrajectorySource::Data => self.occupancy.phi(reward),
            TrajectorySource::Model => Some(self.occupancy.penalty(reward)),
        }
    }

    fn find<E: Element, I: Target>(&self, trajectory: &Trajectory<'_, E, I>, seen: &Seen<'_, E>) -> Result<Found> {
        let (gamma, last) = (self.gamma, seen.actions.len());
        let at = |reward: f64, state: usize| -> Result<(f64, f64)> {
            let allowed = self.occupancy.domain();
            let outside = || Error::Value { argument: "logits", position: state.into(), value: reward, allowed };
            let (gain, slope) = self.gain(trajectory.source, reward).ok_or_else(outside)?;
            // Of an action that cannot be taken the loss may be infinite with a finite slope; an infinite slope is no value.
            let fits = slope.is_finite() && (gain.is_finite() || reward.is_infinite()) && !gain.is_nan();
            if fits { Ok((gain, slope)) } else { Err(Error::overflow::<f64>("logits", state)) }
        };
        let (mut action, mut policy) = (vec![0.0; last + 1], vec![0.0; last + 1]);
        let mut gains = Vec::with_capacity(last + 3);
        for state in 0..last {
            if let Some(reward) = seen.reward(state, gamma)? {
                let (discount, (gain, slope)) = (discount(gamma, state), at(reward, state)?);
                gains.push(discount * gain);
                action[state] = discount * slope;
                policy[state + 1] = -gamma * (discount * slope);
            }
        }
        let share = match trajectory.source {
            TrajectorySource::Data => self.data_share,
            TrajectorySource::Model => 1.0 - self.data_share,
        };
        let (discount, value) = (discount(gamma, last), seen.value(last));
        policy[0] -= share;
        gains.push(-share * seen.value(0));
        match trajectory.end {
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
        Ok(Found { loss, action, policy })
    }
}

/// `γ^i`.
fn discount(gamma: f64, step: usize) -> f64 {
    gamma.powf(step as f64)
}

/// One row of the gradient of the loss.
fn write<E: Element>(seen: &Seen<'_, E>, found: &Found, state: usize, row: &mut [E::Real]) {
    let (sum, logits) = (&seen.sums[state], seen.logits.row(state));
    let (action, policy) = (found.action[state], found.policy[state]);
    rows::copy(logits, row);
    simd::scale_exp(row, sum.max, E::Real::from_f64(-policy / (1.0 + sum.others)));
    if let Some(taken) = seen.actions.get(state).copied().flatten() {
        // `a + p π` as `a (1 - π) + (a + p) π`: of a likelihood the second part is 0, and nothing cancels.
        let logit = logits[taken].real();
        row[taken] = E::Real::from_f64(-(action * sum.complement(logit) + (action + policy) * sum.prob(logit)));
    }
}
