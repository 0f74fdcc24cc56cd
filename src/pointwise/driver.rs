//! The pass: from a loss over blocks to arrays of any length, by blocks, jobs and pairwise sums.
//!
//! Block sums are added pairwise in logical order, so that neither threads nor layout change a bit. On one thread scratch
//! lives on the stack; several get jobs of a fixed number of blocks.

use std::ops::Range;

use ndarray::ArrayView1;

use super::column::Slots;
use super::inspect::Inspection;
use super::{Block, COLUMNS, Column, Output, SLOPES, Scale};
use crate::error::Error;
use crate::reduction::{self, BLOCK};
use crate::simd::{self, LANES};
use crate::{Real, Result, parallel, rowwise};

/// So few elements need not clear memory for a whole block.
const FEW: usize = 64;

/// Elements that make one job. Fixed, so that jobs do not depend on the number of threads.
const JOB: usize = 64 * BLOCK;

/// One pass over columns of `len` elements that have been checked for shape.
pub(crate) struct Call<'c, 'a, T> {
    pub(crate) block: &'c dyn Block<T>,
    /// The columns, in the order in which the loss reads them; not more than [`COLUMNS`].
    pub(crate) columns: &'c [Column<'a, T>],
    /// How many of the columns the loss has slopes in; not more than [`SLOPES`].
    pub(crate) slopes: usize,
    /// The shape that positions in messages are of.
    pub(crate) shape: &'c [usize],
    /// What each element counts; zero leaves it out, whatever stands there.
    pub(crate) weights: Option<ArrayView1<'a, T>>,
    /// What slopes and shares are multiplied by.
    pub(crate) factor: T,
    /// How messages are worded.
    pub(crate) words: Words<'c>,
}

/// How the messages of an objective are worded.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    /// The name of a sum that overflows.
    pub(crate) total: &'static str,
    /// The names of the arrays that are written to.
    pub(crate) outputs: &'a [&'static str],
    /// Whether a weighted loss or slope that does not fit the type is an error at its element, and not only in a sum.
    pub(crate) names_shares: bool,
    /// What is asked of an infinite number that has no loss.
    pub(crate) undefined: &'static str,
    /// The column that is named where a result overflows, by the slopes there.
    pub(crate) steepest: fn(&[f64]) -> usize,
    /// What the objective itself knows to say of an element that has no finite slope or no loss.
    pub(crate) explain: &'a (dyn Fn(&[f64; COLUMNS], usize) -> Option<Error> + Sync),
}

/// The sum of the weighted losses, not scaled, and what it was made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Total {
    pub(crate) sum: f64,
    /// Whether the sum of each block is finite.
    pub(crate) is_of_finite: bool,
}

impl Total {
    /// The sum times a factor; an error where a sum of finite parts is not finite, or there is none.
    pub(crate) fn scaled(self, factor: f64, name: &'static str) -> Result<f64> {
        reduction::finite_total(self.sum * factor, || self.is_of_finite, name)
    }
}

/// One pass: the sum, and `output` filled.
pub(crate) fn run<T: Real>(call: &Call<'_, '_, T>, mut output: Output<'_, T>) -> Result<Total> {
    let n: usize = call.shape.iter().product();
    let (jobs, bytes) = (n.div_ceil(JOB), (call.columns.len() + call.slopes) * n * size_of::<T>());
    match n {
        _ if parallel::is_spread(jobs, bytes) => spread(call, n, bytes, output),
        0..=FEW => Blocks::<T, FEW>::new(call, 0..n, output.part(0..n)).total(),
        _ => Blocks::<T, BLOCK>::new(call, 0..n, output.part(0..n)).total(),
    }
}

/// [`Blocks::total`] by several threads.
fn spread<T: Real>(call: &Call<'_, '_, T>, n: usize, bytes: usize, mut output: Output<'_, T>) -> Result<Total> {
    let mut sums = vec![0.0; n.div_ceil(BLOCK)];
    let jobs = sums.chunks_mut(JOB / BLOCK).zip(output.pieces(JOB, n)).enumerate().collect();
    parallel::try_for_each(jobs, bytes, |(job, (sums, output))| {
        let mut blocks = Blocks::<T, BLOCK>::new(call, job * JOB..n.min((job + 1) * JOB), output);
        sums.iter_mut().enumerate().try_for_each(|(block, sum)| blocks.sum(block).map(|found| *sum = found))
    })?;
    Ok(Total { sum: reduction::pairwise(&sums), is_of_finite: sums.iter().all(|sum| sum.is_finite()) })
}

/// What blocks of up to `N` elements are worked on in. Only what is not contiguous allocates.
struct Scratch<T, const N: usize> {
    slots: Slots<T, N>,
    weights: Vec<T>,
    loss: [T; N],
    slopes: [[T; N]; SLOPES],
    spare: Vec<T>,
}

