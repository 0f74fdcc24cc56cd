//! Sums over half-precision storage, widened in registers: thirty-two numbers for each load.

use half::{bf16, f16};
use std::arch::x86_64::{
    __m256i, __m512, __m512i, _mm256_loadu_si256, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtph_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32,
};

use super::super::super::fetch::fetch_ahead;
use super::SIDE;
use super::single::{CHUNK, State};

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

macro_rules! sum_below {
    ($name:ident, $type:ident, $read:ident) => {
        /// See [`Exponentials::sum_below`](super::super::Exponentials::sum_below).
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        pub(in crate::simd) fn $name(block: &[$type], shift: f32) -> (f32, bool) {
            let (mut state, shift) = (State::new(), _mm512_set1_ps(shift));
            let (chunks, rest) = block.as_chunks::<CHUNK>();
            for chunk in chunks {
                fetch_ahead(chunk);
                state.add($read(chunk), shift);
            }
            if !rest.is_empty() {
                let mut last = [$type::NEG_INFINITY; CHUNK];
                last[..rest.len()].copy_from_slice(rest);
                state.add($read(&last), shift);
            }
            state.result()
        }
    };
}
sum_below!(sum_below_bf16, bf16, read_bf16);
sum_below!(sum_below_f16, f16, read_f16);
