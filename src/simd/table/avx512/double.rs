//! Eight `f64` at a time.

use std::arch::x86_64::{
    __m512d as Vector, __m512i as Integer, _CMP_EQ_OQ, _CMP_NLE_UQ, _CMP_UNORD_Q, _mm512_add_epi64 as add_bits,
    _mm512_add_pd as add, _mm512_castpd_si512 as to_bits, _mm512_castsi512_pd as from_bits,
    _mm512_cmp_pd_mask as compare, _mm512_cmpgt_epu64_mask as is_larger, _mm512_fmadd_pd as mul_add,
    _mm512_fnmadd_pd as neg_mul_add, _mm512_loadu_pd as load, _mm512_max_epu64 as max_bits, _mm512_max_pd as max,
    _mm512_min_epu64 as min_bits, _mm512_min_pd as min, _mm512_mul_pd as mul, _mm512_permutex2var_pd,
    _mm512_reduce_add_pd as reduce_add, _mm512_reduce_max_pd as reduce_top, _mm512_set1_epi64 as splat_bits,
    _mm512_set1_pd as splat, _mm512_slli_epi64, _mm512_storeu_pd as store, _mm512_sub_pd as sub,
};

use super::super::super::Lanes;
use super::super::super::prefetch::{fetch_ahead, fetch_page_ahead};
use super::super::formats::double::*;
use super::super::{POWERS, kernels, seen_by_bits};
use super::{SIDE, by_slope};

const LANES: usize = 8;
const POWERS_HELD: usize = 16;

/// The powers of the indices in the low bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn look_up(index: Integer) -> Vector {
    // SAFETY: the table holds sixteen numbers, two vectors.
    let (low, high) = unsafe { (load(TABLE.as_ptr()), load(TABLE.as_ptr().add(LANES))) };
    _mm512_permutex2var_pd(low, index, high)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn shift_left(index: Integer) -> Integer {
    _mm512_slli_epi64::<INDEX_SHIFT>(index)
}

/// `(1 - e^-q) / q`, so that `e^-q` is good to 3e-17.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn slope(q: Vector) -> Vector {
    let h = splat(0.001_388_903_434_859_946_3);
    let h = neg_mul_add(q, h, splat(0.008_333_449_701_253_457));
    let h = neg_mul_add(q, h, splat(0.041_666_666_664_960_45));
    let h = neg_mul_add(q, h, splat(0.166_666_666_653_016_9));
    neg_mul_add(q, neg_mul_add(q, h, splat(0.5)), splat(1.0))
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
