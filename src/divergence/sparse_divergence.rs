//! Divergences from a teacher that gives some classes of each position.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2};

use super::compiled::Compiled;
use super::objective::weights_of;
use super::sparse_row::SparseSum;
use super::sparse_rows::Student;
use super::sparse_teacher::Teacher;
use super::{ClassDivergence, SparseTeacher, Tail, per_row};
use crate::compiled::in_dimension;
use crate::logits::LogitTransform;
use crate::{Element, Reduction, Result, SumCount, Target};

/// A divergence `D(p ‖ q)` of a student `q` from a teacher `p` of which only some classes are known.
///
/// The student's logits are `[N, V]`, the teacher a [`SparseTeacher`] of `[N, K]`; the gradient is in the logits as they
/// came, before the transform. A temperature is of the student alone: the log-probabilities of the teacher are taken as
/// they are. [`Tail`] says what is with the other classes. With [`Tail::Bucket`] and the probabilities `π = 1 - Σ_k p_k`,
/// `ς` outside,
///
/// ```math
/// D = \sum_k d(p_k, q_k) + d(\pi, \varsigma), \qquad
/// \frac{\partial D}{\partial y_v} = A_v - q_v \sum_u A_u, \quad A_v = q_v\, \partial_\varsigma d(\pi, \varsigma) \text{ outside,}
/// ```
///
/// where `d` is the term of any [`ClassDivergence`]: [`KlDivergence`](super::KlDivergence) is the forward divergence,
/// [`ReverseKlDivergence`](super::ReverseKlDivergence) the reverse one. What is outside is summed by itself, never as a
/// difference from 1, so that a tail of 1e-12 keeps its digits, and shared as the student shares it, however little it is.
/// Where the student has none of several classes that the bucket pulls on, nothing says how: an error. With all classes given
/// it is the divergence of both distributions.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): a hyper-parameter of the divergence is out of its range.
/// - [`Error::Shape`](crate::Error::Shape): `indices` and `log_probs` are not of one shape with a row for each of the logits; weights, or the
///   output, of another shape.
/// - [`Error::Target`](crate::Error::Target): an index is no class.
/// - [`Error::Value`](crate::Error::Value): a class comes twice; a log-probability is NaN or above 0, or a row holds more than 1 or nothing; a
///   logit is NaN or +inf, or a row has none that is finite (with [`Tail::Conditional`], among the teacher's classes); a
///   weight is not finite or below zero; a gradient is asked for that is infinite since a class is of one side alone, and
///   then the class is named at the side that has it not, or at the logits where the teacher's tail is cut.
/// - [`Error::Empty`](crate::Error::Empty): no classes, or none given. [`Error::NothingToAverage`](crate::Error::NothingToAverage): a mean over no rows.
/// - [`Error::Overflow`](crate::Error::Overflow): a divergence, a gradient, or the quotient by a temperature that does not fit the type.
///
/// Rows with a weight of zero are never looked at. Where the data are at fault the output is left unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::divergence::{KlDivergence, SparseDivergence, SparseTeacher, Tail};
/// let (indices, log_probs) = (array![[3, 0]], array![[0.5_f64, 0.25]].ln());
/// let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
/// let logits = array![[0.0_f64, 0.0, 0.0, 0.0]];
/// let distil = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() };
/// let (kl, grad) = distil.grad(teacher, &logits, Reduction::Mean)?;
/// // Two given classes and a bucket of two: ½ ln 2 + 0 - ¼ ln 2.
/// assert!((kl - 0.25 * std::f64::consts::LN_2).abs() < 1e-15);
/// assert!((grad[[0, 3]] + 0.25).abs() < 1e-15 && (grad[[0, 1]] - 0.125).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Top 5, renormalized: Fu et al., "Specializing smaller language models towards multi-step reasoning", ICML 2023,
/// [arXiv:2301.12726](https://arxiv.org/abs/2301.12726).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SparseDivergence<K> {
    /// The divergence, by its term at one class.
    pub divergence: K,
    /// How the classes count that are not given. Default [`Tail::Bucket`].
    pub tail: Tail,
    /// Temperature and soft cap of the student's logits. Default none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub transform: LogitTransform,
}

impl<K: ClassDivergence> SparseDivergence<K> {
    /// The reduced divergence.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn value<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<E::Real> {
        Compiled::reduced(self.run(teacher, logits, reduction, None)?, reduction.into_any())
    }

    /// The divergence of each row.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn each<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
    ) -> Result<Array1<E::Real>> {
        Ok(in_dimension(Compiled::by_row(self.run(teacher, logits, Reduction::Sum, None)?, &[logits.nrows()])))
    }

    /// The divergence of each row that the mask keeps; the others are 0 and never looked at.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`]; [`Error::Shape`](crate::Error::Shape) for a mask of another shape.
    pub fn each_masked<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        mask: &ArrayRef1<bool>,
    ) -> Result<Array1<E::Real>> {
        let weights = weights_of(mask, &[logits.nrows()])?;
        let values = self.run(teacher, logits, Reduction::Weighted(&weights), None)?;
        Ok(in_dimension(Compiled::by_row(values, &[logits.nrows()])))
    }

    /// The sum over rows and their number, by which micro-batches combine.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn sum_count<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
    ) -> Result<SumCount> {
        per_row::sum_count(&self.run(teacher, logits, Reduction::Sum, None)?, logits.nrows(), "logits")
    }

    /// The sum over the rows that the mask keeps and their number.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`]; [`Error::Shape`](crate::Error::Shape) for a mask of another shape.
    pub fn sum_count_masked<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        mask: &ArrayRef1<bool>,
    ) -> Result<SumCount> {
        let weights = weights_of(mask, &[logits.nrows()])?;
        let values = self.run(teacher, logits, Reduction::Weighted(&weights), None)?;
        per_row::kept_sum_count(&values, mask.view().into_dyn(), "logits")
    }

    /// The reduced divergence and its gradient in the student's logits.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn grad<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<(E::Real, Array2<E::Real>)> {
        let mut gradient = Array2::zeros(logits.raw_dim());
        let value = self.grad_into(teacher, logits, reduction, &mut gradient)?;
        Ok((value, gradient))
    }

    /// The reduced divergence; its gradient in the student's logits is written to `out`.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn grad_into<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
        out: &mut ArrayRef2<E::Real>,
    ) -> Result<E::Real> {
        Compiled::reduced(self.run(teacher, logits, reduction, Some(out))?, reduction.into_any())
    }

    fn run<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
        out: Option<&mut ArrayRef2<E::Real>>,
    ) -> Result<Vec<f64>> {
        self.divergence.check()?;
        let (shape, log_probs) = (teacher.log_probs.dim().into(), teacher.log_probs.into_dyn());
        let (logits, out) = (logits.view().into_dyn(), out.map(|out| out.view_mut().into_dyn()));
        let teacher = Teacher {
            indices: I::erase(teacher.indices.into_dyn()),
            log_probs: P::wide_reader("log_probs", &log_probs),
            log_probs_shape: shape,
        };
        let (loops, mass_coefficient) = (self.divergence.loops(), self.divergence.mass_coefficient());
        let divergence = SparseSum { loops: &*loops, mass_coefficient, tail: self.tail };
        let student = Student { logits: E::reader("logits", &logits), transform: self.transform };
        Compiled::sparse_divergence(divergence, teacher, student, reduction.into_any(), out)
    }
}
