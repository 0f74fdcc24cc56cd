//! The caller's side: what can be asked of any divergence between categorical distributions.

use ndarray::{Array, ArrayRef, ArrayViewMut, Dimension};

use super::categorical::Source;
use super::compiled::Compiled;
use super::{Categorical, ClassDivergence, Sides, per_row};
use crate::compiled::in_dimension;
use crate::{Element, Real, Reduction, Result, SumCount};

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
/// # use loglik::divergence::{Categorical, KlDivergence};
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
        Compiled::reduced(self.run(p, q, reduction, Sides::default())?, reduction.into_any())
    }

    /// The divergence of each row.
    fn each(&self, p: Categorical<'_, P, D>, q: Categorical<'_, E, D>) -> Result<Array<E::Real, D::Smaller>> {
        Ok(by_row(self.run(p, q, Reduction::Sum, Sides::default())?, p.leading()))
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
        Ok(by_row(values, p.leading()))
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
        kept_sum_count(&values, mask)
    }

    /// The sum over rows and their number, by which micro-batches combine.
    fn sum_count(&self, p: Categorical<'_, P, D>, q: Categorical<'_, E, D>) -> Result<SumCount> {
        let values = self.run(p, q, Reduction::Sum, Sides::default())?;
        per_row::sum_count(&values, values.len(), "p")
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
        Compiled::reduced(self.run(p, q, reduction, out)?, reduction.into_any())
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
        let (p_array, q_array) = (p.array().view().into_dyn(), q.array().view().into_dyn());
        let sides = Sides { p: Source::new("p", p.form(), &p_array), q: Source::new("q", q.form(), &q_array) };
        let out = out.map(|out| out.map(ArrayViewMut::into_dyn));
        Compiled::class_divergence(self.check(), &*self.loops(), sides, reduction.into_any(), out)
    }
}

/// A gradient before it is one.
fn zeros<E: Element, D: Dimension>(side: Categorical<'_, E, D>) -> Array<E::Real, D> {
    Array::zeros(side.array().raw_dim())
}

/// Weights that are 1 where the mask keeps a row of this shape and 0 elsewhere.
pub(super) fn weights_of<T: Real, D: Dimension>(mask: &ArrayRef<bool, D>, leading: &[usize]) -> Result<Array<T, D>> {
    Ok(in_dimension(Compiled::mask_weights(mask.view().into_dyn(), leading)?))
}

/// The values of rows in the shape that they have.
fn by_row<T: Real, D: Dimension>(values: Vec<f64>, leading: &[usize]) -> Array<T, D> {
    in_dimension(Compiled::by_row(values, leading))
}

/// The sum over the rows that the mask keeps, and their number.
fn kept_sum_count<D: Dimension>(values: &[f64], mask: &ArrayRef<bool, D>) -> Result<SumCount> {
    per_row::kept_sum_count(values, mask.view().into_dyn(), "p")
}

#[cfg(all(test, feature = "half"))]
mod tests {
    use half::{bf16, f16};
    use ndarray::{Array2, Ix2, ShapeBuilder, array};

    use crate::divergence::{
        AmariDivergence,
        Categorical::{Logits, Transformed},
        CategoricalDivergence, ClassDivergence, FDivergence, GeneralizedJsd, InterpolatedJsd, JensenShannonDivergence,
        KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare, RenyiDivergence, ReverseKlDivergence, Sides,
        SparseDivergence, SparseTeacher, SquaredHellinger, Tail, TotalVariation,
    };
    use crate::logits::LogitTransform;
    use crate::{Element, Reduction};

    /// Rows that end within a block, of numbers that every type holds.
    fn rows(seed: usize) -> Array2<f32> {
        Array2::from_shape_fn((3, 2_100), |(row, class)| ((row * 389 + class * 7_919 + seed) % 61) as f32 / 8.0 - 4.0)
    }

