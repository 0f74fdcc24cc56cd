//! Two Bernoulli distributions that are given by their logits: divergence, and difference of their probabilities.

use crate::math::mul_or_zero;
use crate::{Real, math};

/// Up to here the divergence comes from series: beyond, the closed form loses no more than a few digits' last bits.
const NEAR: f64 = 0.5;

/// `KL(σ(p) ‖ σ(q))`, good to some 40 ulp at the rounded `q - p`, where the two nearly agree and in both tails alike.
///
/// With `P = σ(p)` and `δ = q - p` it is `ln(1 + P (e^δ - 1)) - P δ`; relabeling makes `P <= 1/2`.
#[inline(always)]
pub(crate) fn divergence<T: Real, const FMA: bool>(p: T, q: T) -> T {
    let (p, q) = if p > T::zero() { (-p, -q) } else { (p, q) };
    let (share, gap) = (math::sigmoid::<T, FMA>(p), q - p);
    // softplus(q) - softplus(p) - P δ; above zero with q taken out of both, so that infinities do not meet
    let above = (T::one() - share) * q + mul_or_zero(share, p);
    let rise = if q > T::zero() { above } else { -mul_or_zero(share, gap) };
    let far = math::softplus::<T, FMA>(-q.abs()) + rise - math::softplus::<T, FMA>(p);
    let near = nearly_equal::<T, FMA>(share, gap);
    if gap.abs() < T::from_f64(NEAR) { near } else { far }
}

/// The same for a small gap, as `P (e^δ - 1 - δ)` minus `u - ln(1 + u)`, `u = P (e^δ - 1)`: their leading terms are left
/// out of both, not subtracted.
#[inline(always)]
fn nearly_equal<T: Real, const FMA: bool>(share: T, gap: T) -> T {
    let exponential = gap * gap * polynomial::<T, FMA>(gap, &EXPONENTIAL);
    let u = share * (gap + exponential);
    let s = u / (u + T::from_f64(2.0));
    let square = s * s;
    let logarithm = s * square * polynomial::<T, FMA>(square, &ARTANH);
    // ln(1 + u) = 2 artanh(s), and 2 s - u = -u s
    share * exponential - u * s + (logarithm + logarithm)
}

/// `(e^x - 1 - x) / x²` in powers of `x`, up to an ulp for `|x| <= 1/2`: `1 / (k + 2)!`.
const EXPONENTIAL: [f64; 13] = {
    let mut terms = [0.5; 13];
    let mut k = 1;
    while k < terms.len() {
        terms[k] = terms[k - 1] / (k + 2) as f64;
        k += 1;
    }
    terms
};

/// `(artanh(s) - s) / s³` in powers of `s²`, up to an ulp for `s <= 0.14`: `1 / (2 k + 3)`.
const ARTANH: [f64; 9] = {
    let mut terms = [0.0; 9];
    let mut k = 0;
    while k < terms.len() {
        terms[k] = 1.0 / (2 * k + 3) as f64;
        k += 1;
    }
    terms
};

/// Horner's rule, from the constant term on.
#[inline(always)]
fn polynomial<T: Real, const FMA: bool>(x: T, terms: &[f64]) -> T {
    terms.iter().rev().fold(T::zero(), |sum, &term| math::mul_add::<T, FMA>(sum, x, T::from_f64(term)))
}

/// `σ(high) - σ(low)`, `gap = high - low >= 0`, without cancellation.
#[inline(always)]
pub(crate) fn difference<T: Real, const FMA: bool>(high: T, low: T, gap: T) -> T {
    math::sigmoid::<T, FMA>(high) * math::sigmoid::<T, FMA>(-low) * -math::exp_m1::<T, FMA>(-gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::close;

    /// Logits and divergence: scripts/margin_reference.py.
    const EXACT: &[(f64, f64, f64)] = &[
        (0.5, -1.5, 0.472_254_956_206_354_9),
        (-1.0, -0.75, 0.006_373_963_254_178_329),
        (1.0, 1.000_000_953_674_316_4, 8.940_874_265_980_666e-14),
        (-40.0, -39.75, 1.445_520_237_734_359_8e-19),
        (-40.0, 3.0, 3.048_587_351_573_742),
        (-700.0, -1.0, 0.313_261_687_518_222_8),
        (2.0, 700.0, 83.076_711_560_395_08),
        (0.0, 0.5, 0.030_929_803_620_161_372),
        (0.0, -0.5, 0.030_929_803_620_161_372),
        (0.0, 0.498_046_875, 0.030_691_073_544_330_396),
        (0.0, -0.498_046_875, 0.030_691_073_544_330_396),
        (-6.0, -5.501_953_125, 3.633_341_354_835_518e-4),
        (-6.0, -6.498_046_875, 2.610_421_156_698_591e-4),
        (3.0, 60.0, 2.654_687_419_547_564_7),
        (-0.007_812_5, 0.007_812_5, 3.051_742_290_551_828_2e-5),
    ];

    #[test]
    fn the_divergence_is_that_of_exact_arithmetic() {
        for &(p, q, expected) in EXACT {
            close(divergence::<f64, false>(p, q), expected, 1e-14);
            close(divergence::<f64, true>(p, q), expected, 1e-14);
            close(divergence::<f64, false>(-p, -q), expected, 1e-14);
            close(divergence::<f32, false>(p as f32, q as f32).as_f64(), expected, 6e-6);
        }
    }

    #[test]
    fn equal_logits_have_no_divergence_and_infinite_ones_a_limit() {
        let inf = f64::INFINITY;
        for x in [-800.0, -1.0, 0.0, 3.0] {
            assert_eq!(divergence::<f64, false>(x, x), 0.0);
        }
        assert_eq!(divergence::<f64, false>(-inf, 0.0), std::f64::consts::LN_2);
        assert_eq!(divergence::<f64, false>(inf, 0.0), std::f64::consts::LN_2);
        assert_eq!(divergence::<f64, false>(0.0, inf), inf);
    }

    #[test]
    fn a_difference_keeps_its_digits() {
        close(difference::<f64, false>(1e-12, 0.0, 1e-12), 2.5e-13, 1e-13);
        close(difference::<f64, false>(-50.0, -51.0, 1.0), (-50.0_f64).exp() - (-51.0_f64).exp(), 1e-13);
        assert_eq!(difference::<f64, false>(f64::INFINITY, 0.0, f64::INFINITY), 0.5);
    }
}
