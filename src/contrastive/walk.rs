//! The walk over a matrix of similarities that never exists as a whole: some anchors at a time against all candidates.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::embeddings::Embeddings;
use crate::gemm::product;
use crate::{Real, Result, parallel, simd};

/// Similarities of a block, all directions together: 8 MiB of `f32`.
const BLOCK: usize = 1 << 21;

/// Bounds of the number of anchors of a block: fewer make the products of matrices slow, more have nothing to gain.
const FEWEST: usize = 32;
const MOST: usize = 256;

/// Anchors that one thread works on at a time.
const ROWS: usize = 8;

/// Where a matrix of similarities comes from: one row for each anchor.
#[derive(Clone, Copy)]
pub(super) enum Source<'w, 'a, T> {
    /// Products of rows of two sets of embeddings, by their numbers. The first has a row for each anchor.
    Product { anchors: usize, candidates: usize },
    /// The same of embeddings without a gradient, which only select.
    Guide { anchors: &'w Embeddings<'a, T>, candidates: &'w Embeddings<'a, T> },
    /// A matrix that the caller has.
    Given(ArrayView2<'a, T>),
}

/// What one anchor adds to the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) loss: f64,
    /// The slope in a parameter of the loss, weighted, but for what comes through the similarities.
    pub(super) own: f64,
}

/// A loss of the similarities of one anchor to all candidates, or whatever else is found in them.
pub(super) trait Anchor<T, F = Found>: Sync {
    /// What this anchor has. `rows` are its similarities, one row for each source; with a `scale`, each is replaced by
    /// the derivative of the loss times it, and without one by anything.
    fn run(&self, index: usize, rows: &mut [&mut [T]], scale: Option<T>) -> Result<F>;
}

/// The similarities that a loss looks at.
pub(super) struct Walk<'w, 'a, T, F = Found> {
    /// Sets of embeddings.
    pub(super) sides: &'w [Embeddings<'a, T>],
    pub(super) sources: &'w [Source<'w, 'a, T>],
    /// The rows that are anchors.
    pub(super) anchors: Range<usize>,
    pub(super) anchor: &'w dyn Anchor<T, F>,
}

/// Where slopes go: those in each set of embeddings, or those in each matrix that the caller has.
pub(super) type Slopes<'o, T> = Vec<ArrayViewMut2<'o, T>>;

/// What is done with each block of anchors and its similarities.
type Then<'t, T> = dyn FnMut(Range<usize>, &[ArrayViewMut2<'_, T>]) + 't;

impl<'w, 'a, T: Real, F: Send> Walk<'w, 'a, T, F> {
    /// Runs every anchor. Slopes, times the weight of their anchor, are added to `out`; anchors of weight zero are left out.
    pub(super) fn run(&self, weights: &[T], found: &mut [F], mut out: Option<&mut Slopes<'_, T>>) -> Result<()> {
        let is_steep = out.is_some();
        self.run_blocks(weights, found, is_steep, &mut |block, tiles| {
            if let Some(out) = &mut out {
                self.add(block, tiles, out);
            }
        })
    }

    /// The same with each block handed on as the anchors have left it.
    pub(super) fn run_blocks(
        &self,
        weights: &[T],
        found: &mut [F],
        is_steep: bool,
        then: &mut Then<'_, T>,
    ) -> Result<()> {
        let widths: Vec<usize> = self.sources.iter().map(|source| self.width(source)).collect();
        let step = (BLOCK / widths.iter().sum::<usize>().max(1)).clamp(FEWEST, MOST);
        let count = self.anchors.len();
        let mut scratch: Vec<Array2<T>> =
            widths.iter().map(|&width| Array2::from_elem((step.min(count), width), T::zero())).collect();
        for start in (0..count).step_by(step) {
            let block = start..(start + step).min(count);
            let mut tiles: Vec<_> = scratch.iter_mut().map(|tile| tile.slice_mut(s![..block.len(), ..])).collect();
            self.fill(block.clone(), &mut tiles);
            let (weights, found) = (&weights[block.clone()], &mut found[block.clone()]);
            self.each_anchor(block.start, &mut tiles, weights, found, is_steep)?;
            then(block, &tiles);
        }
        Ok(())
    }

    fn width(&self, source: &Source<'w, 'a, T>) -> usize {
        match (self.factors(source), source) {
            (Some([_, candidates]), _) => candidates.rows.nrows(),
            (None, Source::Given(matrix)) => matrix.ncols(),
            (None, _) => 0,
        }
    }

