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
use std::f64::consts::{LN_2, LOG2_E};

use super::super::super::Lanes;
use super::super::super::fetch::{fetch_ahead, fetch_page_ahead};
use super::super::{POWERS, kernels};
use super::SIDE;

type Real = f64;
type Bits = u64;

const LANES: usize = 8;
const POWERS_HELD: usize = 16;
const MANTISSA_BITS: u32 = 52;
const SCALE_BITS: u64 = 100;
const LIMIT: f64 = 770.0;
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// A sum of exponentials needs the whole reduction: here it is the result that is rounded, not a sum in a wider type.
const EXACT_SUMS: bool = true;

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
