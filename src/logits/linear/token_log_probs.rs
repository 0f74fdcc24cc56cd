//! Log-probability of one class for each token, from hidden states, and its way back.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, ArrayViewMut, ArrayViewMutD, Dimension};

use super::gradient::{LinearGradient, LinearGradientMut};
use super::head::{Head, LinearHead};
use super::objective::Objective;
use super::pass::{Pass, gradient};
use super::plan::LinearPlan;
use super::sink::check_out;
use super::tokens::{self, Tokens};
use crate::compiled::in_dimension;
use crate::logits::labels::Labels;
use crate::logits::{LogitTransform, cotangent};
use crate::target::Indices;
use crate::{Element, Error, Result, Target, check};

/// Log-probability, in nats, that the softmax of `hidden · weightᵀ + bias` gives to the target of each token.
///
/// ```math
/// \log p_i = x_{i y_i} - \ln \sum_v e^{x_{iv}}, \qquad x_{iv} = \sum_h W_{vh} z_{ih} + b_v
/// ```
///
/// `hidden` has any shape `[.., H]`; `targets` and the result have the shape without the last axis. It is
/// [`token_log_probs`](crate::logits::token_log_probs) of logits that are never held: memory beyond the arguments is a
/// tile of 256 × 512 for each thread.
///
/// # Errors
///
/// As [`LinearCrossEntropy`](super::LinearCrossEntropy), of which every target must be a class.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let weight = array![[1.0_f64, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let head = LinearHead::new(weight.view());
/// let log_probs = linear_token_log_probs(&array![[1.0, 2.0]], head, &array![2])?; // logits 1, 2, 3
/// assert!((log_probs[0] + 0.407_605_964_444_380_1).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn linear_token_log_probs<E: Element, I: Target, D: Dimension>(
    hidden: &ArrayRef<E, D>,
    head: LinearHead<'_, E>,
    targets: &ArrayRef<I, D::Smaller>,
) -> Result<Array<E::Real, D::Smaller>> {
    LogitTransform::default().linear_token_log_probs(hidden, head, targets)
}

/// [`linear_token_log_probs`] where the mask is true, 0 elsewhere.
///
/// What the mask leaves out costs nothing and is never looked at: neither its hidden state, which may be NaN, nor its
/// target, which may be no class.
///
/// # Errors
///
/// Those of [`linear_token_log_probs`], for the tokens that the mask keeps.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::logits::linear_token_log_probs_masked;
/// let weight = array![[1.0_f64], [1.0]];
/// let (hidden, targets, mask) = (array![[2.0], [f64::NAN]], array![0, -100], array![true, false]);
/// let log_probs = linear_token_log_probs_masked(&hidden, LinearHead::new(weight.view()), &targets, &mask)?;
/// assert_eq!(log_probs, array![-std::f64::consts::LN_2, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn linear_token_log_probs_masked<E: Element, I: Target, D: Dimension>(
    hidden: &ArrayRef<E, D>,
    head: LinearHead<'_, E>,
    targets: &ArrayRef<I, D::Smaller>,
    mask: &ArrayRef<bool, D::Smaller>,
) -> Result<Array<E::Real, D::Smaller>> {
    LogitTransform::default().linear_token_log_probs_masked(hidden, head, targets, mask)
}

