//! The gradient of one side of a row while it is written.

use ndarray::{ArrayView1, ArrayViewMut1, s};

use crate::Real;

/// Where the gradient of a side goes, block by block, and what is known of it so far.
pub(super) struct Gradient<'a, T> {
    /// The output, if this side is asked for.
    out: Option<ArrayViewMut1<'a, T>>,
    /// Where a block is computed if the output has gaps, or there is none.
    scratch: &'a mut [T],
    /// Whether one class has more than half of the mass: the entry of that class is found from all others, for it may
    /// have digits that are lost where it is formed by itself.
    is_dominated: bool,
    top: usize,
    others: f64,
    check: T,
}

impl<'a, T: Real> Gradient<'a, T> {
    pub(super) fn new(out: Option<ArrayViewMut1<'a, T>>, scratch: &'a mut [T], is_dominated: bool) -> Self {
        Self { out, scratch, is_dominated, top: 0, others: 0.0, check: T::zero() }
    }

    /// Where the entries of `len` classes from `first` on are to be written.
    pub(super) fn place(&mut self, first: usize, len: usize) -> &mut [T] {
        match self.out.as_mut().and_then(ArrayViewMut1::as_slice_mut) {
            Some(out) => &mut out[first..first + len],
            None => &mut self.scratch[..len],
        }
    }

    /// Takes note of a block that has been written.
    pub(super) fn take(&mut self, first: usize, logits: &[T], top: T, check: T, others: T) {
        let Some(out) = &mut self.out else { return };
        if out.as_slice().is_none() {
            let block = ArrayView1::from(&self.scratch[..logits.len()]);
            out.slice_mut(s![first..first + logits.len()]).assign(&block);
        }
        if self.is_dominated {
            let at = T::place(logits, top);
            self.top = if at < logits.len() { first + at } else { self.top };
        }
        self.others += others.wide();
        self.check += check;
    }

    /// Writes the last entry; whether all are finite.
    pub(super) fn finish(self) -> bool {
        let Some(mut out) = self.out else { return true };
        if self.is_dominated {
            out[self.top] = T::of(-self.others);
        }
        !self.check.is_nan() && out[self.top].is_finite()
    }
}