    /// The rows of a block in the numbering of whole sets.
    fn rows(&self, block: &Range<usize>) -> Range<usize> {
        self.anchors.start + block.start..self.anchors.start + block.end
    }

    /// The embeddings that a source multiplies.
    fn factors(&self, source: &Source<'w, 'a, T>) -> Option<[&'w Embeddings<'a, T>; 2]> {
        match *source {
            Source::Product { anchors, candidates } => Some([&self.sides[anchors], &self.sides[candidates]]),
            Source::Guide { anchors, candidates } => Some([anchors, candidates]),
            Source::Given(_) => None,
        }
    }

    /// Products of a normalized and a plain row, or what the caller has.
    fn fill(&self, block: Range<usize>, tiles: &mut [ArrayViewMut2<'_, T>]) {
        let rows = self.rows(&block);
        for (source, tile) in self.sources.iter().zip(tiles) {
            if let Some([anchors, candidates]) = self.factors(source) {
                let anchors = anchors.normalized(rows.clone());
                product(T::one(), anchors.view(), candidates.rows.t(), T::zero(), tile.view_mut());
            } else if let Source::Given(matrix) = source {
                tile.assign(&matrix.slice(s![rows.clone(), ..]));
            }
        }
    }

    fn each_anchor(
        &self,
        first: usize,
        tiles: &mut [ArrayViewMut2<'_, T>],
        weights: &[T],
        found: &mut [F],
        is_steep: bool,
    ) -> Result<()> {
        let bytes = tiles.iter().map(|tile| 3 * size_of::<T>() * tile.len()).sum();
        let mut parts: Vec<_> =
            tiles.iter_mut().map(|tile| tile.axis_chunks_iter_mut(ndarray::Axis(0), ROWS)).collect();
        let jobs = weights.chunks(ROWS).zip(found.chunks_mut(ROWS)).enumerate();
        let jobs = jobs.map(|job| (job, parts.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())).collect();
        parallel::try_for_each(jobs, bytes, |((job, (weights, found)), mut tiles)| {
            for (i, (&weight, found)) in weights.iter().zip(found).enumerate() {
                let rows = tiles.iter_mut().filter_map(|tile| tile.row_mut(i).into_slice());
                self.one_anchor(first + job * ROWS + i, &mut rows.collect::<Vec<_>>(), weight, found, is_steep)?;
            }
            Ok(())
        })
    }

    fn one_anchor(&self, index: usize, rows: &mut [&mut [T]], weight: T, found: &mut F, is_steep: bool) -> Result<()> {
        if weight == T::zero() {
            rows.iter_mut().for_each(|row| row.fill(T::zero()));
            return Ok(());
        }
        let scale = |rows: &mut [&mut [T]]| {
            for (row, source) in rows.iter_mut().zip(self.sources) {
                // The norms that are still missing in a product.
                if let Some([_, Embeddings { inverse: Some(inverse), .. }]) = self.factors(source) {
                    simd::mul_or_zero_all(row, inverse);
                }
            }
        };
        scale(rows);
        *found = self.anchor.run(self.anchors.start + index, rows, is_steep.then_some(weight))?;
        if is_steep {
            scale(rows);
        }
        Ok(())
    }

    /// Adds the slopes of a block: to its anchors, to all candidates.
    fn add(&self, block: Range<usize>, tiles: &[ArrayViewMut2<'_, T>], out: &mut Slopes<'_, T>) {
        let rows = self.rows(&block);
        for (k, (source, tile)) in self.sources.iter().zip(tiles).enumerate() {
            match *source {
                Source::Product { anchors, candidates } => {
                    let (side, others) = (&self.sides[anchors], &self.sides[candidates]);
                    let mut to_anchors = Array2::from_elem((rows.len(), side.rows.ncols()), T::zero());
                    product(T::one(), tile.view(), others.rows.view(), T::zero(), to_anchors.view_mut());
                    side.add_scaled(rows.clone(), &to_anchors, out[anchors].view_mut());
                    let normalized = side.normalized(rows.clone());
                    product(T::one(), tile.t(), normalized.view(), T::one(), out[candidates].view_mut());
                }
                Source::Guide { .. } => {}
                Source::Given(_) => out[k].slice_mut(s![rows.clone(), ..]).scaled_add(T::one(), tile),
            }
        }
    }
}
