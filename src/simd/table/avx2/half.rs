//! Sums over half-precision storage, widened in registers: sixteen numbers for each load.

use half::bf16;
use std::arch::x86_64::{
    __m256, __m256i, _mm256_and_si256, _mm256_castsi256_ps, _mm256_loadu_si256, _mm256_set1_epi32, _mm256_slli_epi32,
};

use super::super::super::fetch::fetch_page_ahead as fetch_ahead;
use super::super::half_sum;
use super::SIDE;
use super::single::{CHUNK, State, splat};

/// Widens a chunk. Pairs are taken apart by halves of a register: the order within a chunk is free.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn read_bf16(chunk: &[bf16; CHUNK]) -> [__m256; SIDE] {
    // SAFETY: the chunk holds a vector of 16 numbers; loads need no alignment.
    let both = unsafe { _mm256_loadu_si256(chunk.as_ptr().cast::<__m256i>()) };
    let odd = _mm256_set1_epi32(0xffff_0000_u32 as i32);
    [_mm256_slli_epi32::<16>(both), _mm256_and_si256(both, odd)].map(|bits| _mm256_castsi256_ps(bits))
}

half_sum!("avx2,fma", sum_below_bf16, bf16, read_bf16);
