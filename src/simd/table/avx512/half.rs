//! Sums over half-precision storage, widened in registers: thirty-two numbers for each load.

use half::{bf16, f16};
use std::arch::x86_64::{
    __m256i, __m512, __m512i, _mm256_loadu_si256, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtph_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_slli_epi32,
};

use super::super::super::fetch::fetch_ahead;
use super::super::half_sum;
use super::SIDE;
use super::single::{CHUNK, State, splat};

/// Widens a chunk. Pairs are taken apart by halves of a register: the order within a chunk is free.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn read_bf16(chunk: &[bf16; CHUNK]) -> [__m512; SIDE] {
    let place = chunk.as_ptr().cast::<__m512i>();
    // SAFETY: the chunk holds two vectors of 32 numbers; loads need no alignment.
    let [a, b] = [0, 1].map(|i| unsafe { _mm512_loadu_si512(place.add(i)) });
    let odd = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    [_mm512_slli_epi32::<16>(a), _mm512_and_si512(a, odd), _mm512_slli_epi32::<16>(b), _mm512_and_si512(b, odd)]
        .map(|bits| _mm512_castsi512_ps(bits))
}

/// Widens a chunk.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn read_f16(chunk: &[f16; CHUNK]) -> [__m512; SIDE] {
    let place = chunk.as_ptr().cast::<__m256i>();
    // SAFETY: the chunk holds SIDE vectors of 16 numbers; loads need no alignment.
    std::array::from_fn(|i| _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(place.add(i)) }))
}

half_sum!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", sum_below_bf16, bf16, read_bf16);
half_sum!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", sum_below_f16, f16, read_f16);
