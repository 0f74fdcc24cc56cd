//! Gradients of a linear objective in everything that is trained.

use super::head::LinearHead;
use crate::compiled::in_dimension;
use crate::{Element, Real};
use ndarray::{Array, Array1, Array2, ArrayViewMut, ArrayViewMut1, ArrayViewMut2, Dimension};

/// Gradients in hidden states, weight and bias; contiguous.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct LinearGradient<T, X> {
    /// Of the shape of the hidden states: an [`Array`], or one for each side of preference pairs.
    pub hidden: X,
    /// `[V, H]`.
    pub weight: Array2<T>,
    /// `[V]`, where the head has a bias.
    pub bias: Option<Array1<T>>,
}

/// Buffers for the same, of any layout; all of them are overwritten.
///
/// Where one is not contiguous the work is done in a contiguous copy of it, or, of the weight with
/// [`LinearPlan::Recompute`](super::LinearPlan), of 512 of its rows.
#[derive(Debug)]
#[must_use]
pub struct LinearGradientMut<'a, T, X> {
    /// Of the shape of the hidden states: a view, or one for each side of preference pairs.
    pub hidden: X,
    /// `[V, H]`.
    pub weight: ArrayViewMut2<'a, T>,
    /// `[V]`, exactly where the head has a bias.
    pub bias: Option<ArrayViewMut1<'a, T>>,
}

impl<T: Real, X> LinearGradient<T, X> {
    /// Zeros of the shapes of this head, beside such hidden states.
    pub(crate) fn zeros<E: Element<Real = T>>(hidden: X, head: LinearHead<'_, E>) -> Self {
        let weight = in_dimension(T::zeros_of(head.weight.shape()));
        let bias = head.bias.map(|bias| in_dimension(T::zeros_of(bias.shape())));
        Self { hidden, weight, bias }
    }
}

impl<T, D: Dimension> LinearGradient<T, Array<T, D>> {
    /// Buffers that write to these arrays.
    pub fn view_mut(&mut self) -> LinearGradientMut<'_, T, ArrayViewMut<'_, T, D>> {
        let bias = self.bias.as_mut().map(|bias| bias.view_mut());
        LinearGradientMut { hidden: self.hidden.view_mut(), weight: self.weight.view_mut(), bias }
    }
}