/// Gradients of `Σ cotangent · linear_token_log_probs` in hidden states, weight and bias.
///
/// ```math
/// g_{iv} = c_i \bigl([v = y_i] - p_{iv}\bigr), \qquad
/// \frac{\partial}{\partial z_i} = \sum_v g_{iv} W_v, \quad
/// \frac{\partial}{\partial W_v} = \sum_i g_{iv} z_i, \quad
/// \frac{\partial}{\partial b_v} = \sum_i g_{iv}
/// ```
///
/// `cotangent` has the shape of the targets. A token whose cotangent is 0 is selected away: it costs nothing, its hidden
/// state and its target are never looked at, and its gradient is 0. Memory as [`LinearPlan`] says.
///
/// # Errors
///
/// Those of [`linear_token_log_probs`] for the other tokens, and [`Value`](crate::Error::Value) for a cotangent that is
/// not finite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::logits::LinearPlan;
/// let weight = array![[1.0_f64, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let (hidden, targets, cotangent) = (array![[1.0, 2.0], [f64::NAN, 0.0]], array![2, -100], array![1.0, 0.0]);
/// let head = LinearHead::new(weight.view());
/// let gradient =
///     linear_token_log_probs_backward(&hidden, head, &targets, &cotangent, LinearPlan::Recompute)?;
/// assert!((gradient.hidden[[0, 0]] - 0.244_728_471_054_797_6).abs() < 1e-15); // (1 - p₂) - p₀
/// assert_eq!(gradient.hidden.row(1), array![0.0, 0.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn linear_token_log_probs_backward<E: Element, I: Target, D: Dimension>(
    hidden: &ArrayRef<E, D>,
    head: LinearHead<'_, E>,
    targets: &ArrayRef<I, D::Smaller>,
    cotangent: &ArrayRef<E::Real, D::Smaller>,
    plan: LinearPlan,
) -> Result<LinearGradient<E::Real, Array<E::Real, D>>> {
    LogitTransform::default().linear_token_log_probs_backward(hidden, head, targets, cotangent, plan)
}

/// [`linear_token_log_probs_backward`] into the caller's arrays, every element of which is written.
///
/// # Errors
///
/// Those of [`linear_token_log_probs_backward`]. Shapes, cotangents, targets and bias are checked before anything is
/// written; after another error the buffers are unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, Array2}};
/// # use loglik::logits::{LinearGradientMut, LinearPlan, linear_token_log_probs_backward_into};
/// let (weight, hidden) = (array![[1.0_f64], [1.0]], array![[3.0]]);
/// let mut to = (Array2::zeros((1, 1)), Array2::zeros((2, 1)));
/// let out = LinearGradientMut { hidden: to.0.view_mut(), weight: to.1.view_mut(), bias: None };
/// let (head, plan) = (LinearHead::new(weight.view()), LinearPlan::default());
/// linear_token_log_probs_backward_into(&hidden, head, &array![0], &array![2.0], plan, out)?;
/// assert_eq!(to, (array![[0.0]], array![[3.0], [-3.0]])); // 2 · (1 - ½) · 3
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn linear_token_log_probs_backward_into<E: Element, I: Target, D: Dimension>(
    hidden: &ArrayRef<E, D>,
    head: LinearHead<'_, E>,
    targets: &ArrayRef<I, D::Smaller>,
    cotangent: &ArrayRef<E::Real, D::Smaller>,
    plan: LinearPlan,
    out: LinearGradientMut<'_, E::Real, ArrayViewMut<'_, E::Real, D>>,
) -> Result<()> {
    LogitTransform::default().linear_token_log_probs_backward_into(hidden, head, targets, cotangent, plan, out)
}

