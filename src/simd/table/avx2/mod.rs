//! AVX2: sixteen registers, which hold eight powers of `f32`, and none of `f64`.

pub(in crate::simd) mod double;
#[cfg(feature = "half")]
mod half;
pub(in crate::simd) mod single;

#[cfg(feature = "half")]
pub(in crate::simd) use half::sum_below_bf16;

/// Vectors that are worked on side by side, which hides the latency of each.
const SIDE: usize = 2;

/// What both types do with `fall`, and with the lanes of a vector.
macro_rules! across {
    () => {
        /// `power e^-q`, with one rounding after that of the power.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn scaled(power: Vector, q: Vector) -> Vector {
            neg_mul_add(fall(q), power, power)
        }

        /// The sum of all lanes.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn reduce_add(x: Vector) -> Real {
            let lanes = lanes(x);
            let mut sum = lanes[0]; // a loop, for not every iterator is inlined
            for x in &lanes[1..] {
                sum += x;
            }
            sum
        }

        /// The largest of all lanes, of which none is NaN.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn reduce_top(x: Vector) -> Real {
            let mut top = Real::NEG_INFINITY;
            for &x in &lanes(x) {
                top = top.max(x);
            }
            top
        }

        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn lanes(x: Vector) -> [Real; LANES] {
            let mut lanes = [0.0; LANES];
            // SAFETY: the array holds a vector; stores need no alignment.
            unsafe { store(lanes.as_mut_ptr(), x) };
            lanes
        }
    };
}
use across;
