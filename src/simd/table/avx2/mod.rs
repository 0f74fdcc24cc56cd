//! AVX2: sixteen registers, which hold eight powers of `f32`, and none of `f64`.

pub(in crate::simd) mod double;
#[cfg(feature = "half")]
mod half;
pub(in crate::simd) mod single;

#[cfg(feature = "half")]
pub(in crate::simd) use half::sum_below_bf16;

/// Vectors that are worked on side by side, which hides the latency of each.
const SIDE: usize = 2;
