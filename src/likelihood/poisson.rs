//! The Poisson probability of a count, by log-rate.

use super::{Density, Domain};
use crate::{Real, math};

/// Poisson negative log-likelihood of counts, given by the logarithm of the rate.
///
/// ```math
/// L_i = e^{l_i} - x_i l_i + \ln x_i!, \qquad \frac{\partial L_i}{\partial l_i} = e^{l_i} - x_i
/// ```
///
/// In nats, `ln x!` kept. The counts `x` are whole numbers `>= 0`, held as floating point. The arrays have one shape,
/// nothing is broadcast.
///
/// The loss is formed as a sum of positive terms, `½ ln 2πx + δ(x) + x (e^d - 1 - d)` with `d = l - ln x` and δ the
/// error of Stirling's formula. It is good to 3 machine epsilons of `L + |e^l - x| ln x`, which is what a last bit of
/// the log-rate is worth; the gradient to 2 of the larger of `e^l` and `x`. The three terms of the formula above grow
/// as `x ln x` and cancel: at a count of a million nothing is left of them in `f32`.
///
/// A log-rate of -inf is a rate of zero: the loss is 0 for the count 0 and +inf for any other, the gradient `-x`.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where a log-rate is NaN or +inf or a
/// count is negative, infinite or not whole; [`Error::Overflow`](crate::Error::Overflow) where the rate or the loss
/// does not fit the type; [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::likelihood::{Poisson, PoissonArguments};
/// let (log_rate, x) = (array![0.0_f64, 0.0], array![0.0, 3.0]);
/// let (loss, gradient) = Poisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Sum)?;
/// assert!((loss - 3.791_759_469).abs() < 1e-9); // 1 and 1 + ln 6
/// assert_eq!(gradient, array![1.0, -2.0]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Loader, "Fast and accurate computation of binomial probabilities", 2000.
#[doc(alias = "PoissonNLLLoss")]
#[doc(alias = "count")]
#[doc(alias = "poisson_nll_loss")]
#[doc(alias = "NLL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Poisson;

/// One thing for each argument of [`Poisson`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoissonArguments<A> {
    /// The logarithms of the rates.
    pub log_rate: A,
    /// The counts; of [`QuasiPoisson`](super::QuasiPoisson) any numbers `>= 0`.
    pub x: A,
}
crate::bundle!(PoissonArguments { log_rate, x });

impl Density<2, 1> for Poisson {
    type Arguments<A> = PoissonArguments<A>;
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 2] = [("log_rate", Domain::Log), ("x", Domain::Count)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [log_rate, x]: [T; 2]) -> (T, [T; 1]) {
        let (deviance, rate) = half_deviance::<T, FMA>(log_rate, x);
        let log_x = math::ln::<T, FMA>(x);
        let constant = T::from_f64(0.5) * (T::from_f64(super::LN_2_PI) + log_x) + stirling_error::<T, FMA>(x);
        (if x == T::zero() { rate } else { deviance + constant }, [rate - x])
    }
}

/// `e^l - x - x (l - ln x)`, for `x > 0`, and the rate `e^l`.
#[inline(always)]
pub(super) fn half_deviance<T: Real, const FMA: bool>(log_rate: T, x: T) -> (T, T) {
    let rate = math::exp::<T, FMA>(log_rate);
    let d = log_rate - math::ln::<T, FMA>(x);
    // Far above the count the rate itself is better: a rounding error of d would reach the result e^d times.
    let near = x * (math::exp_m1::<T, FMA>(d) - d);
    (if d > T::from_f64(2.0) { (rate - x) - x * d } else { near }, rate)
}

/// `δ(x) = ln x! - (x ln x - x + ½ ln 2πx)` of a whole number `x >= 1`, to 1e-16: a table, then Stirling's series.
#[inline(always)]
fn stirling_error<T: Real, const FMA: bool>(x: T) -> T {
    let inverse = x.recip();
    let square = inverse * inverse;
    let series = SERIES.iter().rev().fold(T::zero(), |sum, &c| math::mul_add::<T, FMA>(sum, square, T::from_f64(c)));
    let mut error = series * inverse;
    for (i, &exact) in SMALL.iter().enumerate() {
        error = if x == T::from_f64((i + 1) as f64) { T::from_f64(exact) } else { error };
    }
    error
}

