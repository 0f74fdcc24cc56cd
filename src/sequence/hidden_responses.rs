//! From the hidden states of responses to one number for each response, and back.

use ndarray::{Array, ArrayRef1, ArrayView, Dimension};

use super::scored::Scored;
use super::{Alignment, Sequences, Shifted, TokenMask, sum_tokens, sum_tokens_backward};
use crate::logits::linear::{Head, Pass, Tokens};
use crate::logits::{LinearGradient, LinearGradientMut, LinearHead};
use crate::{Element, Error, Real, Result, Target, check};

/// A model's last hidden states beside the tokens that they are to predict through a [`LinearHead`]: what
/// [`Responses`](super::Responses) is with logits, at a fraction of its memory.
///
/// | field | padded | packed |
/// |---|---|---|
/// | `hidden` | `[B, T, H]` | `[N, H]` |
/// | `targets` | `[B, T]` | `[N]` |
/// | `mask` | [`TokenMask::padded`], `[B, T]` | [`TokenMask::packed`], `[N]` with offsets |
///
/// The mask says which *targets* are scored: with [`Alignment::Next`] it is moved together with them. What is not
/// scored costs nothing, is never read, neither its hidden state nor its target, and has a zero gradient.
///
/// **Memory.** Where all tokens are scored and `hidden` is contiguous, a forward pass takes 0.5 MiB for each thread in
/// `f32` and the way back `n × 512` elements, with `n` scored tokens; otherwise `n × H` elements more.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{aview1, array}};
/// # use loglik::sequence::{Alignment, HiddenResponses};
/// let weight = array![[1.0_f64, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let head = LinearHead::new(weight.view());
/// let hidden = array![[[1.0, 2.0], [2.0, 1.0], [0.0, f64::NAN]]]; // logits 1, 2, 3 and 2, 1, 3
/// let (tokens, mask) = (array![[0, 2, 2]], array![[false, true, true]]);
/// let responses = HiddenResponses {
///     hidden: hidden.view(),
///     targets: tokens.view(),
///     mask: TokenMask::padded(mask.view()),
///     alignment: Alignment::Next,
/// };
/// let sequences = responses.sequences(head)?;
/// assert!((sequences.sums[0] + 0.815_211_928_888_760_2).abs() < 1e-15); // twice that of a 3 among 1, 2, 3
/// let gradient = responses.backward(head, &aview1(&[1.0]))?;
/// assert!((gradient.hidden[[0, 0, 0]] - 0.244_728_471_054_797_6).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "sequence log-probability")]
#[doc(alias = "linear cross-entropy")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenResponses<'a, E, I, D: Dimension> {
    /// Hidden states, features on the last axis; of any [`Element`] and any layout.
    pub hidden: ArrayView<'a, E, D>,
    /// The tokens, of the shape of the hidden states without their last axis.
    pub targets: ArrayView<'a, I, D::Smaller>,
    /// Which tokens are scored, and to which response each belongs.
    pub mask: TokenMask<'a, D::Smaller>,
    /// Which token the hidden state at a position predicts.
    pub alignment: Alignment,
}

/// Owned gradients, that of the hidden states in their shape.
type Gradient<E, D> = LinearGradient<<E as Element>::Real, Array<<E as Element>::Real, D>>;

/// Scored tokens, and where they stand.
type Aligned<'r, 'a, E, I, D> = (Tokens<'r, <E as Element>::Real>, Shifted<'a, I, <D as Dimension>::Smaller>);

impl<'a, E: Element, I: Target, D: Dimension> HiddenResponses<'a, E, I, D> {
    /// Number of responses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mask.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Log-probability of each response, summed over its scored tokens, and their number.
    ///
    /// # Errors
    ///
    /// Those of [`linear_token_log_probs_masked`](crate::logits::linear_token_log_probs_masked) and of [`sum_tokens`].
    /// Positions are those in the fields, also where targets are shifted.
    pub fn sequences(&self, head: LinearHead<'_, E>) -> Result<Sequences<E::Real>> {
        let head = self.head(head)?;
        let (tokens, aligned) = self.tokens("hidden", &head, |_| true)?;
        sums(&Pass::new(vec![tokens], head)?, 0, &aligned)
    }

    /// Gradients with respect to hidden states, weight and bias, from that with respect to the sums, `[B]`.
    ///
    /// Four products; a response whose cotangent is 0 is not looked at.
    ///
    /// # Errors
    ///
    /// Those of [`sequences`](Self::sequences) and of [`sum_tokens_backward`].
    pub fn backward(&self, head: LinearHead<'_, E>, cotangent: &ArrayRef1<E::Real>) -> Result<Gradient<E, D>> {
        let checked = self.head(head)?;
        check::shape("cotangent", cotangent.shape(), &[self.len()])?;
        let wanted = |response: usize| !num_traits::Zero::is_zero(&cotangent[response]);
        let (tokens, aligned) = self.tokens("hidden", &checked, wanted)?;
        let cotangents = cotangents(&aligned, cotangent)?;
        let mut gradient = LinearGradient::zeros(Array::from_elem(self.hidden.raw_dim(), Real::from_f64(0.0)), head);
        let LinearGradientMut { hidden, weight, bias } = gradient.view_mut();
        let out = LinearGradientMut { hidden: vec![hidden], weight, bias };
        Pass::new(vec![tokens], checked)?.backward(&[cotangents], out)?;
        Ok(gradient)
    }

    /// The head, checked against the width of the hidden states.
    pub(crate) fn head<'h>(&self, head: LinearHead<'h, E>) -> Result<Head<'h, E>> {
        Head::new(head, *self.hidden.shape().last().ok_or(Error::no_axis("hidden"))?)
    }

    /// The scored tokens of the responses that are wanted; the hidden states are called `name` in errors.
    pub(crate) fn tokens(
        &self,
        name: &'static str,
        head: &Head<'_, E>,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Aligned<'_, 'a, E, I, D>> {
        let scored = Scored { targets: &self.targets, mask: &self.mask, alignment: self.alignment };
        let aligned = scored.align(wanted)?;
        let tokens = Tokens::masked(name, &self.hidden, &aligned.targets, &aligned.mask, head);
        Ok((tokens.map_err(|error| scored.unaligned(error))?, aligned))
    }
}

/// Sums and lengths of one group of a pass.
pub(crate) fn sums<E: Element, I: Target, S: Dimension>(
    pass: &Pass<'_, '_, E>,
    group: usize,
    aligned: &Shifted<'_, I, S>,
) -> Result<Sequences<E::Real>> {
    sum_tokens(&pass.log_probs::<S>(group)?, aligned.token_mask())
}

/// The cotangent of each token from that of each sum.
pub(crate) fn cotangents<T: Real, I: Target, S: Dimension>(
    aligned: &Shifted<'_, I, S>,
    cotangent: &ArrayRef1<T>,
) -> Result<Vec<f64>> {
    Ok(sum_tokens_backward(aligned.token_mask(), cotangent)?.iter().map(|c| c.as_f64()).collect())
}
