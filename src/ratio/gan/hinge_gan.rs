//! The hinge loss of a GAN's critic.

use crate::ratio::{GeneratorLoss, RatioLoss, WassersteinGan};
use crate::{Real, Result};

/// Hinge loss of the critic of a generative adversarial network (geometric GAN, SAGAN, BigGAN).
///
/// ```math
/// L = \mathbb{E}_{x \sim \text{data}} \max(0, 1 - c(x)) + \mathbb{E}_{x \sim q} \max(0, 1 + c(x))
/// ```
///
/// `c` is the raw output of the critic; its values stand where a [`RatioObjective`](crate::ratio::RatioObjective) has
/// log-ratios. Slopes are -1 on real samples below 1 and 1 on generated ones above -1, else 0; at the kink 0. The generator's
/// loss is the mean of `-c`, without a hinge ([`HingeGan::generator`]).
///
/// Against the best critic, which is 1 where the data is denser and -1 elsewhere, the loss is `2 - 2 TV(data, q)`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::ratio::HingeGan;
/// let critic = Samples { real: aview1(&[0.25_f64, 3.0]), fake: aview1(&[-0.5]) };
/// let (loss, slopes) = HingeGan.grad(critic, Samples::both(Reduction::Mean))?;
/// assert_eq!((loss, slopes.real[0], slopes.real[1], slopes.fake[0]), (0.375 + 0.5, -0.5, 0.0, 1.0));
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Lim and Ye, 2017, [arXiv:1705.02894](https://arxiv.org/abs/1705.02894); Zhang et al., ICML 2019,
/// [arXiv:1805.08318](https://arxiv.org/abs/1805.08318).
#[doc(alias = "geometric GAN")]
#[doc(alias = "SAGAN")]
#[doc(alias = "hinge loss")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HingeGan;

impl HingeGan {
    /// The generator's loss, `-c`: that of a Wasserstein critic.
    #[must_use]
    pub fn generator(&self) -> GeneratorLoss<WassersteinGan> {
        WassersteinGan.generator()
    }
}

impl RatioLoss for HingeGan {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        Ok(())
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let (loss, slope) = hinge(-output);
        (loss, -slope)
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        hinge(output)
    }
}

/// `max(0, 1 + x)` and its slope.
#[inline(always)]
fn hinge<T: Real>(x: T) -> (T, T) {
    let (zero, one) = (T::zero(), T::one());
    let short = one + x;
    (if short < zero { zero } else { short }, if short > zero { one } else { zero }) // NaN stays
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview1};

    use super::*;
    use crate::Reduction;
    use crate::ratio::{RatioObjective, Samples};

    const INF: f64 = f64::INFINITY;

    #[test]
    fn beyond_one_there_is_no_loss_and_at_the_kink_no_slope() {
        let outputs = [-INF, -1e4, -1.5, -1.0, 0.25, 1.0, 1e4, INF];
        let critic = Samples { real: aview1(&outputs), fake: aview1(&outputs) };
        let each = HingeGan.each(critic).unwrap();
        assert_eq!(each.real, array![INF, 10_001.0, 2.5, 2.0, 0.75, 0.0, 0.0, 0.0]);
        assert_eq!(each.fake, array![0.0, 0.0, 0.0, 0.0, 1.25, 2.0, 10_001.0, INF]);
        let (_, slopes) = HingeGan.grad(critic, Samples::both(Reduction::Sum)).unwrap();
        assert_eq!(slopes.real, array![-1.0, -1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0]);
        assert_eq!(slopes.fake, array![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    }
}
