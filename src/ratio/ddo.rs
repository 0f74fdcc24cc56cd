//! Direct discriminative optimization (DDO).

use ndarray::ArrayView1;

use crate::error::Position;
use crate::ratio::{GeneratorLoss, Pull, RatioLoss, Samples};
use crate::reduction::to_finite;
use crate::{Error, Real, Result, check, math};

/// Direct discriminative optimization (DDO): the loss of a generative adversarial network (GAN) whose discriminator is
/// the likelihood ratio of the model and its own frozen copy.
///
/// ```math
/// L = \mathbb{E}_{x \sim \text{data}} \operatorname{softplus}(-\beta\, r(x)) + \alpha\, \mathbb{E}_{x \sim \rho} \operatorname{softplus}(\beta\, r(x)),
/// \qquad r(x) = \log p(x) - \log \rho(x)
/// ```
///
/// `p` is the model and `ρ` the reference, a frozen copy of where it starts, which also makes the fake samples. Log-ratios
/// are of whole samples, in nats, `[n]` real and `[m]` fake; `σ(βr)` is the implicit discriminator's probability that a
/// sample is real. With `Samples::both(Reduction::Mean)` both expectations are means; `each` and `parts` of the fake side
/// hold the factor `α`. Slopes: `-β σ(-βr)` on real, `αβ σ(βr)` on fake samples.
///
/// At the reference `L = (1 + α) ln 2`, and the expected gradient is `β/2` times that of maximum likelihood, for every
/// `α`. With `α = β = 1` the one minimum is `p = data`, where `L = 2 ln 2 - 2 JSD(data, ρ)`. In general the pointwise
/// optimum is `βr = ln(data / (α ρ))`. With `β < 1` that over-corrects the reference's error; it is a distribution only at
/// `α = (Σ ρ^(1-1/β) data^(1/β))^β`, which is [`optimal_alpha`](crate::ratio::optimal_alpha), and then is
/// [`optimal_distribution`](crate::ratio::optimal_distribution). For other `α` the constrained optimum lies elsewhere.
///
/// **Other names.** At `α = β = 1`, of the logits of a discriminator of its own, it is the logistic loss of a GAN, for which
/// [`Ddo::generator`] is the generator's. `Ddo { alpha: k, beta: 1 }` of the scores of a model is negative sampling
/// (word2vec), and of scores less `ln(k P)` noise-contrastive estimation, which [`Nce`](crate::ratio::Nce) forms from
/// scores and noise. Of one real and one fake sample, with `α = 1`: each by itself, it is
/// [`BcoPair`](crate::preference::BcoPair); the real side at the difference of their ratios is
/// [`Dpo`](crate::preference::Dpo); as [`Relativistic`](crate::ratio::Relativistic) it is twice `Dpo`.
///
/// **Self-play**: copy the model to the reference, draw samples from it, train for a short while, and repeat. If each
/// round goes to the optimum, at the optimal `α`, it multiplies the log-ratio of reference to data by `1 - 1/β`: `β = 1`
/// reaches the data in one round, `β > ½` converges, `β = ½` oscillates, and a smaller `β` diverges.
///
/// **Short fine-tuning only** for most settings in use: see [`Ddo::is_stable`] and [`Ddo::is_global`].
///
/// Limits: at `r = ±inf` the loss is 0 or +inf and the slope 0 or its bound. Good to 4 ulp at the rounded `βr`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// let ratios = Samples { real: aview1(&[1.0_f64, 3.0]), fake: aview1(&[-2.0, 0.0, 1.0]) };
/// let ddo = Ddo { alpha: 6.0, beta: 0.1 };
/// let (loss, gradient) = ddo.grad(ratios, Samples::both(Reduction::Mean))?;
/// assert!((loss - 4.670_741_37).abs() < 1e-8);
/// assert!((gradient.real[0] + 0.023_751_04).abs() < 1e-8);
/// assert_eq!(ddo.accuracy(ratios)?, Samples { real: 1.0, fake: 1.0 / 3.0 });
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Zheng et al., ICML 2025, [arXiv:2503.01103](https://arxiv.org/abs/2503.01103).
#[doc(alias = "direct discriminative optimization")]
#[doc(alias = "noise-contrastive estimation")]
#[doc(alias = "NCE")]
#[doc(alias = "negative sampling")]
#[doc(alias = "word2vec")]
#[doc(alias = "BPO")]
#[doc(alias = "self-play")]
#[doc(alias = "GAN")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Ddo {
    /// Weight of the fake samples, `> 0`. Default 1, the GAN's; the paper uses 0.5 to 6 with diffusion models and 10 to
    /// 100 with autoregressive ones.
    pub alpha: f64,
    /// Sharpness of the discriminator, `> 0`. Default 1, the GAN's; the paper uses 0.01 to 0.1, and 0.02 with
    /// autoregressive models.
    pub beta: f64,
}

