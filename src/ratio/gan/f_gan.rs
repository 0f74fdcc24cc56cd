//! The critic of an f-GAN, whose raw output is a log-ratio.

use super::{GeneratorLoss, Pull};
use crate::divergence::Generator;
use crate::ratio::RatioLoss;
use crate::{Real, Result};

/// What a critic of an f-GAN makes of its raw output: the value `T` of the variational bound, and the conjugate of it.
///
/// A critic that gives any number `v` needs an output activation, since the conjugate `f*` is finite on a part of the line
/// only. The crate's generators take `T(v) = f'(e^v)`: at the supremum of the bound `v` is the log-ratio `ln(p/q)`, whatever
/// the divergence. Then `f*(T(v)) = e^v f'(e^v) - f(e^v)`, which each writes in a form that overflows only where its
/// exact result does. Total variation, whose `f'` is a step, takes `½ tanh v` (f-GAN's).
///
/// | generator | `T(v)` | `f*(T(v))` |
/// |---|---|---|
/// | [`KlDivergence`](crate::divergence::KlDivergence) | `1 + v` | `e^v` |
/// | [`ReverseKlDivergence`](crate::divergence::ReverseKlDivergence) | `-e^-v` | `v - 1` |
/// | [`JensenShannonDivergence`](crate::divergence::JensenShannonDivergence) | `½ (ln 2 - softplus(-v))` | `½ (softplus(v) - ln 2)` |
/// | [`PearsonChiSquare`](crate::divergence::PearsonChiSquare) | `2 (e^v - 1)` | `e^2v - 1` |
/// | [`NeymanChiSquare`](crate::divergence::NeymanChiSquare) | `1 - e^-2v` | `2 (1 - e^-v)` |
/// | [`SquaredHellinger`](crate::divergence::SquaredHellinger) | `½ (1 - e^(-v/2))` | `½ (e^(v/2) - 1)` |
/// | [`TotalVariation`](crate::divergence::TotalVariation) | `½ tanh v` | `½ tanh v` |
pub trait CriticOutput: Generator {
    /// `T(v)` and its slope.
    fn critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T);

    /// `f*(T(v))` and its slope in `v`.
    fn conjugate_of_critic<T: Real, const FMA: bool>(&self, output: T) -> (T, T);
}

/// Loss of the critic of an f-GAN, minus the variational bound of an f-divergence, of the critic's raw output.
///
/// ```math
/// L = -\mathbb{E}_{x \sim p}\, T(v(x)) + \mathbb{E}_{x \sim q}\, f^*(T(v(x))) \ge -D_f(p \Vert q)
/// ```
///
/// `v` is any number; its values stand where a [`RatioObjective`](crate::ratio::RatioObjective) has log-ratios, on samples
/// of the data `p` as `real`, of the generator's distribution `q` as `fake`. [`CriticOutput`] says what `T` is:
/// equality holds at `v = ln(p/q)` for all generators of the crate but total variation. With Jensen-Shannon it is half
/// of the logistic discriminator, [`Ddo`](crate::ratio::Ddo)`::default()`, less `ln 2`. A critic that gives `T` itself
/// takes [`VariationalBound`](crate::ratio::bound::VariationalBound). The generator of `q` minimizes `-f*(T)` or `-T`:
/// see [`FGan::minimax`].
///
/// Slopes of χ² and KL grow with the ratio; where one leaves the type the loss is
/// [`Error::Overflow`](crate::Error::Overflow).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::{divergence::KlDivergence, ratio::FGan};
/// let (p, q) = (array![0.5_f64, 0.5], array![0.25, 0.75]);
/// let output = (&p / &q).ln();
/// let samples = Samples { real: output.view(), fake: output.view() };
/// let weights = Samples { real: Reduction::Weighted(&p), fake: Reduction::Weighted(&q) };
/// let (loss, slopes) = FGan { generator: KlDivergence }.grad(samples, weights)?;
/// assert!((loss + 0.143_841_036_225_890_2).abs() < 1e-15); // -KL(p ‖ q)
/// assert!((slopes.real + slopes.fake).iter().all(|slope| slope.abs() < 1e-15)); // the supremum
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Nowozin, Cseke and Tomioka, NeurIPS 2016, [arXiv:1606.00709](https://arxiv.org/abs/1606.00709), whose table 2 has other
/// activations for the same range.
#[doc(alias = "f-GAN")]
#[doc(alias = "output activation")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct FGan<G> {
    /// The convex function of the divergence.
    pub generator: G,
}