/// The blocks of some elements, one after the other.
struct Blocks<'p, 'a, 'o, T, const N: usize> {
    call: &'p Call<'p, 'a, T>,
    at: Range<usize>,
    output: Output<'o, T>,
    scratch: Scratch<T, N>,
}

impl<'p, 'a, 'o, T: Real, const N: usize> Blocks<'p, 'a, 'o, T, N> {
    fn new(call: &'p Call<'p, 'a, T>, at: Range<usize>, output: Output<'o, T>) -> Self {
        let copy_of = |is_needed: bool| if is_needed { vec![T::zero(); N] } else { Vec::new() };
        let scratch = Scratch {
            slots: Slots::new(call.columns),
            weights: copy_of(call.weights.is_some_and(|weights| weights.to_slice().is_none())),
            loss: [T::zero(); N],
            slopes: [[T::zero(); N]; SLOPES],
            spare: copy_of(!output.is_contiguous()),
        };
        Self { call, at, output, scratch }
    }

    /// The sum of the weighted losses of a block, whose part of the output it fills.
    fn sum(&mut self, block: usize) -> Result<f64> {
        let start = block * BLOCK;
        let end = self.at.len().min(start + BLOCK);
        let output = self.output.part(start..end);
        one(self.call, self.at.start + start..self.at.start + end, &mut self.scratch, output)
    }

    /// The sum over all blocks, pairwise.
    fn total(mut self) -> Result<Total> {
        let mut is_of_finite = true;
        let sum = reduction::pairwise_by(0..self.at.len().div_ceil(BLOCK), &mut |block| {
            let sum = self.sum(block)?;
            is_of_finite &= sum.is_finite();
            Ok(sum)
        })?;
        Ok(Total { sum, is_of_finite })
    }
}

/// One block: its sum of weighted losses, and its part of the output filled.
fn one<T: Real, const N: usize>(
    call: &Call<'_, '_, T>,
    at: Range<usize>,
    scratch: &mut Scratch<T, N>,
    mut output: Output<'_, T>,
) -> Result<f64> {
    let (n, start) = (at.len(), at.start);
    let weights = call.weights.map(|weights| rowwise::part(weights, at.clone(), &mut scratch.weights));
    let columns = &scratch.slots.block(call.columns, at)[..call.columns.len()];
    let loss = &mut scratch.loss[..n];
    let mut slopes = scratch.slopes.each_mut().map(|slope| &mut slope[..n]);
    let slopes = &mut slopes[..call.slopes];
    evaluate(call.block, columns, loss, slopes, output.is_steep());
    let scale = Scale { weights, factor: call.factor };
    let is_written = scale.write_to(&mut output, loss, slopes, &mut scratch.spare);
    weights.into_iter().for_each(|weights| simd::mul_or_zero_all(loss, weights));
    let sum = simd::sum(loss).as_f64();
    let is_ordinary =
        |(column, values): (&Column<'_, T>, &&[T])| column.given().is_none() || column.domain.holds_finite(values);
    if is_written && sum.is_finite() && call.columns.iter().zip(columns).all(is_ordinary) {
        return Ok(sum);
    }
    Inspection { call, columns, scale, start, sum }.run(loss, slopes, &output)
}

/// [`Block::run`] of any number of elements: those beyond whole groups are filled up with zeros.
pub(crate) fn evaluate<T: Real>(
    block: &dyn Block<T>,
    columns: &[&[T]],
    loss: &mut [T],
    slopes: &mut [&mut [T]],
    is_steep: bool,
) {
    let (n, count) = (loss.len(), slopes.len());
    let whole = n - n % LANES;
    let mut part: [&[T]; COLUMNS] = [&[]; COLUMNS];
    let part = &mut part[..columns.len()];
    if whole > 0 {
        part.iter_mut().zip(columns).for_each(|(part, column)| *part = &column[..whole]);
        let mut out = slopes.iter_mut();
        let mut out: [&mut [T]; SLOPES] =
            std::array::from_fn(|_| out.next().map_or(&mut [][..], |slope| &mut slope[..whole]));
        block.run(part, &mut loss[..whole], &mut out[..count], is_steep);
    }
    if whole < n {
        let mut rest = [[T::zero(); LANES]; COLUMNS];
        for (rest, column) in rest.iter_mut().zip(columns) {
            rest[..n - whole].copy_from_slice(&column[whole..]);
        }
        part.iter_mut().zip(&rest).for_each(|(part, rest)| *part = rest);
        let (mut values, mut out) = ([T::zero(); LANES], [[T::zero(); LANES]; SLOPES]);
        let mut places = out.each_mut().map(|slope| &mut slope[..]);
        block.run(part, &mut values, &mut places[..count], is_steep);
        loss[whole..].copy_from_slice(&values[..n - whole]);
        if is_steep {
            slopes.iter_mut().zip(&out).for_each(|(slope, out)| slope[whole..].copy_from_slice(&out[..n - whole]));
        }
    }
}
