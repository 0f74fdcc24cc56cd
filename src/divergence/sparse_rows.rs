//! The rows of a student beside those of a sparse teacher.

use ndarray::ArrayViewMutD;

use super::sparse_row::{Logits, Outcome, Scratch, SparseSum, row};
use super::sparse_teacher::{Teacher, TeacherRows};
use crate::error::Position;
use crate::logits::{LogitTransform, Map};
use crate::reduction::AnyReduction;
use crate::rowwise::{RowReader, RowsMut, improper_row};
use crate::{Error, Real, Reduction, Result};

/// The student's side.
pub(crate) struct Student<'a, T> {
    pub(super) logits: Result<Box<dyn RowReader<T> + 'a>>,
    pub(super) transform: LogitTransform,
}

/// Arguments of one call, checked.
struct SparseRows<'r, 'd, 't, T> {
    divergence: SparseSum<'d>,
    teacher: TeacherRows<'t>,
    logits: &'r dyn RowReader<T>,
    map: Option<Map<T>>,
}

/// The divergence of each row, and the gradient of the reduced one where there is an output.
pub(super) fn run<T: Real>(
    divergence: SparseSum<'_>,
    teacher: Teacher<'_>,
    student: Student<'_, T>,
    reduction: AnyReduction<'_, T>,
    mut out: Option<ArrayViewMutD<'_, T>>,
) -> Result<Vec<f64>> {
    student.transform.check()?;
    let logits = student.logits?;
    let teacher = teacher.check(logits.len())?;
    let reduction = reduction.get();
    reduction.check(&[logits.len()])?;
    let mean = match reduction {
        Reduction::Mean if logits.len() == 0 => return Err(Error::NothingToAverage { argument: "logits" }),
        Reduction::Mean => (logits.len() as f64).recip(),
        Reduction::Sum | Reduction::Weighted(_) => 1.0,
    };
    let weights = reduction.weights();
    let scale = |row: usize| weights.as_ref().map_or(mean, |weights| weights[row].as_f64());
    let shape = [logits.len(), logits.width()];
    let out = out.as_mut().map(|out| RowsMut::new("out", out, &shape)).transpose()?;
    let mut values = vec![0.0; logits.len()];
    let scratch = || Scratch::new(logits.width());
    let all = SparseRows { divergence, teacher, map: student.transform.map(), logits: &*logits };
    logits.jobs(1).each_row(&mut values, [out], scratch, |scratch, at, value, [out]| {
        *value = all.row(at, scale(at), out, scratch)?;
        Ok(())
    })?;
    Ok(values)
}

impl<T: Real> SparseRows<'_, '_, '_, T> {
    fn row(&self, at: usize, scale: f64, out: Option<&mut [T]>, scratch: &mut Scratch<T>) -> Result<f64> {
        if scale == 0.0 {
            out.into_iter().for_each(|out| out.fill(T::zero()));
            return Ok(0.0);
        }
        self.teacher.read(at, self.logits.width(), self.divergence.tail, &mut scratch.teacher)?;
        let outcome = match self.map {
            None => row(&self.divergence, Logits::Stored(self.logits, at), scratch, out, scale),
            Some(map) => self.transformed((at, map), scratch, out, scale),
        };
        match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Improper => Err(improper_row("logits", &[self.logits.len()], at, self.logits)),
            Outcome::Empty => {
                let allowed = "a row with a finite logit among the teacher's classes";
                let position = Position(vec![at]);
                Err(Error::Value { argument: "logits", position, value: f64::NEG_INFINITY, allowed })
            }
            Outcome::OneSided(class) => Err(self.one_sided(at, class)),
            Outcome::Overflow => Err(Error::overflow::<T>("logits", at)),
        }
    }

    /// A row of logits that go through a map, with the gradient in the logits as they came.
    fn transformed(
        &self,
        (at, map): (usize, Map<T>),
        scratch: &mut Scratch<T>,
        mut out: Option<&mut [T]>,
        scale: f64,
    ) -> Outcome {
        let [mut images, mut slopes] = std::mem::take(&mut scratch.images);
        images.resize(self.logits.width(), T::zero());
        self.logits.copy(at, 0..self.logits.width(), &mut images);
        let is_wrong = images.iter().any(|x| x.is_nan() || *x == T::infinity());
        let mut fits = is_wrong; // which the row itself finds
        if out.is_some() && map.has_slopes() {
            slopes.resize(images.len(), T::zero());
            fits |= map.apply_with_slopes(&mut images, &mut slopes);
        } else {
            fits |= map.apply(&mut images);
        }
        let to = out.as_deref_mut();
        let mut outcome = row(&self.divergence, Logits::Images(&images), scratch, to, scale);
        if let (Some(out), Outcome::Value(_)) = (&mut out, &outcome) {
            images.copy_from_slice(out);
            fits &= map.chain(&mut images, &slopes);
            out.copy_from_slice(&images);
        }
        scratch.images = [images, slopes];
        if !fits {
            outcome = Outcome::Overflow;
        }
        outcome
    }

    /// The error about a class that the teacher or the student alone has: at the teacher's log-probability if it gives the
    /// class as one that it has not, else at the logit.
    fn one_sided(&self, row: usize, class: usize) -> Error {
        let logit = self.logits.at(row, class).as_f64();
        if logit.is_infinite() {
            let (position, allowed) =
                (Position(vec![row, class]), "a class of both sides, or the gradient is infinite");
            return Error::Value { argument: "logits", position, value: logit, allowed };
        }
        let mut indices = Vec::new();
        self.teacher.indices.read(row, &mut indices);
        match indices.iter().position(|index| *index == class as i64) {
            Some(k) => {
                let (position, allowed) =
                    (Position(vec![row, k]), "a class of both sides, or the gradient is infinite");
                Error::Value { argument: "log_probs", position, value: f64::NEG_INFINITY, allowed }
            }
            None => {
                let allowed = "-inf where the teacher has no mass, or the gradient is infinite";
                Error::Value { argument: "logits", position: Position(vec![row, class]), value: logit, allowed }
            }
        }
    }
}
