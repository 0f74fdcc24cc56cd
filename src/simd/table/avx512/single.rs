//! Sixteen `f32` at a time.

pub(super) use std::arch::x86_64::_mm512_set1_ps as splat;
use std::arch::x86_64::{
    __m512 as Vector, __m512i as Integer, _CMP_EQ_OQ, _CMP_NLE_UQ, _CMP_UNORD_Q, _mm512_add_epi32 as add_bits,
    _mm512_add_ps as add, _mm512_castps_si512 as to_bits, _mm512_castsi512_ps as from_bits,
    _mm512_cmp_ps_mask as compare, _mm512_cmpgt_epu32_mask as is_larger, _mm512_fmadd_ps as mul_add,
    _mm512_fnmadd_ps as neg_mul_add, _mm512_loadu_ps as load, _mm512_max_epu32 as max_bits, _mm512_max_ps as max,
    _mm512_min_epu32 as min_bits, _mm512_min_ps as min, _mm512_mul_ps as mul, _mm512_permutexvar_ps,
    _mm512_reduce_add_ps as reduce_add, _mm512_reduce_max_ps as reduce_top, _mm512_set1_epi32 as splat_bits,
    _mm512_slli_epi32, _mm512_storeu_ps as store, _mm512_sub_ps as sub,
};

use super::super::super::Lanes;
use super::super::super::prefetch::{fetch_ahead, fetch_page_ahead};
use super::super::formats::single::*;
use super::super::{POWERS, kernels, seen_by_bits};
use super::{SIDE, by_slope};

const LANES: usize = 16;
const POWERS_HELD: usize = 16;

/// The powers of the indices in the low bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn look_up(index: Integer) -> Vector {
    // SAFETY: the table holds sixteen numbers.
    _mm512_permutexvar_ps(index, unsafe { load(TABLE.as_ptr()) })
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn shift_left(index: Integer) -> Integer {
    _mm512_slli_epi32::<INDEX_SHIFT>(index)
}

/// `(1 - e^-q) / q`, so that `e^-q` is good to 5e-9.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn slope(q: Vector) -> Vector {
    neg_mul_add(q, neg_mul_add(q, splat(0.166_668_62), splat(0.500_009_8)), splat(1.0))
}

/// Whether the bits of some lane are above those of infinity.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn exceed_infinity(bits: Integer) -> bool {
    is_larger(bits, splat_bits(Real::INFINITY.to_bits() as _)) != 0
}

seen_by_bits!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
by_slope!();
kernels!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
