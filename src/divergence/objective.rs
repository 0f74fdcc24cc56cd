//! The caller's side: what can be asked of any divergence between categorical distributions.

use ndarray::{Array, ArrayRef, ArrayViewMut, Dimension};

use super::driver::Walk;
use super::row_divergence::RowDivergence;
use super::{Categorical, ClassDivergence, Sides};
use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::{Element, Real, Reduction, Result, SumCount, check};

/// A divergence `D(p ‖ q)` between distributions over classes, `>= 0` and 0 where both are the same, in nats.
///
/// Both sides have one shape `[.., V]`: logits, with a temperature if need be, or probabilities, of `f32`, `f64` or with the
/// feature `half` in half precision. `E` is the element type of `q`, `P` that of `p`: they may differ where both are computed
/// in one type, as a teacher of `bf16` beside a student of `f32`. A divergence is formed of each row. The gradient is the one
/// by logits,
///
/// ```math
/// \frac{\partial D}{\partial x_v} = A_v - p_v \sum_u A_u, \qquad A_v = p_v \frac{\partial D}{\partial p_v},
/// ```
///
/// and each of its rows sums to 0. Ask for the sides that you need: in distillation that is the student's, and costs one
/// array. Terms are formed such that none is negative, from differences of logits, so that a divergence of 1e-18 between
/// two almost equal rows keeps its digits. Three passes over a row, the last for gradients only, none of which holds
/// anything as long as a row.
///
/// A logit of -inf, or a probability of 0, is a class that the side does not have: `0 ln 0 = 0`, and the class's entry of the
/// gradient is the limit, which may be other than 0. The divergence may then be exactly +inf; a gradient that is finite
/// all the same is given, such as that of `KL(p ‖ q)` by the logits of `q`, and any other is an error that names the class.
///
/// Where nearly all mass of a side is in one class, that class's entry of the gradient is found from all others; where the
/// sides share next to nothing, slopes are measured from their limits. A gradient then has the digits that the logits
/// determine, also in `f32`.
///
/// # Errors
///
/// Of every method, with arguments named `p` and `q`:
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter is out of its range.
/// - [`Error::Shape`](crate::Error::Shape): sides of two shapes; weights, or an output, of another.
/// - [`Error::Value`](crate::Error::Value): a logit is NaN or +inf, or all of a row are -inf; a probability is negative or not
///   finite, or those of a row do not sum to 1; a weight is not finite or below zero; a gradient is asked for that is
///   infinite since a class is of one side alone, and then the class is named at the side that has it not.
/// - [`Error::Empty`](crate::Error::Empty): no classes. [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean
///   over no rows.
/// - [`Error::Overflow`](crate::Error::Overflow): finite logits of which the divergence, a gradient, or the quotient by a
///   temperature does not fit the type.
///
/// Outputs are left unspecified where the data are at fault. Rows with a weight of zero are never looked at.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// use Categorical::Logits;
/// let (teacher, student) = (array![[2.0_f64, 0.0, -1.0]], array![[1.0_f64, 0.5, -1.0]]);
/// let (kl, grad) = KlDivergence.grad_q(Logits(&teacher), Logits(&student), Reduction::Mean)?;
/// assert!((kl - 0.171_808_03).abs() < 1e-8);
/// assert!(grad[[0, 0]] < 0.0 && grad.sum().abs() < 1e-15); // the student gives the first class too little
/// # Ok::<(), loglik::Error>(())
/// ```
pub trait CategoricalDivergence<E: Element, D: Dimension, P: Element<Real = E::Real> = E> {
    /// One pass: the divergence of each row in row-major order, not weighted and 0 where its weight is; and the gradients of
    /// the reduced value. The other methods are made of it.
    fn run(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: Sides<Option<ArrayViewMut<'_, E::Real, D>>>,
    ) -> Result<Vec<f64>>;

