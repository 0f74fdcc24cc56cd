//! The forms in which a distribution over classes is given.

use ndarray::{ArrayRef, ArrayViewD, Dimension};

use crate::logits::LogitTransform;
use crate::rowwise::RowReader;
use crate::{Element, Real, Result};

/// Distributions over classes, one for each row of an array of any shape `[.., V]`.
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{Categorical, KlDivergence};
/// let (logits, probs) = (array![[0.0_f64, 3.0_f64.ln()]], array![[0.25_f64, 0.75]]);
/// let kl = KlDivergence.value(Categorical::Logits(&logits), Categorical::Probs(&probs), Reduction::Sum)?;
/// assert!(kl < 1e-30);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Debug)]
pub enum Categorical<'a, E, D: Dimension> {
    /// Logits, whose softmax is the distribution: finite, or -inf for a class of probability 0. At least one of a row is
    /// finite. A shift of a row changes nothing.
    Logits(&'a ArrayRef<E, D>),
    /// Logits behind a soft cap, if there is one, and then a temperature `τ`. The distribution is the softmax of the
    /// transformed logits; the gradient is in the logits before. The temperature makes it `1/τ` of the gradient in the
    /// quotients, so that with `τ` on both sides it falls about as `1/τ²`: Hinton's factor `τ²` belongs into a weight of the
    /// caller. Transformed logits are rounded to the type, and smaller differences between them are lost.
    Transformed(&'a ArrayRef<E, D>, LogitTransform),
    /// Probabilities, `>= 0`. The sum of a row may differ from 1 by 0.001 (by 0.01 in half precision), and by 6e-8 for each
    /// class, as far as sums in `f32` are rounded; it is divided out.
    /// The gradient of this side is the one by the logarithms of the probabilities, taken as logits.
    Probs(&'a ArrayRef<E, D>),
}

impl<E, D: Dimension> Clone for Categorical<'_, E, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, D: Dimension> Copy for Categorical<'_, E, D> {}

impl<'a, E, D: Dimension> Categorical<'a, E, D> {
    pub(super) fn array(&self) -> &'a ArrayRef<E, D> {
        match *self {
            Self::Logits(array) | Self::Transformed(array, _) | Self::Probs(array) => array,
        }
    }

    pub(super) fn form(&self) -> Form {
        match *self {
            Self::Logits(_) => Form::Logits,
            Self::Transformed(_, transform) => Form::Transformed(transform),
            Self::Probs(_) => Form::Probs,
        }
    }

    /// The shape without the last axis.
    pub(super) fn leading(&self) -> &'a [usize] {
        let shape = self.array().shape();
        &shape[..shape.len().saturating_sub(1)]
    }
}

/// How a side says its distributions.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Logits,
    Transformed(LogitTransform),
    Probs,
}

/// A side whose stored type, layout and dimension are behind a reader.
pub(crate) struct Source<'a, T> {
    pub(super) form: Form,
    pub(super) shape: &'a [usize],
    pub(super) rows: Result<Box<dyn RowReader<T> + 'a>>,
}

impl<'a, T: Real> Source<'a, T> {
    /// Of the array of this argument.
    pub(super) fn new<E: Element<Real = T>>(argument: &'static str, form: Form, array: &'a ArrayViewD<'_, E>) -> Self {
        Self { form, shape: array.shape(), rows: E::reader(argument, array) }
    }
}
