//! From a kernel for one pair to a pass over a batch: blocks, weights, sums, threads.
//!
//! The driver is compiled once for each element type; a loss comes to it as a [`Block`]. It cuts the batch into jobs of
//! a fixed number of blocks, lets the loss fill scratch for one block, and scales that into the caller's arrays. Block
//! sums are added pairwise in the order of the pairs, so that neither threads nor layout change a bit.

use std::ops::Range;

use ndarray::{ArrayView1, Axis};

use crate::preference::columns::{Slots, Sources, are_ordinary, sources};
use crate::preference::inspect::Inspection;
use crate::preference::kernel::Block;
use crate::preference::scale::{Mode, Scale};
use crate::preference::{Needs, Out, PairBatch, Pairs, PairsMut};
use crate::reduction::{self, BLOCK};
use crate::{Real, Reduction, Result, parallel, rows, simd};

/// Pairs that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 64 * BLOCK;

/// One pass over a batch that has been checked: the scaled and reduced loss, and `out` filled.
pub(crate) fn run<T: Real>(
    block: &dyn Block<T>,
    needs: Needs,
    batch: &PairBatch<'_, T>,
    reduction: Reduction<'_, T>,
    scale: T,
    mut out: Out<'_, T>,
) -> Result<f64> {
    let n = batch.len();
    let (weights, factor) = match reduction {
        Reduction::Sum => (None, scale.wide()),
        Reduction::Mean => (None, scale.wide() / n as f64),
        Reduction::Weighted(weights) => (Some(weights.view()), scale.wide()),
    };
    let pass = Pass { block, sources: sources(batch, needs), weights, factor: T::of(factor) };
    let mut sums = vec![0.0; n.div_ceil(BLOCK)];
    let jobs = sums.chunks_mut(JOB / BLOCK).zip(pieces(&mut out, JOB, n)).enumerate().collect();
    parallel::try_for_each(jobs, 6 * n * size_of::<T>(), |(job, (sums, out))| {
        pass.job(job * JOB..n.min((job + 1) * JOB), sums, out)
    })?;
    if factor == 0.0 { Ok(0.0) } else { reduction::total_of(&sums, reduction::pairwise(&sums) * factor, "loss") }
}

/// What all jobs share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    sources: Sources<'a, T>,
    weights: Option<ArrayView1<'a, T>>,
    factor: T,
}

/// What a job works in.
struct Scratch<T> {
    slots: Slots<T>,
    weights: Vec<T>,
    loss: Vec<T>,
    slope: Pairs<Vec<T>>,
    spare: Vec<T>,
}

impl<T: Real> Pass<'_, T> {
    /// The blocks of these pairs, one after the other.
    fn job(&self, at: Range<usize>, sums: &mut [f64], mut out: Out<'_, T>) -> Result<()> {
        let fresh = || vec![T::zero(); BLOCK.min(at.len())];
        let mut scratch = Scratch {
            slots: Slots::new(self.sources, BLOCK.min(at.len())),
            weights: fresh(),
            loss: fresh(),
            slope: Pairs { chosen: fresh(), rejected: fresh() },
            spare: fresh(),
        };
        let starts = at.clone().step_by(BLOCK);
        for ((from, sum), out) in starts.zip(sums).zip(pieces(&mut out, BLOCK, at.len())) {
            *sum = self.one(from..at.end.min(from + BLOCK), &mut scratch, out)?;
        }
        Ok(())
    }

    /// One block: its sum of weighted losses, and its part of `out` filled.
    fn one(&self, at: Range<usize>, scratch: &mut Scratch<T>, mut out: Out<'_, T>) -> Result<f64> {
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
        weights.into_iter().for_each(|weights| simd::weigh(loss, weights));
        let sum = simd::sum(loss).wide();
        if written && sum.is_finite() && are_ordinary(self.sources, columns) {
            return Ok(sum);
        }
        Inspection { block: self.block, columns, scale, start }.run(loss, slope, &out)
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
