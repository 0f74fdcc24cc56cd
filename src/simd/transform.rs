//! What becomes of a row of logits once its maximum and its sum are known.

use super::lanes::{LANES, join};
use super::{Kernel, dispatch};
use crate::Real;

/// `x <- (x - shift) - log`.
struct ShiftDown<'a, T> {
    block: &'a mut [T],
    shift: T,
    log: T,
}

impl<T: Real> Kernel for ShiftDown<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.block {
            *x = (*x - self.shift) - self.log;
        }
    }
}

/// Replaces each element `x` by `(x - shift) - log`, in this order: both steps go down, so nothing cancels.
pub(crate) fn shift_down<T: Real>(block: &mut [T], shift: T, log: T) {
    dispatch(ShiftDown { block, shift, log });
}

/// `(x - shift) - log` in another place.
struct ShiftDownInto<'a, T> {
    block: &'a [T],
    shift: T,
    log: T,
    to: &'a mut [T],
}

impl<T: Real> Kernel for ShiftDownInto<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (to, &x) in self.to.iter_mut().zip(self.block) {
            *to = (x - self.shift) - self.log;
        }
    }
}

/// Writes what [`shift_down`] would make of each element to another place.
pub(crate) fn shift_down_into<T: Real>(block: &[T], shift: T, log: T, to: &mut [T]) {
    dispatch(ShiftDownInto { block, shift, log, to });
}

/// `x <- scale e^d (d - mean)` with `d = x - shift <= 0`, zero where `x` is -inf.
struct EntropySlope<'a, T> {
    block: &'a mut [T],
    shift: T,
    mean: T,
    scale: T,
}

impl<T: Real> Kernel for EntropySlope<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let floor = T::from_f64(-1e4); // far below where exp is zero in every type, and finite
        for x in self.block {
            let d = *x - self.shift;
            let finite = if d < floor { floor } else { d };
            let (mantissa, power) = d.exp_parts_lane::<FMA>();
            *x = self.scale * (T::SCALE * (mantissa * power)) * (finite - self.mean);
        }
    }
}

/// Replaces each element `x` by `scale · e^(x - shift) · (x - shift - mean)`.
pub(crate) fn entropy_slope<T: Real>(block: &mut [T], shift: T, mean: T, scale: T) {
    dispatch(EntropySlope { block, shift, mean, scale });
}

/// `Σ w (top - x)`, in `f64`, where a weight of zero hides even an x of -inf.
struct WeightedDrop<'a, T> {
    block: &'a [T],
    weights: &'a [f64],
    top: f64,
}

impl<T: Real> WeightedDrop<'_, T> {
    #[inline(always)]
    fn term(&self, x: T, weight: f64) -> f64 {
        let term = weight * (self.top - x.as_f64());
        if weight == 0.0 { 0.0 } else { term }
    }
}

impl<T: Real> Kernel for WeightedDrop<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let (blocks, rest) = self.block.as_chunks::<LANES>();
        let (weights, last) = self.weights.as_chunks::<LANES>();
        for (xs, ws) in blocks.iter().zip(weights) {
            for i in 0..LANES {
                sums[i] += self.term(xs[i], ws[i]);
            }
        }
        for (sum, (&x, &w)) in sums.iter_mut().zip(rest.iter().zip(last)) {
            *sum += self.term(x, w);
        }
        join(sums, |a, b| a + b)
    }
}

/// `Σ weight · (top - x)`. An element of weight zero is left out, whatever it is.
pub(crate) fn weighted_sum_below_max<T: Real>(block: &[T], weights: &[f64], top: f64) -> f64 {
    dispatch(WeightedDrop { block, weights, top })
}

/// `Σ (top - x)`, in `f64`.
struct Drop<'a, T> {
    block: &'a [T],
    top: f64,
}

impl<T: Real> Kernel for Drop<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        // In `f64` the usual number of lanes would not stay in registers.
        const WIDE: usize = LANES / 4;
        let (mut total, mut sums) = (0.0, [0.0; WIDE]);
        let (chunks, rest) = self.block.as_chunks::<WIDE>();
        for chunk in chunks {
            for i in 0..WIDE {
                sums[i] += self.top - chunk[i].as_f64();
            }
        }
        for x in rest {
            total += self.top - x.as_f64();
        }
        sums.iter().fold(total, |total, sum| total + sum)
    }
}

/// `Σ (top - x)`.
pub(crate) fn sum_below_max<T: Real>(block: &[T], top: f64) -> f64 {
    dispatch(Drop { block, top })
}

/// `b <- w (kept q + spread)`; the sum of `w q`, NaN where some q is no probability.
struct Blend<'a, T> {
    targets: &'a [T],
    weights: &'a [f64],
    kept: f64,
    spread: f64,
    blend: &'a mut [f64],
}

impl<T: Real> Kernel for Blend<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        let mut sums = [0.0; LANES];
        let blocks = self.targets.chunks(LANES).zip(self.weights.chunks(LANES)).zip(self.blend.chunks_mut(LANES));
        for ((targets, weights), blend) in blocks {
            for (((sum, &q), &w), b) in sums.iter_mut().zip(targets).zip(weights).zip(blend) {
                let proper = q >= T::zero() && q < T::infinity();
                let q = if proper { q.as_f64() } else { f64::NAN };
                *sum += w * q;
                *b = w * (self.kept * q + self.spread);
            }
        }
        join(sums, |a, b| a + b)
    }
}

/// Writes `weight · (kept · target + spread)` to `out`, and returns the sum of `weight · target`: NaN where some target
/// is negative or not finite.
pub(crate) fn blend<T: Real>(targets: &[T], weights: &[f64], (kept, spread): (f64, f64), out: &mut [f64]) -> f64 {
    dispatch(Blend { targets, weights, kept, spread, blend: out })
}

/// `x <- x - scale w`.
struct SubtractScaled<'a, T> {
    block: &'a mut [T],
    weights: &'a [f64],
    scale: f64,
}

impl<T: Real> Kernel for SubtractScaled<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (x, &w) in self.block.iter_mut().zip(self.weights) {
            *x -= T::from_f64(self.scale * w);
        }
    }
}

/// Takes `scale · weight` from each element.
pub(crate) fn subtract_scaled<T: Real>(block: &mut [T], weights: &[f64], scale: f64) {
    dispatch(SubtractScaled { block, weights, scale });
}

/// `x <- x - by`.
struct Lower<'a, T> {
    block: &'a mut [T],
    by: T,
}

impl<T: Real> Kernel for Lower<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for x in self.block {
            *x -= self.by;
        }
    }
}

/// Takes the same from each element.
pub(crate) fn lower<T: Real>(block: &mut [T], by: T) {
    dispatch(Lower { block, by });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_zero_hides_an_infinite_drop() {
        for n in [1, 31, 32, 33, 100] {
            let mut block: Vec<f32> = (0..n).map(|i| -(i as f32)).collect();
            let mut weights = vec![0.5; n];
            let exact: f64 = (0..n - 1).map(|i| 0.5 * (i as f64 + 2.0)).sum();
            block[n - 1] = f32::NEG_INFINITY;
            assert_eq!(weighted_sum_below_max(&block, &weights, 2.0), f64::INFINITY);
            weights[n - 1] = 0.0;
            assert_eq!(weighted_sum_below_max(&block, &weights, 2.0), exact, "n = {n}");
        }
    }
}
