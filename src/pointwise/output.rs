//! From the losses and slopes of a block to the caller's arrays: weights and scale, by selection.

use ndarray::{ArrayViewMut1, Axis, s};
use std::ops::Range;

use super::SLOPES;
use crate::math::mul_or_zero;
use crate::simd::{Kernel, dispatch};
use crate::{Real, rowwise};

/// Where a pass puts what it finds beside the sum. Arrays have one entry for each element, in any layout.
pub(crate) enum Output<'o, T> {
    /// Nowhere.
    Nothing,
    /// The share of each element in the sum.
    Each(ArrayViewMut1<'o, T>),
    /// The slopes of the sum, one array for each.
    Slopes([Option<ArrayViewMut1<'o, T>>; SLOPES], Mode),
}

/// What happens to what was there.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    /// It is overwritten.
    Set,
    /// It is added to.
    Add,
}

impl<'o, T: Real> Output<'o, T> {
    /// The slopes of up to [`SLOPES`] arguments, overwriting what was there.
    pub(crate) fn slopes<const G: usize>(arrays: [ArrayViewMut1<'o, T>; G], mode: Mode) -> Self {
        let mut slots = [const { None }; SLOPES];
        slots.iter_mut().zip(arrays).for_each(|(slot, array)| *slot = Some(array));
        Self::Slopes(slots, mode)
    }

    /// Whether slopes are wanted.
    pub(super) fn is_steep(&self) -> bool {
        matches!(self, Self::Slopes(..))
    }

    /// The arrays that are written to.
    fn arrays(&self) -> impl Iterator<Item = &ArrayViewMut1<'o, T>> {
        let (each, slopes) = match self {
            Self::Nothing => (None, None),
            Self::Each(each) => (Some(each), None),
            Self::Slopes(slopes, _) => (None, Some(slopes)),
        };
        each.into_iter().chain(slopes.into_iter().flatten().flatten())
    }

    /// Whether all arrays can be written to as slices.
    pub(super) fn is_contiguous(&self) -> bool {
        self.arrays().all(|array| array.is_standard_layout())
    }

    /// By array, the place of the first entry that is not finite; a share is not of a loss that is infinite itself.
    pub(super) fn improper(&self, loss: &[T]) -> impl Iterator<Item = Option<usize>> {
        let is_share = matches!(self, Self::Each(_));
        let is_bad = move |(x, loss): (&T, &T)| !x.is_finite() && (loss.is_finite() || !is_share);
        self.arrays().map(move |array| array.iter().zip(loss).position(is_bad))
    }

    /// The part of the arrays that belongs to these elements.
    pub(super) fn part(&mut self, at: Range<usize>) -> Output<'_, T> {
        match self {
            Self::Nothing => Output::Nothing,
            Self::Each(each) => Output::Each(each.slice_mut(s![at])),
            Self::Slopes(slopes, mode) => Output::Slopes(
                slopes.each_mut().map(|slope| slope.as_mut().map(|x| x.slice_mut(s![at.clone()]))),
                *mode,
            ),
        }
    }

    /// The arrays of `n` elements, in pieces of `size` elements, the last one shorter.
    pub(super) fn pieces(&mut self, size: usize, n: usize) -> Vec<Output<'_, T>> {
        match self {
            Self::Nothing => (0..n.div_ceil(size)).map(|_| Output::Nothing).collect(),
            Self::Each(each) => each.axis_chunks_iter_mut(Axis(0), size).map(Output::Each).collect(),
            Self::Slopes(slopes, mode) => {
                let mut chunks =
                    slopes.each_mut().map(|slope| slope.as_mut().map(|x| x.axis_chunks_iter_mut(Axis(0), size)));
                let piece = |_| Output::Slopes(chunks.each_mut().map(|chunk| chunk.as_mut()?.next()), *mode);
                (0..n.div_ceil(size)).map(piece).collect()
            }
        }
    }
}

/// What the losses and slopes of a block are multiplied by. A factor of zero selects: not even a NaN comes through.
#[derive(Clone, Copy)]
pub(crate) struct Scale<'a, T> {
    pub(crate) weights: Option<&'a [T]>,
    pub(crate) factor: T,
}

impl<T: Real> Scale<'_, T> {
    /// The factor of the element at this place in the block.
    pub(super) fn at(&self, index: usize) -> T {
        self.weights.map_or(T::one(), |weights| weights[index]) * self.factor
    }

    /// Writes `from`, scaled, to an array of any layout, of which `spare` takes a copy; says whether all is finite.
    pub(crate) fn write(self, from: &[T], to: &mut ArrayViewMut1<'_, T>, mode: Mode, spare: &mut [T]) -> bool {
        if let Some(to) = to.as_slice_mut() {
            return dispatch(Write { scale: self, from, to, mode });
        }
        let spare = &mut spare[..from.len()];
        rowwise::copy(to.view(), spare);
        let finite = dispatch(Write { scale: self, from, to: spare, mode });
        to.iter_mut().zip(&*spare).for_each(|(to, &x)| *to = x);
        finite
    }

    /// Writes all that the output takes.
    pub(super) fn write_to(self, output: &mut Output<'_, T>, loss: &[T], slopes: &[&mut [T]], spare: &mut [T]) -> bool {
        match output {
            Output::Nothing => true,
            Output::Each(each) => self.write(loss, each, Mode::Set, spare),
            Output::Slopes(arrays, mode) => {
                let mut is_finite = true;
                for (array, slope) in arrays.iter_mut().flatten().zip(slopes) {
                    is_finite &= self.write(slope, array, *mode, spare);
                }
                is_finite
            }
        }
    }
}

struct Write<'a, T> {
    scale: Scale<'a, T>,
    from: &'a [T],
    to: &'a mut [T],
    mode: Mode,
}

impl<T: Real> Kernel for Write<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let Scale { weights, factor } = self.scale;
        match (weights, self.mode) {
            (None, Mode::Set) => each(self.from, self.from, self.to, |_, x, _| mul_or_zero(factor, x)),
            (None, Mode::Add) => each(self.from, self.from, self.to, |_, x, old| old + mul_or_zero(factor, x)),
            (Some(w), Mode::Set) => each(w, self.from, self.to, |w, x, _| mul_or_zero(w * factor, x)),
            (Some(w), Mode::Add) => each(w, self.from, self.to, |w, x, old| old + mul_or_zero(w * factor, x)),
        }
    }
}

/// Replaces each `to` by `f(weight, from, to)`; says whether all is finite.
#[inline(always)]
fn each<T: Real>(weights: &[T], from: &[T], to: &mut [T], f: impl Fn(T, T, T) -> T) -> bool {
    let mut infinite = false;
    for ((to, &x), &w) in to.iter_mut().zip(from).zip(weights) {
        *to = f(w, x, *to);
        infinite |= !to.is_finite();
    }
    !infinite
}
