//! Divergences from a teacher that gives some classes of each position.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, ArrayView1, ArrayViewMut1, Axis, RemoveAxis};
use num_traits::{Float, Zero};

use super::objective::{by_row, reduced, sum_count, weights_of};
use super::sparse_row::{Outcome, Scratch, row};
use super::{ClassDivergence, SparseTeacher, Tail};
use crate::error::Position;
use crate::logits::{LogitTransform, Map};
use crate::rows::{self, Rows, RowsMut, improper, rows_per_job};
use crate::{Element, Error, Real, Reduction, Result, SumCount, Target, parallel};

/// A divergence `D(p ‖ q)` of a student `q` from a teacher `p` of which only some classes are known.
///
/// The student's logits are `[N, V]`, the teacher a [`SparseTeacher`] of `[N, K]`; the gradient is in the logits as they came,
/// before the transform. A temperature is of the student alone: the log-probabilities of the teacher are taken as they are.
/// [`Tail`] says what is with the other classes. With [`Tail::Bucket`] and the probabilities `π = 1 - Σ_k p_k`, `ς` outside,
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
///   weight is not finite or below zero; a gradient is asked for that is infinite since a class is of one side alone, and
///   then the class is named at the side that has it not, or at the logits where the teacher's tail is cut.
/// - [`Error::Empty`]: no classes, or none given. [`Error::NothingToAverage`]: a mean over no rows.
/// - [`Error::Overflow`]: a divergence, a gradient, or the quotient by a temperature that does not fit the type.
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
    /// What becomes of the classes that are not given. Default [`Tail::Bucket`].
    pub tail: Tail,
    /// Temperature and soft cap of the student's logits. Default none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub transform: LogitTransform,
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
    pub fn value<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
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
    pub fn each<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
    ) -> Result<Array1<E::Real>> {
        Ok(by_row(&self.run(teacher, logits, Reduction::Sum, None)?, logits.raw_dim().remove_axis(Axis(1))))
    }

    /// The divergence of each row that the mask keeps; the others are 0 and never looked at.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`]; [`Error::Shape`] for a mask of another shape.
    pub fn each_masked<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        mask: &ArrayRef1<bool>,
    ) -> Result<Array1<E::Real>> {
        let weights = weights_of(mask, &[logits.nrows()])?;
        Ok(by_row(&self.run(teacher, logits, Reduction::Weighted(&weights), None)?, weights.raw_dim()))
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
        sum_count(&self.run(teacher, logits, Reduction::Sum, None)?, logits.nrows(), "logits")
    }

    /// The sum over the rows that the mask keeps and their number.
    ///
    /// # Errors
    ///
    /// See [`SparseDivergence`]; [`Error::Shape`] for a mask of another shape.
    pub fn sum_count_masked<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        mask: &ArrayRef1<bool>,
    ) -> Result<SumCount> {
        let weights = weights_of(mask, &[logits.nrows()])?;
        let values = self.run(teacher, logits, Reduction::Weighted(&weights), None)?;
        sum_count(&values, mask.iter().filter(|keep| **keep).count(), "logits")
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
        let mut gradient = Array2::from_elem(logits.raw_dim(), E::Real::zero());
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
        reduced(self.run(teacher, logits, reduction, Some(out))?, reduction)
    }

    fn run<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
        logits: &ArrayRef2<E>,
        reduction: Reduction<'_, E::Real>,
        out: Option<&mut ArrayRef2<E::Real>>,
    ) -> Result<Vec<f64>> {
        self.divergence.check()?;
        self.transform.check()?;
        let rows = Rows::new("logits", logits)?;
        teacher.check(rows.len())?;
        reduction.check(&[rows.len()])?;
        let mean = match reduction {
            Reduction::Mean if rows.len() == 0 => return Err(Error::NothingToAverage { argument: "logits" }),
            Reduction::Mean => (rows.len() as f64).recip(),
            Reduction::Sum | Reduction::Weighted(_) => 1.0,
        };
        let weights = reduction.weights();
        let scale = |row: usize| weights.as_ref().map_or(mean, |weights| weights[row].as_f64());
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

    fn row<E: Element, P: Element, I: Target>(
        &self,
        teacher: SparseTeacher<'_, P, I>,
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
        let outcome = match self.transform.map::<E::Real>() {
            None => row(&self.divergence, self.tail, rows.row(at), scratch, out, scale),
            Some(map) => self.transformed((rows.row(at), map), scratch, out, scale),
        };
        match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Improper => Err(improper("logits", &[rows.len()], at, rows.row(at))),
            Outcome::Empty => {
                let allowed = "a row with a finite logit among the teacher's classes";
                let position = Position(vec![at]);
                Err(Error::Value { argument: "logits", position, value: f64::NEG_INFINITY, allowed })
            }
            Outcome::OneSided(class) => Err(one_sided(teacher, rows.row(at), at, class)),
            Outcome::Overflow => Err(Error::overflow::<E::Real>("logits", at)),
        }
    }

    /// A row of logits that go through a map, with the gradient in the logits as they came.
    fn transformed<E: Element>(
        &self,
        (logits, map): (ArrayView1<'_, E>, Map<E::Real>),
        scratch: &mut Scratch<E::Real>,
        mut out: Option<ArrayViewMut1<'_, E::Real>>,
        scale: f64,
    ) -> Outcome {
        let [mut images, mut slopes] = std::mem::take(&mut scratch.images);
        images.resize(logits.len(), E::Real::zero());
        rows::copy(logits, &mut images);
        let is_wrong = images.iter().any(|x| x.is_nan() || *x == E::Real::infinity());
        let mut fits = is_wrong; // which the row itself finds
        if out.is_some() && map.has_slopes() {
            slopes.resize(images.len(), E::Real::zero());
            fits |= map.apply_with_slopes(&mut images, &mut slopes);
        } else {
            fits |= map.apply(&mut images);
        }
        let to = out.as_mut().map(|out| out.view_mut());
        let mut outcome = row(&self.divergence, self.tail, ArrayView1::from(&images), scratch, to, scale);
        if let (Some(out), Outcome::Value(_)) = (&mut out, &outcome) {
            rows::copy(out.view(), &mut images);
            fits &= map.chain(&mut images, &slopes);
            out.assign(&ArrayView1::from(&images));
        }
        scratch.images = [images, slopes];
        if !fits {
            outcome = Outcome::Overflow;
        }
        outcome
    }
}

/// The error about a class that the teacher or the student alone has: at the teacher's log-probability if it gives the class
/// as one that it has not, else at the logit.
fn one_sided<E: Element, P: Element, I: Target>(
    teacher: SparseTeacher<'_, P, I>,
    logits: ArrayView1<'_, E>,
    row: usize,
    class: usize,
) -> Error {
    let logit = logits[class].real().as_f64();
    if logit.is_infinite() {
        let (position, allowed) = (Position(vec![row, class]), "a class of both sides, or the gradient is infinite");
        return Error::Value { argument: "logits", position, value: logit, allowed };
    }
    match teacher.indices.row(row).iter().position(|index| index.index() == class as i64) {
        Some(k) => {
            let (position, allowed) = (Position(vec![row, k]), "a class of both sides, or the gradient is infinite");
            Error::Value { argument: "log_probs", position, value: f64::NEG_INFINITY, allowed }
        }
        None => {
            let allowed = "-inf where the teacher has no mass, or the gradient is infinite";
            Error::Value { argument: "logits", position: Position(vec![row, class]), value: logit, allowed }
        }
    }
}
