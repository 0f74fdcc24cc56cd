//! Mutual information neural estimation (MINE).

use ndarray::{Array1, ArrayView1};

use super::donsker_varadhan::{bound, sides};
use crate::math::log_add_exp;
use crate::ratio::Samples;
use crate::reduction::to_real;
use crate::{Error, Real, Reduction, Result, check};

/// By what the gradient of the logarithm divides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum MineGradient {
    /// By the running mean of `e^T`, this batch included: nearly unbiased once the mean has settled. The authors' way.
    #[default]
    Corrected,
    /// By the mean of this batch: the exact gradient of the batch's bound, which is biased as one of the whole data.
    Plain,
}

/// Donsker and Varadhan's bound of the mutual information, with a gradient by the running mean of `e^T` (MINE).
///
/// ```math
/// B = \mathbb{E}_p\, T - \ln \mathbb{E}_q\, e^T, \qquad m' = \gamma\, m + (1 - \gamma)\, \mathbb{E}_q\, e^T, \qquad
/// g_j = -\frac{w_j e^{T_j}}{m'}
/// ```
///
/// The bound is [`donsker_varadhan`](super::donsker_varadhan()) of the batch, to be maximized. Its own gradient divides
/// by the mean of the same few samples, which is biased; the corrected one, `g`, divides by the running mean `m'`, and
/// is no gradient of the bound that comes with it. The caller keeps the **logarithm** of the running mean, which fits
/// whatever the scores are: give `None` in the first step, where `m'` is the batch's own mean, and then what the last
/// step returned.
///
/// # Errors
///
/// Those of [`donsker_varadhan`](super::donsker_varadhan()); [`Error::Parameter`] for a decay outside `[0, 1)`;
/// [`Error::Value`] for a running mean that is not finite, and [`Error::Overflow`] for one that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::bound::Mine;
/// let (joint, shuffled) = (array![2.0_f64, 1.0], array![0.0, 0.0]);
/// let scores = Samples { real: joint.view(), fake: shuffled.view() };
/// let first = Mine::default().grad(scores, Samples::both(Reduction::Mean), None)?;
/// assert_eq!((first.bound, first.log_running_mean), (1.5, 0.0));
/// let later = Mine::default().grad(scores, Samples::both(Reduction::Mean), Some(3.0_f64.ln()))?;
/// assert!((later.log_running_mean - (0.99 * 3.0 + 0.01_f64).ln()).abs() < 1e-15);
/// assert!((later.gradient.fake[0] + 0.5 / 2.98).abs() < 1e-15);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Belghazi et al., ICML 2018, section 3.2, [arXiv:1801.04062](https://arxiv.org/abs/1801.04062).
#[doc(alias = "mutual information neural estimation")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Mine {
    /// What the running mean keeps of itself in a step, in `[0, 1)`. Default 0.99, which most code writes as an update rate
    /// of 0.01; 0 is the plain gradient.
    pub decay: f64,
    /// Default [`MineGradient::Corrected`].
    pub gradient: MineGradient,
}

impl Default for Mine {
    /// A decay of 0.99 and the corrected gradient.
    fn default() -> Self {
        Self { decay: 0.99, gradient: MineGradient::Corrected }
    }
}

/// What a step of [`Mine`] gives.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MineStep<T> {
    /// The bound of this batch, in nats.
    pub bound: T,
    /// The direction of ascent in the scores of both sides.
    pub gradient: Samples<Array1<T>>,
    /// `ln m'`, for the next step.
    pub log_running_mean: T,
}

impl Mine {
    /// Bound and gradient of a batch, and the new running mean.
    ///
    /// # Errors
    ///
    /// See [`Mine`].
    pub fn grad<T: Real>(
        &self,
        scores: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        log_running_mean: Option<T>,
    ) -> Result<MineStep<T>> {
        T::mine_grad(self, scores, reductions, log_running_mean)
    }