    /// The reduced divergence.
    fn value(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<E::Real> {
        reduced(self.run(p, q, reduction, Sides::default())?, reduction)
    }

    /// The divergence of each row.
    fn each(&self, p: Categorical<'_, P, D>, q: Categorical<'_, E, D>) -> Result<Array<E::Real, D::Smaller>> {
        let values = self.run(p, q, Reduction::Sum, Sides::default())?;
        let mut shape = D::Smaller::zeros(p.leading().len());
        shape.slice_mut().copy_from_slice(p.leading());
        Ok(by_row(&values, shape))
    }

    /// The divergence of each row that the mask keeps; the others are 0 and never looked at.
    ///
    /// # Errors
    ///
    /// Besides those of all methods [`Error::Shape`](crate::Error::Shape) for a mask of another shape.
    fn each_masked(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        mask: &ArrayRef<bool, D::Smaller>,
    ) -> Result<Array<E::Real, D::Smaller>> {
        let weights = weights_of(mask, p.leading())?;
        let values = self.run(p, q, Reduction::Weighted(&weights), Sides::default())?;
        Ok(by_row(&values, weights.raw_dim()))
    }

    /// The sum over the rows that the mask keeps and their number. The gradient of their mean is that of
    /// [`Reduction::Weighted`], each of those rows with a weight of one over the number.
    ///
    /// # Errors
    ///
    /// Those of [`CategoricalDivergence::each_masked`].
    fn sum_count_masked(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        mask: &ArrayRef<bool, D::Smaller>,
    ) -> Result<SumCount> {
        let weights = weights_of(mask, p.leading())?;
        let values = self.run(p, q, Reduction::Weighted(&weights), Sides::default())?;
        sum_count(&values, mask.iter().filter(|keep| **keep).count(), "p")
    }

    /// The sum over rows and their number, by which micro-batches combine.
    fn sum_count(&self, p: Categorical<'_, P, D>, q: Categorical<'_, E, D>) -> Result<SumCount> {
        let values = self.run(p, q, Reduction::Sum, Sides::default())?;
        sum_count(&values, values.len(), "p")
    }

    /// The reduced divergence and its gradients in the logits of both sides.
    fn grad(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<(E::Real, Sides<Array<E::Real, D>>)> {
        let mut gradients = Sides { p: zeros(p), q: zeros(q) };
        let out = Sides { p: Some(gradients.p.view_mut()), q: Some(gradients.q.view_mut()) };
        let value = self.grad_into(p, q, reduction, out)?;
        Ok((value, gradients))
    }

    /// The reduced divergence and its gradient in the logits of `p`.
    fn grad_p(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<(E::Real, Array<E::Real, D>)> {
        let mut gradient = zeros(p);
        let value = self.grad_into(p, q, reduction, Sides { p: Some(gradient.view_mut()), q: None })?;
        Ok((value, gradient))
    }

    /// The reduced divergence and its gradient in the logits of `q`.
    fn grad_q(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
    ) -> Result<(E::Real, Array<E::Real, D>)> {
        let mut gradient = zeros(q);
        let value = self.grad_into(p, q, reduction, Sides { p: None, q: Some(gradient.view_mut()) })?;
        Ok((value, gradient))
    }

    /// The reduced divergence; the gradients that are asked for are written to `out`, each of the shape of the sides.
    fn grad_into(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: Sides<Option<ArrayViewMut<'_, E::Real, D>>>,
    ) -> Result<E::Real> {
        reduced(self.run(p, q, reduction, out)?, reduction)
    }
}

impl<E: Element, D: Dimension, P: Element<Real = E::Real>, K: ClassDivergence> CategoricalDivergence<E, D, P> for K {
    fn run(
        &self,
        p: Categorical<'_, P, D>,
        q: Categorical<'_, E, D>,
        reduction: Reduction<'_, E::Real, D::Smaller>,
        out: Sides<Option<ArrayViewMut<'_, E::Real, D>>>,
    ) -> Result<Vec<f64>> {
        walk(self, p, q, reduction, out)
    }
}

/// [`CategoricalDivergence::run`] of a divergence in the form that rows are walked with.
pub(super) fn walk<E: Element, D: Dimension, P: Element<Real = E::Real>>(
    divergence: &impl RowDivergence,
    p: Categorical<'_, P, D>,
    q: Categorical<'_, E, D>,
    reduction: Reduction<'_, E::Real, D::Smaller>,
    out: Sides<Option<ArrayViewMut<'_, E::Real, D>>>,
) -> Result<Vec<f64>> {
    Walk::new(p, q, reduction)?.run(divergence, p.array().shape(), out)
}

/// A gradient before it is one.
fn zeros<E: Element, D: Dimension>(side: Categorical<'_, E, D>) -> Array<E::Real, D> {
    let array: &ArrayRef<E, D> = side.array();
    Array::from_elem(array.raw_dim(), E::Real::from_f64(0.0))
}

/// Weights that are 1 where the mask keeps a row of this shape and 0 elsewhere.
pub(super) fn weights_of<T: Real, D: Dimension>(mask: &ArrayRef<bool, D>, leading: &[usize]) -> Result<Array<T, D>> {
    check::shape("mask", mask.shape(), leading)?;
    Ok(mask.map(|keep| if *keep { T::one() } else { T::zero() }))
}

/// The values of rows in the shape that they have.
pub(super) fn by_row<T: Real, D: Dimension>(values: &[f64], shape: D) -> Array<T, D> {
    let mut values = values.iter();
    Array::from_shape_simple_fn(shape, || T::from_f64(values.next().copied().unwrap_or_default()))
}

/// The sum of so many values.
pub(super) fn sum_count(values: &[f64], count: usize, argument: &'static str) -> Result<SumCount> {
    Ok(SumCount { sum: reduction::total_of(values, reduction::sum(values), argument)?, count: count as f64 })
}

/// The values of rows as one number.
pub(super) fn reduced<T: Real, D: Dimension>(mut values: Vec<f64>, reduction: Reduction<'_, T, D>) -> Result<T> {
    let scale = if let Reduction::Mean = reduction { (values.len() as f64).recip() } else { 1.0 };
    let are_finite = values.iter().all(|value| value.is_finite()); // before a weight takes them out of the type
    if let Reduction::Weighted(weights) = reduction {
        values.iter_mut().zip(weights).filter(|(_, w)| **w != T::zero()).for_each(|(value, w)| *value *= w.as_f64());
    }
    let total = reduction::finite_total(reduction::sum(&values) * scale, || are_finite, "p")?;
    to_real(total, "p", Position::default())
}
