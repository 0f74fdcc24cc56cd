//! From a kernel for one pair to a pass over a batch: blocks, weights, sums, threads.
//!
//! The driver is compiled once for each element type; a loss comes to it as a [`Block`]. It cuts the batch into jobs of
//! a fixed number of blocks, lets the loss fill scratch for one block, and scales that into the caller's arrays. Block
//! sums are added pairwise in the order of the pairs, so that neither threads nor layout change a bit.

use std::ops::Range;

use ndarray::{ArrayViewMut1, Axis};

use crate::error::Error;
use crate::preference::columns::{BLOCK, Columns, Slots, Source, are_ordinary, sources};
use crate::preference::inspect::Inspection;
use crate::preference::scale::{Mode, Scale, weigh};
use crate::preference::{Needs, Out, PairBatch, PairLoss, Pairs, Row};
use crate::simd::{self, Kernel, dispatch};
use crate::{Real, Reduction, Result, parallel, reduction};

/// Pairs that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 64 * BLOCK;

/// A loss over one block of pairs: what the driver sees of a [`PairLoss`].
pub(crate) trait Block<T>: Sync {
    /// The loss of each pair.
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]);

    /// The loss of each pair and its derivatives.
    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>);

    /// See [`PairLoss::explain`].
    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error>;
}

impl<T: Real, L: PairLoss> Block<T> for L {
    fn losses(&self, columns: Columns<'_, T>, loss: &mut [T]) {
        dispatch(Losses { of: self, columns, loss });
    }

    fn slopes(&self, columns: Columns<'_, T>, loss: &mut [T], slope: Pairs<&mut [T]>) {
        dispatch(Slopes { of: self, columns, loss, slope });
    }

    fn explain(&self, row: Row<f64>, position: usize) -> Option<Error> {
        PairLoss::explain(self, row, position)
    }
}

/// Pairs that a kernel works on side by side.
const LANES: usize = 32;

/// Losses and both derivatives of some pairs.
///
/// They are arrays, not the slices that they end up in: only so does the compiler know that they overlap with no input,
/// and turns the loop over them into vectors.
type Lanes<T> = ([T; LANES], Pairs<[T; LANES]>);

/// The loss of [`LANES`] pairs.
#[inline(always)]
fn lanes<T: Real, L: PairLoss, const FMA: bool>(of: &L, columns: Row<&[T; LANES]>) -> Lanes<T> {
    let mut loss = [T::zero(); LANES];
    let mut slope = Pairs { chosen: loss, rejected: loss };
    for i in 0..LANES {
        let (value, both) = of.pair::<T, FMA>(columns.map(|column| column[i]));
        loss[i] = value;
        slope.chosen[i] = both.chosen;
        slope.rejected[i] = both.rejected;
    }
    (loss, slope)
}

/// Gives the losses of the pairs from `at` on to `f`, [`LANES`] at a time; the last group is filled up with zeros.
#[inline(always)]
fn for_each_group<T: Real, L: PairLoss, const FMA: bool>(
    of: &L,
    columns: Columns<'_, T>,
    n: usize,
    mut f: impl FnMut(Range<usize>, Lanes<T>),
) {
    let columns = columns.map(|column| column[..n].as_chunks::<LANES>());
    for group in 0..n / LANES {
        let at = group * LANES;
        f(at..at + LANES, lanes::<T, L, FMA>(of, columns.map(|(groups, _)| &groups[group])));
    }
    if !n.is_multiple_of(LANES) {
        let rest = columns.map(|(_, rest)| {
            let mut filled = [T::zero(); LANES];
            filled[..rest.len()].copy_from_slice(rest);
            filled
        });
        f(n - n % LANES..n, lanes::<T, L, FMA>(of, rest.as_ref()));
    }
}

struct Losses<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
}

impl<T: Real, L: PairLoss> Kernel for Losses<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, _)| {
            let n = at.len();
            self.loss[at].copy_from_slice(&loss[..n]);
        });
    }
}

struct Slopes<'a, T, L> {
    of: &'a L,
    columns: Columns<'a, T>,
    loss: &'a mut [T],
    slope: Pairs<&'a mut [T]>,
}