    pub(in crate::ratio) fn step<T: Real>(
        &self,
        scores: Samples<ArrayView1<'_, T>>,
        reductions: Samples<Reduction<'_, T>>,
        log_running_mean: Option<T>,
    ) -> Result<MineStep<T>> {
        check::parameter("decay", self.decay, "[0, 1)", (0.0..1.0).contains(&self.decay))?;
        let sides = sides(scores, reductions)?;
        let (bound, log_mean) = bound(&sides)?;
        let running = match log_running_mean {
            Some(before) => self.running(before.as_f64(), log_mean)?,
            None => log_mean,
        };
        let divisor = match self.gradient {
            MineGradient::Corrected => running,
            MineGradient::Plain => log_mean,
        };
        let real = sides.real.spread(sides.real.weights().iter().copied())?;
        let fake = sides.fake.spread(sides.fake.shares(divisor).into_iter().map(|share| -share))?;
        let log_running_mean = to_real(running, "log_running_mean", crate::Position::default())?;
        Ok(MineStep { bound, gradient: Samples { real, fake }, log_running_mean })
    }

    /// `ln (γ e^before + (1 - γ) e^now)`.
    fn running(&self, before: f64, now: f64) -> Result<f64> {
        if !before.is_finite() {
            let (argument, allowed) = ("log_running_mean", "finite");
            return Err(Error::Value { argument, position: crate::Position::default(), value: before, allowed });
        }
        Ok(log_add_exp::<f64, false>(self.decay.ln() + before, (-self.decay).ln_1p() + now))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;
    use crate::testing::close;

    fn scores<'a>(real: &'a [f64], fake: &'a [f64]) -> Samples<ArrayView1<'a, f64>> {
        Samples { real: aview1(real), fake: aview1(fake) }
    }

    const MEAN: Samples<Reduction<'_, f64>> = Samples { real: Reduction::Mean, fake: Reduction::Mean };

    #[test]
    fn the_running_mean_fits_whatever_the_scores_are() {
        let mine = Mine { decay: 0.9, ..Mine::default() };
        let step = mine.grad(scores(&[1e3], &[1e3, 1e3]), MEAN, Some(1e3)).unwrap();
        close(step.log_running_mean, 1e3, 1e-15);
        close(step.gradient.fake[0], -0.5, 1e-12);
        let first = mine.grad(scores(&[0.0], &[-1e4, -1e4]), MEAN, Some(-2e4)).unwrap();
        close(first.log_running_mean, -1e4 + 0.1_f64.ln(), 1e-15);
        close(first.gradient.fake.sum(), -10.0, 1e-11); // at most 1 / (1 - γ)
    }

    #[test]
    fn the_plain_gradient_and_the_first_step_are_those_of_the_bound() {
        let (real, fake) = ([0.3, -1.0, 2.0], [0.5, 0.1, -0.7, 1.1]);
        let (bound, gradient) = super::super::donsker_varadhan_grad(scores(&real, &fake), MEAN).unwrap();
        let plain = Mine { gradient: MineGradient::Plain, ..Mine::default() };
        let step = plain.grad(scores(&real, &fake), MEAN, Some(3.0)).unwrap();
        assert_eq!((step.bound, &step.gradient), (bound, &gradient));
        let first = Mine::default().grad(scores(&real, &fake), MEAN, None).unwrap();
        assert_eq!((first.bound, &first.gradient), (bound, &gradient));
        let later = Mine::default().grad(scores(&real, &fake), MEAN, Some(3.0)).unwrap();
        // All slopes of the fake side in one proportion: that of the two means.
        let factor = (first.log_running_mean - later.log_running_mean).exp();
        later.gradient.fake.iter().zip(&gradient.fake).for_each(|(later, now)| close(*later, factor * now, 1e-14));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |decay, mean| {
            let mine = Mine { decay, ..Mine::default() };
            mine.grad(scores(&[0.0], &[0.0]), MEAN, Some(mean)).unwrap_err().to_string()
        };
        assert_eq!(message(1.0, 0.0), "`decay` is 1, allowed is [0, 1)");
        assert_eq!(message(0.5, f64::NAN), "`log_running_mean` is NaN, allowed is finite");
    }
}
