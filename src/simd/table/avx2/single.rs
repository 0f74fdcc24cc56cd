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
use std::f32::consts::{LN_2, LOG2_E};

use super::super::super::Lanes;
use super::super::super::fetch::{fetch_page_ahead as fetch_ahead, fetch_page_ahead};
use super::super::{POWERS, kernels};
use super::SIDE;

type Real = f32;
type Bits = u32;

const LANES: usize = 8;
const POWERS_HELD: usize = 8;
const MANTISSA_BITS: u32 = 23;
const SCALE_BITS: u32 = 64;
const LIMIT: f32 = 125.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// A sum of exponentials does without the second part of the reduction.
const EXACT_SUMS: bool = false;

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

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn reduce_add(x: Vector) -> Real {
    lanes(x).into_iter().sum()
}

/// The largest of all lanes, of which none is NaN.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn reduce_top(x: Vector) -> Real {
    lanes(x).into_iter().fold(Real::NEG_INFINITY, Real::max)
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn lanes(x: Vector) -> [Real; LANES] {
    let mut lanes = [0.0; LANES];
    // SAFETY: the array holds a vector; stores need no alignment.
    unsafe { store(lanes.as_mut_ptr(), x) };
    lanes
}

/// `power e^-q`, with one rounding after that of the power.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn scaled(power: Vector, q: Vector) -> Vector {
    neg_mul_add(fall(q), power, power)
}

/// `sum + power e^-q`, good to 3e-8 with signs that change along `q`: one step less, which a sum does not see.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_scaled(sum: Vector, power: Vector, q: Vector) -> Vector {
    let h = neg_mul_add(q, splat(0.166_668_58), splat(0.500_064_5));
    mul_add(neg_mul_add(q, neg_mul_add(q, h, splat(1.0)), splat(1.0)), power, sum)
}

/// What [`State`] remembers of the numbers that it has seen. The bits of numbers that are not negative are ordered as the
/// numbers are: an unsigned maximum over all bits tells in the end whether one was negative or NaN.
#[derive(Clone, Copy)]
struct Seen(Integer);

impl Seen {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn nothing() -> Self {
        Self(splat_bits(0))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn see(&mut self, d: Vector) {
        self.0 = max_bits(self.0, to_bits(d));
    }

    /// Whether no number was negative or NaN.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn are_below(self) -> bool {
        let largest = splat_bits(Real::INFINITY.to_bits() as _);
        let is_largest = _mm256_cmpeq_epi32(max_bits(self.0, largest), largest);
        _mm256_movemask_ps(from_bits(is_largest)) == 0xff
    }
}

/// Brings what is large, negative or NaN to the limit.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn within_limit(d: Vector) -> Vector {
    from_bits(min_bits(to_bits(d), splat_bits(LIMIT.to_bits() as _)))
}

kernels!("avx2,fma");