impl<T: Real, L: PairLoss> Kernel for Slopes<'_, T, L> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for_each_group::<T, L, FMA>(self.of, self.columns, self.loss.len(), |at, (loss, slope)| {
            let n = at.len();
            self.loss[at.clone()].copy_from_slice(&loss[..n]);
            self.slope.chosen[at.clone()].copy_from_slice(&slope.chosen[..n]);
            self.slope.rejected[at].copy_from_slice(&slope.rejected[..n]);
        });
    }
}

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
        Reduction::Sum => (None, scale.wide()),
        Reduction::Mean => (None, scale.wide() / n as f64),
        Reduction::Weighted(weights) => (Some(Source::new(weights.view())), scale.wide()),
    };
    let pass = Pass { block, sources: sources(batch, needs), weights, factor: T::of(factor) };
    let mut sums = vec![0.0; n.div_ceil(BLOCK)];
    let mut failures = vec![None; n.div_ceil(JOB)];
    let places = sums.chunks_mut(JOB / BLOCK).zip(&mut failures).enumerate();
    let jobs = places.zip(split(out, JOB, n)).map(|((index, (sums, failure)), out)| Job { index, sums, failure, out });
    parallel::for_each(jobs.collect(), 6 * n * size_of::<T>(), |job| {
        let start = job.index * JOB;
        *job.failure = pass.job(start, n.min(start + JOB), job.sums, job.out).err();
    });
    match failures.into_iter().flatten().next() {
        Some(error) => Err(error),
        None if factor == 0.0 => Ok(0.0),
        None => Ok(reduction::pairwise(&sums) * factor),
    }
}

/// A run of blocks, and the places that belong to it alone.
struct Job<'a, 'o, T> {
    index: usize,
    sums: &'a mut [f64],
    failure: &'a mut Option<Error>,
    out: Out<'o, T>,
}

/// What all jobs share.
struct Pass<'a, T> {
    block: &'a dyn Block<T>,
    sources: Row<Source<'a, T>>,
    weights: Option<Source<'a, T>>,
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
    /// The blocks from `start` to `end`, one after the other.
    fn job(&self, start: usize, end: usize, sums: &mut [f64], out: Out<'_, T>) -> Result<()> {
        let fresh = || vec![T::zero(); BLOCK.min(end - start)];
        let mut scratch = Scratch {
            slots: Slots::new(self.sources, BLOCK.min(end - start)),
            weights: fresh(),
            loss: fresh(),
            slope: Pairs { chosen: fresh(), rejected: fresh() },
            spare: fresh(),
        };
        let starts = (start..end).step_by(BLOCK);
        for ((from, sum), out) in starts.zip(sums).zip(split(out, BLOCK, end - start)) {
            *sum = self.one(from..end.min(from + BLOCK), &mut scratch, out)?;
        }
        Ok(())
    }

    /// One block: its sum of weighted losses, and its part of `out` filled.
    fn one(&self, at: Range<usize>, scratch: &mut Scratch<T>, mut out: Out<'_, T>) -> Result<f64> {
        let n = at.len();
        let start = at.start;
        let weights = self.weights.as_ref().map(|source| source.block(at.clone(), &mut scratch.weights));
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
        weights.into_iter().for_each(|weights| weigh(loss, weights));
        let sum = simd::sum(loss).wide();
        if written && sum.is_finite() && are_ordinary(self.sources, columns) {
            return Ok(sum);
        }
        Inspection { block: self.block, columns, scale, start }.run(loss, slope, &out)
    }
}

/// Cuts the arrays of `n` pairs into pieces of `size` pairs, the last one shorter.
fn split<T>(out: Out<'_, T>, size: usize, n: usize) -> Vec<Out<'_, T>> {
    match out {
        Out::Nothing => (0..n.div_ceil(size)).map(|_| Out::Nothing).collect(),
        Out::Each(out) => pieces(out, size).into_iter().map(Out::Each).collect(),
        Out::Grad(out) => pairs(out.map(|side| pieces(side, size))).map(Out::Grad).collect(),
        Out::AddGrad(out) => pairs(out.map(|side| pieces(side, size))).map(Out::AddGrad).collect(),
    }
}

fn pieces<T>(mut rest: ArrayViewMut1<'_, T>, size: usize) -> Vec<ArrayViewMut1<'_, T>> {
    let mut pieces = Vec::with_capacity(rest.len().div_ceil(size));
    while rest.len() > size {
        let (piece, others) = rest.split_at(Axis(0), size);
        pieces.push(piece);
        rest = others;
    }
    pieces.push(rest);
    pieces
}

fn pairs<A>(sides: Pairs<Vec<A>>) -> impl Iterator<Item = Pairs<A>> {
    sides.chosen.into_iter().zip(sides.rejected).map(|(chosen, rejected)| Pairs { chosen, rejected })
}
