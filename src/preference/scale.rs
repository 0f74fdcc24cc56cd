//! From the losses and slopes of a block to the caller's arrays: weights and scale, by selection.

use ndarray::ArrayViewMut1;

use crate::preference::{Pairs, PairsMut};
use crate::simd::{Kernel, dispatch, mul_or_zero};
use crate::{Real, rows};

/// What the losses and slopes of a block are multiplied by. A factor of zero selects: not even a NaN comes through.
#[derive(Clone, Copy)]
pub(crate) struct Scale<'a, T> {
    pub(crate) weights: Option<&'a [T]>,
    pub(crate) factor: T,
}

/// What happens to what was there.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Set,
    Add,
}

impl<T: Real> Scale<'_, T> {
    /// The factor of the pair at this place in the block.
    pub(crate) fn at(&self, index: usize) -> T {
        self.weights.map_or(T::one(), |weights| weights[index]) * self.factor
    }

    /// Writes `from`, scaled, to an array of any layout, of which `spare` takes a copy; says whether all is finite.
    pub(crate) fn write(self, from: &[T], mut to: ArrayViewMut1<'_, T>, mode: Mode, spare: &mut [T]) -> bool {
        if let Some(to) = to.as_slice_mut() {
            return dispatch(Write { scale: self, from, to, mode });
        }
        let spare = &mut spare[..from.len()];
        rows::copy(to.view(), spare);
        let finite = dispatch(Write { scale: self, from, to: spare, mode });
        to.iter_mut().zip(&*spare).for_each(|(to, &x)| *to = x);
        finite
    }

    /// The same for both sides.
    pub(crate) fn write_both(self, from: Pairs<&[T]>, to: PairsMut<'_, T>, mode: Mode, spare: &mut [T]) -> bool {
        let finite = from.zip(to).map(|(from, to)| self.write(from, to, mode, spare));
        finite.chosen && finite.rejected
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
