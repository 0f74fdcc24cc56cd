//! The critic of the Wasserstein GAN.

use crate::ratio::{GeneratorLoss, Pull, RatioLoss};
use crate::{Real, Result};

/// Loss of the critic of a Wasserstein generative adversarial network (WGAN): its mean on generated samples minus its mean
/// on real ones.
///
/// ```math
/// L = -\mathbb{E}_{x \sim \text{data}}\, c(x) + \mathbb{E}_{x \sim q}\, c(x)
/// ```
///
/// `c` is the raw output of the critic. Its values stand where a [`RatioObjective`](crate::ratio::RatioObjective) has
/// log-ratios, `[n]` on real and `[m]` on generated samples. Slopes are -1 and 1. Over critics with a Lipschitz constant of
/// 1 the least loss is minus the Wasserstein distance of order 1. Nothing here bounds the constant: clip weights, normalize
/// spectra, or add a gradient penalty of your model. The generator's loss is the mean of `-c`
/// ([`WassersteinGan::generator`]).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::ratio::WassersteinGan;
/// let critic = Samples { real: aview1(&[1.0_f64, 3.0]), fake: aview1(&[-0.5]) };
/// let (loss, slopes) = WassersteinGan.grad(critic, Samples::both(Reduction::Mean))?;
/// assert_eq!((loss, slopes.real[0], slopes.fake[0]), (-2.5, -0.5, 1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Arjovsky, Chintala and Bottou, ICML 2017, [arXiv:1701.07875](https://arxiv.org/abs/1701.07875).
#[doc(alias = "WGAN")]
#[doc(alias = "Wasserstein GAN")]
#[doc(alias = "critic loss")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WassersteinGan;

impl WassersteinGan {
    /// The generator's loss, `-c`.
    #[must_use]
    pub fn generator(&self) -> GeneratorLoss<Self> {
        GeneratorLoss { discriminator: *self, pull: Pull::NonSaturating }
    }
}

impl RatioLoss for WassersteinGan {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        (-output, -T::one())
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        (output, T::one())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::Reduction;
    use crate::ratio::{RatioObjective, Samples};

    #[test]
    fn it_is_the_difference_of_the_means() {
        let critic = Samples { real: aview1(&[1.0_f64, 3.0, -7.0]), fake: aview1(&[-0.5, 2.0]) };
        let (loss, slopes) = WassersteinGan.grad(critic, Samples::both(Reduction::Sum)).unwrap();
        assert_eq!(loss, 3.0 + 1.5);
        assert_eq!(slopes, Samples { real: array![-1.0, -1.0, -1.0], fake: array![1.0, 1.0] });
    }

    #[test]
    fn both_forms_of_the_generator_are_one() {
        let fake = array![1.0_f32, -2.0, 0.5];
        let other = GeneratorLoss { discriminator: WassersteinGan, pull: Pull::Saturating };
        let expected = WassersteinGan.generator().grad(&fake, Reduction::Mean).unwrap();
        assert_eq!(other.grad(&fake, Reduction::Mean).unwrap(), expected);
        assert_eq!(expected, (0.5 / 3.0, array![-1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]));
    }
}
