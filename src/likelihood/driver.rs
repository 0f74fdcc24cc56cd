//! What all elementwise densities share: from arrays of any layout to value and gradient.
//!
//! Elements go through a density in logical order, in blocks that stay in the first-level cache. A kernel marks what is
//! wrong (an argument outside its domain, a result that overflows) by a loss of NaN: the sum of the block then tells,
//! at no cost, and the error is worked out from the first NaN in the block.

use std::marker::PhantomData;

use ndarray::{Array, ArrayRef, ArrayViewMut, CowArray, Dimension};

use super::Density;
use super::kernel::{self, Losses, Slopes, Weigh};
use crate::error::Position;
use crate::reduction::{BLOCK, pairwise, to_real, total_of};
use crate::simd::dispatch;
use crate::{Error, Real, Reduction, Result, SumCount, check, parallel};

/// Elements that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 16 * BLOCK;

/// The reduced loss.
pub(super) fn value<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
) -> Result<T> {
    Batch::<L, T, D, N, G>::new(arrays, reduction)?.value(Out::Nothing)
}

/// The sum and the number of the losses.
pub(super) fn sum_count<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
) -> Result<SumCount> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, Reduction::Sum)?;
    Ok(SumCount { sum: batch.run(Out::Nothing)?, count: batch.len() as f64 })
}

/// One loss for each element.
pub(super) fn each<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
) -> Result<Array<T, D>> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, Reduction::Sum)?;
    let mut losses = Array::zeros(batch.columns[0].raw_dim());
    batch.run(Out::Each(losses.as_slice_mut().unwrap_or_default()))?;
    Ok(losses)
}

/// The reduced loss and its gradient, in fresh arrays.
pub(super) fn grad<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
) -> Result<(T, [Array<T, D>; G])> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, reduction)?;
    let mut gradients: [_; G] = std::array::from_fn(|_| Array::zeros(batch.columns[0].raw_dim()));
    let value = batch.value(Out::Grad(gradients.each_mut().map(|array| array.as_slice_mut().unwrap_or_default())))?;
    Ok((value, gradients))
}

/// The reduced loss, its gradient written to these arrays, which have these names.
pub(super) fn grad_into<L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize>(
    arrays: [&ArrayRef<T, D>; N],
    reduction: Reduction<T, D>,
    names: [&'static str; G],
    mut out: [ArrayViewMut<T, D>; G],
) -> Result<T> {
    let batch = Batch::<L, T, D, N, G>::new(arrays, reduction)?;
    for (name, out) in names.into_iter().zip(&out) {
        check::shape(name, out.shape(), batch.columns[0].shape())?;
    }
    if out.iter_mut().all(|out| out.as_slice_mut().is_some()) {
        return batch.value(Out::Grad(out.each_mut().map(|out| out.as_slice_mut().unwrap_or_default())));
    }
    let (value, gradients) = grad::<L, T, D, N, G>(arrays, reduction)?;
    out.iter_mut().zip(&gradients).for_each(|(out, gradient)| out.assign(gradient));
    Ok(value)
}

/// What a run writes besides the sum, as elements in logical order.
enum Out<'a, T, const G: usize> {
    Nothing,
    Each(&'a mut [T]),
    Grad([&'a mut [T]; G]),
}

impl<T, const G: usize> Out<'_, T, G> {
    /// Cuts off the part that belongs to the first `len` elements.
    fn take(&mut self, len: usize) -> Self {
        fn cut<'a, T>(slice: &mut &'a mut [T], len: usize) -> &'a mut [T] {
            slice.split_off_mut(..len).unwrap_or_default()
        }
        match self {
            Self::Nothing => Self::Nothing,
            Self::Each(losses) => Self::Each(cut(losses, len)),
            Self::Grad(slopes) => Self::Grad(slopes.each_mut().map(|column| cut(column, len))),
        }
    }
}

/// The arguments of a call, of one shape and contiguous: strided ones have been copied.
struct Batch<'a, L, T, D: Dimension, const N: usize, const G: usize> {
    columns: [CowArray<'a, T, D>; N],
    weights: Option<CowArray<'a, T, D>>,
    mean: bool,
    density: PhantomData<L>,
}

