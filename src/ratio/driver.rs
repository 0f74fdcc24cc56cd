//! From a kernel for one log-ratio to a pass over one side: blocks, weights, sums, threads.
//!
//! A side is cut into jobs of a fixed number of blocks. The loss fills scratch for a block, which is then weighted,
//! summed and written out; block sums are added pairwise in order, so that neither threads nor layout change a bit.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayViewMut1, Axis};

use super::kernel::Block;
use crate::error::Position;
use crate::ratio::RatioOut;
use crate::reduction::{self, BLOCK};
use crate::simd::{self, mul_or_zero_all};
use crate::{Error, Real, Reduction, Result, check as require, parallel, rows};

/// Samples that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 32 * BLOCK;

/// Which samples the ratios are of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side {
    Real,
    Fake,
}

/// How the arguments of a side are called in errors.
struct Names {
    ratios: &'static str,
    weights: &'static str,
    out: &'static str,
}

impl Side {
    fn names(self) -> Names {
        match self {
            Self::Real => Names { ratios: "real", weights: "weights.real", out: "out.real" },
            Self::Fake => Names { ratios: "fake", weights: "weights.fake", out: "out.fake" },
        }
    }
}

/// Everything that can be wrong before a ratio is looked at.
pub(super) fn check<T: Real>(
    side: Side,
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    out: &RatioOut<'_, T>,
) -> Result<()> {
    let names = side.names();
    reduction.check_as(names.weights, ratios.shape())?;
    if let RatioOut::Each(out) | RatioOut::Grad(out) = out {
        require::shape(names.out, out.shape(), ratios.shape())?;
    }
    match reduction {
        Reduction::Mean if ratios.is_empty() => Err(Error::NothingToAverage { argument: names.ratios }),
        _ => Ok(()),
    }
}

/// The reduced loss of one side whose arguments have been checked.
pub(super) fn run<T: Real>(
    block: &dyn Block<T>,
    side: Side,
    ratios: ArrayView1<'_, T>,
    reduction: Reduction<'_, T>,
    mut out: RatioOut<'_, T>,
) -> Result<f64> {
    let n = ratios.len();
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, 1.0),
        Reduction::Mean => (None, (n as f64).recip()),
        Reduction::Weighted(weights) => (Some(weights.view()), 1.0),
    };
    let pass = Pass { block, side, ratios, weights, factor: T::from_f64(factor) };
    let mut sums = vec![0.0; n.div_ceil(BLOCK)];
    let jobs = sums.chunks_mut(JOB / BLOCK).zip(pieces(&mut out, JOB, n)).enumerate().collect();
    parallel::try_for_each(jobs, 2 * n * size_of::<T>(), |(job, (sums, out))| {
        pass.job(job * JOB..n.min((job + 1) * JOB), sums, out)
    })?;
    reduction::total_of(&sums, reduction::pairwise(&sums) * factor, side.names().ratios)
}

/// What all jobs of a side share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    side: Side,
    ratios: ArrayView1<'a, T>,
    weights: Option<ArrayView1<'a, T>>,
    factor: T,
}

impl<T: Real> Pass<'_, T> {
    /// The blocks of these samples, one after the other.
    fn job(&self, at: Range<usize>, sums: &mut [f64], mut out: RatioOut<'_, T>) -> Result<()> {
        let [mut ratios, mut weights, mut loss, mut slope] =
            std::array::from_fn(|_| vec![T::zero(); BLOCK.min(at.len())]);
        let starts = at.clone().step_by(BLOCK);
        for ((from, sum), mut out) in starts.zip(sums).zip(pieces(&mut out, BLOCK, at.len())) {
            let at = from..at.end.min(from + BLOCK);
            let (loss, slope) = (&mut loss[..at.len()], &mut slope[..at.len()]);
            let ratios = rows::part(self.ratios, at.clone(), &mut ratios);
            let weights = self.weights.map(|all| rows::part(all, at, &mut weights));
            match &mut out {
                RatioOut::Nothing => self.block.losses(self.side, ratios, loss),
                RatioOut::Each(out) => {
                    self.block.losses(self.side, ratios, loss);
                    write(loss, out);
                }
                RatioOut::Grad(out) => {
                    self.block.slopes(self.side, ratios, loss, slope);
                    self.scale(slope, weights);
                    write(slope, out);
                }
            }
            if let Some(weights) = weights {
                mul_or_zero_all(loss, weights);
            }
            *sum = simd::sum(loss).as_f64();
            if !(sum.is_finite() && simd::sum(slope).is_finite()) {
                let exact = self.inspect(from, ratios, loss, slope)?;
                // Where only slopes are large the sum stays, so that a value has the same bits without a gradient.
                *sum = if sum.is_finite() { *sum } else { exact };
            }
        }
        Ok(())
    }

    /// From the slope of a sample to that of the reduced loss.
    fn scale(&self, slope: &mut [T], weights: Option<&[T]>) {
        match weights {
            Some(weights) => mul_or_zero_all(slope, weights),
            None => slope.iter_mut().for_each(|slope| *slope *= self.factor),
        }
    }

    /// The sum of a block that holds something that is not finite, or what is wrong with it. Where a weight has selected
    /// a sample away, its loss and slope are zero by now.
    fn inspect(&self, from: usize, ratios: &[T], loss: &[T], slope: &[T]) -> Result<f64> {
        for (i, ((ratio, loss), slope)) in ratios.iter().zip(loss).zip(slope).enumerate() {
            let limit = *loss == T::infinity() && ratio.is_infinite();
            if (loss.is_finite() || limit) && slope.is_finite() {
                continue;
            }
            let position = Position::from(from + i);
            if !ratio.is_nan() {
                return Err(self.overflow(position));
            }
            return Err(Error::Value {
                argument: self.side.names().ratios,
                position,
                value: f64::NAN,
                allowed: "not NaN",
            });
        }
        let mut sum = 0.0;
        for (i, loss) in loss.iter().enumerate() {
            if loss.is_finite() && f64::is_finite(sum) && !(sum + loss.as_f64()).is_finite() {
                return Err(self.overflow(Position::from(from + i)));
            }
            sum += loss.as_f64();
        }
        Ok(sum)
    }

    fn overflow(&self, position: Position) -> Error {
        Error::overflow::<T>(self.side.names().ratios, position)
    }
}

fn write<T: Real>(values: &[T], out: &mut ArrayViewMut1<'_, T>) {
    match out.as_slice_mut() {
        Some(out) => out.copy_from_slice(values),
        None => out.iter_mut().zip(values).for_each(|(to, from)| *to = *from),
    }
}

/// Cuts an output for `n` samples into pieces of `size`, the last one shorter.
fn pieces<'o, T>(out: &'o mut RatioOut<'_, T>, size: usize, n: usize) -> Vec<RatioOut<'o, T>> {
    match out {
        RatioOut::Nothing => (0..n.div_ceil(size)).map(|_| RatioOut::Nothing).collect(),
        RatioOut::Each(out) => out.axis_chunks_iter_mut(Axis(0), size).map(RatioOut::Each).collect(),
        RatioOut::Grad(out) => out.axis_chunks_iter_mut(Axis(0), size).map(RatioOut::Grad).collect(),
    }
}

#[cfg(test)]
mod tests;
