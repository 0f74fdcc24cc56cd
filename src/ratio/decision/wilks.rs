//! Wilks' likelihood-ratio test, and the tail of the chi-square distribution.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use crate::error::Position;
use crate::simd::Lanes;
use crate::{Error, Result, check};

/// Wilks' likelihood-ratio test of nested models.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Wilks {
    /// `2 (ℓ₁ - ℓ₀)`.
    pub statistic: f64,
    /// How likely a statistic as large as this one is where the smaller model holds, for large samples.
    pub p_value: f64,
}

/// Wilks' likelihood-ratio test of a model against one that contains it.
///
/// ```math
/// D = 2\, (\ell_1 - \ell_0), \qquad p = \Pr(\chi^2_k \ge D)
/// ```
///
/// `null` is the largest log-likelihood `ℓ₀` of the smaller model, `alternative` that of the larger one, `ℓ₁`, in nats
/// over the same data; `degrees` is k, the number of parameters that the smaller one fixes. The distribution is that of
/// large samples with the truth inside the larger model's range of parameters; a truth on its border (a variance of 0,
/// a share of 0) makes the test conservative. The larger model cannot be less likely: where `ℓ₁ < ℓ₀` one of the fits
/// has not converged, which is an error beyond rounding.
///
/// # Errors
///
/// [`Error::Parameter`] for a log-likelihood that is not finite, `ℓ₁` below `ℓ₀` by more than `1e-9 max(1, |ℓ₀|)`, or no
/// degrees of freedom; [`Error::Overflow`].
///
/// # Examples
///
/// ```
/// # use loglik::ratio::decision::wilks;
/// let test = wilks(-104.0, -100.0, 2)?;
/// assert_eq!(test.statistic, 8.0);
/// assert!((test.p_value - (-4.0_f64).exp()).abs() < 1e-16);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wilks, The large-sample distribution of the likelihood ratio for testing composite hypotheses, Annals of Mathematical
/// Statistics 9, 1938.
#[doc(alias = "likelihood-ratio test")]
pub fn wilks(null: f64, alternative: f64, degrees: u32) -> Result<Wilks> {
    check::finite("null", null)?;
    check::finite("alternative", alternative)?;
    let lowest = null - 1e-9 * null.abs().max(1.0);
    check::parameter("alternative", alternative, "not below `null`, whose model it contains", alternative >= lowest)?;
    let statistic = (2.0 * (alternative - null)).max(0.0);
    if statistic.is_infinite() {
        return Err(Error::overflow::<f64>("alternative", Position::default()));
    }
    Ok(Wilks { statistic, p_value: chi_square_tail(statistic, degrees)? })
}

/// The probability that a chi-square variable of so many degrees of freedom is at least `x`.
///
/// ```math
/// Q\Bigl(\frac k2, \frac x2\Bigr) = \begin{cases} e^{-y} \sum_{j=0}^{k/2-1} y^j / j! & k \text{ even} \\
/// \operatorname{erfc} \sqrt y + e^{-y} \sum_{j=1}^{(k-1)/2} y^{j-1/2} / \Gamma(j + \tfrac12) & k \text{ odd} \end{cases}, \qquad y = \frac x2
/// ```
///
/// For a whole number of degrees the regularized incomplete gamma function is a finite sum of terms above 0: no series
/// is cut off, and the tail keeps its digits down to the smallest numbers. Relative error below `1e-13` up to 100
/// degrees, and `1e-11` up to a million; terms too small to be seen are not formed.
///
/// # Errors
///
/// [`Error::Parameter`] for an `x` below 0 or NaN, and for no degrees.
///
/// # Examples
///
/// ```
/// # use loglik::ratio::decision::chi_square_tail;
/// assert!((chi_square_tail(3.841_458_820_694_124, 1)? - 0.05).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Abramowitz and Stegun, Handbook of mathematical functions, 26.4.4 and 26.4.5.
#[doc(alias = "survival function")]
pub fn chi_square_tail(x: f64, degrees: u32) -> Result<f64> {
    check::parameter("x", x, ">= 0", x >= 0.0)?;
    check::parameter("degrees", degrees.into(), "at least 1", degrees > 0)?;
    let y = 0.5 * x;
    if y == 0.0 || y.is_infinite() {
        return Ok(if y == 0.0 { 1.0 } else { 0.0 });
    }
    // Terms y^a e^-y / Γ(a + 1) with a from `first` to `last` in steps of 1.
    let (first, rest) =
        if degrees.is_multiple_of(2) { (0.0, 0.0) } else { (0.5, libm::erfc(x.sqrt() * FRAC_1_SQRT_2)) };
    let last = 0.5 * f64::from(degrees) - 1.0;
    if last < first {
        return Ok(rest);
    }
    // They rise up to a = y and fall from there: from the largest one outwards.
    let largest = first + (y - first).floor().clamp(0.0, last - first);
    let down = falling(|i| (largest - i) / y, largest - first);
    let up = falling(|i| y / (largest + 1.0 + i), last - largest);
    Ok((rest + poisson(largest, y) * (1.0 + down + up)).min(1.0))
}

