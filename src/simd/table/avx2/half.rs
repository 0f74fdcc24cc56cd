//! Sums over half-precision storage, widened in registers: sixteen numbers for each load.

use half::bf16;
use std::arch::x86_64::{
    __m128i, __m256, _mm_loadu_si128, _mm256_castsi256_ps, _mm256_cvtepu16_epi32, _mm256_setzero_ps, _mm256_slli_epi32,
};

use super::super::super::prefetch::fetch_page_ahead as fetch_ahead;
use super::super::half_sum;
use super::SIDE;
use super::single::{CHUNK, State, splat_shift};

/// Widens a chunk, in order: the sum then has the bits of that over the same numbers in `f32`, to which logits that do not
/// lie in one piece are copied.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn read_bf16(chunk: &[bf16; CHUNK]) -> [__m256; SIDE] {
    let place = chunk.as_ptr().cast::<__m128i>();
    let mut x = [_mm256_setzero_ps(); SIDE];
    for (i, x) in x.iter_mut().enumerate() {
        // SAFETY: the chunk holds SIDE vectors of 8 numbers; loads need no alignment.
        let bits = unsafe { _mm_loadu_si128(place.add(i)) };
        *x = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits)));
    }
    x
}

half_sum!("avx2,fma", sum_below_bf16, bf16, read_bf16);
