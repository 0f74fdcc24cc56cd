//! Losses of one scaled margin that several objectives share, each with its slope.

use crate::math::mul_or_zero;
use crate::preference::{Against, Margin, MarginLoss};
use crate::{Real, Result, check, math};

/// `softplus(-z)` and its slope `-σ(-z)`.
#[inline(always)]
pub(crate) fn logistic<T: Real, const FMA: bool>(z: T) -> (T, T) {
    (math::softplus::<T, FMA>(-z), -math::sigmoid::<T, FMA>(-z))
}

/// A loss of `z = β m + ..` and its slope in `z` as a loss of `m`.
#[inline(always)]
pub(crate) fn scaled<T: Real>(beta: T, (loss, slope): (T, T)) -> (T, T) {
    (loss, beta * slope)
}

/// The slope of the logistic function, `σ(x) σ(-x)`; it does not cancel in the tails.
#[inline(always)]
pub(crate) fn density<T: Real, const FMA: bool>(x: T) -> T {
    math::sigmoid::<T, FMA>(x) * math::sigmoid::<T, FMA>(-x)
}

/// `(1-ε) softplus(-z) + ε softplus(z)`, which is `softplus(-z) + ε z`, and its slope, for `ε < ½`.
#[inline(always)]
pub(crate) fn smoothed<T: Real, const FMA: bool>(z: T, label_smoothing: f64) -> (T, T) {
    let (loss, slope) = logistic::<T, FMA>(z);
    let flip = T::from_f64(label_smoothing);
    let tilt = if z < T::min_value() { T::min_value() } else { z }; // there is no ∞ - ε ∞
    (loss + mul_or_zero(flip, tilt), slope + flip)
}

/// The smoothed logistic loss of the margin of sums, as a part of objectives that find `beta` or the margin themselves.
#[derive(Clone, Copy)]
pub(crate) struct Smoothed {
    pub(crate) beta: f64,
    pub(crate) label_smoothing: f64,
    pub(crate) against: Against,
}

impl MarginLoss for Smoothed {
    crate::compile_loops!(MarginLoss);

    fn check(&self) -> Result<()> {
        check::positive("beta", self.beta)?;
        check::label_smoothing(self.label_smoothing)
    }

    fn margin(&self) -> Margin {
        Margin { against: self.against, ..Margin::default() }
    }

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        scaled(beta, smoothed::<T, FMA>(beta * margin, self.label_smoothing))
    }
}

/// `p softplus(-z) + q softplus(z)` and its slope; a weight of zero selects its term away, at infinity too.
#[inline(always)]
pub(crate) fn labeled<T: Real, const FMA: bool>(z: T, p: T, q: T) -> (T, T) {
    let loss = mul_or_zero(p, math::softplus::<T, FMA>(-z)) + mul_or_zero(q, math::softplus::<T, FMA>(z));
    (loss, q * math::sigmoid::<T, FMA>(z) - p * math::sigmoid::<T, FMA>(-z))
}

/// `max(0, short)` and its slope in the margin that falls short by so much; 0 at the kink.
#[inline(always)]
pub(crate) fn hinge<T: Real>(short: T) -> (T, T) {
    let loss = if short < T::zero() { T::zero() } else { short }; // NaN stays
    (loss, if short > T::zero() { -T::one() } else { T::zero() })
}

/// The nearest number between the bounds; NaN stays.
#[inline(always)]
pub(crate) fn clipped<T: Real>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// `(margin - aim)²` and its slope.
#[inline(always)]
pub(crate) fn square<T: Real>(margin: T, aim: T) -> (T, T) {
    let gap = margin - aim;
    (gap * gap, gap + gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    #[test]
    fn the_kink_of_the_hinge_is_flat_and_nan_is_no_margin() {
        assert_eq!(hinge(0.0_f64), (0.0, 0.0));
        assert_eq!(hinge(1e-300_f64), (1e-300, -1.0));
        assert_eq!(hinge(-1e-300_f64), (0.0, 0.0));
        assert!(hinge(f64::NAN).0.is_nan());
    }

    #[test]
    fn the_slope_of_the_logistic_function_keeps_its_tails() {
        close(density::<f64, false>(0.5), 0.235_003_712_201_594_47, 1e-15);
        close(density::<f64, false>(-0.5), 0.235_003_712_201_594_47, 1e-15);
        close(density::<f64, false>(50.0), (-50.0_f64).exp(), 1e-15);
        assert_eq!(density::<f64, false>(f64::INFINITY), 0.0);
        assert_eq!(density::<f64, false>(f64::NEG_INFINITY), 0.0);
    }

    #[test]
    fn bounds_let_nan_pass() {
        assert_eq!([-3.0, 0.5, f64::INFINITY].map(|x| clipped(x, -1.0, 2.0)), [-1.0, 0.5, 2.0]);
        assert!(clipped(f64::NAN, -1.0, 2.0).is_nan());
    }

    #[test]
    fn smoothing_keeps_its_limits() {
        let inf = f64::INFINITY;
        assert_eq!(smoothed::<f64, false>(inf, 0.0), (0.0, 0.0));
        assert_eq!(smoothed::<f64, false>(-inf, 0.0), (inf, -1.0));
        assert_eq!(smoothed::<f64, false>(inf, 0.25), (inf, 0.25));
        assert_eq!(smoothed::<f64, false>(-inf, 0.25), (inf, -0.75));
        for (z, flip) in [(-30.0, 0.1), (0.3, 0.4), (2.0, 0.25), (40.0, 0.499), (1e4, 0.1)] {
            let (loss, slope) = smoothed::<f64, false>(z, flip);
            let (exact, exact_slope) = labeled::<f64, false>(z, 1.0 - flip, flip);
            assert!((loss - exact).abs() <= 4e-16 * exact && (slope - exact_slope).abs() <= 2e-16, "{z}, {flip}");
        }
    }

    #[test]
    fn a_label_of_zero_selects_at_infinity() {
        let inf = f64::INFINITY;
        assert_eq!(labeled::<f64, false>(inf, 1.0, 0.0), (0.0, 0.0));
        assert_eq!(labeled::<f64, false>(-inf, 1.0, 0.0), (inf, -1.0));
        assert_eq!(labeled::<f64, false>(-inf, 0.0, 1.0), (0.0, 0.0));
        assert_eq!(labeled::<f64, false>(inf, 0.25, 0.75), (inf, 0.75));
    }
}
