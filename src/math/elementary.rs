//! `exp`, `ln` and their forms near zero.

use crate::Real;

/// `a b + c`, rounded once where `FMA` is true.
#[inline(always)]
pub fn mul_add<T: Real, const FMA: bool>(a: T, b: T, c: T) -> T {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x`, to 1 ulp; special values are those of the standard library.
///
/// Over all `f32` the worst is 0.954 ulp at -81.440_34, and 0.991 ulp at 59.303_402 where fused.
#[inline(always)]
pub fn exp<T: Real, const FMA: bool>(x: T) -> T {
    x.exp_lane::<FMA>()
}

/// `e^x - 1`, to 2 ulp; at zero it keeps the sign, and far below it is -1.
#[inline(always)]
pub fn exp_m1<T: Real, const FMA: bool>(x: T) -> T {
    x.exp_m1_lane::<FMA>()
}

/// `ln x`, to 1 ulp; -inf at zero, NaN below.
#[inline(always)]
pub fn ln<T: Real, const FMA: bool>(x: T) -> T {
    x.ln_lane::<FMA>()
}

/// `ln(1 + x)`, to 1 ulp; -inf at -1, NaN below; it keeps the sign of zero.
///
/// The rounding errors of `1 + x` and of the sum with the power's logarithm are found exactly and put back.
#[inline(always)]
pub fn ln_1p<T: Real, const FMA: bool>(x: T) -> T {
    x.ln_1p_lane::<FMA>()
}