impl<G: CriticOutput + Copy> FGan<G> {
    /// The generator's loss of the minimax game, `-f*(T)`: it reduces the divergence against the best critic.
    #[must_use]
    pub fn minimax(&self) -> GeneratorLoss<Self> {
        GeneratorLoss { discriminator: *self, pull: Pull::Saturating }
    }

    /// The generator's loss that f-GAN trains with, `-T`.
    #[must_use]
    pub fn non_saturating(&self) -> GeneratorLoss<Self> {
        GeneratorLoss { discriminator: *self, pull: Pull::NonSaturating }
    }
}

impl<G: CriticOutput> RatioLoss for FGan<G> {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        self.generator.check()
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        let (value, slope) = self.generator.critic::<T, FMA>(output);
        (-value, -slope)
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, output: T) -> (T, T) {
        self.generator.conjugate_of_critic::<T, FMA>(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::divergence::{
        JensenShannonDivergence, KlDivergence, NeymanChiSquare, PearsonChiSquare, ReverseKlDivergence,
        SquaredHellinger, TotalVariation,
    };
    use crate::testing::close;

    /// The composition as it stands, where nothing overflows.
    fn composes<G: CriticOutput>(generator: &G, is_log_ratio: bool) {
        for output in [-4.0, -1.25, -1e-3, 0.0, 0.3, 2.0, 5.0_f64] {
            let (value, slope) = generator.critic::<f64, false>(output);
            let (conjugate, ratio) = generator.conjugate::<f64, false>(value);
            let (found, by_output) = generator.conjugate_of_critic::<f64, false>(output);
            assert!((found - conjugate).abs() < 1e-11 * (1.0 + conjugate.abs()), "{output}: {found}, {conjugate}");
            close(by_output, ratio * slope, 1e-9);
            if is_log_ratio {
                let expected = generator.at::<f64, false>(output.exp()).1;
                assert!((value - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{output}: {value}, {expected}");
            }
        }
    }

    #[test]
    fn an_output_is_the_slope_at_the_ratio_and_its_conjugate_is_that_of_the_generator() {
        composes(&KlDivergence, true);
        composes(&ReverseKlDivergence, true);
        composes(&JensenShannonDivergence, true);
        composes(&PearsonChiSquare, true);
        composes(&NeymanChiSquare, true);
        composes(&SquaredHellinger, true);
        composes(&TotalVariation, false);
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        fn slopes<G: CriticOutput>(generator: &G) {
            for output in [-3.0, -0.2, 0.0, 0.7, 2.5_f64] {
                let difference = |f: &dyn Fn(f64) -> f64| (f(output + 1e-5) - f(output - 1e-5)) / 2e-5;
                let by_critic = difference(&|v| generator.critic::<f64, false>(v).0);
                let by_conjugate = difference(&|v| generator.conjugate_of_critic::<f64, false>(v).0);
                let (critic, conjugate) =
                    (generator.critic::<f64, false>(output).1, generator.conjugate_of_critic::<f64, false>(output).1);
                assert!((by_critic - critic).abs() < 1e-7 * (1.0 + critic), "{output}: {by_critic}, {critic}");
                assert!((by_conjugate - conjugate).abs() < 1e-7 * (1.0 + conjugate), "{output}");
            }
        }
        slopes(&KlDivergence);
        slopes(&ReverseKlDivergence);
        slopes(&JensenShannonDivergence);
        slopes(&PearsonChiSquare);
        slopes(&NeymanChiSquare);
        slopes(&SquaredHellinger);
        slopes(&TotalVariation);
    }

    #[test]
    fn a_critic_that_is_sure_of_itself_keeps_its_digits() {
        let far = JensenShannonDivergence.conjugate_of_critic::<f64, false>(800.0);
        close(far.0, 400.0 - 0.5 * std::f64::consts::LN_2, 1e-15);
        assert_eq!(far.1, 0.5);
        assert_eq!(ReverseKlDivergence.conjugate_of_critic::<f64, false>(1e4), (9999.0, 1.0));
        assert_eq!(PearsonChiSquare.conjugate_of_critic::<f64, false>(-1e4), (-1.0, 0.0));
        assert_eq!(NeymanChiSquare.critic::<f32, false>(1e4), (1.0, 0.0));
    }
}
