//! The two passes over one row: its exponentials are summed, then its output is finished.
//!
//! A row is made of segments, each summed by itself and merged in order, so that few long rows can be given to several
//! threads without a change of bits. A segment is made of blocks that stay in the first-level cache.

use ndarray::{ArrayView1, s};
use num_traits::{Float, Zero};

use super::kernel::{Ask, Block, Keep, Logits, Row, RowKernel, Summed};
use crate::rows::{self, BLOCK, Rows};
use crate::simd::{self, RowSum, Stream};
use crate::{Element, Error, Real, Result, parallel};

/// Elements of a row that are summed by themselves: 256 KiB of `f32`.
pub(super) const SEGMENT: usize = 32 * BLOCK;

/// What all rows of one call share.
pub(super) struct Pass<'p, 'a, E: Element, K> {
    pub(super) shape: &'p [usize],
    /// The caller's logits, unless they are replaced in place.
    pub(super) logits: Option<&'p Rows<'a, E>>,
    pub(super) kernel: &'p K,
    /// Whether the segments of a row are spread over threads.
    pub(super) is_split: bool,
    /// Whether outputs go past the caches.
    pub(super) streams: bool,
}

/// Memory that a thread uses again for each of its rows.
#[derive(Default)]
pub(super) struct Scratch<T> {
    /// The numbers of a job.
    pub(super) values: Vec<f64>,
    /// Transposed rows of few classes.
    pub(super) tile: Vec<[T; simd::ROW_TILE]>,
    /// An output that is streamed in the end, or transformed logits.
    pub(super) row: Vec<T>,
    /// One reference for each block.
    pub(super) references: Vec<T>,
    /// Slopes of transformed logits.
    pub(super) slopes: Vec<T>,
}

/// A segment: its first class, its part of the output, and the references of its blocks.
struct Piece<'r, T> {
    first: usize,
    len: usize,
    /// Where it is computed, if there is an output.
    work: Option<&'r mut [T]>,
    /// Where that goes past the caches in the end.
    stream: Option<&'r mut [T]>,
    references: &'r mut [T],
    sum: RowSum<T>,
}

/// Where the output of a row, or of a segment, is computed, and where it goes in the end if that is another place.
pub(super) struct Output<'r, T> {
    pub(super) work: Option<&'r mut [T]>,
    pub(super) stream: Option<&'r mut [T]>,
    /// Whether it is finished; else the work is done for the sum alone.
    pub(super) is_wanted: bool,
}

impl<T> Output<'_, T> {
    fn borrow(&mut self) -> Output<'_, T> {
        let Self { work, stream, is_wanted } = self;
        Output { work: work.as_deref_mut(), stream: stream.as_deref_mut(), is_wanted: *is_wanted }
    }
}

/// Logits that need be neither gathered nor widened.
fn plain<E: Element>(logits: ArrayView1<'_, E>) -> Option<&[E::Real]> {
    logits.to_slice().and_then(E::as_real)
}

impl<E: Element, K: RowKernel<E>> Pass<'_, '_, E, K> {
    /// Both passes over a row.
    pub(super) fn row(&self, index: usize, out: Option<&mut [E::Real]>, scratch: &mut Scratch<E::Real>) -> Result<f64> {
        let asked = match self.kernel.asks(index) {
            Ask::Nothing => return Ok(skip(out)),
            Ask::Row => None,
            Ask::Class(class) => Some(class),
        };
        let logits = self.logits.map(|logits| logits.row(index));
        // What is replaced must be read before; what is not comes from the cache afterwards.
        let logit = if logits.is_none() { self.logit(logits, out.as_deref(), asked) } else { E::Real::nan() };
        let classes = self.classes();
        scratch.references.resize(classes.div_ceil(BLOCK), E::Real::zero());
        let references = &mut scratch.references;
        let (work, stream) = match out {
            Some(out) if self.streams => {
                scratch.row.resize(classes, E::Real::zero());
                (Some(scratch.row.as_mut_slice()), Some(out))
            }
            out => (out, None),
        };
        let is_wanted = work.is_some();
        self.passes(index, asked, logits, logit, Output { work, stream, is_wanted }, references)
    }

    /// The same where the logits are: in `logits`, or in the output, from which the one of interest has been taken.
    pub(super) fn passes(
        &self,
        index: usize,
        asked: Option<usize>,
        logits: Option<ArrayView1<'_, E>>,
        logit: E::Real,
        mut out: Output<'_, E::Real>,
        references: &mut [E::Real],
    ) -> Result<f64> {
        let sum = self.each_piece(out.borrow(), references, |piece| self.sum(logits, piece));
        let logit = if logits.is_some() { self.logit(logits, None, asked) } else { logit };
        let summed = Summed { index, sum, log: sum.others.ln_1p(), logit };
        if !sum.is_proper() {
            return Err(self.fault(index, logits, out.work.as_deref()));
        }
        let (value, slope) = self.kernel.value(&self.row_of(summed, logits, out.work.as_deref(), out.is_wanted))?;
        if out.is_wanted {
            self.each_piece(out, references, |piece| self.finish(logits, piece, &summed, &slope));
        }
        Ok(value)
    }

