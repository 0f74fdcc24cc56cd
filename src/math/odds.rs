//! From a log-probability to the log-probability of the opposite, and to log-odds.

use super::{exp, exp_m1, ln};
use crate::Real;

/// `ln(1 - e^x)` for `x <= 0`, to 2.5 ulp; -inf at 0, NaN above.
///
/// Above `-ln 2` as `ln(-expm1(x))`, below as `ln_1p(-e^x)` (Mächler 2012): each form cancels where the other does not.
#[inline(always)]
pub fn log1mexp<T: Real, const FMA: bool>(x: T) -> T {
    let near = ln::<T, FMA>(-exp_m1::<T, FMA>(x));
    let far = (-x.exp_down_lane::<FMA>()).ln_1p_near_lane::<FMA>();
    if x < -T::LN_2() { far } else { near }
}

/// The derivative of [`log1mexp`], `e^x / expm1(x)`, to 3 ulp; -inf at 0, of no meaning above.
#[inline(always)]
pub fn log1mexp_slope<T: Real, const FMA: bool>(x: T) -> T {
    exp::<T, FMA>(x) / exp_m1::<T, FMA>(-x.abs())
}

/// `ln(p / (1 - p))` of `p = e^x`, `x <= 0`: `x - log1mexp(x)`, to 2 ulp of the larger of `|result|` and 1.
#[inline(always)]
pub fn log_odds<T: Real, const FMA: bool>(x: T) -> T {
    x - log1mexp::<T, FMA>(x)
}

/// The derivative of [`log_odds`], `-1 / expm1(x)`, to 2.5 ulp; +inf at 0, of no meaning above.
#[inline(always)]
pub fn log_odds_slope<T: Real, const FMA: bool>(x: T) -> T {
    -T::one() / exp_m1::<T, FMA>(-x.abs())
}
