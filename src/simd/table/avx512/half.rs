//! Sums over half-precision storage, widened in registers: thirty-two numbers for each load.

use half::{bf16, f16};
use std::arch::x86_64::{
    __m256i, __m512, _mm256_loadu_si256, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps,
    _mm512_setzero_ps, _mm512_slli_epi32,
};

use super::super::super::prefetch::fetch_ahead;
use super::super::half_sum;
use super::SIDE;
use super::single::{CHUNK, State, splat_shift};

/// Widens a chunk, in order: the sum then has the bits of that over the same numbers in `f32`, to which logits that do not
/// lie in one piece are copied.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn read_bf16(chunk: &[bf16; CHUNK]) -> [__m512; SIDE] {
    let place = chunk.as_ptr().cast::<__m256i>();
    let mut x = [_mm512_setzero_ps(); SIDE];
    for (i, x) in x.iter_mut().enumerate() {
        // SAFETY: the chunk holds SIDE vectors of 16 numbers; loads need no alignment.
        let bits = unsafe { _mm256_loadu_si256(place.add(i)) };
        *x = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits)));
    }
    x
}

/// Widens a chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn read_f16(chunk: &[f16; CHUNK]) -> [__m512; SIDE] {
    let place = chunk.as_ptr().cast::<__m256i>();
    let mut x = [_mm512_setzero_ps(); SIDE];
    for (i, x) in x.iter_mut().enumerate() {
        // SAFETY: the chunk holds SIDE vectors of 16 numbers; loads need no alignment.
        *x = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(place.add(i)) });
    }
    x
}

half_sum!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", sum_below_bf16, bf16, read_bf16);
half_sum!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", sum_below_f16, f16, read_f16);
