//! All metrics of samples in one call.

use ndarray::{ArrayRef3, ArrayRef4};

use super::points::check_truth;
use super::{Amd, AmdNormalizer, SampleGaussians, amv, best_of_n, kde_nll};
use crate::{Real, Result};

/// Distances of the truth to samples and to the Gaussians fitted to them, over all times and agents.
///
/// `samples` are `[N, T, A, d]` and `truth` is `[T, A, d]`. AMD and AMV are of [`SampleGaussians`], one component for each
/// place; for samples with several modes fit mixtures and call [`Amd`] and [`amv`](super::amv()) yourself.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::SampleMetrics;
/// let samples = array![[[[0.0_f64, 0.0]]], [[[2.0, 0.0]]], [[[1.0, 3.0]]]]; // three of one time and agent
/// let scores = SampleMetrics { jitter: 0.0, ..SampleMetrics::default() }.value(&samples, &array![[[1.0, 0.0]]])?;
/// assert_eq!((scores.ade, scores.fde), (1.0, 1.0));
/// assert!((scores.amd - 0.5_f64.sqrt()).abs() < 1e-15); // 1 from the mean (1, 1), whose variance there is 2
/// assert!((scores.amv - 2.0).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Mohamed et al., ECCV 2022, [arXiv:2203.03057](https://arxiv.org/abs/2203.03057), whose authors fit up to four components.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct SampleMetrics {
    /// Whether densities are normalized in AMD, which shows with several components only. Default [`AmdNormalizer::Omitted`].
    pub normalizer: AmdNormalizer,
    /// What is added to the variances of the fit, `>= 0`, in units of length squared. Default 1e-6 (scikit-learn).
    pub jitter: f64,
    /// The least log-density of a place in the kernel density. Default -20.
    pub floor: f64,
}

impl Default for SampleMetrics {
    fn default() -> Self {
        Self { normalizer: AmdNormalizer::Omitted, jitter: 1e-6, floor: -20.0 }
    }
}

/// What [`SampleMetrics::value`] finds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SampleScores<T> {
    /// Average Mahalanobis distance: [`Amd`].
    pub amd: T,
    /// Average largest variance: [`amv`](super::amv()).
    pub amv: T,
    /// Best-of-N average displacement, mean over agents: [`best_of_n`](super::best_of_n()).
    pub ade: T,
    /// Best-of-N final displacement, mean over agents.
    pub fde: T,
    /// Negative log-likelihood under a kernel density: [`kde_nll`](super::kde_nll()).
    pub kde_nll: T,
}

impl SampleMetrics {
    /// Every metric of these samples.
    ///
    /// # Errors
    ///
    /// Those of [`best_of_n`](super::best_of_n()), [`SampleGaussians::fit`], [`Amd`] and [`kde_nll`](super::kde_nll()).
    pub fn value<T: Real>(&self, samples: &ArrayRef4<T>, truth: &ArrayRef3<T>) -> Result<SampleScores<T>> {
        T::sample_metrics(self, samples, truth)
    }