impl LogitTransform {
    /// [`linear_token_log_probs`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`linear_token_log_probs`] and of the [transform](LogitTransform).
    pub fn linear_token_log_probs<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let (hidden, targets) = (hidden.view().into_dyn(), I::erase(targets.view().into_dyn()));
        Ok(in_dimension(E::linear_token_log_probs(*self, hidden, head, targets, None)?))
    }

    /// [`linear_token_log_probs_masked`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`linear_token_log_probs_masked`] and of the [transform](LogitTransform).
    pub fn linear_token_log_probs_masked<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        mask: &ArrayRef<bool, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let (hidden, targets) = (hidden.view().into_dyn(), I::erase(targets.view().into_dyn()));
        Ok(in_dimension(E::linear_token_log_probs(*self, hidden, head, targets, Some(mask.view().into_dyn()))?))
    }

    /// [`linear_token_log_probs_backward`] of transformed logits.
    ///
    /// # Errors
    ///
    /// Those of [`linear_token_log_probs_backward`] and of the [transform](LogitTransform).
    pub fn linear_token_log_probs_backward<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
        plan: LinearPlan,
    ) -> Result<LinearGradient<E::Real, Array<E::Real, D>>> {
        let mut gradient = LinearGradient::zeros(in_dimension(E::zeros_of(hidden.shape())), head);
        self.linear_token_log_probs_backward_into(hidden, head, targets, cotangent, plan, gradient.view_mut())?;
        Ok(gradient)
    }

    /// [`LogitTransform::linear_token_log_probs_backward`] into the caller's arrays, every element of which is written.
    ///
    /// # Errors
    ///
    /// Those of [`linear_token_log_probs_backward_into`] and of the [transform](LogitTransform).
    pub fn linear_token_log_probs_backward_into<E: Element, I: Target, D: Dimension>(
        &self,
        hidden: &ArrayRef<E, D>,
        head: LinearHead<'_, E>,
        targets: &ArrayRef<I, D::Smaller>,
        cotangent: &ArrayRef<E::Real, D::Smaller>,
        plan: LinearPlan,
        out: LinearGradientMut<'_, E::Real, ArrayViewMut<'_, E::Real, D>>,
    ) -> Result<()> {
        let LinearGradientMut { hidden: out, weight, bias } = out;
        let out = LinearGradientMut { hidden: out.into_dyn(), weight, bias };
        let (hidden, targets) = (hidden.view().into_dyn(), I::erase(targets.view().into_dyn()));
        E::linear_token_log_probs_backward(*self, hidden, head, targets, (cotangent.view().into_dyn(), plan), out)
    }
}

/// The log-probability of each target that the mask keeps.
pub(super) fn forward<E: Element>(
    transform: LogitTransform,
    hidden: ArrayViewD<'_, E>,
    head: LinearHead<'_, E>,
    targets: Indices<'_>,
    mask: Option<ArrayViewD<'_, bool>>,
) -> Result<ArrayD<E::Real>> {
    let (width, leading) = split(&hidden)?;
    let head = Head::new(head, width)?;
    let tokens = match mask {
        Some(mask) => tokens::masked("hidden", hidden.view(), targets, mask, head.classes())?,
        None => {
            let labels = Labels::erased(targets, leading, head.classes(), None, &|_| false)?;
            Tokens::new("hidden", &hidden, |row| labels.get(row))?
        }
    };
    Pass::transformed(vec![tokens], head, transform)?.log_probs(0)
}

/// Writes the gradients of the log-probabilities, each multiplied by its cotangent.
pub(super) fn backward<E: Element>(
    transform: LogitTransform,
    hidden: ArrayViewD<'_, E>,
    head: LinearHead<'_, E>,
    targets: Indices<'_>,
    (cotangent, plan): (ArrayViewD<'_, E::Real>, LinearPlan),
    out: LinearGradientMut<'_, E::Real, ArrayViewMutD<'_, E::Real>>,
) -> Result<()> {
    check::shape("out.hidden", out.hidden.shape(), hidden.shape())?;
    check_out("linear_token_log_probs", &out, head.weight.dim(), head.bias.is_some())?;
    let (width, leading) = split(&hidden)?;
    let head = Head::new(head, width)?;
    let cotangent = cotangent::checked(&cotangent, leading)?;
    let labels = Labels::erased(targets, leading, head.classes(), None, &|row| cotangent[row] == 0.0)?;
    let tokens = Tokens::new("hidden", &hidden, |row| labels.get(row).filter(|_| cotangent[row] != 0.0))?;
    let objective = Objective::nll(head.classes(), transform)?;
    gradient(&tokens, &head, &objective, (&|row| -cotangent[row], plan), out).map(drop)
}

/// The width of the hidden states, and their shape without it.
fn split<'a, E>(hidden: &'a ArrayViewD<'_, E>) -> Result<(usize, &'a [usize])> {
    let (&width, leading) = hidden.shape().split_last().ok_or(Error::no_axis("hidden"))?;
    Ok((width, leading))
}
