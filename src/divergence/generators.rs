//! The generators and conjugates of the divergences that have a struct of their own.

use super::{
    Generator, JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare, ReverseKlDivergence,
    SquaredHellinger, TotalVariation,
};
use crate::Real;
use crate::math::{exp, exp_m1, ln, ln_1p};

/// `f = t ln t`, `f* = e^(u - 1)`.
impl Generator for KlDivergence {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let log = ln::<T, FMA>(ratio);
        (if ratio > T::zero() { ratio * log } else { T::zero() }, log + T::one())
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let ratio = exp::<T, FMA>(slope - T::one());
        (ratio, ratio)
    }

    /// `t ln t - (t - 1)`.
    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        let deficit = rise.ln_1p_deficit_lane::<FMA>();
        let excess = rise * rise - ratio * deficit;
        let far = ratio * ln::<T, FMA>(ratio) - rise;
        let excess = if rise.abs() < T::from_f64(0.5) { excess } else { far };
        if ratio > T::zero() { excess } else { T::one() }
    }

    #[inline(always)]
    fn limit_at_infinity(&self) -> f64 {
        -1.0
    }
}

/// `f = -ln t`, `f* = -1 - ln(-u)`.
impl Generator for ReverseKlDivergence {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        (-ln::<T, FMA>(ratio), -ratio.recip())
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let is_inside = slope < T::zero();
        let log = ln::<T, FMA>(if is_inside { -slope } else { T::zero() });
        (-T::one() - log, if is_inside { -slope.recip() } else { T::infinity() })
    }

    /// `t - 1 - ln t`.
    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        let near = rise.ln_1p_deficit_lane::<FMA>();
        let far = rise - ln::<T, FMA>(ratio); // of a small ratio the rise is -1
        if rise.abs() < T::from_f64(0.5) { near } else { far }
    }

    #[inline(always)]
    fn limit_at_zero(&self) -> f64 {
        -1.0
    }
}

/// `f = ½ [t ln t - (1 + t) ln((1 + t) / 2)]`, `f* = -½ ln(2 - e^2u)`.
impl Generator for JensenShannonDivergence {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let (zero, one, half) = (T::zero(), T::one(), T::from_f64(0.5));
        let log = ln::<T, FMA>(ratio);
        let mixture = ln_1p::<T, FMA>(half * (ratio - one));
        let far = T::LN_2() - ln_1p::<T, FMA>(ratio.recip());
        let share = if ratio < T::from_f64(2.0) { log - mixture } else { far }; // ln(2t / (1 + t))
        (half * (if ratio > zero { ratio * share } else { zero } - mixture), half * share)
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let (one, half) = (T::one(), T::from_f64(0.5));
        let rise = exp_m1::<T, FMA>(slope + slope); // 2 - e^2u = 1 - rise
        let is_inside = rise < one;
        let rise = if is_inside { rise } else { one };
        (-half * ln_1p::<T, FMA>(-rise), if is_inside { (one + rise) / (one - rise) } else { T::infinity() })
    }

    /// With `d(x) = x - ln(1 + x)` and the rise `r` it is `¼ r² - ½ t d(r) + ½ (1 + t) d(r/2)`.
    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        let half = T::from_f64(0.5);
        let (own, mixed) = (rise.ln_1p_deficit_lane::<FMA>(), (half * rise).ln_1p_deficit_lane::<FMA>());
        let near = half * (half * rise * rise - ratio * own + (T::one() + ratio) * mixed);
        if rise.abs() < half { near } else { self.at::<T, FMA>(ratio).0 }
    }
}

/// `f = (t - 1)²`, `f* = u + u²/4`, and -1 below -2.
impl Generator for PearsonChiSquare {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let rise = ratio - T::one();
        (rise * rise, rise + rise)
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let half = T::from_f64(0.5) * slope;
        let is_inside = half > -T::one();
        let half = if is_inside { half } else { -T::one() };
        (half * (half + T::from_f64(2.0)), half + T::one())
    }

    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, _: T, rise: T) -> T {
        rise * rise
    }
}

/// `f = (t - 1)² / t`, `f* = 2 - 2 √(1 - u)`.
impl Generator for NeymanChiSquare {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let (one, inverse) = (T::one(), ratio.recip());
        let rise = ratio - one;
        (rise * (rise * inverse), (one - inverse) * (one + inverse))
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let (one, two) = (T::one(), T::from_f64(2.0));
        let root = (one - slope).sqrt();
        let is_inside = slope <= one;
        (
            if is_inside { two - (root + root) } else { T::infinity() },
            if is_inside { root.recip() } else { T::infinity() },
        )
    }

    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        rise * (rise / ratio) // whose square may be beyond the type
    }
}

/// `f = ½ (√t - 1)²`, `f* = u / (1 - 2u)`.
impl Generator for SquaredHellinger {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let (one, half, root) = (T::one(), T::from_f64(0.5), ratio.sqrt());
        let rise = root - one;
        (half * rise * rise, half * (one - root.recip()))
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let rest = T::one() - (slope + slope);
        let is_inside = rest > T::zero();
        let root = if is_inside { rest.recip() } else { T::infinity() };
        (if is_inside { slope * root } else { root }, root * root)
    }

    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, ratio: T, rise: T) -> T {
        let rise = rise / (T::one() + ratio.sqrt());
        T::from_f64(0.5) * rise * rise
    }
}

/// `f = ½ |t - 1|`, `f* = max(u, -½)` up to ½, and +inf beyond.
impl Generator for TotalVariation {
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let (zero, half) = (T::zero(), T::from_f64(0.5));
        let rise = ratio - T::one();
        let sign = if rise > zero { half } else { zero } - if rise < zero { half } else { zero };
        (half * rise.abs(), sign)
    }

    #[inline(always)]
    fn conjugate<T: Real, const FMA: bool>(&self, slope: T) -> (T, T) {
        let (zero, one, half) = (T::zero(), T::one(), T::from_f64(0.5));
        let value = if slope < -half { -half } else { slope };
        let ratio = if slope < -half { zero } else { one };
        if slope > half { (T::infinity(), T::infinity()) } else { (value, ratio) }
    }

    #[inline(always)]
    fn excess<T: Real, const FMA: bool>(&self, _: T, rise: T) -> T {
        T::from_f64(0.5) * rise.abs()
    }
}