    pub(crate) fn scores<T: Real>(&self, samples: &ArrayRef4<T>, truth: &ArrayRef3<T>) -> Result<SampleScores<T>> {
        check_truth(truth, samples)?;
        let fit = SampleGaussians::fit(samples, self.jitter)?;
        let (_, times, agents, size) = samples.dim();
        let flat = ndarray::Array2::from_shape_fn((times * agents, size), |(place, k)| {
            truth[[place / agents, place % agents, k]]
        });
        let best = best_of_n(samples, truth)?.means();
        Ok(SampleScores {
            amd: Amd { normalizer: self.normalizer }.value(fit.mixtures(), &flat)?,
            amv: amv(fit.mixtures())?,
            ade: best.ade,
            fde: best.fde,
            kde_nll: kde_nll(samples, truth, self.floor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4};

    use super::*;
    use crate::testing::generator;

    /// Samples of a normal distribution around the truth 0, off by a shift in the first coordinate.
    fn predictor(shift: f64, deviation: f64, n: usize) -> (Array4<f64>, Array3<f64>) {
        let mut next = generator(77);
        let mut normal = move || (-2.0 * (1.0 - next()).ln()).sqrt() * (std::f64::consts::TAU * next()).cos();
        let sample = |(_, _, _, k)| (if k == 0 { shift } else { 0.0 }) + deviation * normal();
        (Array4::from_shape_fn((n, 12, 25, 2), sample), Array3::zeros((12, 25, 2)))
    }

    /// Best of 20 and AMD of four predictors of one step: tight or wide, beside the truth or around it.
    #[test]
    fn the_best_of_some_prefers_a_tight_miss_and_amd_does_not() {
        let metrics = |shift, deviation| {
            let (samples, truth) = predictor(shift, deviation, 400);
            // Single times, so that the average is that of single steps.
            let few = samples.slice(ndarray::s![..20, .., .., ..]);
            let steps = (0..12).map(|t| {
                let step = ndarray::s![.., t..t + 1, .., ..];
                best_of_n(&few.slice(step), &truth.slice(ndarray::s![t..t + 1, .., ..])).unwrap().means().ade
            });
            let scores = SampleMetrics::default().value(&samples, &truth).unwrap();
            (steps.sum::<f64>() / 12.0, scores.amd, scores.amv)
        };
        let [tight, missing, wide, shifted] =
            [(0.1, 0.2), (0.5, 0.2), (0.0, 1.0), (0.5, 1.0)].map(|(s, d)| metrics(s, d));
        assert!(missing.0 < wide.0, "best of 20 likes the tight miss: {missing:?} against {wide:?}");
        assert!(missing.1 > 10.0 * wide.1, "AMD does not: {missing:?} against {wide:?}");
        // A shift of half a deviation hardly shows in the best of 20, and many times in AMD.
        assert!(shifted.0 < 1.25 * wide.0 && shifted.1 > 4.0 * wide.1, "{shifted:?} against {wide:?}");
        assert!(missing.0 > 2.0 * tight.0 && missing.1 > 3.0 * tight.1);
        for (found, amd, variance) in [(tight, 0.5, 0.04), (missing, 2.5, 0.04), (shifted, 0.5, 1.0)] {
            assert!((found.1 / amd - 1.0).abs() < 0.05 && (found.2 / variance - 1.0).abs() < 0.15, "{found:?}");
        }
    }

    #[test]
    fn all_are_those_of_their_functions() {
        let (samples, truth) = predictor(0.3, 0.5, 30);
        let all = SampleMetrics { normalizer: AmdNormalizer::Included, jitter: 0.01, floor: -5.0 };
        let scores = all.value(&samples, &truth).unwrap();
        let fit = SampleGaussians::fit(&samples, 0.01).unwrap();
        let flat = truth.clone().into_shape_with_order((300, 2)).unwrap();
        assert_eq!(Amd { normalizer: AmdNormalizer::Included }.value(fit.mixtures(), &flat), Ok(scores.amd));
        assert_eq!((amv(fit.mixtures()), kde_nll(&samples, &truth, -5.0)), (Ok(scores.amv), Ok(scores.kde_nll)));
        let best = best_of_n(&samples, &truth).unwrap().means();
        assert_eq!((best.ade, best.fde), (scores.ade, scores.fde));
    }

    #[test]
    fn samples_that_all_agree_are_judged_by_the_jitter_and_the_floor() {
        let scores =
            SampleMetrics::default().value(&Array4::<f64>::zeros((5, 2, 1, 2)), &Array3::ones((2, 1, 2))).unwrap();
        assert!((scores.amd - (2.0_f64 / 1e-6).sqrt()).abs() < 1e-6 && (scores.amv - 1e-6).abs() < 1e-18);
        assert_eq!((scores.ade, scores.kde_nll), (2.0_f64.sqrt(), 20.0));
        let bare = SampleMetrics { jitter: 0.0, ..SampleMetrics::default() };
        let error = bare.value(&Array4::<f64>::zeros((5, 2, 1, 2)), &Array3::ones((2, 1, 2))).unwrap_err();
        assert!(error.to_string().starts_with("`covariances`[0, 0] is 0, allowed is positive definite"));
    }
}
