//! The two passes over one row: its exponentials are summed, then its output is finished.
//!
//! A row is made of segments, each summed by itself and merged in order, so that few long rows can be given to several
//! threads without a change of bits. A segment is made of blocks that stay in the first-level cache.

use ndarray::ArrayView1;
use num_traits::{Float, Zero};

use super::kernel::{Block, OutputState, Row, RowKernel, RowLogits, RowRequest, Slope, Summed};
use crate::rowwise::{self, BLOCK, Rows};
use crate::simd::{self, RowSum, Stream};
use crate::{Element, Error, Real, Result, parallel};

/// Elements of a row that are summed by themselves: 256 KiB of `f32`.
pub(super) const SEGMENT: usize = 32 * BLOCK;

/// What all rows of one call share.
pub(super) struct RowPass<'p, 'a, E: Element> {
    pub(super) shape: &'p [usize],
    /// The caller's logits, unless they are replaced in place.
    pub(super) logits: Option<&'p Rows<'a, E>>,
    pub(super) kernel: &'p dyn RowKernel<E::Real>,
    /// What the kernel says of every row, asked for once.
    pub(super) output_state: OutputState,
    pub(super) needs_moment: bool,
    /// Whether the segments of a row are spread over threads.
    pub(super) is_split: bool,
    /// Whether outputs go past the caches.
    pub(super) streams: bool,
}

/// Memory that a thread uses again for each of its rows.
#[derive(Default)]
pub(super) struct Scratch<T> {
    /// The losses of a job.
    pub(super) losses: Vec<f64>,
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
struct Segment<'r, T> {
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

impl<'p, 'a, E: Element> RowPass<'p, 'a, E> {
    /// A pass of the kernel over rows of this shape, each of them by one thread and through the caches.
    pub(super) fn new(shape: &'p [usize], logits: Option<&'p Rows<'a, E>>, kernel: &'p dyn RowKernel<E::Real>) -> Self {
        let (output_state, needs_moment) = (kernel.output_state(), kernel.needs_moment());
        Self { shape, logits, kernel, output_state, needs_moment, is_split: false, streams: false }
    }

    /// Both passes over a row.
    pub(super) fn row(&self, index: usize, out: Option<&mut [E::Real]>, scratch: &mut Scratch<E::Real>) -> Result<f64> {
        let class = match self.kernel.request(index) {
            RowRequest::Nothing => return Ok(skip(out)),
            RowRequest::Sum => None,
            RowRequest::Class(class) => Some(class),
        };
        let logits = self.logits.map(|logits| logits.row(index));
        // What is replaced must be read before; what is not comes from the cache afterwards.
        let logit = if logits.is_none() { logit_of(out.as_deref(), class) } else { E::Real::nan() };
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
        self.passes(index, (class, logit), logits, Output { work, stream, is_wanted }, references)
    }

    /// The same where the logits are: in `logits`, or in the output, from which the one of interest has been taken.
    pub(super) fn passes(
        &self,
        index: usize,
        (class, logit): (Option<usize>, E::Real),
        logits: Option<ArrayView1<'_, E>>,
        mut out: Output<'_, E::Real>,
        references: &mut [E::Real],
    ) -> Result<f64> {
        let sum = self.each_segment(out.borrow(), references, |segment| self.sum(logits, segment));
        let logit = match (logits, class) {
            (Some(logits), Some(class)) => logits[class].real(),
            _ => logit,
        };
        let summed = Summed { index, sum, log: sum.others.ln_1p(), logit };
        if !sum.is_proper() {
            return Err(self.fault(index, logits, out.work.as_deref()));
        }
        let (loss, slope) = self.loss(summed, logits, out.work.as_deref(), out.is_wanted)?;
        if out.is_wanted {
            self.each_segment(out, references, |segment| self.finish(logits, segment, &summed, &slope));
        }
        Ok(loss)
    }

