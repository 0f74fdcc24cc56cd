//! The logistic function and what is made of it.

use super::{exp, ln_1p};
use crate::Real;

/// `ln(1 + e^x) = -ln σ(-x)`, to 3 ulp.
///
/// `max(x, 0) + ln(1 + e^-|x|)`: neither part can overflow, and far below zero the result is `e^x`, not 0.
#[inline(always)]
pub fn softplus<T: Real, const FMA: bool>(x: T) -> T {
    positive_part(x) + ln_1p::<T, FMA>(exp::<T, FMA>(-x.abs()))
}

/// `ln σ(x) = -ln(1 + e^-x)`, to 3 ulp.
#[inline(always)]
pub fn log_sigmoid<T: Real, const FMA: bool>(x: T) -> T {
    -softplus::<T, FMA>(-x)
}

/// `σ(x) = 1 / (1 + e^-x)`, to 3 ulp on both sides: `1 - σ(x)` is `σ(-x)`.
#[inline(always)]
pub fn sigmoid<T: Real, const FMA: bool>(x: T) -> T {
    let e = exp::<T, FMA>(-x.abs());
    (if x < T::zero() { e } else { T::one() }) / (T::one() + e)
}

/// `ln(e^a + e^b)`, to 3 ulp of the larger of `|result|` and `|max(a, b)|`; `-inf` is the logarithm of nothing.
#[inline(always)]
pub fn log_add_exp<T: Real, const FMA: bool>(a: T, b: T) -> T {
    let max = if b > a { b } else { a };
    let gap = if a == b { T::zero() } else { (a - b).abs() }; // equal infinities have no difference
    max + ln_1p::<T, FMA>(exp::<T, FMA>(-gap))
}

/// `max(x, 0)`, NaN for NaN.
#[inline(always)]
fn positive_part<T: Real>(x: T) -> T {
    if x < T::zero() { T::zero() } else { x }
}
