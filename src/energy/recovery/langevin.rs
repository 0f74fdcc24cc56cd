//! One step of Langevin dynamics towards a conditional density.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, Dimension};

use crate::compiled::in_dimension;
use crate::energy::combine;
use crate::pointwise::Domain;
use crate::{Real, Result, check};

/// The arrays of a step of [`Langevin`], of one shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LangevinArguments<A> {
    /// Where the chain is.
    pub y: A,
    /// The gradient `∇f(y)` of the marginal energy there.
    pub gradient: A,
    /// The noisier observation.
    pub x: A,
    /// Standard normal noise.
    pub noise: A,
}

/// Langevin dynamics of a recovery likelihood: one step, from a gradient and noise that are given.
///
/// ```math
/// y' = y + \frac{s^2}{2} \Bigl( \nabla f(y) + \frac{x - y}{\sigma^2} \Bigr) + s\, \xi
/// ```
///
/// The bracket is the gradient of [`RecoveryEnergy`](crate::energy::RecoveryEnergy). The function is pure: the noise
/// `ξ` is an argument, and the same arguments give the same bits. With `sigma` +inf there is no observation and the
/// step is that of the marginal density; `x` is then never read. The chain is unbiased as `s` goes to 0; a published
/// choice is `s² = b² σ²` with `b²` of 2e-4 to 4e-4 and 15 to 30 steps for each noise level.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{Langevin, LangevinArguments};
/// let langevin = Langevin { step: 1.0, sigma: 2.0 };
/// let (y, gradient, x, noise) = (array![1.0_f64], array![-1.0], array![5.0], array![0.25]);
/// let next = langevin.step(LangevinArguments { y: &*y, gradient: &*gradient, x: &*x, noise: &*noise })?;
/// assert_eq!(next, array![1.25]); // 1 + (-1 + 4/4) / 2 + 1/4
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Gao et al., ICLR 2021, algorithm 2, [arXiv:2012.08125](https://arxiv.org/abs/2012.08125).
#[doc(alias = "MCMC")]
#[doc(alias = "unadjusted Langevin algorithm")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Langevin {
    /// Size `s` of the step, finite and `> 0`. It has no default: it goes with the noise level.
    pub step: f64,
    /// Standard deviation `σ` of the noise between `y` and `x`, `> 0`; +inf where there is no observation.
    pub sigma: f64,
}

impl Langevin {
    /// Where the chain goes.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter), [`Error::Shape`](crate::Error::Shape);
    /// [`Error::Value`](crate::Error::Value) for a number that is not finite;
    /// [`Error::Overflow`](crate::Error::Overflow) where the result does not fit.
    pub fn step<T: Real, D: Dimension>(&self, arguments: LangevinArguments<&ArrayRef<T, D>>) -> Result<Array<T, D>> {
        let LangevinArguments { y, gradient, x, noise } = arguments;
        let arrays = [y, gradient, x, noise].map(|array| array.view().into_dyn());
        Ok(in_dimension(T::langevin(self, &arrays)?))
    }

    /// [`Langevin::step`], compiled here.
    pub(in crate::energy) fn compute<T: Real>(&self, arrays: &[ArrayViewD<'_, T>; 4]) -> Result<ArrayD<T>> {
        check::positive("step", self.step)?;
        check::parameter("sigma", self.sigma, "> 0", self.sigma > 0.0)?;
        let (half, ratio) = (0.5 * self.step * self.step, self.step / self.sigma);
        let pull = 0.5 * ratio * ratio;
        let factors = [1.0 - pull, half, pull, self.step];
        combine::weighted(&["y", "gradient", "x", "noise"], arrays, &factors, Domain::Finite)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::testing::all_close;

    #[test]
    fn without_an_observation_it_is_plain_langevin() {
        let (y, gradient, noise) = (array![0.5, -2.0], array![1.0, 3.0], array![-1.0, 0.25]);
        let unread = array![f64::NAN, f64::INFINITY];
        let langevin = Langevin { step: 0.1, sigma: f64::INFINITY };
        let next =
            langevin.step(LangevinArguments { y: &*y, gradient: &*gradient, x: &*unread, noise: &*noise }).unwrap();
        all_close(next, [0.5 + 0.005 - 0.1, -2.0 + 0.015 + 0.025], 1e-15);
    }

    #[test]
    fn an_observation_pulls_by_half_the_square_of_step_over_noise() {
        let (y, zero, x) = (array![1.0], array![0.0], array![5.0]);
        let langevin = Langevin { step: 0.2, sigma: 0.5 };
        let next = langevin.step(LangevinArguments { y: &*y, gradient: &*zero, x: &*x, noise: &*zero }).unwrap();
        all_close(next, [1.32], 1e-15); // 1 + 0.04/2 · 4/0.25
    }

    #[test]
    fn what_is_wrong_is_named() {
        let one = array![1.0];
        let of = |step, sigma, x: &ndarray::Array1<f64>| {
            let arguments = LangevinArguments { y: &*one, gradient: &*one, x: &**x, noise: &*one };
            Langevin { step, sigma }.step(arguments).unwrap_err().to_string()
        };
        assert_eq!(of(0.0, 1.0, &one), "`step` is 0, allowed is finite and > 0");
        assert_eq!(of(1.0, f64::NAN, &one), "`sigma` is NaN, allowed is > 0");
        assert_eq!(of(1.0, 1.0, &array![1.0, 2.0]), "`x` has shape [2], expected [1]");
        assert_eq!(of(1.0, 1.0, &array![f64::NEG_INFINITY]), "`x`[0] is -inf, allowed is finite");
        assert_eq!(of(1e200, 1e-200, &one), "the result at `y`[0] overflows f64");
    }
}
