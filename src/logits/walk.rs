//! The walk over rows that this room shares: fixed jobs, one number for each row, the first error in logical order.

use ndarray::{Array, ArrayRef, ArrayView1, Dimension};
use num_traits::Float;

use crate::error::Position;
use crate::rows::{self, BLOCK, Rows, RowsMut};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result, check, parallel};

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

    /// Gives each row with its place to `f` and collects what it returns; of the errors, the first by rows.
    pub(super) fn run(self, f: impl Fn(usize, Row<'_, E>) -> Result<f64> + Sync + Send) -> Result<Vec<f64>> {
        let per_job = rows::rows_per_job::<E>(self.classes());
        let elements = self.rows() * self.classes();
        let bytes = self.logits.as_ref().map_or(0, Rows::bytes)
            + self.out.as_ref().map_or(0, |_| elements * size_of::<E::Real>());
        let mut values = vec![0.0; self.rows()];
        let outs: Vec<Option<RowsMut<'_, E::Real>>> = match self.out {
            Some(out) => out.split(per_job).into_iter().map(Some).collect(),
            None => (0..values.len().div_ceil(per_job)).map(|_| None).collect(),
        };
        let (shape, logits) = (self.shape.as_slice(), self.logits.as_ref());
        let places = values.chunks_mut(per_job).zip(outs).enumerate();
        let jobs: Vec<_> =
            places.map(|(job, (values, out))| Job { first: job * per_job, shape, logits, values, out }).collect();
        parallel::try_for_each(jobs, bytes, |job| job.run(&f))?;
        Ok(values)
    }
}

/// Neighbouring rows, done one after the other.
struct Job<'j, 'a, E: Element> {
    first: usize,
    shape: &'j [usize],
    logits: Option<&'j Rows<'a, E>>,
    values: &'j mut [f64],
    out: Option<RowsMut<'a, E::Real>>,
}

impl<E: Element> Job<'_, '_, E> {
    fn run(self, f: &impl Fn(usize, Row<'_, E>) -> Result<f64>) -> Result<()> {
        let Self { first, shape, logits, values, out } = self;
        let rows = values.len();
        let mut result = Ok(());
        let mut visit = |i: usize, out: Option<&mut [E::Real]>| {
            if result.is_err() {
                return;
            }
            let index = first + i;
            let row = Row { index, shape, logits: logits.map(|rows| rows.row(index)), out };
            match f(index, row) {
                Ok(value) => values[i] = value,
                Err(error) => result = Err(error),
            }
        };
        match out {
            Some(out) => out.for_each(|i, row| visit(i, Some(row))),
            None => (0..rows).for_each(|i| visit(i, None)),
        }
        result
    }
}

/// One row. What is written holds the logits themselves after [`Row::sum`], ready to be transformed in place.
pub(super) struct Row<'r, E: Element> {
    index: usize,
    shape: &'r [usize],
    logits: Option<ArrayView1<'r, E>>,
    /// Where the result goes, if it has one.
    pub(super) out: Option<&'r mut [E::Real]>,
}

impl<E: Element> Row<'_, E> {
    /// Sums the exponentials; an error where they make no distribution.
    pub(super) fn sum(&mut self) -> Result<RowSum<E::Real>> {
        self.sum_by(RowSum::push)
    }

    /// Sums the exponentials and their first moment.
    pub(super) fn sum_with_moment(&mut self) -> Result<RowSum<E::Real>> {
        self.sum_by(RowSum::push_with_moment)
    }

    fn sum_by(&mut self, push: impl Fn(&mut RowSum<E::Real>, &[E::Real])) -> Result<RowSum<E::Real>> {
        let mut sum = RowSum::new();
        match (&self.logits, &mut self.out) {
            (Some(logits), Some(out)) => {
                let blocks = logits.axis_chunks_iter(ndarray::Axis(0), BLOCK);
                blocks.zip(out.chunks_mut(BLOCK)).for_each(|(from, to)| {
                    rows::copy(from, to);
                    push(&mut sum, to);
                });
            }
            _ => self.for_each_block(|block| push(&mut sum, block)),
        }
        if sum.is_proper() { Ok(sum) } else { Err(self.fault()) }
    }

    /// Gives the logits, block by block, to `f`. Not after they have been replaced.
    pub(super) fn for_each_block(&self, f: impl FnMut(&[E::Real])) {
        match (&self.out, &self.logits) {
            (Some(out), None) => out.chunks(BLOCK).for_each(f),
            (_, Some(logits)) => rows::for_each_block(*logits, f),
            (None, None) => {}
        }
    }

    /// The logit of a class. Not after it has been replaced.
    pub(super) fn logit(&self, class: usize) -> E::Real {
        match (&self.logits, &self.out) {
            (Some(logits), _) => logits[class].real(),
            (None, Some(out)) => out[class],
            (None, None) => E::Real::nan(),
        }
    }

    /// A row that takes no part: nothing is read, the result is zero.
    pub(super) fn skip(self) -> f64 {
        if let Some(out) = self.out {
            out.fill(num_traits::Zero::zero());
        }
        0.0
    }

    /// The finite logits of this row lead out of the range of the type.
    pub(super) fn overflow(&self) -> Error {
        Error::overflow::<E::Real>("logits", self.position(None))
    }

    /// What makes the row improper.
    fn fault(&self) -> Error {
        let leading = &self.shape[..self.shape.len() - 1];
        match (&self.out, &self.logits) {
            (_, Some(logits)) => rows::improper("logits", leading, self.index, *logits),
            (Some(out), None) => rows::improper("logits", leading, self.index, ArrayView1::from(&**out)),
            (None, None) => self.overflow(),
        }
    }

    /// The place of the row, or of one of its classes, in the array.
    pub(super) fn position(&self, class: Option<usize>) -> Position {
        let mut position = Position::unravel(self.index, &self.shape[..self.shape.len() - 1]);
        position.0.extend(class);
        position
    }
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
