//! The loop over one axis of points.

use crate::math::mul_add;
use crate::simd::{Kernel, LANES, join};

/// `Σ w_j (x - y_j)`, or of the signs.
pub(super) struct Slope<'a> {
    pub(super) weights: &'a [f64],
    pub(super) axis: &'a [f64],
    pub(super) from: f64,
    pub(super) is_sign: bool,
}

impl Slope<'_> {
    #[inline(always)]
    fn sum<const FMA: bool>(&self, difference: impl Fn(f64) -> f64) -> f64 {
        let mut sums = [0.0; LANES];
        let (weights, last_weights) = self.weights.as_chunks::<LANES>();
        let (axis, last) = self.axis.as_chunks::<LANES>();
        for (weights, axis) in weights.iter().zip(axis) {
            for i in 0..LANES {
                sums[i] = mul_add::<f64, FMA>(weights[i], difference(self.from - axis[i]), sums[i]);
            }
        }
        for (i, (weight, to)) in last_weights.iter().zip(last).enumerate() {
            sums[i] += weight * difference(self.from - to);
        }
        join(sums, |a, b| a + b)
    }
}

impl Kernel for Slope<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f64 {
        if self.is_sign {
            self.sum::<FMA>(|d| if d == 0.0 { 0.0 } else { 1.0_f64.copysign(d) })
        } else {
            self.sum::<FMA>(|d| d)
        }
    }
}
