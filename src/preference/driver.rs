//! From a kernel for one pair to a pass over a batch: blocks, weights, sums, threads.
//!
//! The driver is compiled once for each element type; a loss comes to it as a [`Block`]. It lets the loss fill scratch for
//! one block, and scales that into the caller's arrays. Block sums are added pairwise in the order of the pairs, so that
//! neither threads nor layout change a bit. On one thread scratch lives on the stack; several get jobs of a fixed number of
//! blocks.

use std::ops::Range;

use ndarray::{ArrayView1, Axis, s};

use crate::preference::columns::{Slots, Sources, are_ordinary, sources};
use crate::preference::inspect::Inspection;
use crate::preference::kernel::Block;
use crate::preference::scale::{Mode, Scale};
use crate::preference::{Needs, Out, PairBatch, Pairs, PairsMut};
use crate::reduction::{self, BLOCK};
use crate::{Real, Reduction, Result, parallel, rows, simd};

/// So few pairs need not clear memory for a whole block.
const FEW: usize = 64;

/// Pairs that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 64 * BLOCK;

/// One pass over a batch that has been checked: the scaled and reduced loss, and `out` filled.
pub(crate) fn run<T: Real>(
    block: &dyn Block<T>,
    needs: Needs,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    out: Out<'_, T>,
) -> Result<f64> {
    let n = batch.len();
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, scale.as_f64()),
        Reduction::Mean => (None, scale.as_f64() / n as f64),
        Reduction::Weighted(weights) => (Some(weights.view()), scale.as_f64()),
    };
    if factor == 0.0 {
        return Ok(out.nothing().as_f64());
    }
    let pass = Pass { block, sources: sources(batch, needs), weights, factor: T::from_f64(factor) };
    let (jobs, bytes) = (n.div_ceil(JOB), 6 * n * size_of::<T>());
    let (sum, is_finite) = match n {
        _ if parallel::is_spread(jobs, bytes) => pass.spread(n, bytes, out)?,
        0..=FEW => Blocks::<T, FEW>::new(&pass, 0..n, out).total()?,
        _ => Blocks::<T, BLOCK>::new(&pass, 0..n, out).total()?,
    };
    reduction::finite_total(sum * factor, || is_finite, "loss")
}

/// What all jobs share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    sources: Sources<'a, T>,
    weights: Option<ArrayView1<'a, T>>,
    factor: T,
}

/// What blocks of up to `N` pairs are worked on in. Only what is not contiguous allocates.
struct Scratch<T, const N: usize> {
    slots: Slots<T, N>,
    weights: Vec<T>,
    loss: [T; N],
    slope: Pairs<[T; N]>,
    spare: Vec<T>,
}

/// The blocks of some pairs, one after the other.
struct Blocks<'p, 'a, 'o, T, const N: usize> {
    pass: &'p Pass<'a, T>,
    at: Range<usize>,
    out: Out<'o, T>,
    scratch: Scratch<T, N>,
}

impl<'p, 'a, 'o, T: Real, const N: usize> Blocks<'p, 'a, 'o, T, N> {
    fn new(pass: &'p Pass<'a, T>, at: Range<usize>, out: Out<'o, T>) -> Self {
        let loss = [T::zero(); N];
        let copy_of = |is_needed: bool| if is_needed { vec![T::zero(); N] } else { Vec::new() };
        let scratch = Scratch {
            slots: Slots::new(pass.sources),
            weights: copy_of(pass.weights.is_some_and(|weights| weights.to_slice().is_none())),
            loss,
            slope: Pairs { chosen: loss, rejected: loss },
            spare: copy_of(!is_contiguous(&out)),
        };
        Self { pass, at, out, scratch }
    }

    fn len(&self) -> usize {
        self.at.len().div_ceil(BLOCK)
    }

    /// The sum of weighted losses of a block, whose part of the output it fills.
    fn sum(&mut self, block: usize) -> Result<f64> {
        let start = block * BLOCK;
        let end = self.at.len().min(start + BLOCK);
        let out = part(&mut self.out, start..end);
        self.pass.one(self.at.start + start..self.at.start + end, &mut self.scratch, out)
    }

    /// The sum over all blocks, pairwise, and whether that of each is finite.
    fn total(mut self) -> Result<(f64, bool)> {
        let mut are_finite = true;
        let sum = reduction::pairwise_by(0..self.len(), &mut |block| {
            let sum = self.sum(block)?;
            are_finite &= sum.is_finite();
            Ok(sum)
        })?;
        Ok((sum, are_finite))
    }
}

