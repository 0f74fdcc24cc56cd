//! The quasi-likelihood of a Poisson rate: numbers that need not be counts.

use super::poisson::half_deviance;
use super::{Density, Domain, PoissonArguments};
use crate::Real;

/// Quasi-Poisson negative log-likelihood: of numbers `>= 0` whose variance is proportional to their mean, given by the
/// logarithm of that mean. It is half the Poisson deviance.
///
/// ```math
/// L_i = \int_{\mu_i}^{x_i} \frac{x_i - t}{t}\, dt = \mu_i - x_i - x_i (l_i - \ln x_i), \qquad \mu_i = e^{l_i}, \qquad
/// \frac{\partial L_i}{\partial l_i} = e^{l_i} - x_i
/// ```
///
/// The numbers `x` need not be whole: rates, amounts, weighted counts. There is no density of which this were the
/// logarithm, hence the name; at whole numbers the gradient is that of [`Poisson`](super::Poisson), and the two
/// values differ by what does not depend on the rate. `L >= 0`, and 0 where `μ = x`. The arrays have one shape, nothing is
/// broadcast.
///
/// It is formed as `x (e^d - 1 - d)` with `d = l - ln x`, good to 3 machine epsilons of `L + |e^l - x| max(1, |ln x|)`,
/// which is what a last bit of the log-rate is worth. A log-rate of -inf is a rate of zero: the loss is 0 for the number
/// 0 and +inf for any other, the gradient `-x`.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where a log-rate is NaN or +inf or a
/// number is negative or not finite; [`Error::Overflow`](crate::Error::Overflow) where the rate or the loss does not fit
/// the type; [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::likelihood::{PoissonArguments, QuasiPoisson};
/// let (log_rate, x) = (array![0.0_f64, 0.0], array![0.0, 2.5]);
/// let (loss, gradient) = QuasiPoisson.grad(PoissonArguments { log_rate: &log_rate, x: &x }, Reduction::Sum)?;
/// assert!((loss - 1.790_726_830).abs() < 1e-9); // 1 and 1 - 2.5 + 2.5 ln 2.5
/// assert_eq!(gradient, array![1.0, -1.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Wedderburn, "Quasi-likelihood functions, generalized linear models, and the Gauss-Newton method", Biometrika 61, 1974.
#[doc(alias = "Poisson deviance")]
#[doc(alias = "quasi-likelihood")]
#[doc(alias = "NLL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuasiPoisson;

impl Density<2, 1> for QuasiPoisson {
    type Arguments<A> = PoissonArguments<A>;
    type Gradient<A> = A;
    const ARGUMENTS: [(&'static str, Domain); 2] = [("log_rate", Domain::Log), ("x", Domain::NonNegative)];
    crate::compile_loops!(Density);

    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [log_rate, x]: [T; 2]) -> (T, [T; 1]) {
        let (deviance, rate) = half_deviance::<T, FMA>(log_rate, x);
        (if x == T::zero() { rate } else { deviance }, [rate - x])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::super::Poisson;
    use super::super::testing::derivatives_match;
    use super::*;
    use crate::Reduction;

    fn point(log_rate: f64, x: f64) -> (f64, f64) {
        let (loss, [slope]) = QuasiPoisson.at::<f64, false>([log_rate, x]);
        (loss, slope)
    }

    #[test]
    fn loss_and_gradient_equal_the_integral() {
        // The integral of the definition by Simpson's rule.
        for (log_rate, x) in [(0.5_f64, 0.25_f64), (-1.5, 0.75), (2.0, 7.3), (3.25, 20.0), (1.0, 1e-3)] {
            let (mu, steps) = (f64::exp(log_rate), 20_000);
            let h = (x.ln() - log_rate) / f64::from(steps); // over the logarithm of t, where the integrand is x - t
            let at = |i: i32| x - (log_rate + h * f64::from(i)).exp();
            let sum = (1..steps).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * at(i)).sum::<f64>();
            let integral = h / 3.0 * (at(0) + sum + at(steps));
            let (loss, slope) = point(log_rate, x);
            assert!((loss - integral).abs() <= 1e-12 * (1.0 + integral), "{loss} is not {integral}");
            assert!((slope - (mu - x)).abs() <= 1e-15 * (mu + x));
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for (log_rate, x) in [(-3.0, 0.0), (0.0, 0.5), (2.5, 12.25)] {
            derivatives_match(&QuasiPoisson, [log_rate, x], 1e-7);
        }
    }

    #[test]
    fn it_is_zero_where_the_rate_is_the_number_and_infinite_where_the_rate_is_zero() {
        assert_eq!(point(0.0, 1.0), (0.0, 0.0));
        let inf = f64::INFINITY;
        assert_eq!(point(-inf, 0.0), (0.0, 0.0));
        assert_eq!(point(-inf, 0.5), (inf, -0.5));
    }

    #[test]
    fn bad_numbers_are_named() {
        for bad in [-0.5, f64::INFINITY, f64::NAN] {
            let error = QuasiPoisson
                .value(PoissonArguments { log_rate: &array![0.0, 1.0], x: &array![0.5, bad] }, Reduction::Sum)
                .unwrap_err();
            assert_eq!(error.to_string(), format!("`x`[1] is {bad}, allowed is finite and >= 0"));
        }
        let error = QuasiPoisson
            .value(PoissonArguments { log_rate: &array![89.0_f32], x: &array![0.5] }, Reduction::Sum)
            .unwrap_err();
        assert_eq!(error.to_string(), "the result at `log_rate`[0] overflows f32");
    }

    proptest! {
        #[test]
        fn at_counts_it_differs_from_the_likelihood_by_a_constant(log_rate in -5.0..5.0_f64, x in 1..60_u32) {
            let x = f64::from(x);
            let full = |l: f64| Poisson.value(PoissonArguments { log_rate: &array![l], x: &array![x] }, Reduction::Sum).unwrap();
            let difference = full(log_rate) - full(x.ln());
            prop_assert!((point(log_rate, x).0 - difference).abs() <= 1e-11 * (1.0 + difference.abs()));
        }
    }
}
