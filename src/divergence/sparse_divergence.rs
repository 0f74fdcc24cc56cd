//! Divergences from a teacher that gives some classes of each position.

use ndarray::{Array1, Array2, ArrayRef2, ArrayViewMut1};
use num_traits::Zero;

use super::objective::reduced;
use super::sparse_row::{Outcome, Scratch, row};
use super::{ClassDivergence, SparseTeacher, Tail};
use crate::error::Position;
use crate::rows::{Rows, RowsMut, improper, rows_per_job};
use crate::{Element, Error, Parts, Real, Reduction, Result, Target, parallel, reduction};

/// A divergence `D(p ‖ q)` of a student `q` from a teacher `p` of which only some classes are known.
///
/// The student's logits are `[N, V]`, the teacher a [`SparseTeacher`] of `[N, K]`; the gradient is in the logits. [`Tail`]
/// says what is with the other classes. With [`Tail::Bucket`] and the probabilities `π = 1 - Σ_k p_k`, `ς` outside,
///
/// ```math
/// D = \sum_k d(p_k, q_k) + d(\pi, \varsigma), \qquad
/// \frac{\partial D}{\partial y_v} = A_v - q_v \sum_u A_u, \quad A_v = q_v\, \partial_\varsigma d(\pi, \varsigma) \text{ outside,}
/// ```
///
/// where `d` is the term of any [`ClassDivergence`]: [`KlDivergence`](super::KlDivergence) is the forward divergence,
/// [`ReverseKlDivergence`](super::ReverseKlDivergence) the reverse one. What is outside is summed by itself, never as a
/// difference from 1, so that a tail of 1e-12 keeps its digits. With all classes given it is the divergence of both
/// distributions.
///
/// # Errors
///
/// - [`Error::Parameter`]: a hyper-parameter of the divergence is out of its range.
/// - [`Error::Shape`]: `indices` and `log_probs` are not of one shape with a row for each of the logits; weights, or the
///   output, of another shape.
/// - [`Error::Target`]: an index is no class.
/// - [`Error::Value`]: a class comes twice; a log-probability is NaN or above 0, or a row holds more than 1 or nothing; a
///   logit is NaN or +inf, or a row has none that is finite (with [`Tail::Conditional`], among the teacher's classes); a
///   weight is not finite or below zero.
/// - [`Error::Empty`]: no classes, none given, or a mean over no rows.
/// - [`Error::Overflow`]: a divergence that does not fit the type, or a gradient that is not finite.
///
/// Rows with a weight of zero are never looked at. Where the data are at fault the output is left unspecified.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let (indices, log_probs) = (array![[3, 0]], array![[0.5_f64, 0.25]].ln());
/// let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
/// let logits = array![[0.0_f64, 0.0, 0.0, 0.0]];
/// let distil = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket };
/// let (kl, grad) = distil.grad(teacher, &logits, Reduction::Mean)?;
/// // Two given classes and a bucket of two: ½ ln 2 + 0 - ¼ ln 2.
/// assert!((kl - 0.25 * std::f64::consts::LN_2).abs() < 1e-15);
/// assert!((grad[[0, 3]] + 0.25).abs() < 1e-15 && (grad[[0, 1]] - 0.125).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Top 5, renormalised: Fu et al., "Specializing smaller language models towards multi-step reasoning", ICML 2023,
/// [arXiv:2301.12726](https://arxiv.org/abs/2301.12726).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SparseDivergence<K> {
    /// The divergence, by its term at one class.
    pub divergence: K,
    /// What becomes of the classes that are not given. Default [`Tail::Bucket`].
    pub tail: Tail,
}

/// Rows that are worked on by one thread.
struct Job<'a, T> {
    first: usize,
    values: &'a mut [f64],
    out: Option<RowsMut<'a, T>>,
}

