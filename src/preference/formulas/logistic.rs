//! Losses of one scaled margin that several objectives share, each with its slope.

use crate::simd::select;
use crate::{Real, math};

/// `softplus(-z)` and its slope `-σ(-z)`.
#[inline(always)]
pub(crate) fn logistic<T: Real, const FMA: bool>(z: T) -> (T, T) {
    (math::softplus::<T, FMA>(-z), -math::sigmoid::<T, FMA>(-z))
}

/// `(1-ε) softplus(-z) + ε softplus(z)`, which is `softplus(-z) + ε z`, and its slope, for `ε < ½`.
#[inline(always)]
pub(crate) fn smoothed<T: Real, const FMA: bool>(z: T, label_smoothing: f64) -> (T, T) {
    let (loss, slope) = logistic::<T, FMA>(z);
    let flip = T::of(label_smoothing);
    let tilt = if z < T::min_value() { T::min_value() } else { z }; // there is no ∞ - ε ∞
    (loss + select(flip, tilt), slope + flip)
}

/// `p softplus(-z) + q softplus(z)` and its slope; a weight of zero selects its term away, at infinity too.
#[inline(always)]
pub(crate) fn labelled<T: Real, const FMA: bool>(z: T, p: T, q: T) -> (T, T) {
    let loss = select(p, math::softplus::<T, FMA>(-z)) + select(q, math::softplus::<T, FMA>(z));
    (loss, q * math::sigmoid::<T, FMA>(z) - p * math::sigmoid::<T, FMA>(-z))
}

/// `max(0, short)` and its slope in the margin that falls short by so much; 0 at the kink.
#[inline(always)]
pub(crate) fn hinge<T: Real>(short: T) -> (T, T) {
    let loss = if short < T::zero() { T::zero() } else { short }; // NaN stays
    (loss, if short > T::zero() { -T::one() } else { T::zero() })
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

    #[test]
    fn the_kink_of_the_hinge_is_flat_and_nan_is_no_margin() {
        assert_eq!(hinge(0.0_f64), (0.0, 0.0));
        assert_eq!(hinge(1e-300_f64), (1e-300, -1.0));
        assert_eq!(hinge(-1e-300_f64), (0.0, 0.0));
        assert!(hinge(f64::NAN).0.is_nan());
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
            let (exact, exact_slope) = labelled::<f64, false>(z, 1.0 - flip, flip);
            assert!((loss - exact).abs() <= 4e-16 * exact && (slope - exact_slope).abs() <= 2e-16, "{z}, {flip}");
        }
    }

    #[test]
    fn a_label_of_zero_selects_at_infinity() {
        let inf = f64::INFINITY;
        assert_eq!(labelled::<f64, false>(inf, 1.0, 0.0), (0.0, 0.0));
        assert_eq!(labelled::<f64, false>(-inf, 1.0, 0.0), (inf, -1.0));
        assert_eq!(labelled::<f64, false>(-inf, 0.0, 1.0), (0.0, 0.0));
        assert_eq!(labelled::<f64, false>(inf, 0.25, 0.75), (inf, 0.75));
    }
}
