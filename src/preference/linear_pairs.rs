//! From the hidden states of both responses to any pair objective, and back to all that is trained.

use ndarray::{Array, ArrayViewMut, Dimension};
use num_traits::Zero;

use crate::logits::linear::Pass;
use crate::logits::linear::check_out;
use crate::logits::{LinearGradient, LinearGradientMut, LinearHead};
use crate::preference::context::context_setters;
use crate::preference::context::{Context, of_chosen, of_rejected, weights};
use crate::preference::{PairBatch, PairObjective, Pairs};
use crate::sequence::{HiddenResponses, Sequences, Shifted, cotangents, sums};
use crate::{Element, Reduction, Result, Target, check};

/// Preference pairs as hidden states and tokens: the whole chain through the head of a model to a loss, and its gradient
/// in hidden states, weight and bias, without ever holding the logits.
///
/// ```math
/// \frac{\partial L}{\partial x_{itv}} = m_{it}\, \frac{\partial L}{\partial s_i} \bigl([v = y_{it}] - p_{itv}\bigr),
/// \qquad s_i = \sum_t m_{it} \ln p_{it y_{it}}, \qquad x_{itv} = \sum_h W_{vh} z_{ith} + b_v
/// ```
///
/// It is [`LogitPairs`](super::LogitPairs) one layer earlier: loss, selection and special values are the same up to the
/// rounding of the products, and any [`PairObjective`] can be used. The two sides are [`HiddenResponses`], padded or
/// packed, and may differ in length; response `i` of one side belongs to response `i` of the other. The gradient of the
/// weight is that of both sides together.
///
/// **Memory and work**, for `n` scored tokens of the longer side. A value takes one product and 0.5 MiB for each thread
/// in `f32`. A gradient takes four, with `n × 512` elements of scratch: the forward sweep, whose sums are kept until the
/// objective has said what each response weighs, and then each tile of logits again. There is no plan to choose, since
/// by then whole rows of logits could only be formed again too. Where tokens are not scored, or `hidden` is not
/// contiguous, `n × H` elements more on each side.
///
/// # Errors
///
/// Those of [`HiddenResponses::sequences`], with the side in the name (`chosen.hidden`), and those of the objective.
/// Shapes, hyper-parameters and what the objective needs are checked before a hidden state is read. A pair of weight 0 is
/// not looked at.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// # use loglik::preference::LinearPairs;
/// # use loglik::sequence::{Alignment, HiddenResponses};
/// let weight = array![[1.0_f64, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let hidden = Pairs { chosen: array![[[1.0, 2.0], [2.0, 1.0]]], rejected: array![[[1.0, 2.0], [0.0, 1.0]]] };
/// let tokens = Pairs { chosen: array![[0, 2]], rejected: array![[0, 1]] }; // the first token is the prompt
/// let scored = array![[false, true]];
/// let side = |(hidden, targets)| HiddenResponses {
///     hidden,
///     targets,
///     mask: TokenMask::padded(scored.view()),
///     alignment: Alignment::Next,
/// };
/// let pairs = LinearPairs::new(hidden.view().zip(tokens.view()).map(side), LinearHead::new(weight.view()))
///     .reference(Pairs { chosen: aview1(&[-1.0]), rejected: aview1(&[-1.0]) });
/// let (loss, gradient) = pairs.grad(&Dpo { beta: 0.5, ..Dpo::default() }, Reduction::Mean)?;
/// assert!((loss - 0.474_076_984_180_106_7).abs() < 1e-15); // softplus(-½): the 3 of 1, 2, 3 against the 2
/// assert_eq!(gradient.hidden.chosen.dim(), (1, 2, 2));
/// assert_eq!(gradient.weight.dim(), weight.dim());
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "fused linear preference loss")]
#[doc(alias = "fused linear DPO")]
#[derive(Clone, Debug)]
#[must_use]
pub struct LinearPairs<'a, E: Element, I, D: Dimension> {
    responses: Pairs<HiddenResponses<'a, E, I, D>>,
    head: LinearHead<'a, E>,
    context: Context<'a, E::Real>,
}

/// One array for each side, of the shape of its hidden states, beside the gradient of the head.
type Gradient<T, D> = LinearGradient<T, Pairs<Array<T, D>>>;

/// The reduced loss with owned gradients.
type Graded<E, D> = (<E as Element>::Real, Gradient<<E as Element>::Real, D>);

/// The same in the caller's arrays.
type Out<'o, T, D> = LinearGradientMut<'o, T, Pairs<ArrayViewMut<'o, T, D>>>;

/// Where the tokens of both sides stand.
type Aligned<'a, I, D> = Pairs<Shifted<'a, I, <D as Dimension>::Smaller>>;

impl<T, D: Dimension> LinearGradient<T, Pairs<Array<T, D>>> {
    /// Buffers that write to these arrays.
    pub fn view_mut(&mut self) -> LinearGradientMut<'_, T, Pairs<ArrayViewMut<'_, T, D>>> {
        let bias = self.bias.as_mut().map(|bias| bias.view_mut());
        LinearGradientMut { hidden: self.hidden.view_mut(), weight: self.weight.view_mut(), bias }
    }
}