/// `δ(1)` to `δ(7)`, from mpmath.
const SMALL: [f64; 7] = [
    0.081_061_466_795_327_26,
    0.041_340_695_955_409_3,
    0.027_677_925_684_998_34,
    0.020_790_672_103_765_093,
    0.016_644_691_189_821_193,
    0.013_876_128_823_070_748,
    0.011_896_709_945_891_77,
];

/// `B_2n / (2n (2n - 1))`, the coefficients of `x^(1-2n)`; at `x = 8` the first one left out is below 1e-16.
const SERIES: [f64; 9] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
    43_867.0 / 244_188.0,
];

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};
    use proptest::prelude::*;
    use statrs::distribution::{self, Discrete};

    use super::super::testing::{close, derivatives_match};
    use super::*;
    use crate::{Reduction, SumCount};

    fn point(log_rate: f64, x: f64) -> (f64, f64) {
        let (loss, [slope]) = Poisson.at::<f64, false>([log_rate, x]);
        (loss, slope)
    }

    #[test]
    fn loss_and_gradient_equal_mpmath() {
        let cases: [([f64; 2], f64, f64); 11] = [
            ([0.5, 0.0], 1.648_721_270_700_128_1, 1.648_721_270_700_128_1),
            ([0.5, 1.0], 1.148_721_270_700_128_1, 0.648_721_270_700_128_1),
            ([-1.5, 3.0], 6.514_889_629_376_485, -2.776_869_839_851_57),
            ([2.0, 7.0], 1.914_217_459_996_064_5, 0.389_056_098_930_650_23),
            ([2.0, 8.0], 1.993_659_001_675_900_5, -0.610_943_901_069_349_8),
            ([3.25, 20.0], 3.125_956_377_946_547, 5.790_339_917_193_062),
            ([5.5, 250.0], 3.737_164_055_073_348_5, -5.308_067_735_779_612),
            ([-1e4, 3.0], 30_001.791_759_469_228, -3.0),
            ([-1e4, 0.0], 0.0, 0.0),
            ([13.75, 1e6], 2_107.542_890_724_080_2, -63_410.841_767_445_54),
            ([20.75, 1e9], 360_574.969_400_178_2, 27_094_726.742_417_57),
        ];
        for (arguments, loss, slope) in cases {
            let (found, [gradient]) = Poisson.at::<f64, false>(arguments);
            let bound = |eps: f64| eps * (loss + slope.abs() * arguments[1].max(3.0).ln());
            assert!((found - loss).abs() <= bound(3.0 * f64::EPSILON), "{arguments:?}: {found} is not {loss}");
            let rounding = 2.0 * f64::EPSILON * arguments[1].max(slope + arguments[1]); // of the rate, from which the count is taken
            assert!((gradient - slope).abs() <= rounding, "{arguments:?}: {gradient} is not {slope}");
            let (found, _) = Poisson.at::<f32, false>(arguments.map(|x| x as f32));
            assert!(
                (found.as_f64() - loss).abs() <= bound(3.0 * f32::EPSILON.as_f64()),
                "{arguments:?} in f32: {found} is not {loss}"
            );
        }
        let (loss, slope) = point(700.0, 2.0);
        assert!(close(loss, 1.014_232_054_735_004_5e304, 2e-13) && close(slope, loss, 2e-13));
    }

    #[test]
    fn nothing_is_lost_where_the_rate_is_far_above_the_count() {
        let (loss, _) = point(71.09375, 20.0); // mpmath
        assert!((loss / 7.509_712_705_958_759e30 - 1.0).abs() < 3.0 * f64::EPSILON, "{loss}");
        let (loss, _) = Poisson.at::<f32, false>([67.75, 7.0]);
        assert!((loss.as_f64() / 2.651_252_853_478_068_5e29 - 1.0).abs() < 3.0 * f32::EPSILON.as_f64(), "{loss}");
        let (loss, _) = point(3.0625, 2.0); // just past where one form follows the other
        assert!((loss / 15.949_089_939_683_289 - 1.0).abs() < 3.0 * f64::EPSILON, "{loss}");
    }

    #[test]
    fn nothing_is_lost_at_large_counts_in_single_precision() {
        // mpmath at the rounded log-rate 13.8125: e^l - x l + ln x! of a million.
        let (loss, _) = Poisson.at::<f32, false>([13.8125, 1e6]);
        assert!((loss.as_f64() / 12.35387926610835 - 1.0).abs() < 1e-3, "{loss}");
    }

    #[test]
    fn the_error_of_stirlings_formula_closes_the_factorial() {
        let mut log_factorial = 0.0;
        for n in 1..=40 {
            let x = f64::from(n);
            log_factorial += x.ln();
            let stirling = x * x.ln() - x + 0.5 * (super::super::LN_2_PI + x.ln());
            let error = stirling_error::<f64, false>(x);
            assert!((stirling + error - log_factorial).abs() < 2e-14 * log_factorial.max(1.0), "n = {n}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for log_rate in [-3.0, 0.0, 2.5] {
            for x in [0.0, 1.0, 12.0] {
                derivatives_match(&Poisson, [log_rate, x], 1e-7);
            }
        }
    }

    #[test]
    fn the_probabilities_of_all_counts_add_up_to_one() {
        for log_rate in [-4.0, 0.0, 1.5, 4.0] {
            let mass: f64 = (0..400).map(|x| (-point(log_rate, f64::from(x)).0).exp()).sum();
            assert!((mass - 1.0).abs() < 1e-13, "mass {mass} at {log_rate}");
        }
    }

    #[test]
    fn a_rate_of_zero_leaves_only_the_count_zero() {
        let inf = f64::INFINITY;
        assert_eq!(point(-inf, 0.0), (0.0, 0.0));
        assert_eq!(point(-inf, 3.0), (inf, -3.0));
        let (value, gradient) = Poisson
            .grad(PoissonArguments { log_rate: &array![0.0, -inf], x: &array![0.0, 2.0] }, Reduction::Sum)
            .unwrap();
        assert_eq!((value, gradient), (inf, array![1.0, -2.0]));
    }

    #[test]
    fn bad_counts_and_rates_are_named_and_overflow_is_told() {
        let log_rate = array![0.0, 1.0, 2.0];
        for bad in [-1.0, 0.5, f64::INFINITY, f64::NAN] {
            let error = Poisson.each(PoissonArguments { log_rate: &log_rate, x: &array![1.0, 2.0, bad] }).unwrap_err();
            assert_eq!(error.to_string(), format!("`x`[2] is {bad}, allowed is a whole number >= 0"));
        }
        for bad in [f64::INFINITY, f64::NAN] {
            let error = Poisson.each(PoissonArguments { log_rate: &array![bad], x: &array![1.0] }).unwrap_err();
            assert_eq!(error.to_string(), format!("`log_rate`[0] is {bad}, allowed is finite or -inf"));
        }
        let error = Poisson
            .value(PoissonArguments { log_rate: &array![1.0, 89.0_f32], x: &array![1.0, 0.0] }, Reduction::Mean)
            .unwrap_err();
        assert_eq!(error.to_string(), "the result at `log_rate`[1] overflows f32");
        let none = Array1::<f32>::zeros(0);
        assert_eq!(Poisson.value(PoissonArguments { log_rate: &none, x: &none }, Reduction::Sum), Ok(0.0));
        assert_eq!(Poisson.sum_count(PoissonArguments { log_rate: &none, x: &none }), Ok(SumCount::default()));
        let error = Poisson.value(PoissonArguments { log_rate: &none, x: &none }, Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "`log_rate` holds nothing to average over");
    }

    proptest! {
        #[test]
        fn the_loss_is_minus_the_log_probability_of_statrs(log_rate in -8.0..6.0_f64, x in 0..150_u64) {
            let (loss, _) = point(log_rate, x as f64);
            let expected = -distribution::Poisson::new(log_rate.exp()).unwrap().ln_pmf(x);
            prop_assert!((loss - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{} is not {}", loss, expected);
        }
    }
}
