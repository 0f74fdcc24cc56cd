//! The gradient of one side of a row while it is written.

use crate::Real;

/// Where the gradient of a side goes, block by block, and what is known of it so far.
pub(super) struct Gradient<'a, T> {
    /// The output, if this side is asked for.
    out: Option<&'a mut [T]>,
    /// Where a block is computed if there is no output.
    scratch: &'a mut [T],
    /// Whether one class has more than half of the mass: the entry of that class is found from all others, for it may
    /// have digits that are lost where it is formed by itself.
    is_dominated: bool,
    top: usize,
    others: f64,
    check: T,
    fits: bool,
}

impl<'a, T: Real> Gradient<'a, T> {
    pub(super) fn new(out: Option<&'a mut [T]>, scratch: &'a mut [T], is_dominated: bool) -> Self {
        Self { out, scratch, is_dominated, top: 0, others: 0.0, check: T::zero(), fits: true }
    }

    /// Where the entries of `len` classes from `first` on are to be written.
    pub(super) fn place(&mut self, first: usize, len: usize) -> &mut [T] {
        match &mut self.out {
            Some(out) => &mut out[first..first + len],
            None => &mut self.scratch[..len],
        }
    }

    /// Takes note of a block that has been written, and lets `chain` turn its entries into those in the logits as they came.
    pub(super) fn take(
        &mut self,
        first: usize,
        logits: &[T],
        top: T,
        [check, others]: [T; 2],
        chain: impl FnOnce(&mut [T]) -> bool,
    ) {
        if self.out.is_none() {
            return;
        }
        if self.is_dominated {
            let at = T::place(logits, top);
            self.top = if at < logits.len() { first + at } else { self.top };
        }
        self.others += others.as_f64();
        self.check += check;
        self.fits &= chain(self.place(first, logits.len()));
    }

    /// Writes the last entry; whether all are finite.
    pub(super) fn finish(self, chain: impl FnOnce(usize, &mut [T]) -> bool) -> bool {
        let Some(out) = self.out else { return true };
        let mut fits = self.fits && !self.check.is_nan();
        if self.is_dominated {
            let mut entry = [T::from_f64(-self.others)];
            fits &= chain(self.top, &mut entry);
            out[self.top] = entry[0];
        }
        fits && out[self.top].is_finite()
    }
}
