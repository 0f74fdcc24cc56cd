//! The walk over rows that this room shares: fixed jobs, one number for each row, the first error in logical order.

use ndarray::{Array, ArrayRef, Dimension};

use super::kernel::RowKernel;
use super::piece::{Pass, Scratch};
use super::tiles;
use crate::rows::{self, Rows, RowsMut};
use crate::{Element, Error, Real, Result, check, parallel};

/// Outputs of so many bytes leave the last-level cache before they are read again: stores go past it.
const STREAM: usize = 32 << 20;

/// Fewer rows than this, if long, are split over their classes to give every thread something to do.
const FEW_ROWS: usize = 8;

/// Logits, or where the result of each row goes, or both.
pub(super) struct Walk<'a, E: Element> {
    shape: Vec<usize>,
    logits: Option<Rows<'a, E>>,
    out: Option<RowsMut<'a, E::Real>>,
}

impl<'a, E: Element> Walk<'a, E> {
    /// Reads the rows.
    pub(super) fn over<D: Dimension>(logits: &'a ArrayRef<E, D>) -> Result<Self> {
        Ok(Self { shape: logits.shape().to_vec(), logits: Some(Rows::new("logits", logits)?), out: None })
    }

    /// Writes a row of the same length for each.
    pub(super) fn into<D: Dimension>(mut self, out: &'a mut ArrayRef<E::Real, D>) -> Result<Self> {
        self.out = Some(RowsMut::new("out", out, &self.shape)?);
        Ok(self)
    }

    /// Replaces the rows.
    pub(super) fn in_place<D: Dimension>(logits: &'a mut ArrayRef<E::Real, D>) -> Result<Self> {
        let shape = logits.shape().to_vec();
        match shape.last() {
            None | Some(0) => Err(Error::Empty { argument: "logits" }),
            Some(_) => Ok(Self { logits: None, out: Some(RowsMut::new("logits", logits, &shape)?), shape }),
        }
    }

    /// The shape of the logits without its last axis: one number for each row.
    pub(super) fn leading(&self) -> &[usize] {
        &self.shape[..self.shape.len() - 1]
    }

    /// The shape of the logits.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Length of each row.
    pub(super) fn classes(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.leading().iter().product()
    }

    /// The number of each row; of the errors, the first by rows.
    pub(super) fn run(self, kernel: &impl RowKernel<E>) -> Result<Vec<f64>> {
        let per_job = rows::rows_per_job::<E>(self.classes());
        let mut values = vec![0.0; self.rows()];
        let jobs = values.chunks_mut(per_job).enumerate();
        let jobs = jobs.map(|(job, values)| (job * per_job, Sink::Each(values))).collect();
        self.jobs(kernel, jobs, &|_, _| ())?;
        Ok(values)
    }

    /// What `fold` makes of the numbers of each job, given the place of the first; jobs are fixed. Nothing is allocated
    /// that grows with the rows but what `fold` returns.
    pub(super) fn fold<R: Clone + Default + Send>(
        self,
        kernel: &impl RowKernel<E>,
        fold: impl Fn(usize, &mut [f64]) -> R + Sync,
    ) -> Result<Vec<R>> {
        let (rows, per_job) = (self.rows(), rows::rows_per_job::<E>(self.classes()));
        let mut results = vec![R::default(); rows.div_ceil(per_job)];
        let jobs = results.iter_mut().enumerate().map(|(job, result)| {
            let first = job * per_job;
            (first, Sink::Folded { rows: per_job.min(rows - first), result })
        });
        let jobs = jobs.collect();
        self.jobs(kernel, jobs, &fold)?;
        Ok(results)
    }

    fn jobs<R: Send>(
        self,
        kernel: &impl RowKernel<E>,
        jobs: Vec<(usize, Sink<'_, R>)>,
        fold: &(impl Fn(usize, &mut [f64]) -> R + Sync),
    ) -> Result<()> {
        let per_job = rows::rows_per_job::<E>(self.classes());
        let output = self.out.as_ref().map_or(0, |_| self.rows() * self.classes() * size_of::<E::Real>());
        let bytes = self.logits.as_ref().map_or(0, Rows::bytes) + output;
        let is_split = self.rows() < FEW_ROWS;
        let streams = self.logits.is_some() && output >= STREAM;
        let outs: Vec<Option<RowsMut<'_, E::Real>>> = match self.out {
            Some(out) => out.split(per_job).into_iter().map(Some).collect(),
            None => jobs.iter().map(|_| None).collect(),
        };
        let pass = Pass { shape: &self.shape, logits: self.logits.as_ref(), kernel, is_split, streams };
        let jobs: Vec<_> = jobs.into_iter().zip(outs).collect();
        let bytes = if is_split { 0 } else { bytes }; // else each row is run by all threads
        parallel::try_for_each_with(jobs, bytes, Scratch::default, |scratch, ((first, sink), out)| match sink {
            Sink::Each(values) => job(&pass, first, values, out, scratch),
            Sink::Folded { rows, result } => {
                let mut values = std::mem::take(&mut scratch.values);
                values.clear();
                values.resize(rows, 0.0);
                let outcome = job(&pass, first, &mut values, out, scratch);
                *result = fold(first, &mut values);
                scratch.values = values;
                outcome
            }
        })
    }
}

/// Where the numbers of neighbouring rows go.
enum Sink<'s, R> {
    Each(&'s mut [f64]),
    Folded { rows: usize, result: &'s mut R },
}

/// Neighbouring rows, done one after the other, or by tiles where they are short.
fn job<E: Element, K: RowKernel<E>>(
    pass: &Pass<'_, '_, E, K>,
    first: usize,
    values: &mut [f64],
    out: Option<RowsMut<'_, E::Real>>,
    scratch: &mut Scratch<E::Real>,
) -> Result<()> {
    if tiles::fit(pass) {
        return tiles::job(pass, first, values, out, scratch);
    }
    let (rows, mut result) = (values.len(), Ok(()));
    let mut visit = |i: usize, out: Option<&mut [E::Real]>, scratch: &mut Scratch<E::Real>| {
        if result.is_ok() {
            match pass.row(first + i, out, scratch) {
                Ok(value) => values[i] = value,
                Err(error) => result = Err(error),
            }
        }
    };
    match out {
        Some(out) => out.for_each(|i, row| visit(i, Some(row), scratch)),
        None => (0..rows).for_each(|i| visit(i, None, scratch)),
    }
    result
}

/// One number for each row in the shape that they have without the last axis, rounded once.
pub(super) fn by_row<T: Real, D: Dimension>(values: &[f64], leading: &[usize]) -> Array<T, D> {
    let mut result = zeros(leading);
    result.iter_mut().zip(values).for_each(|(to, &value)| *to = T::of(value));
    result
}

/// Zeros of a shape whose number of axes fits the dimension.
pub(super) fn zeros<T: Real, D: Dimension>(shape: &[usize]) -> Array<T, D> {
    let mut dim = D::zeros(shape.len());
    dim.slice_mut().copy_from_slice(shape);
    Array::zeros(dim)
}

/// Checks the shape of an argument that has one entry for each row.
pub(super) fn check_leading<E: Element>(argument: &'static str, got: &[usize], walk: &Walk<'_, E>) -> Result<()> {
    check::shape(argument, got, walk.leading())
}
