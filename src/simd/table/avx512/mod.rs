//! AVX-512: registers enough for sixteen powers and four vectors side by side.

pub(in crate::simd) mod double;
#[cfg(feature = "half")]
mod half;
pub(in crate::simd) mod single;

#[cfg(feature = "half")]
pub(in crate::simd) use half::{sum_below_bf16, sum_below_f16};

/// Vectors that are worked on side by side, which hides the latency of each.
const SIDE: usize = 4;
