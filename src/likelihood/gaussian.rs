//! The normal density, by mean and log-variance.

use super::{Density, Domain};
use crate::{Real, math};

/// Gaussian (normal) negative log-likelihood of observations, one density for each element.
///
/// ```math
/// L_i = \tfrac12 \left[ \ln 2\pi + s_i + (x_i - \mu_i)^2 e^{-s_i} \right], \qquad s_i = \ln\sigma_i^2
/// ```
///
/// ```math
/// \frac{\partial L_i}{\partial x_i} = -\frac{\partial L_i}{\partial \mu_i} = (x_i - \mu_i)\, e^{-s_i}, \qquad
/// \frac{\partial L_i}{\partial s_i} = \tfrac12 \left[ 1 - (x_i - \mu_i)^2 e^{-s_i} \right]
/// ```
///
/// In nats, all constants kept; negative where the density is above 1. The arrays have one shape, nothing is
/// broadcast. A standard deviation σ enters as `2 ln σ`, and a gradient in σ is `2/σ` times that in the log-variance.
///
/// The loss is good to 3 machine epsilons of the largest of `|L|`, 1 and `|s|`, the gradients in μ and x to 3 of
/// their own.
///
/// With `μ = x` the residual counts as zero whatever the variance, so that the loss is `½ (ln 2π + s)` even where
/// `e^-s` overflows.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape); [`Error::Value`](crate::Error::Value) where an argument is NaN or infinite
/// (a variance of zero or infinity has no density); [`Error::Overflow`](crate::Error::Overflow) where the residual,
/// `1/σ`, their product or its square does not fit the type;
/// [`Error::NothingToAverage`](crate::Error::NothingToAverage) for a mean over nothing.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::likelihood::{Gaussian, GaussianArguments};
/// let (mean, log_variance, x) = (array![0.0_f64, 1.0], array![0.0, 2.0], array![1.0, 1.0]);
/// let loss = Gaussian.value(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)?;
/// assert!((loss - 3.337_877_066).abs() < 1e-9); // (ln 2π + 1) / 2 and (ln 2π + 2) / 2
///
/// let (_, gradient) =
///     Gaussian.grad(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)?;
/// assert_eq!(gradient.mean, array![-1.0, 0.0]);
/// assert_eq!(gradient.log_variance, array![0.0, 0.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nix and Weigend, "Estimating the mean and variance of the target probability distribution", ICNN 1994.
#[doc(alias = "normal")]
#[doc(alias = "NLL")]
#[doc(alias = "gaussian_nll_loss")]
#[doc(alias = "GaussianNLLLoss")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gaussian;

/// One thing for each argument of [`Gaussian`]: its gradients, or the arrays to write them to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GaussianArguments<A> {
    /// For the mean μ.
    pub mean: A,
    /// For the log-variance `ln σ²`.
    pub log_variance: A,
    /// For the observation.
    pub x: A,
}
crate::bundle!(GaussianArguments { mean, log_variance, x });

