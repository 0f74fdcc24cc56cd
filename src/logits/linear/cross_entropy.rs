//! Cross-entropy of class indices, from hidden states.

use ndarray::{Array, ArrayRef, ArrayViewD, ArrayViewMut, ArrayViewMutD, Dimension};

use super::forward;
use super::gradient::{LinearGradient, LinearGradientMut};
use super::head::{Head, LinearHead};
use super::objective::Objective;
use super::pass::{self, gradient};
use super::plan::LinearPlan;
use super::sink::check_out;
use super::tokens::Tokens;
use crate::compiled::in_dimension;
use crate::logits::CrossEntropy;
use crate::logits::labels::Labels;
use crate::logits::scales::{self, Scales};
use crate::reduction::AnyReduction;
use crate::target::Indices;
use crate::{Element, Error, Reduction, Result, SumCount, Target, check};

/// [`CrossEntropy`] of the logits `hidden · weightᵀ + bias`, which are never held, and its gradient in hidden states,
/// weight and bias.
///
/// ```math
/// x_{iv} = \sum_h W_{vh} z_{ih} + b_v, \qquad
/// \frac{\partial L}{\partial z_i} = \sum_v g_{iv} W_v, \quad
/// \frac{\partial L}{\partial W_v} = \sum_i g_{iv} z_i, \quad
/// \frac{\partial L}{\partial b_v} = \sum_i g_{iv}, \qquad g = \frac{\partial L}{\partial x}
/// ```
///
/// Hidden states have any shape `[.., H]`; targets, weights of a [`Reduction`] and per-token losses have the shape without
/// the last axis. Losses, gradients `g`, reductions and special values are those of [`CrossEntropy`] on the materialized
/// logits, up to the rounding of the products. With the defaults [`each`](Self::each) is the negative of
/// [`linear_token_log_probs`](super::linear_token_log_probs).
///
/// A token is selected away where [`CrossEntropy`] selects its row away: it costs nothing, and its hidden state, which
/// may be NaN, is never looked at.
///
/// **Memory** beyond arguments and gradients, for `N` counted tokens: a value needs 0.5 MiB for each thread in
/// `f32`; a gradient what [`LinearPlan`] says, with [`Recompute`](LinearPlan::Recompute) `N × 512` elements. No plan
/// needs `N × V`.
///
/// # Errors
///
/// Those of [`CrossEntropy`], with these for what a logit is made of: [`Value`](crate::Error::Value) names the element of
/// `hidden` or `weight` that is NaN or infinite, and of `bias` that is NaN or +inf (-inf rules a class out; with all
/// ruled out the error names the row of the logits); [`Overflow`](crate::Error::Overflow) the token whose finite inputs
/// lead to a logit, a loss or a gradient beyond the type, or the class where the gradient of weight or bias does;
/// [`Missing`](crate::Error::Missing) where a head with a bias comes with no buffer for its gradient, or a buffer
/// without bias. After an error inside the pass buffers are unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let hidden = array![[1.0_f64, 2.0], [f64::NAN, 0.0], [-1.0, 0.5]];
/// let weight = array![[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let targets = array![2, -100, 0];
/// let loss = LinearCrossEntropy::default();
/// let (value, gradient) = loss.grad(&hidden, LinearHead::new(weight.view()), &targets, Reduction::Mean)?;
///
/// let logits = array![[1.0, 2.0, 3.0], [f64::NAN, 0.0, 0.0], [-1.0, 0.5, -0.5]];
/// let (same, g) = CrossEntropy::default().grad(&logits, &targets, Reduction::Mean)?;
/// assert!((value - same).abs() < 1e-15);
/// assert!((gradient.hidden[[0, 1]] - (g[[0, 1]] + g[[0, 2]])).abs() < 1e-15);
/// assert!((gradient.weight[[0, 0]] - (g[[0, 0]] - g[[2, 0]])).abs() < 1e-15);
/// assert_eq!(gradient.hidden.row(1), array![0.0, 0.0]); // ignored, and never looked at
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Chunks of tokens: Hsu et al. 2024, [arXiv:2410.10989](https://arxiv.org/abs/2410.10989). Recomputed logits: Wijmans et
/// al., ICLR 2025, [arXiv:2411.09009](https://arxiv.org/abs/2411.09009).
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LinearCrossEntropy {
    /// What is asked of the logits.
    pub loss: CrossEntropy,
    /// In which pieces gradients are computed. Default: whole rows of logits while 256 of them fit into 64 MiB.
    pub plan: LinearPlan,
}

/// Where gradients in an array of hidden states go.
type Out<'a, E, D> = LinearGradientMut<'a, <E as Element>::Real, ArrayViewMut<'a, <E as Element>::Real, D>>;

/// The reduced loss with owned gradients.
type Graded<E, D> = (<E as Element>::Real, LinearGradient<<E as Element>::Real, Array<<E as Element>::Real, D>>);

impl LinearCrossEntropy {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// See [`LinearCrossEntropy`].
    pub fn value<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<E::Real> {
        let (hidden, targets) = (hidden.view().into_dyn(), I::erase(targets.view().into_dyn()));
        E::linear_cross_entropy(self, hidden, head, targets, reduction.into_any(), None)
    }

    /// The loss of each token, 0 where it is ignored.
    ///
    /// # Errors
    ///
    /// See [`LinearCrossEntropy`].
    pub fn each<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let view = hidden.view().into_dyn();
        let (losses, _) = E::linear_cross_entropies(&self.loss, view, head, I::erase(targets.view().into_dyn()))?;
        Ok(in_dimension(E::by_row(&losses, targets.shape())))
    }

    /// The sum of the losses and what a mean would divide it by: the class weights of the kept targets, in total.
    ///
    /// # Errors
    ///
    /// See [`LinearCrossEntropy`]; an empty or fully ignored batch is `(0, 0)`.
    pub fn sum_count<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<SumCount> {
        let view = hidden.view().into_dyn();
        let (losses, count) = E::linear_cross_entropies(&self.loss, view, head, I::erase(targets.view().into_dyn()))?;
        scales::sum_count(&losses, count, targets.shape()).map_err(of_hidden)
    }

    /// The reduced loss and its gradients, in one call.
    ///
    /// # Errors
    ///
    /// See [`LinearCrossEntropy`].
    pub fn grad<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<Graded<E, D>> {
        let mut gradient = LinearGradient::zeros(in_dimension(E::zeros_of(hidden.shape())), head);
        let value = self.grad_into(hidden, head, targets, reduction, gradient.view_mut())?;
        Ok((value, gradient))
    }

    /// Like [`grad`](Self::grad), with the gradients written to the caller's arrays, every element of which is written.
    ///
    /// # Errors
    ///
    /// See [`LinearCrossEntropy`].
    pub fn grad_into<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: Out<'_, E, D>,
    ) -> Result<E::Real> {
        let LinearGradientMut { hidden: out, weight, bias } = out;
        let out = Some(LinearGradientMut { hidden: out.into_dyn(), weight, bias });
        let (hidden, targets) = (hidden.view().into_dyn(), I::erase(targets.view().into_dyn()));
        E::linear_cross_entropy(self, hidden, head, targets, reduction.into_any(), out)
    }
}