    /// Calls it with every divergence.
    macro_rules! of_each {
        ($check:ident) => {
            $check(&KlDivergence);
            $check(&ReverseKlDivergence);
            $check(&JensenShannonDivergence);
            $check(&GeneralizedJsd { beta: 0.3 });
            $check(&InterpolatedJsd { beta: 0.8 });
            $check(&AmariDivergence { alpha: 0.3 });
            $check(&AmariDivergence { alpha: 2.5 });
            $check(&PearsonChiSquare);
            $check(&NeymanChiSquare);
            $check(&MixtureChiSquare);
            $check(&SquaredHellinger);
            $check(&TotalVariation);
            $check(&FDivergence { generator: KlDivergence });
        };
    }

    #[test]
    fn a_side_of_half_precision_counts_as_the_same_numbers_in_f32() {
        fn mixed<P: Element<Real = f32>, E: Element<Real = f32>>(
            divergence: &(impl CategoricalDivergence<f32, Ix2> + CategoricalDivergence<E, Ix2, P>),
            narrow: (fn(f32) -> P, fn(f32) -> E),
        ) {
            let (x, y) = (rows(1), rows(40));
            let (p, mut q) = (x.mapv(narrow.0), Array2::from_elem(y.raw_dim().f(), narrow.1(0.0)));
            q.assign(&y.mapv(narrow.1));
            let cap = LogitTransform { temperature: 2.0, soft_cap: Some(3.0) };
            let wide: (f32, Sides<Array2<f32>>) =
                divergence.grad(Transformed(&x, cap), Logits(&y), Reduction::Mean).unwrap();
            assert_eq!(divergence.grad(Transformed(&p, cap), Logits(&q), Reduction::Mean).unwrap(), wide);
            assert_eq!(divergence.value(Transformed(&p, cap), Logits(&q), Reduction::Mean).unwrap(), wide.0);
            assert_eq!(
                divergence.grad_p(Transformed(&p, cap), Logits(&q), Reduction::Mean).unwrap(),
                (wide.0, wide.1.p)
            );
            assert_eq!(
                divergence.grad_q(Transformed(&p, cap), Logits(&q), Reduction::Mean).unwrap(),
                (wide.0, wide.1.q)
            );
        }
        fn check<K>(divergence: &K)
        where
            K: CategoricalDivergence<f32, Ix2>
                + CategoricalDivergence<f32, Ix2, bf16>
                + CategoricalDivergence<bf16, Ix2, f32>
                + CategoricalDivergence<f16, Ix2, bf16>,
        {
            mixed::<bf16, f32>(divergence, (bf16::from_f32, |x| x));
            mixed::<f32, bf16>(divergence, (|x| x, bf16::from_f32));
            mixed::<bf16, f16>(divergence, (bf16::from_f32, f16::from_f32));
        }
        of_each!(check);
        check(&RenyiDivergence { alpha: 2.0 });
        check(&RenyiDivergence { alpha: 0.5 });
    }

    #[test]
    fn a_sparse_teacher_of_half_precision_counts_as_the_same_numbers_in_f32() {
        fn check<K: ClassDivergence + Copy>(divergence: &K) {
            let indices = array![[5_i64, 0, 2_099], [1, 2, 3], [7, 2_000, 9]];
            let log_probs = array![[-1.0_f32, -2.0, -3.5], [-0.75, -1.5, -4.0], [-2.0, -2.5, -1.25]];
            let half = log_probs.mapv(bf16::from_f32);
            let y = rows(40);
            for tail in [Tail::Bucket, Tail::Conditional] {
                let distil = SparseDivergence { divergence: *divergence, tail, transform: LogitTransform::default() };
                let wide = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
                let narrow = SparseTeacher { indices: indices.view(), log_probs: half.view() };
                let expected = distil.grad(wide, &y, Reduction::Mean).unwrap();
                assert_eq!(distil.grad(narrow, &y, Reduction::Mean).unwrap(), expected);
                assert_eq!(distil.grad(wide, &y.mapv(bf16::from_f32), Reduction::Mean).unwrap(), expected);
                assert_eq!(distil.value(narrow, &y, Reduction::Mean).unwrap(), expected.0);
            }
        }
        of_each!(check);
    }
}