/// The sum of products of these factors, each at most about 1, of the first, the first two, and so on.
fn falling(factor: impl Fn(f64) -> f64, count: f64) -> f64 {
    let (mut term, mut sum, mut i) = (1.0, 0.0, 0.0);
    while i < count {
        term *= factor(i);
        sum += term;
        if term < f64::EPSILON * 1e-4 * sum {
            break;
        }
        i += 1.0;
    }
    sum
}

/// `y^a e^-y / Γ(a + 1)`, by the deviance for a large `a` (Loader 2000), where its logarithm would be a small
/// difference of large numbers.
fn poisson(a: f64, y: f64) -> f64 {
    if a < 16.0 {
        return (a * y.ln() - y).exp() / libm::tgamma(a + 1.0);
    }
    let rise = (y - a) / a;
    let excess = if rise.abs() < 0.5 { rise.ln_1p_deficit_lane::<false>() } else { rise - rise.ln_1p() };
    let deviance = a * excess;
    (-deviance - stirling(a)).exp() / (TAU * a).sqrt()
}

/// `ln Γ(a + 1)` less Stirling's formula, to 1e-16 from 16 on.
fn stirling(a: f64) -> f64 {
    let s = (a * a).recip();
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / a
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    use super::*;
    use crate::testing::close;

    /// Exact values: mpmath, `scripts/two_sample_reference.py`.
    #[test]
    fn tails_keep_their_digits() {
        let cases = [
            (0.001, 1, 0.974_772_879_369_960_4, 1e-14),
            (3.2, 1, 0.073_638_270_120_302_65, 1e-14),
            (500.0, 1, 9.505_397_766_554_092e-111, 1e-13),
            (0.5, 2, 0.778_800_783_071_404_9, 1e-14),
            (1400.0, 2, 9.859_676_543_759_77e-305, 1e-13),
            (4.5, 3, 0.212_290_287_360_133_3, 1e-14),
            (30.0, 7, 9.495_972_508_134_184e-5, 1e-14),
            (80.0, 31, 3.312_528_552_848_245e-6, 1e-13),
            (90.0, 100, 0.753_197_965_599_829_7, 1e-13),
            (400.0, 101, 3.405_225_713_921_97e-37, 1e-13),
            (1000.0, 1000, 0.494_052_853_829_239_6, 1e-12),
            (1_003_000.0, 1_000_000, 0.017_016_772_933_266_315, 1e-11),
            (990_000.0, 999_999, 0.999_999_999_999_346_7, 1e-13),
        ];
        for (x, degrees, tail, tolerance) in cases {
            close(chi_square_tail(x, degrees).unwrap(), tail, tolerance);
        }
    }

    #[test]
    fn tails_are_those_of_statrs() {
        for degrees in [1, 2, 3, 4, 5, 10, 33, 64, 200] {
            let chi_square = ChiSquared::new(f64::from(degrees)).unwrap();
            for share in [0.01, 0.3, 0.9, 1.0, 1.1, 1.7, 3.0] {
                let x = share * f64::from(degrees);
                close(chi_square_tail(x, degrees).unwrap(), chi_square.sf(x), 1e-10);
            }
        }
    }

    #[test]
    fn a_tail_falls_from_one_to_zero() {
        for degrees in [1, 2, 7, 500] {
            let tails: Vec<f64> = (0..400).map(|i| chi_square_tail(f64::from(i), degrees).unwrap()).collect();
            assert!(tails[0] == 1.0 && tails.windows(2).all(|pair| pair[1] <= (1.0 + 1e-12) * pair[0]));
            assert_eq!(chi_square_tail(f64::INFINITY, degrees), Ok(0.0));
            assert_eq!(chi_square_tail(1e300, degrees), Ok(0.0));
            assert_eq!(chi_square_tail(5e-324, degrees), Ok(1.0));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |null, alternative, degrees| wilks(null, alternative, degrees).unwrap_err().to_string();
        assert_eq!(message(f64::NAN, 0.0, 1), "`null` is NaN, allowed is finite");
        assert_eq!(message(-1.0, -2.0, 1), "`alternative` is -2, allowed is not below `null`, whose model it contains");
        assert_eq!(message(-2.0, -1.0, 0), "`degrees` is 0, allowed is at least 1");
        assert_eq!(message(-1e308, 1e308, 1), "the result at `alternative` overflows f64");
        assert_eq!(wilks(-100.0, -100.0 - 1e-10, 3), Ok(Wilks { statistic: 0.0, p_value: 1.0 }));
        assert_eq!(chi_square_tail(-1.0, 1).unwrap_err().to_string(), "`x` is -1, allowed is >= 0");
    }
}
