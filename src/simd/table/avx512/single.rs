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
use std::f32::consts::{LN_2, LOG2_E};

use super::super::super::Lanes;
use super::super::super::fetch::{fetch_ahead, fetch_page_ahead};
use super::super::{POWERS, kernels};
use super::SIDE;

type Real = f32;
type Bits = u32;

const LANES: usize = 16;
const POWERS_HELD: usize = 16;
const MANTISSA_BITS: u32 = 23;
const SCALE_BITS: u32 = 64;
const LIMIT: f32 = 125.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// A sum of exponentials does without the second part of the reduction.
const EXACT_SUMS: bool = false;

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

/// `power e^-q`, with one rounding after that of the power.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn scaled(power: Vector, q: Vector) -> Vector {
    neg_mul_add(mul(q, slope(q)), power, power)
}

/// `sum + power e^-q`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn add_scaled(sum: Vector, power: Vector, q: Vector) -> Vector {
    mul_add(neg_mul_add(q, slope(q), splat(1.0)), power, sum)
}

/// What [`State`] remembers of the numbers that it has seen. The bits of numbers that are not negative are ordered as the
/// numbers are: an unsigned maximum over all bits tells in the end whether one was negative or NaN.
#[derive(Clone, Copy)]
struct Seen(Integer);

impl Seen {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn nothing() -> Self {
        Self(splat_bits(0))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn see(&mut self, d: Vector) {
        self.0 = max_bits(self.0, to_bits(d));
    }

    /// Whether no number was negative or NaN.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    fn are_below(self) -> bool {
        is_larger(self.0, splat_bits(Real::INFINITY.to_bits() as _)) == 0
    }
}

/// Brings what is large, negative or NaN to the limit.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn within_limit(d: Vector) -> Vector {
    from_bits(min_bits(to_bits(d), splat_bits(LIMIT.to_bits() as _)))
}

kernels!("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma");
