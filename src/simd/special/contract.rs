//! What every element type can compute.

/// Elementary functions that a loop can call on every lane.
#[doc(hidden)]
pub trait Lanes: Copy {
    /// `e^x`.
    fn exp_lane<const FMA: bool>(self) -> Self;
    /// `(m, p)` where `e^x = m p SCALE`, for `x <= 0`: fewer steps than [`Lanes::exp_lane`], 1.5 ulp, and a sum of
    /// products `m p` loses nothing among the subnormals until the scale is applied. At -inf that gives zero.
    fn exp_parts_lane<const FMA: bool>(self) -> (Self, Self);
    /// The power of two that [`Lanes::exp_parts_lane`] leaves to its caller.
    const SCALE: Self;
    /// `e^x` for `x <= 0` from [`Lanes::exp_parts_lane`].
    #[inline(always)]
    fn exp_down_lane<const FMA: bool>(self) -> Self
    where
        Self: std::ops::Mul<Output = Self>,
    {
        let (mantissa, power) = self.exp_parts_lane::<FMA>();
        mantissa * power * Self::SCALE
    }
    /// `e^x - 1`.
    fn exp_m1_lane<const FMA: bool>(self) -> Self;
    /// `e^x`, `e^x - 1` and `e^x - 1 - x` for `x <= 32`, each with its own digits, from one reduction: 1.5, 2 and 10 ulp.
    fn exp_steps_lane<const FMA: bool>(self) -> (Self, Self, Self);
    /// `ln x`.
    fn ln_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + x)`.
    fn ln_1p_lane<const FMA: bool>(self) -> Self;
    /// `ln(1 + x)` for `x` in `[-½, 1]`, where no power of two need be split off.
    fn ln_1p_near_lane<const FMA: bool>(self) -> Self;
    /// `x - ln(1 + x)`, to 10 ulp; +inf at -1 and at +inf, NaN below -1.
    fn ln_1p_deficit_lane<const FMA: bool>(self) -> Self;
    /// `tanh x` and its derivative `1 - tanh² x`. Where one of them is not used, the compiler leaves its steps out.
    fn tanh_slope_lane<const FMA: bool>(self) -> (Self, Self);
    /// `tanh x`.
    #[inline(always)]
    fn tanh_lane<const FMA: bool>(self) -> Self {
        self.tanh_slope_lane::<FMA>().0
    }
}