impl Default for Ddo {
    /// `α = β = 1`, the objective of the paper's theorem, whose minimum is the data; none of its practical settings has
    /// that property.
    fn default() -> Self {
        Self { alpha: 1.0, beta: 1.0 }
    }
}

impl Ddo {
    /// The usual loss of a generator that is trained against this discriminator: `softplus(-βr)` at its samples, not saturating.
    #[must_use]
    pub fn generator(&self) -> GeneratorLoss<Self> {
        GeneratorLoss { discriminator: *self, pull: Pull::NonSaturating }
    }

    /// How often the implicit discriminator is right: the shares of real samples with `σ(βr) > ½` and of fake ones with
    /// `σ(βr) < ½`. A tie (`r = 0`, as everywhere at the reference) counts as wrong on both sides.
    ///
    /// # Errors
    ///
    /// - [`Error::Parameter`]: a hyper-parameter is out of its range.
    /// - [`Error::NothingToAverage`]: a side without samples.
    /// - [`Error::Value`]: a ratio is NaN.
    pub fn accuracy<T: Real>(&self, ratios: Samples<ArrayView1<'_, T>>) -> Result<Samples<T>> {
        T::ddo_accuracy(self, ratios)
    }

    /// [`Ddo::accuracy`], compiled here.
    pub(in crate::ratio) fn compute_accuracy<T: Real>(&self, ratios: Samples<ArrayView1<'_, T>>) -> Result<Samples<T>> {
        self.check()?;
        Ok(Samples {
            real: share("real", ratios.real, |ratio| ratio > T::zero())?,
            fake: share("fake", ratios.fake, |ratio| ratio < T::zero())?,
        })
    }

    /// How the loss curves around a reference that is already perfect (`ρ = data`), in units of the Fisher information:
    /// `β/2 (1 - α) + β²/4 (1 + α)`.
    ///
    /// # Errors
    ///
    /// - [`Error::Parameter`]: a hyper-parameter is out of its range.
    /// - [`Error::Overflow`]: the result does not fit `f64`.
    pub fn curvature(&self) -> Result<f64> {
        self.check()?;
        let half = 0.5 * self.beta;
        let curvature = half * ((1.0 - self.alpha) + half * (1.0 + self.alpha));
        to_finite(curvature, "beta", Position::default())
    }

    /// Whether a perfect reference is a **local** minimum: `(α - 1) / (α + 1) < β/2`, where [`Ddo::curvature`] is positive.
    ///
    /// From there on a perfect model is a saddle (at equality by the third order), and minimizing the loss to the end
    /// collapses onto few samples: `β = 1` allows `α` below 3, `β = 0.1` below 1.105, `β = 0.02` below 1.0202. Such settings
    /// mean something only as a short fine-tuning that starts from the reference. The global minimum is lost earlier, the
    /// more so the more states there are: [`Ddo::is_global`].
    ///
    /// ```
    /// # use loglik::prelude::*;
    /// assert!(Ddo::default().is_stable()?);
    /// assert!(!Ddo { alpha: 6.0, beta: 0.1 }.is_stable()?);
    /// # Ok::<(), loglik::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`]: a hyper-parameter is out of its range.
    pub fn is_stable(&self) -> Result<bool> {
        self.check()?;
        Ok(self.alpha - 1.0 < 0.5 * self.beta * (1.0 + self.alpha))
    }
}

