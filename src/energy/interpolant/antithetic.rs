//! The same loss at both signs of the noise.

use super::{Field, Gamma};
use crate::Result;
use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`AntitheticInterpolant`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AntitheticArguments<A, P> {
    /// For the model's field at the point with the noise `z`.
    pub plus: A,
    /// For the model's field at the point with the noise `-z`.
    pub minus: A,
    /// For the samples at `t = 0`.
    pub x0: A,
    /// For the samples at `t = 1`.
    pub x1: A,
    /// For the standard normal noise `z`.
    pub noise: A,
    /// For the times, in `[0, 1]`.
    pub t: P,
}
columns!(AntitheticArguments<5, 1> { plus, minus, x0, x1, noise; t });

/// One thing for each gradient of [`AntitheticInterpolant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AntitheticGradient<A> {
    /// For the field at the point with the noise `z`.
    pub plus: A,
    /// For the field at the point with the noise `-z`.
    pub minus: A,
}
columns!(AntitheticGradient<2> { plus, minus });

/// Antithetic form of the loss of [`Interpolant`](super::Interpolant): the mean of it at `z` and at `-z`.
///
/// ```math
/// L_i = \tfrac12 \left[ L(\hat f_i^+, z_i) + L(\hat f_i^-, -z_i) \right]
/// ```
///
/// It has the same expectation and the variance of its target stays bounded near the ends: the large targets `±z/γ` of
/// a score meet as `(z / 2γ) · (f̂⁺ - f̂⁻)`, which is how it is computed. The derivatives are half of those of each.
/// The authors' code takes the sum of both, twice this.
///
/// # Errors
///
/// Those of [`Interpolant`](super::Interpolant).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{AntitheticArguments, AntitheticInterpolant, Field, Gamma, SampleLoss};
/// let (plus, minus) = (array![[1.0_f64]], array![[0.0]]);
/// let (x0, x1, noise, t) = (array![[0.0]], array![[2.0]], array![[4.0]], array![0.25]);
/// let arguments =
///     AntitheticArguments { plus: &*plus, minus: &*minus, x0: &*x0, x1: &*x1, noise: &*noise, t: &*t };
/// let interpolant = AntitheticInterpolant { gamma: Gamma::Product, field: Field::Velocity };
/// let (loss, gradient) = interpolant.grad(arguments, Reduction::Mean)?;
/// assert_eq!((loss, gradient.plus, gradient.minus), (-1.75, array![[-1.5]], array![[0.0]])); // targets 4 and 0
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Albergo, Boffi and Vanden-Eijnden, 2023, section 6.1, [arXiv:2303.08797](https://arxiv.org/abs/2303.08797).
#[doc(alias = "antithetic sampling")]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct AntitheticInterpolant {
    /// Amplitude of the noise. Default [`Gamma::Product`].
    pub gamma: Gamma,
    /// What the model predicts. Default [`Field::Velocity`].
    pub field: Field,
}

impl SampleLoss<5, 1, 2, 0> for AntitheticInterpolant {
    type Arguments<A, P> = AntitheticArguments<A, P>;
    type Gradient<A, P> = AntitheticGradient<A>;
    const SAMPLES: [&'static str; 5] = ["plus", "minus", "x0", "x1", "noise"];
    const NUMBERS: [(&'static str, Domain); 1] = [("t", Domain::Unit)];

    fn check(&self) -> Result<()> {
        self.gamma.check()
    }

    fn form(&self, numbers: &[f64]) -> Result<Form, Fault> {
        let target = self.field.target(self.gamma, numbers[0])?;
        Ok(Form::Antithetic { path: [-target.path, target.path], noise: target.noise })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    #[test]
    fn each_field_has_the_noise_of_its_own_sign() {
        // ½ (½ 0.5² - 0.5 · 2) + ½ (½ 0.3² - 0.3 · 2).
        let (plus, minus) = (array![[0.5]], array![[-0.3]]);
        let (zero, noise, t) = (array![[0.0]], array![[2.0]], array![0.5]);
        let arguments =
            AntitheticArguments { plus: &*plus, minus: &*minus, x0: &*zero, x1: &*zero, noise: &*noise, t: &*t };
        let loss = AntitheticInterpolant { gamma: Gamma::Product, field: Field::Denoiser };
        let (value, gradient) = loss.grad(arguments, Reduction::Mean).unwrap();
        all_close([value, gradient.plus[[0, 0]], gradient.minus[[0, 0]]], [-0.715, -0.75, 0.85], 1e-15);
    }

    #[test]
    fn a_field_that_feels_no_noise_feels_none_of_the_large_targets() {
        // At t = 1e-300 targets of a score are ±1e300: a product would be lost in them, their difference is exact.
        let (field, zero, noise, t) = (array![[0.5]], array![[0.0]], array![[1.0]], array![1e-300]);
        let arguments =
            AntitheticArguments { plus: &*field, minus: &*field, x0: &*zero, x1: &*zero, noise: &*noise, t: &*t };
        let loss = AntitheticInterpolant { gamma: Gamma::Product, field: Field::Score };
        assert_eq!(loss.value(arguments, Reduction::Mean), Ok(0.125));
        let (_, gradient) = loss.grad(arguments, Reduction::Mean).unwrap();
        all_close([gradient.plus[[0, 0]], gradient.minus[[0, 0]]], [5e299, -5e299], 1e-15);
        let t = array![0.0];
        let error = loss.value(AntitheticArguments { t: &*t, ..arguments }, Reduction::Mean).unwrap_err();
        assert_eq!(error.to_string(), "`t`[0] is 0, allowed is a time at which there is noise");
    }
}
