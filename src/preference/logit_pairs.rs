//! From the logits of both responses to any pair objective, and back to the logits.

use ndarray::{Array, ArrayRef1, ArrayViewMut, Dimension};
use num_traits::Zero;

use crate::preference::context::context_setters;
use crate::preference::context::{Context, of_chosen, of_rejected, weights};
use crate::preference::{PairBatch, PairObjective, Pairs};
use crate::sequence::{Responses, Sequences};
use crate::{Element, Reduction, Result, Target, check};

/// Preference pairs as logits and tokens: the whole chain from materialized logits to a loss, and its gradient in the
/// logits.
///
/// ```math
/// \frac{\partial L}{\partial x_{itv}} = m_{it}\, \frac{\partial L}{\partial s_i} \bigl([v = y_{it}] - p_{itv}\bigr),
/// \qquad s_i = \sum_t m_{it} \ln p_{it y_{it}}
/// ```
///
/// The two sides are [`Responses`], padded or packed, and may differ in length; response `i` of one side belongs to
/// response `i` of the other. The objective is given sums and lengths of both, from one mask, and what was added by
/// [`reference`](Self::reference), [`offset`](Self::offset) and the other methods. Any [`PairObjective`] can be used:
/// one loss, a weighted sum, a boxed one.
///
/// **Memory.** A value allocates nothing of the size of the logits. A gradient has their shape, in [`Element::Real`]:
/// owned from [`grad`](Self::grad), in the caller's buffers with [`grad_into`](Self::grad_into); no log-softmax stands
/// beside it. Scored logits are read once for a value and twice for a gradient. What the masks leave out is never read,
/// and its gradient is 0.
///
/// # Errors
///
/// Those of [`Responses::sequences`], with the side in the name (`chosen.logits`), and those of the objective. Shapes,
/// hyper-parameters and what the objective needs are checked before the logits are read. A pair of weight 0 is not
/// looked at.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// # use loglik::sequence::Alignment;
/// let chosen = array![[[1.0_f64, 2.0, 3.0], [3.0, 1.0, 2.0], [0.0, 0.0, 0.0]]];
/// let rejected = array![[[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]];
/// let tokens = Pairs { chosen: array![[0, 2, 0]], rejected: array![[0, 1]] }; // the first token is the prompt
/// let scored = Pairs { chosen: array![[false, true, true]], rejected: array![[false, true]] };
/// let pairs = LogitPairs::new(Pairs {
///     chosen: Responses {
///         logits: chosen.view(),
///         targets: tokens.chosen.view(),
///         mask: TokenMask::padded(scored.chosen.view()),
///         alignment: Alignment::Next,
///     },
///     rejected: Responses {
///         logits: rejected.view(),
///         targets: tokens.rejected.view(),
///         mask: TokenMask::padded(scored.rejected.view()),
///         alignment: Alignment::Next,
///     },
/// })
/// .reference(Pairs { chosen: aview1(&[-1.0]), rejected: aview1(&[-1.0]) });
/// let (loss, gradient) = pairs.grad(&Dpo { beta: 0.5, ..Dpo::default() }, Reduction::Mean)?;
/// assert!((loss - 0.555_975_400_104_664_7).abs() < 1e-15);
/// assert!((gradient.chosen[[0, 0, 2]] + 0.071_385_259_868_455_12).abs() < 1e-15);
/// assert!((gradient.rejected[[0, 0, 1]] - 0.161_056_901_359_570_7).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "DPO from logits")]
#[derive(Clone, Debug)]
#[must_use]
pub struct LogitPairs<'a, E: Element, I, D: Dimension> {
    responses: Pairs<Responses<'a, E, I, D>>,
    context: Context<'a, E::Real>,
}

/// One array for each side, of the shape of its logits.
type Gradient<E, D> = Pairs<Array<<E as Element>::Real, D>>;

impl<'a, E: Element, I: Target, D: Dimension> LogitPairs<'a, E, I, D> {
    /// The policy's logits of both sides.
    pub fn new(responses: Pairs<Responses<'a, E, I, D>>) -> Self {
        Self { responses, context: Context::new() }
    }

    context_setters!();

    /// Log-probability and length of each response: the forward half, which is all that a reference model needs.
    pub fn sequences(&self) -> Result<Pairs<Sequences<E::Real>>> {
        self.score(None)
    }

    /// The pairs as an objective sees them, for what else one asks of the same forward pass: the loss of each pair,
    /// parts of micro-batches, metrics.
    pub fn batch<'b>(&'b self, sequences: &'b Pairs<Sequences<E::Real>>) -> PairBatch<'b, E::Real> {
        self.context.batch(sequences)
    }

    /// The reduced loss.
    pub fn value(&self, objective: &dyn PairObjective<E::Real>, reduction: Reduction<'_, E::Real>) -> Result<E::Real> {
        self.check(objective, reduction)?;
        let sequences = self.score(weights(reduction))?;
        objective.value(self.batch(&sequences), reduction)
    }

    /// The reduced loss and its gradient with respect to the logits of both sides.
    pub fn grad(
        &self,
        objective: &dyn PairObjective<E::Real>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<(E::Real, Gradient<E, D>)> {
        let zeros = |side: &Responses<'a, E, I, D>| Array::from_elem(side.logits.raw_dim(), E::Real::zero());
        let Pairs { chosen, rejected } = &self.responses;
        let mut gradient = Pairs { chosen: zeros(chosen), rejected: zeros(rejected) };
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
        mut out: Pairs<ArrayViewMut<'_, E::Real, D>>,
    ) -> Result<E::Real> {
        let Pairs { chosen, rejected } = &self.responses;
        check::shape("out.chosen", out.chosen.shape(), chosen.logits.shape())?;
        check::shape("out.rejected", out.rejected.shape(), rejected.logits.shape())?;
        self.check(objective, reduction)?;
        let sequences = self.score(weights(reduction))?;
        let (loss, gradient) = objective.grad(self.batch(&sequences), reduction)?;
        let transform = self.context.transform;
        chosen.backward_through(transform, &gradient.chosen, &mut out.chosen).map_err(of_chosen)?;
        rejected.backward_through(transform, &gradient.rejected, &mut out.rejected).map_err(of_rejected)?;
        Ok(loss)
    }

    /// What can be known to be wrong without a look at the logits.
    fn check(&self, objective: &dyn PairObjective<E::Real>, reduction: Reduction<'_, E::Real>) -> Result<()> {
        self.context.check(self.responses.as_ref().map(|side| side.len()), objective, reduction)
    }

    /// Sums and lengths of the pairs whose weight is not 0.
    fn score(&self, weights: Option<&ArrayRef1<E::Real>>) -> Result<Pairs<Sequences<E::Real>>> {
        let wanted = |pair: usize| weights.is_none_or(|weights| !weights[pair].is_zero());
        let (transform, Pairs { chosen, rejected }) = (self.context.transform, &self.responses);
        Ok(Pairs {
            chosen: chosen.sequences_of(transform, wanted).map_err(of_chosen)?,
            rejected: rejected.sequences_of(transform, wanted).map_err(of_rejected)?,
        })
    }
}

#[cfg(test)]
mod tests;