impl<'a, L: Density<N, G>, T: Real, D: Dimension, const N: usize, const G: usize> Batch<'a, L, T, D, N, G> {
    fn new(arrays: [&'a ArrayRef<T, D>; N], reduction: Reduction<'a, T, D>) -> Result<Self> {
        let shape = arrays[0].shape();
        for ((name, _), array) in L::ARGUMENTS.into_iter().zip(arrays) {
            check::shape(name, array.shape(), shape)?;
        }
        reduction.check(shape)?;
        let weights =
            if let Reduction::Weighted(weights) = reduction { Some(weights.as_standard_layout()) } else { None };
        let columns = arrays.map(|array| array.as_standard_layout());
        Ok(Self { columns, weights, mean: matches!(reduction, Reduction::Mean), density: PhantomData })
    }

    fn len(&self) -> usize {
        self.columns[0].len()
    }

    /// The reduced loss, in the type of the data.
    fn value(&self, out: Out<'_, T, G>) -> Result<T> {
        if self.mean && self.len() == 0 {
            return Err(Error::NothingToAverage { argument: L::ARGUMENTS[0].0 });
        }
        let sum = self.run(out)?;
        to_real(if self.mean { sum / self.len() as f64 } else { sum }, L::ARGUMENTS[0].0, Position::default())
    }

    /// The sum of the weighted losses; gradients come out with the weights and the denominator in them.
    fn run(&self, mut out: Out<'_, T, G>) -> Result<f64> {
        let n = self.len();
        let mut sums = vec![0.0; n.div_ceil(BLOCK)];
        let piece = |(job, sums)| (job * JOB, sums, out.take(JOB.min(n - job * JOB)));
        let jobs = sums.chunks_mut(JOB / BLOCK).enumerate().map(piece).collect();
        parallel::try_for_each(jobs, n * (N + G) * size_of::<T>(), |(start, sums, out)| self.job(start, sums, out))?;
        if sums.contains(&f64::INFINITY) {
            return Ok(f64::INFINITY); // an element is: where finite ones overflow there is an error instead
        }
        total_of(&sums, pairwise(&sums), L::ARGUMENTS[0].0)
    }

    /// The blocks from `start` on, one for each place in `sums`.
    fn job(&self, start: usize, sums: &mut [f64], mut out: Out<'_, T, G>) -> Result<()> {
        let mut scratch = [T::zero(); BLOCK];
        for (from, sum) in (start..self.len()).step_by(BLOCK).zip(sums) {
            let len = BLOCK.min(self.len() - from);
            let found = self.block(from, out.take(len), &mut scratch[..len]);
            *sum = found.map_err(|at| self.explain(from + at))?;
        }
        Ok(())
    }

    /// The sum of one block, or the place of what is wrong in it.
    fn block(&self, start: usize, out: Out<'_, T, G>, scratch: &mut [T]) -> Result<f64, usize> {
        let part = |column| &slice(column)[start..][..scratch.len()];
        let (density, points) = (self.density, self.columns.each_ref().map(part));
        let weights = self.weights.as_ref().map(part);
        let (losses, mut slopes) = match out {
            Out::Nothing => (scratch, None),
            Out::Each(losses) => (losses, None),
            Out::Grad(slopes) => (scratch, Some(slopes)),
        };
        match reborrow(&mut slopes) {
            None => dispatch(Losses { density, points, losses }),
            Some(slopes) => dispatch(Slopes { density, points, scale: self.scale(), losses, slopes }),
        }
        if let Some(weights) = weights {
            dispatch(Weigh { weights, losses, slopes: reborrow(&mut slopes) });
        }
        kernel::sum(losses)
    }

    /// What every derivative is multiplied by.
    fn scale(&self) -> T {
        if self.mean { T::from_f64(self.len() as f64).recip() } else { T::one() }
    }

    /// The error at an element whose loss came out as NaN.
    fn explain(&self, flat: usize) -> Error {
        let position = Position::unravel(flat, self.columns[0].shape());
        for ((argument, domain), column) in L::ARGUMENTS.into_iter().zip(&self.columns) {
            let x = slice(column)[flat];
            if !domain.contains(x) {
                return Error::Value { argument, position, value: x.as_f64(), allowed: domain.words() };
            }
        }
        Error::overflow::<T>(L::ARGUMENTS[0].0, position)
    }
}

/// The elements of a column in logical order.
fn slice<'s, T, D: Dimension>(column: &'s CowArray<'_, T, D>) -> &'s [T] {
    column.as_slice().unwrap_or_default()
}

fn reborrow<'s, T, const G: usize>(slopes: &'s mut Option<[&mut [T]; G]>) -> Option<[&'s mut [T]; G]> {
    slopes.as_mut().map(|slopes| slopes.each_mut().map(|column| &mut **column))
}

#[cfg(test)]
mod tests;
