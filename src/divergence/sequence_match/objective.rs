//! The objective of one trajectory, and its gradient in the logits.

use ndarray::{Array1, Array2, ArrayRef2, ArrayViewD};

#[cfg(doc)]
use super::TrajectoryEnd;
use super::trajectory::AnyTrajectory;
use super::{Occupancy, Trajectory};
#[cfg(doc)]
use crate::Error;
use crate::divergence::compiled::Compiled;
use crate::{Element, Result, Target};

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
/// # use loglik::divergence::{Occupancy, SequenceMatch, Trajectory, TrajectoryEnd, TrajectorySource};
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

impl SequenceMatch {
    /// The loss, `-J`.
    ///
    /// # Errors
    ///
    /// See [`SequenceMatch`].
    pub fn value<E: Element, I: Target>(&self, trajectory: &Trajectory<'_, E, I>) -> Result<E::Real> {
        let logits = trajectory.logits.into_dyn();
        Compiled::sequence_match(self, any(trajectory, &logits), None)
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
        let logits = trajectory.logits.into_dyn();
        Compiled::sequence_match_terms(self, any(trajectory, &logits))
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
        let logits = trajectory.logits.into_dyn();
        Compiled::sequence_match(self, any(trajectory, &logits), Some(out.view_mut().into_dyn()))
    }
}

/// The trajectory without its types.
fn any<'a, E: Element, I: Target>(
    trajectory: &'a Trajectory<'_, E, I>,
    logits: &'a ArrayViewD<'_, E>,
) -> AnyTrajectory<'a, E::Real> {
    AnyTrajectory {
        logits: E::reader("logits", logits),
        shape: trajectory.logits.dim().into(),
        actions: I::erase(trajectory.actions.into_dyn()),
        source: trajectory.source,
        end: trajectory.end,
    }
}