impl RatioLoss for Ddo {
    crate::compile_loops!(RatioLoss);

    fn check(&self) -> Result<()> {
        check::positive("alpha", self.alpha)?;
        check::positive("beta", self.beta)
    }

    #[inline(always)]
    fn real<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let beta = T::from_f64(self.beta);
        let logit = -beta * ratio;
        (math::softplus::<T, FMA>(logit), -beta * math::sigmoid::<T, FMA>(logit))
    }

    #[inline(always)]
    fn fake<T: Real, const FMA: bool>(&self, ratio: T) -> (T, T) {
        let (alpha, beta) = (T::from_f64(self.alpha), T::from_f64(self.beta));
        let logit = beta * ratio;
        (alpha * math::softplus::<T, FMA>(logit), alpha * beta * math::sigmoid::<T, FMA>(logit))
    }
}

/// The share of the ratios that are `right`.
fn share<T: Real>(argument: &'static str, ratios: ArrayView1<'_, T>, right: impl Fn(T) -> bool) -> Result<T> {
    if ratios.is_empty() {
        return Err(Error::NothingToAverage { argument });
    }
    match ratios.iter().position(|ratio| ratio.is_nan()) {
        Some(at) => Err(Error::Value { argument, position: at.into(), value: f64::NAN, allowed: "not NaN" }),
        None => {
            let count = ratios.iter().filter(|ratio| right(**ratio)).count();
            Ok(T::from_f64(count as f64 / ratios.len() as f64))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use ndarray::{Array1, array, aview1};

    use super::*;
    use crate::Reduction;
    use crate::ratio::RatioObjective;
    use crate::testing::all_close as close;

    const INF: f64 = f64::INFINITY;

    /// Three states: the expected loss of a tabular model, and its gradient in the logits.
    fn tabular(ddo: Ddo, data: &Array1<f64>, reference: &Array1<f64>, logits: &Array1<f64>) -> (f64, Array1<f64>) {
        let p = logits.mapv(f64::exp) / logits.mapv(f64::exp).sum();
        let ratios = (&p / reference).ln();
        let reductions = Samples { real: Reduction::Weighted(data), fake: Reduction::Weighted(reference) };
        let (loss, slopes) = ddo.grad(Samples::both(ratios.view()), reductions).unwrap();
        let slopes = slopes.real + slopes.fake;
        let total = slopes.sum();
        (loss, slopes - p * total)
    }

    fn states() -> [Array1<f64>; 3] {
        [array![0.5, 0.3, 0.2], array![0.2, 0.3, 0.5], array![0.3_f64, 0.4, 0.3].ln()]
    }

    #[test]
    fn three_states_have_their_worked_values() {
        let [data, reference, logits] = states();
        let cases = [
            (
                1.0,
                1.0,
                1.291_912_717_979_827_3,
                [-0.087_607_142_857_142_86, 0.032_714_285_714_285_71, 0.054_892_857_142_857_14],
            ),
            (
                1.0,
                0.5,
                1.328_405_815_144_171,
                [-0.059_187_467_295_370_11, 0.008_281_439_030_329_926, 0.050_906_028_265_040_18],
            ),
            (
                6.0,
                0.1,
                4.817_892_338_907_496,
                [-0.038_021_259_579_172_85, -0.023_148_773_598_153_31, 0.061_170_033_177_326_16],
            ),
            (
                10.0,
                0.02,
                7.614_050_799_363_981,
                [-0.011_877_836_337_353_88, -0.008_877_334_589_841_74, 0.020_755_170_927_195_61],
            ),
        ];
        for (alpha, beta, loss, gradient) in cases {
            let (got, slopes) = tabular(Ddo { alpha, beta }, &data, &reference, &logits);
            close([got], [loss], 1e-15);
            close(slopes, gradient, 1e-13);
        }
    }

    #[test]
    fn tails_keep_their_digits() {
        let ratios = [-1000.0, -50.0, -3.0, 0.0, 0.25, 40.0, 1000.0];
        let real = [
            700.0,
            35.0,
            2.215_519_523_179_755,
            LN_2,
            0.609_470_430_663_046_8,
            6.914_400_106_937_813e-13,
            9.859_676_543_759_77e-305,
        ];
        let real_slope = [
            -0.7,
            -0.699_999_999_999_999_6,
            -0.623_632_225_163_070_9,
            -0.35,
            -0.319_452_918_934_044_8,
            -4.840_080_074_854_796e-13,
            -6.901_773_580_631_84e-305,
        ];
        let fake = [
            2.464_919_135_939_942_7e-304,
            1.576_279_190_036_747e-15,
            0.288_798_807_949_387_4,
            2.5 * LN_2,
            1.961_176_076_657_617,
            70.000_000_000_001_73,
            1750.0,
        ];
        let fake_slope = [
            1.725_443_395_157_96e-304,
            1.103_395_433_025_722e-15,
            0.190_919_437_092_322_6,
            0.875,
            0.951_367_702_664_888,
            1.749_999_999_998_79,
            1.75,
        ];
        let (ddo, ratios) = (Ddo { alpha: 2.5, beta: 0.7 }, Samples::both(aview1(&ratios)));
        let each = ddo.each(ratios).unwrap();
        let (loss, gradient) = ddo.grad(ratios, Samples::both(Reduction::Sum)).unwrap();
        close(each.real, real, 1e-14);
        close(gradient.real, real_slope, 1e-14);
        close(each.fake, fake, 1e-14);
        close(gradient.fake, fake_slope, 1e-14);
        close([loss], [real.iter().sum::<f64>() + fake.iter().sum::<f64>()], 1e-15);
    }

    #[test]
    fn the_gradient_is_the_central_difference() {
        let (real, fake) = (array![-4.0, -0.3, 0.0, 2.5], array![1.5, -2.0, 0.25]);
        let weights = array![0.5, 2.0, 0.0];
        let ddo = Ddo { alpha: 3.0, beta: 0.4 };
        let value = |real: &Array1<f64>, fake: &Array1<f64>| {
            let ratios = Samples { real: real.view(), fake: fake.view() };
            ddo.grad(ratios, Samples { real: Reduction::Mean, fake: Reduction::Weighted(&weights) }).unwrap()
        };
        let (_, gradient) = value(&real, &fake);
        let shifted = |array: &Array1<f64>, i: usize, step: f64| {
            let mut array = array.clone();
            array[i] += step;
            array
        };
        for i in 0..4 {
            let difference = value(&shifted(&real, i, 1e-5), &fake).0 - value(&shifted(&real, i, -1e-5), &fake).0;
            assert!((gradient.real[i] - difference / 2e-5).abs() < 1e-10);
        }
        for i in 0..3 {
            let difference = value(&real, &shifted(&fake, i, 1e-5)).0 - value(&real, &shifted(&fake, i, -1e-5)).0;
            assert!((gradient.fake[i] - difference / 2e-5).abs() < 1e-10);
        }
    }

    #[test]
    fn at_the_reference_it_is_a_multiple_of_ln_2_and_pulls_like_likelihood() {
        let [data, reference, _] = states();
        for (alpha, beta) in [(1.0, 1.0), (6.0, 0.1), (0.5, 0.05)] {
            let (loss, gradient) = tabular(Ddo { alpha, beta }, &data, &reference, &reference.ln());
            close([loss], [(1.0 + alpha) * LN_2], 1e-15);
            for (slope, mle) in gradient.iter().zip(&reference - &data) {
                assert!((slope - 0.5 * beta * mle).abs() < 1e-16);
            }
        }
    }

    #[test]
    fn the_pure_form_is_least_at_the_data() {
        let [data, reference, mut logits] = states();
        for _ in 0..2_000 {
            logits = &logits - 4.0 * tabular(Ddo::default(), &data, &reference, &logits).1;
        }
        let p = logits.mapv(f64::exp) / logits.mapv(f64::exp).sum();
        assert!((&p - &data).iter().all(|gap| gap.abs() < 1e-9), "{p}");
        let (loss, _) = tabular(Ddo::default(), &data, &reference, &logits);
        assert!((loss - 1.253_465_732_36).abs() < 1e-11); // 2 ln 2 - 2 JSD
    }

    #[test]
    fn a_softer_discriminator_comes_to_rest_beyond_the_data() {
        let [data, reference, mut logits] = states();
        let ddo = Ddo { alpha: 1.276_714_533_480_4, beta: 0.5 };
        for _ in 0..4_000 {
            logits = &logits - 4.0 * tabular(ddo, &data, &reference, &logits).1;
        }
        let p = logits.mapv(f64::exp) / logits.mapv(f64::exp).sum();
        close(p, [0.766_871_17, 0.184_049_08, 0.049_079_75], 1e-7);
    }

    #[test]
    fn a_perfect_reference_is_left_alone_up_to_the_stated_alpha() {
        let stable = |alpha, beta| Ddo { alpha, beta }.is_stable().unwrap();
        assert!(stable(2.999, 1.0) && !stable(3.0, 1.0) && !stable(3.001, 1.0));
        assert!(stable(1.105, 0.1) && !stable(1.106, 0.1));
        assert!(stable(1.0202, 0.02) && !stable(1.0203, 0.02));
        assert!(stable(1e6, 2.0) && stable(1.7e308, 1.7e308) && !stable(1.7e308, 1e-300));
    }

    #[test]
    fn a_curvature_beyond_the_type_is_an_error() {
        let error = Ddo { alpha: 1e300, beta: 1e10 }.curvature().unwrap_err();
        assert_eq!(error.to_string(), "the result at `beta` overflows f64");
    }

    #[test]
    fn the_curvature_is_that_of_the_loss() {
        let p = array![0.2_f64, 0.3, 0.5];
        for (alpha, beta) in [(1.0, 1.0), (6.0, 0.1), (3.0, 1.0)] {
            let ddo = Ddo { alpha, beta };
            let slope = |step: f64| tabular(ddo, &p, &p, &(p.ln() + step * array![1.0, 0.0, 0.0])).1;
            let along = (slope(1e-5) - slope(-1e-5)) / 2e-5;
            let fisher = array![0.2 * 0.8, -0.2 * 0.3, -0.2 * 0.5];
            let gap = along - ddo.curvature().unwrap() * fisher;
            assert!(gap.iter().all(|gap| gap.abs() < 1e-9), "{ddo:?}: {gap}");
        }
    }

    #[test]
    fn infinite_ratios_have_their_limits() {
        let (ddo, ends) = (Ddo { alpha: 6.0, beta: 0.5 }, Samples::both(aview1(&[-INF, INF])));
        let each = ddo.each(ends).unwrap();
        assert_eq!(each, Samples { real: array![INF, 0.0], fake: array![0.0, INF] });
        let (loss, gradient) = ddo.grad(ends, Samples::both(Reduction::Mean)).unwrap();
        assert_eq!(loss, INF);
        assert_eq!(gradient, Samples { real: array![-0.25, 0.0], fake: array![0.0, 1.5] });
        assert_eq!(ddo.accuracy(ends), Ok(Samples::both(0.5)));
    }

    #[test]
    fn ties_are_right_on_neither_side() {
        let ratios = Samples { real: aview1(&[0.0_f32, 1.0, -1.0, 2.0]), fake: aview1(&[-0.0, -1.0]) };
        assert_eq!(Ddo::default().accuracy(ratios), Ok(Samples { real: 0.5, fake: 0.5 }));
    }

    #[test]
    fn bad_hyper_parameters_are_named() {
        let ratios = Samples::both(aview1(&[0.0]));
        let message = |alpha, beta| {
            let ddo = Ddo { alpha, beta };
            let error = ddo.value(ratios, Samples::both(Reduction::Sum)).unwrap_err().to_string();
            assert_eq!(ddo.is_stable().unwrap_err().to_string(), error);
            assert_eq!(ddo.accuracy(ratios).unwrap_err().to_string(), error);
            error
        };
        assert_eq!(message(0.0, 1.0), "`alpha` is 0, allowed is finite and > 0");
        assert_eq!(message(1.0, -0.5), "`beta` is -0.5, allowed is finite and > 0");
        assert_eq!(message(1.0, f64::NAN), "`beta` is NaN, allowed is finite and > 0");
    }
}