impl<T: Real> Pass<'_, T> {
    /// [`Blocks::total`] by several threads.
    fn spread(&self, n: usize, bytes: usize, mut out: Out<'_, T>) -> Result<(f64, bool)> {
        let mut sums = vec![0.0; n.div_ceil(BLOCK)];
        let jobs = sums.chunks_mut(JOB / BLOCK).zip(pieces(&mut out, JOB, n)).enumerate().collect();
        parallel::try_for_each(jobs, bytes, |(job, (sums, out))| {
            let mut blocks = Blocks::<T, BLOCK>::new(self, job * JOB..n.min((job + 1) * JOB), out);
            sums.iter_mut().enumerate().try_for_each(|(block, sum)| blocks.sum(block).map(|found| *sum = found))
        })?;
        Ok((reduction::pairwise(&sums), sums.iter().all(|sum| sum.is_finite())))
    }

    /// One block: its sum of weighted losses, and its part of `out` filled.
    fn one<const N: usize>(&self, at: Range<usize>, scratch: &mut Scratch<T, N>, mut out: Out<'_, T>) -> Result<f64> {
        let n = at.len();
        let start = at.start;
        let weights = self.weights.map(|weights| rows::part(weights, at.clone(), &mut scratch.weights));
        let columns = scratch.slots.columns(self.sources, at);
        let loss = &mut scratch.loss[..n];
        let mut slope = scratch.slope.as_mut().map(|side| &mut side[..n]);
        match out {
            Out::Nothing | Out::Each(_) => self.block.losses(columns, loss),
            Out::Grad(_) | Out::AddGrad(_) => self.block.slopes(columns, loss, slope.as_mut().map(|side| &mut **side)),
        }
        let scale = Scale { weights, factor: self.factor };
        let written = match &mut out {
            Out::Nothing => true,
            Out::Each(out) => scale.write(loss, out.view_mut(), Mode::Set, &mut scratch.spare),
            Out::Grad(out) => {
                scale.write_both(slope.as_mut().map(|side| &**side), out.view_mut(), Mode::Set, &mut scratch.spare)
            }
            Out::AddGrad(out) => {
                scale.write_both(slope.as_mut().map(|side| &**side), out.view_mut(), Mode::Add, &mut scratch.spare)
            }
        };
        weights.into_iter().for_each(|weights| simd::mul_or_zero_all(loss, weights));
        let sum = simd::sum(loss).as_f64();
        if written && sum.is_finite() && are_ordinary(self.sources, columns) {
            return Ok(sum);
        }
        Inspection { block: self.block, columns, scale, start, sum }.run(loss, slope, &out)
    }
}

/// The part of the arrays that belongs to these pairs.
fn part<'o, T>(out: &'o mut Out<'_, T>, at: Range<usize>) -> Out<'o, T> {
    match out {
        Out::Nothing => Out::Nothing,
        Out::Each(out) => Out::Each(out.slice_mut(s![at])),
        Out::Grad(out) => Out::Grad(out.as_mut().map(|side| side.slice_mut(s![at.clone()]))),
        Out::AddGrad(out) => Out::AddGrad(out.as_mut().map(|side| side.slice_mut(s![at.clone()]))),
    }
}

/// Whether the arrays can be written to as slices.
fn is_contiguous<T>(out: &Out<'_, T>) -> bool {
    match out {
        Out::Nothing => true,
        Out::Each(out) => out.is_standard_layout(),
        Out::Grad(out) | Out::AddGrad(out) => out.chosen.is_standard_layout() && out.rejected.is_standard_layout(),
    }
}

/// Cuts the arrays of `n` pairs into pieces of `size` pairs, the last one shorter.
fn pieces<'o, T>(out: &'o mut Out<'_, T>, size: usize, n: usize) -> Vec<Out<'o, T>> {
    match out {
        Out::Nothing => (0..n.div_ceil(size)).map(|_| Out::Nothing).collect(),
        Out::Each(out) => out.axis_chunks_iter_mut(Axis(0), size).map(Out::Each).collect(),
        Out::Grad(out) => both_sides(out, size).map(Out::Grad).collect(),
        Out::AddGrad(out) => both_sides(out, size).map(Out::AddGrad).collect(),
    }
}

fn both_sides<'o, T>(out: &'o mut PairsMut<'_, T>, size: usize) -> impl Iterator<Item = PairsMut<'o, T>> {
    let Pairs { chosen, rejected } = out;
    let pieces = chosen.axis_chunks_iter_mut(Axis(0), size).zip(rejected.axis_chunks_iter_mut(Axis(0), size));
    pieces.map(|(chosen, rejected)| Pairs { chosen, rejected })
}

#[cfg(test)]
mod tests;
