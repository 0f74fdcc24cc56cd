//! The gradient of a token in its logits, as the few numbers that it is made of.

use super::BLOCK;
use crate::Real;
use crate::logits::class_weights::ClassWeights;
use crate::logits::transform::Map;
use crate::simd;

/// `g = factor e^(z - max) - spread w` at every class but the target, where it is `at_target`.
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
    /// Replaces the logits of neighboring classes, at most [`BLOCK`], by the gradient in them.
    pub(super) fn replace(&self, row: &mut [T], first: usize, weights: ClassWeights<'_>, map: Option<Map<T>>) {
        let Some(map) = map else { return self.replace_images(row, first, weights) };
        let mut slopes = [T::zero(); BLOCK];
        let slopes = &mut slopes[..row.len()];
        // Both stay within the type: the forward sweep has seen the images, and the slope of the token has its bound.
        map.apply_with_slopes(row, slopes);
        self.replace_images(row, first, weights);
        map.chain(row, slopes);
    }

    /// Replaces the logits that the softmax is taken of.
    fn replace_images(&self, row: &mut [T], first: usize, weights: ClassWeights<'_>) {
        simd::scale_exp(row, self.max, self.factor);
        if self.spread != 0.0 {
            weights.subtract(first, row, self.spread);
        }
        if let Some(x) = self.target.checked_sub(first).and_then(|at| row.get_mut(at)) {
            *x = self.at_target;
        }
    }
}