    /// Runs `f` on each segment of a row and merges their sums in order.
    fn each_piece(
        &self,
        out: Output<'_, E::Real>,
        references: &mut [E::Real],
        f: impl Fn(&mut Piece<'_, E::Real>) + Sync + Send,
    ) -> RowSum<E::Real> {
        let classes = self.classes();
        let mut works = out.work.map(|work| work.chunks_mut(SEGMENT));
        let mut streams = out.stream.map(|stream| stream.chunks_mut(SEGMENT));
        let firsts = (0..classes).step_by(SEGMENT).zip(references.chunks_mut(SEGMENT / BLOCK));
        let pieces = firsts.map(|(first, references)| Piece {
            first,
            len: SEGMENT.min(classes - first),
            work: works.as_mut().and_then(Iterator::next),
            stream: streams.as_mut().and_then(Iterator::next),
            references,
            sum: RowSum::new(),
        });
        if !self.is_split || classes <= SEGMENT {
            return pieces.fold(RowSum::new(), |sum, mut piece| {
                f(&mut piece);
                sum.merge(piece.sum)
            });
        }
        let mut pieces: Vec<_> = pieces.collect();
        parallel::for_each(pieces.iter_mut().collect(), classes * size_of::<E::Real>(), f);
        pieces.iter().fold(RowSum::new(), |sum, piece| sum.merge(piece.sum))
    }

    /// The first pass over a segment.
    fn sum(&self, logits: Option<ArrayView1<'_, E>>, piece: &mut Piece<'_, E::Real>) {
        let logits = logits.map(|logits| logits.slice_move(s![piece.first..piece.first + piece.len]));
        let is_late = self.is_late(logits);
        let sum = &mut piece.sum;
        match (&mut piece.work, logits) {
            (Some(work), logits) if !is_late => {
                for (i, block) in work.chunks_mut(BLOCK).enumerate() {
                    let logits = logits.map(|logits| logits.slice_move(s![i * BLOCK..i * BLOCK + block.len()]));
                    match (self.kernel.keeps(), logits.and_then(plain)) {
                        (Keep::Exponentials, Some(logits)) => piece.references[i] = sum.push_exp_into(logits, block),
                        (keeps, _) => {
                            logits.into_iter().for_each(|logits| rows::copy(logits, block));
                            match keeps {
                                Keep::Exponentials => piece.references[i] = sum.push_exp(block),
                                Keep::Logits => self.push(sum, block),
                            }
                        }
                    }
                    if sum.others.is_nan() {
                        return; // what comes after stays as it is, so that the fault can be found
                    }
                }
            }
            (_, Some(logits)) => match logits.to_slice() {
                Some(slice) if !self.kernel.needs_moment() => sum.push(slice),
                _ => rows::for_each_block(logits, |block| self.push(sum, block)),
            },
            (_, None) => {}
        }
    }

    fn push(&self, sum: &mut RowSum<E::Real>, block: &[E::Real]) {
        if self.kernel.needs_moment() { sum.push_with_moment(block) } else { sum.push(block) }
    }

    /// The second pass over a segment.
    fn finish(
        &self,
        logits: Option<ArrayView1<'_, E>>,
        piece: &mut Piece<'_, E::Real>,
        summed: &Summed<E::Real>,
        slope: &K::Slope,
    ) {
        let late = logits.filter(|_| self.is_late(logits));
        let Some(work) = &mut piece.work else { return };
        let mut stream = piece.stream.take().map(Stream::over);
        for i in 0..piece.len.div_ceil(BLOCK) {
            let (start, len) = (i * BLOCK, BLOCK.min(piece.len - i * BLOCK));
            let first = piece.first + start;
            // What is streamed away need not be kept: all blocks use the same place, which stays in the cache.
            let place = if stream.is_some() && late.is_some() { 0 } else { start };
            let data = &mut work[place..place + len];
            let factor = match self.kernel.keeps() {
                Keep::Exponentials => (piece.references[i].as_f64() - summed.sum.max.as_f64()).exp(),
                Keep::Logits => 1.0,
            };
            let block = Block { first, data: &mut *data, factor };
            match late.and_then(|logits| plain(logits.slice_move(s![first..first + len]))) {
                Some(logits) => self.kernel.finish_from(slope, summed, logits, block),
                None => self.kernel.finish(slope, summed, block),
            }
            stream.iter_mut().for_each(|stream| stream.push(data));
        }
    }

    /// Whether logits are copied to the output in the second pass, just before they are changed.
    fn is_late(&self, logits: Option<ArrayView1<'_, E>>) -> bool {
        self.kernel.keeps() == Keep::Logits && logits.and_then(plain).is_some()
    }

    /// Length of each row.
    pub(super) fn classes(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// The logit of a class before anything is replaced.
    pub(super) fn logit(
        &self,
        logits: Option<ArrayView1<'_, E>>,
        out: Option<&[E::Real]>,
        class: Option<usize>,
    ) -> E::Real {
        match (class, logits, out) {
            (Some(class), Some(logits), _) => logits[class].real(),
            (Some(class), None, Some(out)) => out[class],
            _ => E::Real::nan(),
        }
    }

    /// A row as its kernel sees it.
    pub(super) fn row_of<'r>(
        &'r self,
        summed: Summed<E::Real>,
        logits: Option<ArrayView1<'r, E>>,
        kept: Option<&'r [E::Real]>,
        has_output: bool,
    ) -> Row<'r, E> {
        let logits = match logits {
            Some(logits) => Logits::Stored(logits),
            None => Logits::Kept(kept.unwrap_or_default()),
        };
        Row { summed, shape: self.shape, logits, has_output }
    }

    /// What makes a row improper.
    pub(super) fn fault(&self, index: usize, logits: Option<ArrayView1<'_, E>>, kept: Option<&[E::Real]>) -> Error {
        let leading = &self.shape[..self.shape.len() - 1];
        match (logits, kept) {
            (Some(logits), _) => rows::improper("logits", leading, index, logits),
            (None, kept) => rows::improper("logits", leading, index, ArrayView1::from(kept.unwrap_or_default())),
        }
    }
}

/// A row that takes no part: nothing is read, the result is zero.
pub(super) fn skip<T: Real>(out: Option<&mut [T]>) -> f64 {
    out.into_iter().for_each(|out| out.fill(T::zero()));
    0.0
}
