//! Eight `f32` at a time.

pub(super) use std::arch::x86_64::_mm256_set1_ps as splat;
use std::arch::x86_64::{
    __m256 as Vector, __m256i as Integer, _CMP_EQ_OQ, _CMP_NLE_UQ, _CMP_UNORD_Q, _mm256_add_epi32 as add_bits,
    _mm256_add_ps as add, _mm256_castps_si256 as to_bits, _mm256_castsi256_ps as from_bits, _mm256_cmp_ps,
    _mm256_cmpeq_epi32, _mm256_fmadd_ps as mul_add, _mm256_fnmadd_ps as neg_mul_add, _mm256_loadu_ps as load,
    _mm256_max_epu32 as max_bits, _mm256_max_ps as max, _mm256_min_epu32 as min_bits, _mm256_min_ps as min,
    _mm256_movemask_ps, _mm256_mul_ps as mul, _mm256_permutevar8x32_ps, _mm256_set1_epi32 as splat_bits,
    _mm256_slli_epi32, _mm256_storeu_ps as store, _mm256_sub_ps as sub,
};

use super::super::super::Lanes;
use super::super::super::prefetch::{fetch_page_ahead as fetch_ahead, fetch_page_ahead};
use super::super::formats::single::*;
use super::super::{POWERS, kernels, seen_by_bits};
use super::{SIDE, across};

const LANES: usize = 8;
const POWERS_HELD: usize = 8;

/// The powers of the indices in the low bits.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn look_up(index: Integer) -> Vector {
    // SAFETY: the table holds eight numbers.
    _mm256_permutevar8x32_ps(unsafe { load(TABLE.as_ptr()) }, index)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn shift_left(index: Integer) -> Integer {
    _mm256_slli_epi32::<{ INDEX_SHIFT as i32 }>(index)
}

/// `1 - e^-q` to 2e-10 of 1, by two chains side by side: latency is what this loop waits for.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn fall(q: Vector) -> Vector {
    let square = mul(q, q);
    let low = neg_mul_add(q, splat(0.166_680_26), splat(0.5));
    neg_mul_add(square, mul_add(square, splat(0.041_660_43), low), q)
}

/// One bit for each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn compare<const OPERATOR: i32>(a: Vector, b: Vector) -> i32 {
    _mm256_movemask_ps(_mm256_cmp_ps::<OPERATOR>(a, b))
}

/// `sum + power e^-q`, good to 3e-8 with signs that change along `q`: one step less, which a sum does not see.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_scaled(sum: Vector, power: Vector, q: Vector) -> Vector {
    let h = neg_mul_add(q, splat(0.166_668_58), splat(0.500_064_5));
    mul_add(neg_mul_add(q, neg_mul_add(q, h, splat(1.0)), splat(1.0)), power, sum)
}

/// Whether the bits of some lane are above those of infinity.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn exceed_infinity(bits: Integer) -> bool {
    let largest = splat_bits(Real::INFINITY.to_bits() as _);
    let is_largest = _mm256_cmpeq_epi32(max_bits(bits, largest), largest);
    _mm256_movemask_ps(from_bits(is_largest)) != 0xff
}

seen_by_bits!("avx2,fma");
across!();
kernels!("avx2,fma");
