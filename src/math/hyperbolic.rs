//! The hyperbolic tangent and its derivative.

use crate::Real;

/// `tanh x`, to 1 ulp; it keeps the sign of zero, is ±1 at the infinities and NaN at NaN.
///
/// ```math
/// \tanh x = -\frac{t}{2 + t}, \qquad t = \operatorname{expm1}(-2 |x|), \qquad x \ge 0
/// ```
///
/// `t`, the divisor and the quotient are each carried with what their rounding took, so that one rounding remains. Tiny
/// arguments, subnormal ones too, are their own tangent; from 9.02 (`f32`) or 19.1 (`f64`) on it is 1.
///
/// Over all `f32` the worst is 0.770 ulp at 0.125_140_34, and 0.754 ulp at 0.125_175_43 where fused.
///
/// # Examples
///
/// ```
/// use loglik::math::tanh;
/// assert_eq!(tanh::<f32, false>(0.5), 0.462_117_16);
/// assert_eq!(tanh::<f32, false>(-1e-40), -1e-40);
/// ```
#[inline(always)]
pub fn tanh<T: Real, const FMA: bool>(x: T) -> T {
    x.tanh_lane::<FMA>()
}

/// The derivative of [`tanh`], `1 - tanh² x = sech² x`, to 2.5 ulp; 1 at zero, 0 at the infinities and NaN at NaN.
///
/// ```math
/// \frac{d}{dx} \tanh x = \frac{4\, e^{-2 |x|}}{(1 + e^{-2 |x|})^2}
/// ```
///
/// `1 - tanh²` has no digits left where the tangent rounds to ±1; this form keeps them all until the result itself is
/// subnormal, past 44 (`f32`) or 354 (`f64`).
///
/// # Examples
///
/// ```
/// use loglik::math::{tanh, tanh_slope};
/// let (x, slope) = (20.0_f64, 1.699_341_702_116_635_6e-17); // 4 e^-40 / (1 + e^-40)²
/// assert_eq!(1.0 - tanh::<f64, false>(x).powi(2), 0.0);
/// assert!((tanh_slope::<f64, false>(x) - slope).abs() <= 1e-15 * slope);
/// ```
#[inline(always)]
pub fn tanh_slope<T: Real, const FMA: bool>(x: T) -> T {
    x.tanh_slope_lane::<FMA>().1
}

/// [`tanh`] and [`tanh_slope`], with the same bits, from one exponential.
///
/// A soft cap of logits, `y = c tanh(x / c)`, takes the value from the first and `dy/dx = sech²(x / c)`, free of the cap
/// itself, from the second:
///
/// ```
/// use loglik::math::tanh_with_slope;
/// let (cap, logit) = (30.0_f64, 45.0);
/// let (tanh, slope) = tanh_with_slope::<f64, false>(logit / cap);
/// assert!((cap * tanh - 27.154_447_609_345_99).abs() < 1e-13);
/// assert!((slope - 0.180_706_638_923_648_5).abs() < 1e-15);
/// ```
#[inline(always)]
pub fn tanh_with_slope<T: Real, const FMA: bool>(x: T) -> (T, T) {
    x.tanh_slope_lane::<FMA>()
}
