//! A row whose logits are transformed: that of its images, which are held for this row alone, and the way back.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{ArrayView1, s};
use num_traits::{Float, Zero};

use super::kernel::{Block, OutputState, Row, RowKernel, RowRequest, Slope, Summed};
use super::row_passes::{Output, RowPass, SEGMENT, Scratch, skip};
use super::transform::Map;
use crate::error::Position;
use crate::rowwise::{self, BLOCK};
use crate::{Element, Error, Real, Result, parallel};

/// Both passes over a row, of logits that go through a map.
pub(super) fn row<E: Element>(
    (pass, map): (&RowPass<'_, '_, E>, Map<E::Real>),
    index: usize,
    out: Option<&mut [E::Real]>,
    scratch: &mut Scratch<E::Real>,
) -> Result<f64> {
    let class = match pass.kernel.request(index) {
        RowRequest::Nothing => return Ok(skip(out)),
        RowRequest::Sum => None,
        RowRequest::Class(class) => Some(class),
    };
    let (shape, has_output) = (pass.shape, out.is_some());
    let classes = shape.last().copied().unwrap_or(0);
    let has_slopes = has_output && pass.kernel.is_gradient() && map.has_slopes();
    scratch.slopes.resize(if has_slopes { classes } else { 0 }, E::Real::zero());
    scratch.references.resize(classes.div_ceil(BLOCK), E::Real::zero());
    let Scratch { row, slopes, references, .. } = scratch;
    let (images, stream) = match out {
        Some(out) if !pass.streams => (out, None),
        out => {
            row.resize(classes, E::Real::zero());
            (row.as_mut_slice(), out)
        }
    };
    let fits = load(pass.logits.map(|logits| logits.row(index)), images, (map, slopes), pass.is_split);
    let kernel = Chained { kernel: pass.kernel, map, slopes, is_lost: AtomicBool::new(!fits) };
    let inner = RowPass { is_split: pass.is_split, ..RowPass::<E::Real>::new(shape, None, &kernel) };
    let logit = class.map_or(E::Real::nan(), |class| images[class]);
    // The images are ours to overwrite: with an output or without, the sum is made in one way and has the same bits.
    let out = Output { work: Some(images), stream, is_wanted: has_output };
    let loss = inner.passes(index, (class, logit), None, out, references)?;
    if kernel.is_lost.into_inner() {
        let position = Position::unravel(index, &shape[..shape.len() - 1]);
        return Err(Error::overflow::<E::Real>("logits", position));
    }
    Ok(loss)
}

/// Replaces the logits by their images, taking them from `logits` if they are not there yet; whether all numbers have one.
fn load<E: Element>(
    logits: Option<ArrayView1<'_, E>>,
    images: &mut [E::Real],
    (map, slopes): (Map<E::Real>, &mut [E::Real]),
    is_split: bool,
) -> bool {
    let part = |first: usize, images: &mut [E::Real], slopes: &mut [E::Real]| {
        let mut slopes = slopes.chunks_mut(BLOCK);
        images.chunks_mut(BLOCK).zip((first..).step_by(BLOCK)).fold(true, |fits, (block, start)| {
            if let Some(logits) = logits {
                rowwise::copy(logits.slice(s![start..start + block.len()]), block);
            }
            fits & match slopes.next() {
                Some(slopes) => map.apply_with_slopes(block, slopes),
                None => map.apply(block),
            }
        })
    };
    if !is_split || images.len() <= SEGMENT {
        return part(0, images, slopes);
    }
    let (fits, bytes) = (AtomicBool::new(true), size_of_val(images));
    let mut slopes = slopes.chunks_mut(SEGMENT);
    let segments = images.chunks_mut(SEGMENT).map(|images| (images, slopes.next().unwrap_or_default()));
    let segments = (0..).step_by(SEGMENT).zip(segments).collect();
    parallel::for_each(segments, bytes, |(first, (images, slopes))| {
        fits.fetch_and(part(first, images, slopes), Ordering::Relaxed);
    });
    fits.into_inner()
}

/// The kernel of the images, whose gradients are carried back.
struct Chained<'k, T> {
    kernel: &'k dyn RowKernel<T>,
    map: Map<T>,
    slopes: &'k [T],
    /// Whether some logit or some entry of the gradient has left the type.
    is_lost: AtomicBool,
}

impl<T: Real> RowKernel<T> for Chained<'_, T> {
    fn output_state(&self) -> OutputState {
        self.kernel.output_state()
    }

    fn needs_moment(&self) -> bool {
        self.kernel.needs_moment()
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        self.kernel.loss(row)
    }

    fn finish(&self, slope: &Slope, row: &Summed<T>, block: Block<'_, T>) {
        let Block { first, data, factor } = block;
        self.kernel.finish(slope, row, Block { first, data: &mut *data, factor });
        let slopes = self.slopes.get(first..first + data.len()).unwrap_or_default();
        if self.kernel.is_gradient() && !self.map.chain(data, slopes) {
            self.is_lost.store(true, Ordering::Relaxed);
        }
    }
}
