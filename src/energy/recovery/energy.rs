//! The energy of a conditional model, given a noisier observation.

use crate::energy::SampleLoss;
use crate::energy::samples::{Fault, Form, columns};
use crate::likelihood::Domain;

/// One thing for each argument of [`RecoveryEnergy`]: `A` of the shape of the samples, `P` one number for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryArguments<A, P> {
    /// For the samples y.
    pub y: A,
    /// For the noisier observations x.
    pub x: A,
    /// For `f(y)`, the logarithm of the unnormalized marginal density.
    pub energy: P,
    /// For the noise between the two, its standard deviation.
    pub sigma: P,
}
columns!(RecoveryArguments<2, 2> { y, x; energy, sigma });

/// One thing for each gradient of [`RecoveryEnergy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryGradient<A, P> {
    /// For the samples, with `f(y)` held: add the model's own `∇f(y)`.
    pub y: A,
    /// For the observations.
    pub x: A,
    /// For `f(y)`.
    pub energy: P,
}
columns!(RecoveryGradient<2, 1> { y, x; energy });

/// Recovery energy: the logarithm, up to a constant, of the density of a sample given a noisier observation of it.
///
/// ```math
/// e_i = f(y_i) - \frac{|x_i - y_i|^2}{2 \sigma_i^2}, \qquad
/// p(y \mid x) \propto e^{f(y)} \, \mathcal{N}(x;\, y, \sigma^2 I)
/// ```
///
/// ```math
/// \frac{\partial e}{\partial f} = 1, \qquad \frac{\partial e}{\partial y} = -\frac{\partial e}{\partial x} = \frac{x - y}{\sigma^2}
/// ```
///
/// `f` is an energy in the sign of this module: large where the density is large. In the ladder of noise
/// `x_{t+1} = α x_t + σ ε`, `y` is `α x_t` and `x` is `x_{t+1}`. `y` and `x` are `[B, ..]`, `energy` and `sigma` `[B]`; the
/// number of a sample is larger where the density is, so it is **maximized** and no loss.
///
/// The pull of `x` adds the curvature `-1/σ²`. Where that of `f` stays below `1/σ²`, the conditional density has one mode,
/// and a few steps of [`Langevin`](crate::energy::Langevin) reach it. As `σ` grows it becomes the marginal, as `σ` falls it
/// concentrates at `x`. Of `f = -y²/(2v)` it is the normal density with mean `v x / (v + σ²)` and variance `v σ² / (v + σ²)`.
///
/// The residual is divided by `σ` before it is squared: `σ²` need not fit the type. Where `y = x` the second term is 0 for
/// every `σ`.
///
/// # Errors
///
/// Those of [`SampleLoss`]: energies finite, `σ` finite and above 0.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{RecoveryArguments, RecoveryEnergy, SampleLoss};
/// let (y, x) = (array![[1.0_f64, 0.0]], array![[2.0, 2.0]]);
/// let (energy, sigma) = (array![-0.5], array![2.0]);
/// let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
/// assert_eq!(RecoveryEnergy.each(arguments)?, array![-1.125]); // -1/2 - (1 + 4)/8
/// let (_, gradient) = RecoveryEnergy.grad(arguments, Reduction::Sum)?;
/// assert_eq!((gradient.y, gradient.energy), (array![[0.25, 0.5]], array![1.0]));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gao et al., Learning energy-based models by diffusion recovery likelihood, ICLR 2021,
/// [arXiv:2012.08125](https://arxiv.org/abs/2012.08125); Zhu et al., Learning energy-based models by cooperative diffusion
/// recovery likelihood, ICLR 2024, [arXiv:2309.05153](https://arxiv.org/abs/2309.05153).
#[doc(alias = "DRL")]
#[doc(alias = "CDRL")]
#[doc(alias = "energy-based model")]
#[doc(alias = "EBM")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RecoveryEnergy;

impl SampleLoss<2, 2, 2, 1> for RecoveryEnergy {
    type Arguments<A, P> = RecoveryArguments<A, P>;
    type Gradient<A, P> = RecoveryGradient<A, P>;
    const SAMPLES: [&'static str; 2] = ["y", "x"];
    const NUMBERS: [(&'static str, Domain); 2] = [("energy", Domain::Finite), ("sigma", Domain::Positive)];

    fn form(&self, numbers: &[f64]) -> Result<Form, Fault> {
        Ok(Form::Square { coefficients: [1.0, -1.0], rate: 1.0 / numbers[1], gain: -1.0 })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::Reduction;
    use crate::testing::all_close;

    /// Energy and slopes in y at three noise levels: scripts/energy_reference.py.
    const CASES: [(f64, f64, [f64; 3]); 3] = [
        (0.07, -4_117.381_632_653_061, [163.265_306_122_448_98, 163.265_306_122_448_98, -1_275.510_204_081_632_7]),
        (1.3, -12.735_650_887_573_965, [0.473_372_781_065_088_76, 0.473_372_781_065_088_76, -3.698_224_852_071_006]),
        (250.0, -0.800_322_74, [1.28e-5, 1.28e-5, -1e-4]),
    ];

    #[test]
    fn energies_and_slopes_are_those_of_fifty_digits() {
        let (y, x) = (array![[0.3, -1.2, 2.5]], array![[1.1, -0.4, -3.75]]);
        for (sigma, expected, slopes) in CASES {
            let (energy, sigma) = (array![-0.8], array![sigma]);
            let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
            let (value, gradient) = RecoveryEnergy.grad(arguments, Reduction::Sum).unwrap();
            all_close([value], [expected], 1e-15);
            all_close(gradient.y.clone(), slopes, 2e-15);
            all_close(gradient.x, -gradient.y.row(0).to_owned(), 0.0);
            assert_eq!(gradient.energy, array![1.0]);
        }
    }

    #[test]
    fn no_noise_is_too_small_for_a_sample_that_is_its_observation() {
        let (y, energy) = (array![[1e30, -1e-30]], array![2.5]);
        for sigma in [5e-324, 1e-300, 1.0, 1e300] {
            let sigma = array![sigma];
            let arguments = RecoveryArguments { y: &*y, x: &*y, energy: &*energy, sigma: &*sigma };
            let (value, gradient) = RecoveryEnergy.grad(arguments, Reduction::Sum).unwrap();
            assert_eq!((value, gradient.y), (2.5, array![[0.0, 0.0]]));
        }
        // The square of 1e-200 is no number, but its third part is one deviation.
        let (y, x, sigma) = (array![[3e-200]], array![[0.0]], array![1e-200]);
        let arguments = RecoveryArguments { y: &*y, x: &*x, energy: &*energy, sigma: &*sigma };
        all_close([RecoveryEnergy.value(arguments, Reduction::Sum).unwrap()], [-2.0], 1e-15);
    }
}