impl<K: ClassDivergence> SparseDivergence<K> {
    /// The reduced divergence.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn value<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<E::Real> {
        reduced(self.run(teacher, logits, reduction, None)?, reduction)
    }

    /// The divergence of each row.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn each<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
    ) -> Result<Array1<E::Real>> {
        Ok(self.run(teacher, logits, Reduction::Sum, None)?.into_iter().map(E::Real::of).collect())
    }

    /// The sum over rows and their number, by which micro-batches combine.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn parts<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
    ) -> Result<Parts> {
        let values = self.run(teacher, logits, Reduction::Sum, None)?;
        Ok(Parts { sum: reduction::total_of(&values, reduction::sum(&values), "logits")?, count: values.len() as f64 })
    }

    /// The reduced divergence and its gradient in the student's logits.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn grad<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
    ) -> Result<(E::Real, Array2<E::Real>)> {
        let mut gradient = Array2::from_elem(logits.raw_dim(), E::Real::zero());
        let value = self.grad_into(teacher, logits, reduction, &mut gradient)?;
        Ok((value, gradient))
    }

    /// The reduced divergence; its gradient in the student's logits is written to `out`.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`].
    pub fn grad_into<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
        out: &mut ArrayRef2<E::Real>,
    ) -> Result<E::Real> {
        reduced(self.run(teacher, logits, reduction, Some(out))?, reduction)
    }

    fn run<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
        out: Option<&mut ArrayRef2<E::Real>>,
    ) -> Result<Vec<f64>> {
        self.divergence.check()?;
        let rows = Rows::new("logits", logits)?;
        teacher.check(rows.len())?;
        reduction.check(&[rows.len()])?;
        let mean = match reduction {
            Reduction::Mean if rows.len() == 0 => return Err(Error::Empty { argument: "logits" }),
            Reduction::Mean => (rows.len() as f64).recip(),
            Reduction::Sum | Reduction::Weighted(_) => 1.0,
        };
        let weights = reduction.weights();
        let scale = |row: usize| weights.as_ref().map_or(mean, |weights| weights[row].wide());
        let per_job = rows_per_job::<E>(rows.width());
        let out = out.map(|out| RowsMut::new("out", out, logits.shape())).transpose()?;
        let mut groups = out.map(|out| out.split(per_job).into_iter());
        let mut values = vec![0.0; rows.len()];
        let jobs = values.chunks_mut(per_job).enumerate();
        let jobs = jobs.map(|(job, values)| {
            let out = groups.as_mut().and_then(Iterator::next);
            Job { first: job * per_job, values, out }
        });
        let jobs = jobs.collect();
        let scratch = || Scratch::new(rows.width());
        parallel::try_for_each_with(jobs, rows.bytes(), scratch, |scratch, job| {
            let mut outs = job.out.map(|out| out.into_rows().into_iter());
            for (i, value) in job.values.iter_mut().enumerate() {
                let (at, out) = (job.first + i, outs.as_mut().and_then(Iterator::next));
                *value = self.row(teacher, &rows, at, scale(at), out, scratch)?;
            }
            Ok(())
        })?;
        Ok(values)
    }

    fn row<E: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, E::Real, I>,
        rows: &Rows<'_, E>,
        at: usize,
        scale: f64,
        out: Option<ArrayViewMut1<'_, E::Real>>,
        scratch: &mut Scratch<E::Real>,
    ) -> Result<f64> {
        if scale == 0.0 {
            out.into_iter().for_each(|mut out| out.fill(E::Real::zero()));
            return Ok(0.0);
        }
        teacher.read(at, rows.width(), self.tail, &mut scratch.teacher)?;
        match row(&self.divergence, self.tail, rows.row(at), scratch, out, scale) {
            Outcome::Value(value) => Ok(value),
            Outcome::Improper => Err(improper("logits", &[rows.len()], at, rows.row(at))),
            Outcome::Empty => {
                let allowed = "a row with a finite logit among the teacher's classes";
                let position = Position(vec![at]);
                Err(Error::Value { argument: "logits", position, value: f64::NEG_INFINITY, allowed })
            }
            Outcome::Overflow => Err(Error::overflow::<E::Real>("logits", at)),
        }
    }
}
