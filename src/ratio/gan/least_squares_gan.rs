//! The least-squares loss of a GAN's critic.

use crate::ratio::{GeneratorLoss, Pull, RatioLoss};
use crate::{Real, Result, check};

/// Least-squares loss of the critic of a generative adversarial network (LSGAN): half the squared distance of its output
/// from a target for each kind of samples.
///
/// ```math
/// L = \tfrac12\, \mathbb{E}_{x \sim \text{data}} (c(x) - b)^2 + \tfrac12\, \mathbb{E}_{x \sim q} (c(x) - a)^2, \qquad
/// L_{\text{generator}} = \tfrac12\, \mathbb{E}_{x \sim q} (c(x) - t)^2
/// ```
///
/// `c` is the raw output of the critic, without a sigmoid; its values stand where a
/// [`RatioObjective`](crate::ratio::RatioObjective) has log-ratios. Slopes are `c - b` and `c - a`. `t` is the paper's `c`.
/// The best critic is `(b data + a q) / (data + q)`. Against it the generator reduces a Pearson χ² divergence where
/// `b - t = 1` and `b - a = 2`, as with `a, b, t = -1, 1, 0`. An output of ±inf is an error: the slope there is not finite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}};
/// # use loglik::ratio::LeastSquaresGan;
/// let gan = LeastSquaresGan::default();
/// let critic = Samples { real: aview1(&[0.5_f64, 1.0]), fake: aview1(&[0.5]) };
/// let (loss, slopes) = gan.grad(critic, Samples::both(Reduction::Mean))?;
/// assert_eq!((loss, slopes.real[0], slopes.fake[0]), (0.0625 + 0.125, -0.25, 0.5));
/// let (loss, slopes) = gan.generator().grad(&array![0.5], Reduction::Mean)?;
/// assert_eq!((loss, slopes[0]), (0.125, -0.5));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Mao et al., ICCV 2017, eq. 2, [arXiv:1611.04076](https://arxiv.org/abs/1611.04076).
#[doc(alias = "LSGAN")]
#[doc(alias = "least squares GAN")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct LeastSquaresGan {
    /// What the critic should say of real samples, the paper's `b`. Default 1.
    pub real_target: f64,
    /// What it should say of generated ones, the paper's `a`. Default 0.
    pub fake_target: f64,
    /// What the generator wants it to say of them, the paper's `c`. Default 1.
    pub generator_target: f64,
}

impl Default for LeastSquaresGan {
    /// The paper's 0-1 coding, `a, b, c = 0, 1, 1`.
    fn default() -> Self {
        Self { real_target: 1.0, fake_target: 0.0, generator_target: 1.0 }
    }
}

impl LeastSquaresGan {
    /// The generator's loss, `½ (c - t)²`: that of real samples whose target is `generator_target`.
    #[must_use]
    pub fn generator(&self) -> GeneratorLoss<Self> {
        let discriminator = Self { real_target: self.generator_target, ..*self };
        GeneratorLoss { discriminator, pull: Pull::NonSaturating }
    }
}

impl RatioLoss for LeastSquaresGan {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        check::finite("real_target", self.real_target)?;
        check::finite("fake_target", self.fake_target)?;
        check::finite("generator_target", self.generator_target)
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        half_square(output - T::from_f64(self.real_target))
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        half_square(output - T::from_f64(self.fake_target))
    }
}

/// `½ x²` and its slope.
#[inline(always)]
fn half_square<T: Real>(x: T) -> (T, T) {
    (T::from_f64(0.5) * x * x, x)
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::Reduction;
    use crate::ratio::{RatioObjective, Samples};

    #[test]
    fn each_side_has_its_target() {
        let gan = LeastSquaresGan { real_target: 1.0, fake_target: -1.0, generator_target: 0.0 };
        let critic = Samples { real: aview1(&[3.0_f64, 1.0]), fake: aview1(&[-1.5]) };
        let (loss, slopes) = gan.grad(critic, Samples::both(Reduction::Sum)).unwrap();
        assert_eq!((loss, slopes), (2.125, Samples { real: array![2.0, 0.0], fake: array![-0.5] }));
        assert_eq!(gan.generator().grad(&array![-1.5], Reduction::Sum), Ok((1.125, array![-1.5])));
    }

    #[test]
    fn bad_targets_and_outputs_without_a_slope_are_named() {
        let message = |gan: LeastSquaresGan, output: f64| {
            let critic = Samples { real: aview1(&[]), fake: aview1(std::slice::from_ref(&output)) };
            gan.value(critic, Samples::both(Reduction::Sum)).unwrap_err().to_string()
        };
        let gan = LeastSquaresGan::default();
        assert_eq!(
            message(LeastSquaresGan { generator_target: f64::NAN, ..gan }, 0.0),
            "`generator_target` is NaN, allowed is finite"
        );
        assert_eq!(message(gan, f64::INFINITY), "the result at `fake`[0] overflows f64");
        assert_eq!(message(gan, 1e200), "the result at `fake`[0] overflows f64");
    }
}
