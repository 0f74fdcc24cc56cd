//! AVX-512: registers enough for sixteen powers and four vectors side by side.

pub(in crate::simd) mod double;
#[cfg(feature = "half")]
mod half;
pub(in crate::simd) mod single;

#[cfg(feature = "half")]
pub(in crate::simd) use half::{sum_below_bf16, sum_below_f16};

/// Vectors that are worked on side by side, which hides the latency of each.
const SIDE: usize = 4;

/// What both types do with `slope`.
macro_rules! by_slope {
    () => {
        /// `power e^-q`, with one rounding after that of the power.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn scaled(power: Vector, q: Vector) -> Vector {
            neg_mul_add(mul(q, slope(q)), power, power)
        }

        /// `sum + power e^-q`.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn add_scaled(sum: Vector, power: Vector, q: Vector) -> Vector {
            mul_add(neg_mul_add(q, slope(q), splat(1.0)), power, sum)
        }
    };
}
use by_slope;