    /// Runs `f` on each segment of a row and merges their sums in order.
    fn each_segment(
        &self,
        out: Output<'_, E::Real>,
        references: &mut [E::Real],
        f: impl Fn(&mut Segment<'_, E::Real>) + Sync + Send,
    ) -> RowSum<E::Real> {
        let classes = self.classes();
        let mut works = out.work.map(|work| work.chunks_mut(SEGMENT));
        let mut streams = out.stream.map(|stream| stream.chunks_mut(SEGMENT));
        let firsts = (0..classes).step_by(SEGMENT).zip(references.chunks_mut(SEGMENT / BLOCK));
        let segments = firsts.map(|(first, references)| Segment {
            first,
            len: SEGMENT.min(classes - first),
            work: works.as_mut().and_then(Iterator::next),
            stream: streams.as_mut().and_then(Iterator::next),
            references,
            sum: RowSum::new(),
        });
        if !self.is_split || classes <= SEGMENT {
            return segments.fold(RowSum::new(), |sum, mut segment| {
                f(&mut segment);
                sum.merge(segment.sum)
            });
        }
        let (mut segments, f): (Vec<_>, &(dyn Fn(&mut Segment<'_, E::Real>) + Sync)) = (segments.collect(), &f);
        parallel::for_each(segments.iter_mut().collect(), classes * size_of::<E::Real>(), f);
        segments.iter().fold(RowSum::new(), |sum, segment| sum.merge(segment.sum))
    }

    /// The first pass over a segment.
    fn sum(&self, logits: Option<ArrayView1<'_, E>>, segment: &mut Segment<'_, E::Real>) {
        let logits = logits.map(|logits| rowwise::cut(logits, segment.first..segment.first + segment.len));
        let is_late = self.is_late(logits);
        let sum = &mut segment.sum;
        match (&mut segment.work, logits) {
            (Some(work), logits) if !is_late => {
                for (i, block) in work.chunks_mut(BLOCK).enumerate() {
                    let logits = logits.map(|logits| rowwise::cut(logits, i * BLOCK..i * BLOCK + block.len()));
                    match (self.output_state, logits.and_then(plain)) {
                        (OutputState::Exponentials, Some(logits)) => {
                            segment.references[i] = sum.push_exp_into(logits, block)
                        }
                        (state, _) => {
                            logits.into_iter().for_each(|logits| rowwise::copy(logits, block));
                            match state {
                                OutputState::Exponentials => segment.references[i] = sum.push_exp(block),
                                OutputState::Logits => self.push(sum, block),
                            }
                        }
                    }
                    if sum.others.is_nan() {
                        return; // what comes after stays as it is, so that the fault can be found
                    }
                }
            }
            (_, Some(logits)) => match logits.to_slice() {
                Some(slice) if !self.needs_moment => sum.push(slice),
                _ => rowwise::for_each_block(logits, |block| self.push(sum, block)),
            },
            (_, None) => {}
        }
    }

    fn push(&self, sum: &mut RowSum<E::Real>, block: &[E::Real]) {
        if self.needs_moment { sum.push_with_moment(block) } else { sum.push(block) }
    }

    /// The second pass over a segment.
    fn finish(
        &self,
        logits: Option<ArrayView1<'_, E>>,
        segment: &mut Segment<'_, E::Real>,
        summed: &Summed<E::Real>,
        slope: &Slope,
    ) {
        let late = logits.filter(|_| self.is_late(logits));
        let Some(work) = &mut segment.work else { return };
        let mut stream = segment.stream.take().map(Stream::over);
        for i in 0..segment.len.div_ceil(BLOCK) {
            let (start, len) = (i * BLOCK, BLOCK.min(segment.len - i * BLOCK));
            let first = segment.first + start;
            // What is streamed away need not be kept: all blocks use the same place, which stays in the cache.
            let place = if stream.is_some() && late.is_some() { 0 } else { start };
            let data = &mut work[place..place + len];
            let factor = match self.output_state {
                OutputState::Exponentials => (segment.references[i].as_f64() - summed.sum.max.as_f64()).exp(),
                OutputState::Logits => 1.0,
            };
            let block = Block { first, data: &mut *data, factor };
            match late.and_then(|logits| plain(rowwise::cut(logits, first..first + len))) {
                Some(logits) => self.kernel.finish_from(slope, summed, logits, block),
                None => self.kernel.finish(slope, summed, block),
            }
            stream.iter_mut().for_each(|stream| stream.push(data));
        }
    }

    /// Whether logits are copied to the output in the second pass, just before they are changed.
    fn is_late(&self, logits: Option<ArrayView1<'_, E>>) -> bool {
        self.output_state == OutputState::Logits && logits.and_then(plain).is_some()
    }

    /// Length of each row.
    pub(super) fn classes(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// The loss of a row, whose logits are in `logits` or else in what is kept in the output, and its slope.
    pub(super) fn loss(
        &self,
        summed: Summed<E::Real>,
        logits: Option<ArrayView1<'_, E>>,
        kept: Option<&[E::Real]>,
        has_output: bool,
    ) -> Result<(f64, Slope)> {
        let kept = ArrayView1::from(kept.unwrap_or_default());
        let logits: &dyn RowLogits<E::Real> = match &logits {
            Some(logits) => logits,
            None => &kept,
        };
        self.kernel.loss(&Row { summed, shape: self.shape, logits, has_output })
    }

    /// What makes a row improper.
    pub(super) fn fault(&self, index: usize, logits: Option<ArrayView1<'_, E>>, kept: Option<&[E::Real]>) -> Error {
        let leading = &self.shape[..self.shape.len() - 1];
        match (logits, kept) {
            (Some(logits), _) => rowwise::improper("logits", leading, index, logits),
            (None, kept) => rowwise::improper("logits", leading, index, ArrayView1::from(kept.unwrap_or_default())),
        }
    }
}

/// The logit of a class in an output that still holds logits.
fn logit_of<T: Real>(out: Option<&[T]>, class: Option<usize>) -> T {
    match (class, out) {
        (Some(class), Some(out)) => out[class],
        _ => T::nan(),
    }
}

/// A row that is not counted: nothing is read, the result is zero.
pub(super) fn skip<T: Real>(out: Option<&mut [T]>) -> f64 {
    out.into_iter().for_each(|out| out.fill(T::zero()));
    0.0
}