impl Density<3, 3> for Gaussian {
    type Arguments<A> = GaussianArguments<A>;
    type Gradient<A> = GaussianArguments<A>;
    const ARGUMENTS: [(&'static str, Domain); 3] =
        [("mean", Domain::Finite), ("log_variance", Domain::Finite), ("x", Domain::Finite)];
    crate::compile_loops!(Density);

    /// The residual is scaled by `1/σ` before it is squared: neither its square nor `1/σ²` need fit the type.
    #[inline(always)]
    fn at<T: Real, const FMA: bool>(&self, [mean, log_variance, x]: [T; 3]) -> (T, [T; 3]) {
        let (half, one) = (T::from_f64(0.5), T::one());
        let inverse_std = math::exp::<T, FMA>(-half * log_variance);
        let residual = x - mean;
        let scaled = |r: T| if residual == T::zero() { T::zero() } else { r * inverse_std };
        let z = scaled(residual);
        let slope = scaled(z) + T::zero(); // never -0
        let loss = half * math::mul_add::<T, FMA>(z, z, T::from_f64(super::LN_2_PI) + log_variance);
        (loss, [T::zero() - slope, half * (one - z) * (one + z), slope])
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array, aview1};
    use proptest::prelude::*;
    use statrs::distribution::{Continuous, Normal};

    use super::super::testing::{close, derivatives_match};
    use super::*;
    use crate::{Error, Reduction, Result};

    fn point(mean: f64, log_variance: f64, x: f64) -> (f64, [f64; 3]) {
        Gaussian.at::<f64, false>([mean, log_variance, x])
    }

    #[test]
    fn a_slope_of_zero_has_no_sign() {
        // No residual, and a negative one of which the variance leaves nothing.
        for arguments in [[2.0, 0.0, 2.0], [1.0, 1e4, 0.0], [0.0, 1e4, 1.0]] {
            let (_, [mean, _, x]) = Gaussian.at::<f64, false>(arguments);
            assert_eq!([mean.to_bits(), x.to_bits()], [0; 2], "{arguments:?}: {mean}, {x}");
        }
    }

    #[test]
    fn loss_and_gradient_equal_mpmath() {
        let cases = [
            ([0.5, -1.25, 2.0], 4.220_574_360_349_244, -5.235_514_436_192_762, -3.426_635_827_144_571_8),
            ([-3.0, 0.0, -3.0], 0.918_938_533_204_672_7, 0.0, 0.5),
            ([1000.0, 100.0, -1000.0], 50.918_938_533_204_67, 7.440_151_952_041_672e-41, 0.5),
            ([0.25, -100.0, 0.25], -49.081_061_466_795_33, 0.0, 0.5),
            (
                [1.0, -100.0, 1.0 + 4.0 * f64::EPSILON],
                10_602_752_609_116.897,
                -2.387_527_634_987_072_6e28,
                -10_602_752_609_165.478,
            ),
            ([0.0, 700.0, 1e100], 350.918_938_533_204_7, -9.859_676_543_759_77e-205, 0.5),
        ];
        for (arguments, loss, mean, log_variance) in cases {
            let (found, gradient) = Gaussian.at::<f64, false>(arguments);
            assert!(close(found, loss, 3.0 * f64::EPSILON), "{arguments:?}: {found} is not {loss}");
            for (found, expected) in gradient.into_iter().zip([mean, log_variance, -mean]) {
                assert!(close(found, expected, 4.0 * f64::EPSILON), "{arguments:?}: {found} is not {expected}");
            }
            if arguments.iter().all(|&x| f64::from(x as f32) == x) {
                let (found, gradient) = Gaussian.at::<f32, false>(arguments.map(|x| x as f32));
                assert!(
                    close(found.as_f64(), loss, 3.0 * f32::EPSILON.as_f64()),
                    "{arguments:?} in f32: {found} is not {loss}"
                );
                assert!(close(gradient[1].as_f64(), log_variance, 4.0 * f32::EPSILON.as_f64()), "{arguments:?} in f32");
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        for mean in [-2.0, 0.3] {
            for log_variance in [-3.0, 0.0, 4.0] {
                derivatives_match(&Gaussian, [mean, log_variance, 0.7], 1e-7);
            }
        }
    }

    #[test]
    fn the_density_integrates_to_one() {
        for (mean, log_variance) in [(0.0, 0.0), (-3.5, 2.0), (100.0, -6.0)] {
            let (std, steps) = ((0.5_f64 * log_variance).exp(), 200);
            let h = 24.0 * std / f64::from(steps); // the trapezoidal rule converges faster than any power here
            let x = |i| mean - 12.0 * std + h * f64::from(i);
            let mass: f64 = (0..=steps).map(|i| h * (-point(mean, log_variance, x(i)).0).exp()).sum();
            assert!((mass - 1.0).abs() < 1e-12, "mass {mass} at {mean}, {log_variance}");
        }
    }

    #[test]
    fn the_zero_residual_wins_over_any_variance() {
        for log_variance in [-1e4, 1e4, -1e300, 1e300] {
            let (loss, gradient) = point(2.5, log_variance, 2.5);
            assert!(close(loss, 0.5 * (super::super::LN_2_PI + log_variance), 1e-15));
            assert_eq!(gradient, [0.0, 0.5, 0.0]);
        }
    }

    #[test]
    fn a_variance_too_small_for_its_residual_is_an_overflow() {
        let error = Gaussian.value(
            GaussianArguments {
                mean: &aview1(&[0.0, 0.0]),
                log_variance: &aview1(&[0.0, -1e4]),
                x: &aview1(&[1.0, 1.0]),
            },
            Reduction::Sum,
        );
        assert_eq!(error.unwrap_err().to_string(), "the result at `mean`[1] overflows f64");
        let (mean, log_variance, x) = (array![0.0_f32], array![-100.0_f32], array![1e-3_f32]);
        assert!(
            Gaussian
                .value(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)
                .is_ok()
        );
        let (log_variance, x) = (array![-170.0_f32], array![1e-22_f32]); // z = 8e14, its slope 6e51
        assert!(
            Gaussian
                .value(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)
                .is_ok()
        );
        let error = Gaussian
            .grad(GaussianArguments { mean: &mean, log_variance: &log_variance, x: &x }, Reduction::Sum)
            .unwrap_err();
        assert_eq!(error.to_string(), "the result at `mean`[0] overflows f32");
    }

    #[test]
    fn nan_and_infinity_are_refused_by_name() {
        let good = array![0.5, 0.5];
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let bad = array![0.0, bad];
            let each: [Result<Array1<f64>>; 3] = [
                Gaussian.each(GaussianArguments { mean: &bad, log_variance: &good, x: &good }),
                Gaussian.each(GaussianArguments { mean: &good, log_variance: &bad, x: &good }),
                Gaussian.each(GaussianArguments { mean: &good, log_variance: &good, x: &bad }),
            ];
            for (name, result) in ["mean", "log_variance", "x"].into_iter().zip(each) {
                let message = format!("`{name}`[1] is {}, allowed is finite", bad[1]);
                assert_eq!(result.unwrap_err().to_string(), message);
            }
        }
    }

    #[test]
    fn shapes_are_not_broadcast() {
        let (two, one) = (array![0.0, 0.0], array![0.0]);
        let error =
            Gaussian.value(GaussianArguments { mean: &two, log_variance: &one, x: &two }, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`log_variance` has shape [1], expected [2]");
        let (mut mean, mut log_variance, mut short) = (two.clone(), two.clone(), one.clone());
        let out = GaussianArguments { mean: &mut *mean, log_variance: &mut *log_variance, x: &mut *short };
        let error = Gaussian
            .grad_into(GaussianArguments { mean: &two, log_variance: &two, x: &two }, Reduction::Sum, out)
            .unwrap_err();
        assert_eq!(error.to_string(), "`out.x` has shape [1], expected [2]");
        let none = Array1::<f64>::zeros(0);
        let error = Gaussian
            .value(GaussianArguments { mean: &none, log_variance: &none, x: &none }, Reduction::Mean)
            .unwrap_err();
        assert_eq!(error, Error::NothingToAverage { argument: "mean" });
    }

    proptest! {
        #[test]
        fn the_loss_is_minus_the_log_density_of_statrs(
            mean in -50.0..50.0_f64, log_variance in -20.0..20.0_f64, x in -50.0..50.0_f64,
        ) {
            let (loss, _) = point(mean, log_variance, x);
            let expected = -Normal::new(mean, (0.5 * log_variance).exp()).unwrap().ln_pdf(x);
            prop_assert!((loss - expected).abs() <= 1e-13 * (1.0 + expected.abs() + log_variance.abs()));
        }

        #[test]
        fn a_common_shift_changes_nothing_and_the_gradients_cancel(
            mean in -8..8_i32, log_variance in -9.0..9.0_f64, x in -8..8_i32, shift in -1000..1000_i32,
        ) {
            let (mean, x, shift) = (f64::from(mean), f64::from(x), f64::from(shift));
            let (loss, gradient) = point(mean, log_variance, x);
            prop_assert_eq!(point(mean + shift, log_variance, x + shift), (loss, gradient));
            prop_assert_eq!(gradient[0], -gradient[2]);
        }
    }
}
