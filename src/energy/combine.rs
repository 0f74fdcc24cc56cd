//! Sums of arrays with coefficients, which may differ from sample to sample.

use ndarray::{ArrayD, ArrayViewD, CowArray, IxDyn};

use crate::error::Position;
use crate::pointwise::Domain;
use crate::reduction::BLOCK;
use crate::{Error, Real, Result, check, parallel};

/// Blocks that make one job.
const JOB: usize = 64;

/// What is asked of infinities of both signs that meet.
const MEETING: &str = "finite where another term is infinite of the other sign";

/// Arrays of one shape under their names.
pub(super) struct Terms<'a, T> {
    pub(super) names: &'a [&'static str],
    pub(super) arrays: &'a [ArrayViewD<'a, T>],
    /// [`Domain::Finite`] or [`Domain::Extended`].
    pub(super) domain: Domain,
}

/// The coefficients of the terms in a sample, written to a slice of as many numbers as there are terms.
pub(super) type Coefficients<'a> = &'a (dyn Fn(usize, &mut [f64]) -> Result<()> + Sync);

impl<T: Real> Terms<'_, T> {
    /// `Σ c_k x_k`, where the array is cut into so many samples. A term of coefficient 0 is never looked at.
    pub(super) fn sum(&self, samples: usize, coefficients: Coefficients<'_>) -> Result<ArrayD<T>> {
        let shape = self.arrays[0].shape();
        for (name, array) in self.names.iter().zip(self.arrays) {
            check::shape(name, array.shape(), shape)?;
        }
        let packed: Vec<_> = self.arrays.iter().map(|array| array.as_standard_layout()).collect();
        let rows: Vec<&[T]> = packed.iter().map(slice).collect();
        let mut out = ArrayD::zeros(shape);
        let width = out.len() / samples.max(1);
        let bytes = (rows.len() + 1) * out.len() * size_of::<T>();
        let jobs = out.as_slice_mut().unwrap_or_default().chunks_mut(JOB * BLOCK).enumerate().collect();
        parallel::try_for_each(jobs, bytes, |(job, mut rest): (usize, &mut [T])| {
            let (mut start, mut factors) = (job * JOB * BLOCK, vec![0.0; rows.len()]);
            while !rest.is_empty() {
                let row = start / width;
                let piece;
                (piece, rest) = rest.split_at_mut(rest.len().min(BLOCK).min((row + 1) * width - start));
                coefficients(row, &mut factors)?;
                self.fill(&rows, start, &factors, piece)?;
                start += piece.len();
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// One block, of which every element must have a sum.
    fn fill(&self, rows: &[&[T]], start: usize, factors: &[f64], out: &mut [T]) -> Result<()> {
        for (row, &factor) in rows.iter().zip(factors).filter(|(_, factor)| **factor != 0.0) {
            let factor = T::from_f64(factor);
            out.iter_mut().zip(&row[start..]).for_each(|(out, &x)| *out += factor * x);
        }
        let is_good = |x: &T| x.is_finite() || (self.domain == Domain::Extended && !x.is_nan());
        match out.iter().position(|x| !x.is_finite()) {
            Some(_) => out.iter().enumerate().try_for_each(|(i, x)| {
                let is_finite = x.is_finite();
                if is_finite { Ok(()) } else { self.look(rows, start + i, factors, is_good(x)) }
            }),
            None => Ok(()),
        }
    }

    /// The second look at an element whose sum is not finite, but may be good.
    fn look(&self, rows: &[&[T]], at: usize, factors: &[f64], is_good: bool) -> Result<()> {
        let position = || Position::unravel(at, self.arrays[0].shape());
        let used = || self.names.iter().zip(rows).zip(factors).filter(|(_, factor)| **factor != 0.0);
        let wrong = |argument: &'static str, x: T, allowed| {
            Err(Error::Value { argument, position: position(), value: x.as_f64(), allowed })
        };
        if let Some(((name, row), _)) = used().find(|((_, row), _)| !self.domain.contains(row[at])) {
            return wrong(name, row[at], self.domain.words());
        }
        match used().find(|((_, row), _)| row[at].is_infinite()) {
            Some(_) if is_good => Ok(()),
            Some(((name, row), _)) => wrong(name, row[at], MEETING),
            None => Err(Error::overflow::<T>(self.names[0], position())),
        }
    }
}

/// The elements of an array in standard layout.
fn slice<'s, T>(array: &'s CowArray<'_, T, IxDyn>) -> &'s [T] {
    array.as_slice().unwrap_or_default()
}

/// [`Terms::sum`] with one set of coefficients, compiled for both types.
pub(super) fn weighted<T: Real>(
    names: &[&'static str],
    arrays: &[ArrayViewD<'_, T>],
    factors: &[f64],
    domain: Domain,
) -> Result<ArrayD<T>> {
    Terms { names, arrays, domain }.sum(1, &|_, to| {
        to.copy_from_slice(factors);
        Ok(())
    })
}
