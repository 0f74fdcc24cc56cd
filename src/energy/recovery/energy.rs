//! The energy of a conditional model, given a noisier observation.

use crate::energy::samples::{Fault, Form, columns};
use crate::energy::SampleLoss;
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
