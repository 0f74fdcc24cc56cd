//! Four `f64` at a time.

use std::arch::x86_64::{
    __m256d as Vector, __m256i as Integer, _CMP_EQ_OQ, _CMP_NGE_UQ, _CMP_NLE_UQ, _CMP_UNORD_Q,
    _mm256_add_epi64 as add_bits, _mm256_add_pd as add, _mm256_castpd_si256 as to_bits,
    _mm256_castsi256_pd as from_bits, _mm256_cmp_pd, _mm256_fmadd_pd as mul_add, _mm256_fnmadd_pd as neg_mul_add,
    _mm256_loadu_pd as load, _mm256_max_pd as max, _mm256_min_pd as min, _mm256_movemask_pd, _mm256_mul_pd as mul,
    _mm256_or_pd as or, _mm256_set1_pd as splat, _mm256_slli_epi64, _mm256_storeu_pd as store, _mm256_sub_pd as sub,
};

use super::super::super::Lanes;
use super::super::super::prefetch::{fetch_page_ahead as fetch_ahead, fetch_page_ahead};
use super::super::formats::double::*;
use super::super::{POWERS, kernels};
use super::{SIDE, across};

const LANES: usize = 4;
const POWERS_HELD: usize = 1;

/// The only power that is held, whatever the index.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn look_up(_: Integer) -> Vector {
    splat(TABLE[0])
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn shift_left(index: Integer) -> Integer {
    _mm256_slli_epi64::<{ INDEX_SHIFT as i32 }>(index)
}

/// `1 - e^-q` for `|q| <= ln 2 / 2` to 2e-18 of 1: the coefficients of the exponential of a lane, in pairs that do not wait
/// for one another.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn fall(q: Vector) -> Vector {
    let square = mul(q, q);
    let h = neg_mul_add(q, splat(2.497_838_235_511_187e-8), splat(2.762_518_972_641_973_6e-7));
    let pair = neg_mul_add(q, splat(2.755_764_087_180_881e-6), splat(2.480_150_867_607_466e-5));
    let h = mul_add(square, h, pair);
    let pair = neg_mul_add(q, splat(1.984_126_946_620_005_3e-4), splat(1.388_888_892_680_079e-3));
    let h = mul_add(square, h, pair);
    let pair = neg_mul_add(q, splat(8.333_333_333_500_05e-3), splat(4.166_666_666_660_395e-2));
    let h = mul_add(square, h, pair);
    let pair = neg_mul_add(q, splat(1.666_666_666_666_643_3e-1), splat(0.5));
    neg_mul_add(square, mul_add(square, h, pair), q)
}

/// One bit for each lane.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn compare<const OPERATOR: i32>(a: Vector, b: Vector) -> i32 {
    _mm256_movemask_pd(_mm256_cmp_pd::<OPERATOR>(a, b))
}

/// `sum + power e^-q`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_scaled(sum: Vector, power: Vector, q: Vector) -> Vector {
    add(sum, scaled(power, q))
}

/// What [`State`] remembers of the numbers that it has seen: the lanes where one was negative or NaN.
#[derive(Clone, Copy)]
struct Seen(Vector);

impl Seen {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn nothing() -> Self {
        Self(splat(0.0))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn see(&mut self, d: Vector) {
        self.0 = or(self.0, is_above(d));
    }

    /// Whether no number was negative or NaN.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn are_below(self) -> bool {
        _mm256_movemask_pd(self.0) == 0
    }
}

/// All bits of the lanes that are negative or NaN.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn is_above(d: Vector) -> Vector {
    _mm256_cmp_pd::<_CMP_NGE_UQ>(d, splat(0.0))
}

/// Brings what is large, negative or NaN to the limit: all bits are NaN, of which and a number `min` takes the second.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn within_limit(d: Vector) -> Vector {
    min(or(d, is_above(d)), splat(LIMIT))
}

across!();
kernels!("avx2,fma");
