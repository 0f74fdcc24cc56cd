//! The logistic function and what is made of it.

use crate::Real;

/// `ln(1 + e^x) = -ln σ(-x)`, to 2.5 ulp.
///
/// `max(x, 0) + ln(1 + e^-|x|)`: neither part can overflow, and far below zero the result is `e^x`, not 0.
#[inline(always)]
pub fn softplus<T: Real, const FMA: bool>(x: T) -> T {
    positive_part(x) + (-x.abs()).exp_down_lane::<FMA>().ln_1p_near_lane::<FMA>()
}

/// `ln σ(x) = -ln(1 + e^-x)`, to 2.5 ulp.
#[inline(always)]
pub fn log_sigmoid<T: Real, const FMA: bool>(x: T) -> T {
    -softplus::<T, FMA>(-x)
}

/// `σ(x) = 1 / (1 + e^-x)`, to 2.5 ulp on both sides: `1 - σ(x)` is `σ(-x)`.
#[inline(always)]
pub fn sigmoid<T: Real, const FMA: bool>(x: T) -> T {
    let e = (-x.abs()).exp_down_lane::<FMA>();
    (if x < T::zero() { e } else { T::one() }) / (T::one() + e)
}

/// `ln(e^a + e^b)`, to 3 ulp of the larger of `|result|` and `|max(a, b)|`; `-inf` is the logarithm of nothing.
#[inline(always)]
pub fn log_add_exp<T: Real, const FMA: bool>(a: T, b: T) -> T {
    let (max, min) = if b > a { (b, a) } else { (a, b) };
    let gap = if a == b { T::zero() } else { max - min }; // equal infinities have no difference
    // What rounding took from the gap, exactly (Knuth's two-sum), put back to first order.
    let part = max - gap;
    let lost = (max - (gap + part)) + (part - min);
    let ratio = (-gap).exp_down_lane::<FMA>();
    let corrected = if lost.abs() < T::one() { ratio - ratio * lost } else { ratio }; // NaN where one is infinite
    max + corrected.ln_1p_near_lane::<FMA>()
}

/// `max(x, 0)`, NaN for NaN.
#[inline(always)]
fn positive_part<T: Real>(x: T) -> T {
    if x < T::zero() { T::zero() } else { x }
}
