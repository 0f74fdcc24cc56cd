//! The gradient of a token in its logits, as the few numbers that it is made of.

use crate::Real;
use crate::logits::class_weights::ClassWeights;
use crate::simd;

/// `g = factor e^(x - max) - spread w` at every class but the target, where it is `at_target`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope<T> {
    /// The largest logit.
    pub(super) max: T,
    /// What the exponentials are multiplied by.
    pub(super) factor: T,
    /// What the class weights are multiplied by.
    pub(super) spread: f64,
    pub(super) target: usize,
    /// The entry of the target, formed where it keeps its digits.
    pub(super) at_target: T,
}

impl<T: Real> Slope<T> {
    /// Replaces the logits of neighbouring classes by the gradient in them.
    pub(super) fn replace(&self, row: &mut [T], first: usize, weights: ClassWeights<'_>) {
        simd::scale_exp(row, self.max, self.factor);
        if self.spread != 0.0 {
            simd::subtract_scaled(row, weights.block(first, row.len()), self.spread);
        }
        if let Some(x) = self.target.checked_sub(first).and_then(|at| row.get_mut(at)) {
            *x = self.at_target;
        }
    }
}