/// The reduced loss, and the gradients where they have a place.
pub(super) fn reduced<E: Element>(
    linear: &LinearCrossEntropy,
    hidden: ArrayViewD<'_, E>,
    head: LinearHead<'_, E>,
    targets: Indices<'_>,
    reduction: AnyReduction<'_, E::Real>,
    out: Option<LinearGradientMut<'_, E::Real, ArrayViewMutD<'_, E::Real>>>,
) -> Result<E::Real> {
    if let Some(out) = &out {
        check::shape("out.hidden", out.hidden.shape(), hidden.shape())?;
        check_out("LinearCrossEntropy", out, head.weight.dim(), head.bias.is_some())?;
    }
    let call = Call::new(&linear.loss, hidden.shape(), head)?;
    let scales = Scales::new(&reduction, call.leading)?;
    let labels = call.labels(targets, &|row| scales.skips(row))?;
    let scales = scales.over(&reduction, || call.objective.weights.count(&labels))?;
    let tokens = call.tokens(&hidden, &labels, &|row| scales.skips(row))?;
    let losses = match out {
        Some(out) => gradient(&tokens, &call.head, &call.objective, (&|row| scales.at(row), linear.plan), out)?,
        None => call.losses(&tokens)?,
    };
    scales.reduce_all(losses, call.leading).map_err(of_hidden)
}

/// The loss of each token, and the class weights of the kept targets in total.
pub(super) fn losses<E: Element>(
    loss: &CrossEntropy,
    hidden: ArrayViewD<'_, E>,
    head: LinearHead<'_, E>,
    targets: Indices<'_>,
) -> Result<(Vec<f64>, f64)> {
    let call = Call::new(loss, hidden.shape(), head)?;
    let labels = call.labels(targets, &|_| false)?;
    let tokens = call.tokens(&hidden, &labels, &|_| false)?;
    Ok((call.losses(&tokens)?, call.objective.weights.count(&labels)))
}

/// The arguments of a call, whose shapes and hyper-parameters have been checked.
struct Call<'a, 'h, E: Element> {
    loss: &'a CrossEntropy,
    objective: Objective<'a>,
    head: Head<'h, E>,
    leading: &'a [usize],
}

impl<'a, 'h, E: Element> Call<'a, 'h, E> {
    fn new(loss: &'a CrossEntropy, hidden: &'a [usize], head: LinearHead<'h, E>) -> Result<Self> {
        let (&width, leading) = hidden.split_last().ok_or(Error::no_axis("hidden"))?;
        let head = Head::new(head, width)?;
        Ok(Self { loss, objective: Objective::new(loss, head.classes())?, head, leading })
    }

    fn labels<'t>(&self, targets: Indices<'t>, skipped: &dyn Fn(usize) -> bool) -> Result<Labels<'t>> {
        Labels::erased(targets, self.leading, self.head.classes(), self.loss.ignore_index, skipped)
    }

    /// The tokens of which something is asked.
    fn tokens<'t>(
        &self,
        hidden: &'t ArrayViewD<'_, E>,
        labels: &Labels<'_>,
        skipped: &dyn Fn(usize) -> bool,
    ) -> Result<Tokens<'t, E::Real>> {
        let asked = |target: &usize| self.objective.mass(*target) != 0.0;
        Tokens::new("hidden", hidden, |row| labels.get(row).filter(|_| !skipped(row)).filter(asked))
    }

    /// The loss of each of all tokens.
    fn losses(&self, tokens: &Tokens<'_, E::Real>) -> Result<Vec<f64>> {
        let states = forward::states(tokens, &self.head, &self.objective)?;
        Ok(tokens.among_all(pass::losses(0, tokens, &self.head, &self.objective, &states)?))
    }
}

/// A total that does not fit is told at the hidden states, not at the logits, which the caller never sees.
fn of_hidden(error: Error) -> Error {
    error.rename(|argument| if argument == "logits" { "hidden" } else { argument })
}