impl<'a, E: Element, I: Target, D: Dimension> LinearPairs<'a, E, I, D> {
    /// The policy's hidden states of both sides, and its head.
    pub fn new(responses: Pairs<HiddenResponses<'a, E, I, D>>, head: LinearHead<'a, E>) -> Self {
        Self { responses, head, context: Context::new() }
    }

    context_setters!();

    /// Log-probability and length of each response: the forward half, which is all that a reference model needs.
    pub fn sequences(&self) -> Result<Pairs<Sequences<E::Real>>> {
        let (pass, aligned) = self.forward(Reduction::Sum)?;
        self.score(&pass, &aligned)
    }

    /// The pairs as an objective sees them, for what else one asks of the same forward pass: the loss of each pair,
    /// parts of micro-batches, metrics.
    pub fn batch<'b>(&'b self, sequences: &'b Pairs<Sequences<E::Real>>) -> PairBatch<'b, E::Real> {
        self.context.batch(sequences)
    }

    /// The reduced loss.
    pub fn value(&self, objective: &dyn PairObjective<E::Real>, reduction: Reduction<'_, E::Real>) -> Result<E::Real> {
        self.check(objective, reduction)?;
        let (pass, aligned) = self.forward(reduction)?;
        objective.value(self.batch(&self.score(&pass, &aligned)?), reduction)
    }

    /// The reduced loss and its gradient with respect to the hidden states of both sides, to weight and to bias.
    pub fn grad(
        &self,
        objective: &dyn PairObjective<E::Real>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<Graded<E, D>> {
        let zeros = |side: &HiddenResponses<'a, E, I, D>| Array::from_elem(side.hidden.raw_dim(), E::Real::zero());
        let mut gradient = LinearGradient::zeros(self.responses.as_ref().map(zeros), self.head);
        let loss = self.grad_into(objective, reduction, gradient.view_mut())?;
        Ok((loss, gradient))
    }

    /// Like [`grad`](Self::grad), with the gradient written to the caller's arrays, of any layout.
    ///
    /// Every element is written. Nothing is written where the error is in the forward half or the objective.
    pub fn grad_into(
        &self,
        objective: &dyn PairObjective<E::Real>,
        reduction: Reduction<'_, E::Real>,
        out: Out<'_, E::Real, D>,
    ) -> Result<E::Real> {
        check::shape("out.hidden.chosen", out.hidden.chosen.shape(), self.responses.chosen.hidden.shape())?;
        check::shape("out.hidden.rejected", out.hidden.rejected.shape(), self.responses.rejected.hidden.shape())?;
        check_out("LinearPairs", &out, self.head.weight.dim(), self.head.bias.is_some())?;
        self.check(objective, reduction)?;
        let (pass, aligned) = self.forward(reduction)?;
        let sequences = self.score(&pass, &aligned)?;
        let (loss, gradient) = objective.grad(self.batch(&sequences), reduction)?;
        let cotangents =
            [cotangents(&aligned.chosen, &gradient.chosen)?, cotangents(&aligned.rejected, &gradient.rejected)?];
        let LinearGradientMut { hidden, weight, bias } = out;
        let hidden = vec![hidden.chosen, hidden.rejected];
        pass.backward(&cotangents, LinearGradientMut { hidden, weight, bias })?;
        Ok(loss)
    }

    /// What can be known to be wrong without a look at the hidden states.
    fn check(&self, objective: &dyn PairObjective<E::Real>, reduction: Reduction<'_, E::Real>) -> Result<()> {
        self.context.check(self.responses.as_ref().map(|side| side.len()), objective, reduction)
    }

    /// The forward sweep over both sides of the pairs whose weight is not 0.
    fn forward(&self, reduction: Reduction<'_, E::Real>) -> Result<(Pass<'_, 'a, E>, Aligned<'a, I, D>)> {
        let weights = weights(reduction);
        let wanted = |pair: usize| weights.is_none_or(|weights| !weights[pair].is_zero());
        let Pairs { chosen, rejected } = &self.responses;
        let head = chosen.head(self.head).map_err(of_chosen)?;
        let mut same_width = rejected.hidden.shape().to_vec();
        same_width.iter_mut().next_back().into_iter().for_each(|width| *width = self.head.weight.ncols());
        check::shape("rejected.hidden", rejected.hidden.shape(), &same_width)?;
        let (left, chosen) = chosen.tokens("chosen.hidden", &head, wanted).map_err(of_chosen)?;
        let (right, rejected) = rejected.tokens("rejected.hidden", &head, wanted).map_err(of_rejected)?;
        Ok((Pass::transformed(vec![left, right], head, self.context.transform)?, Pairs { chosen, rejected }))
    }

    /// Sums and lengths of both sides.
    fn score(&self, pass: &Pass<'_, '_, E>, aligned: &Aligned<'_, I, D>) -> Result<Pairs<Sequences<E::Real>>> {
        Ok(Pairs { chosen: sums(pass, 0, &aligned.chosen)?, rejected: sums(pass, 1, &aligned.rejected)? })
    }
}

#[cfg(test)]
mod tests;
