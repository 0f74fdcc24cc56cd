//! The Kullback-Leibler divergence from an unnormalized density, by its score-function gradient.

use ndarray::{Array1, ArrayRef1, ArrayView1};

use crate::error::Position;
use crate::reduction::{self, to_real};
use crate::{Error, Real, Result, check};

/// What the log-ratios of a batch become before they multiply log-probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Advantage {
    /// The log-ratios themselves: unbiased, with the largest variance.
    Raw,
    /// Less their mean.
    Centered,
    /// Less their mean, over their standard deviation (that of a sample, with `B - 1`). Where all are equal, or there
    /// is one, 0.
    #[default]
    Standardized,
}

/// Score-function (REINFORCE) surrogate of the Kullback-Leibler divergence of a model from an unnormalized density.
///
/// ```math
/// L = \frac1B \sum_b \operatorname{sg}[\tilde r_b]\, \log p(x_b), \qquad r_b = \log p(x_b) - \log f(x_b), \qquad x_b \sim p
/// ```
///
/// ```math
/// \frac{\partial L}{\partial \log p(x_b)} = \frac{\tilde r_b}{B}
/// ```
///
/// The samples are the model's own. The **gradient** is what matters: the advantages `r̃` are constants, and with
/// [`Advantage::Raw`] its expectation is that of `KL(p ‖ f/Z)`, whatever `Z` is. The **value** is a surrogate and no
/// divergence. Centering lowers the variance and shrinks the gradient by `1 - 1/B`; standardizing also takes away its
/// scale, so that it is a direction. Nothing is added to the standard deviation (the authors' code adds 1.2e-7).
///
/// # Errors
///
/// - [`Error::Shape`]: arrays of two lengths. [`Error::NothingToAverage`]: no samples.
/// - [`Error::Value`]: a log-probability that is not finite. [`Error::Overflow`]: a result that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::energy::{Advantage, ReinforceKl};
/// let (log_probs, log_density) = (array![-1.0_f64, -2.0], array![0.0, -2.0]);
/// let (value, gradient) = ReinforceKl { advantage: Advantage::Raw }.grad(&log_probs, &log_density)?;
/// assert_eq!((value, gradient), (0.5, array![-0.5, 0.0])); // r = -1, 0
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Williams, Machine Learning 1992; Liu, Ramadge and Adams, ICML 2024,
/// [arXiv:2310.12920](https://arxiv.org/abs/2310.12920), who standardize.
#[doc(alias = "REINFORCE")]
#[doc(alias = "MaM")]
#[doc(alias = "reverse KL")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ReinforceKl {
    /// What log-ratios become. Default [`Advantage::Standardized`], the authors'.
    pub advantage: Advantage,
}

impl ReinforceKl {
    /// The surrogate.
    ///
    /// # Errors
    ///
    /// See [`ReinforceKl`].
    pub fn value<T: Real>(&self, log_probs: &ArrayRef1<T>, log_density: &ArrayRef1<T>) -> Result<T> {
        Ok(self.grad(log_probs, log_density)?.0)
    }

    /// The advantages `r̃`, which the gradient takes for constants.
    ///
    /// # Errors
    ///
    /// See [`ReinforceKl`].
    pub fn advantages<T: Real>(&self, log_probs: &ArrayRef1<T>, log_density: &ArrayRef1<T>) -> Result<Array1<T>> {
        T::advantages(self, log_probs.view(), log_density.view())
    }

    /// The surrogate and its gradient in the log-probabilities.
    ///
    /// # Errors
    ///
    /// See [`ReinforceKl`].
    pub fn grad<T: Real>(&self, log_probs: &ArrayRef1<T>, log_density: &ArrayRef1<T>) -> Result<(T, Array1<T>)> {
        T::reinforce_kl(self, log_probs.view(), log_density.view())
    }

    pub(in crate::energy) fn compute_advantages<T: Real>(
        &self,
        log_probs: ArrayView1<'_, T>,
        log_density: ArrayView1<'_, T>,
    ) -> Result<Array1<T>> {
        let advantages = self.wide(log_probs, log_density)?;
        advantages.into_iter().enumerate().map(|(b, x)| to_real(x, "log_probs", b)).collect()
    }

    pub(in crate::energy) fn compute_grad<T: Real>(
        &self,
        log_probs: ArrayView1<'_, T>,
        log_density: ArrayView1<'_, T>,
    ) -> Result<(T, Array1<T>)> {
        let mut slopes = self.wide(log_probs, log_density)?;
        let count = slopes.len() as f64;
        slopes.iter_mut().for_each(|x| *x /= count);
        let parts: Vec<f64> = slopes.iter().zip(log_probs).map(|(r, log_prob)| r * log_prob.as_f64()).collect();
        let value = reduction::finite_total(reduction::pairwise(&parts), || true, "log_probs")?;
        let gradient: Result<_> = slopes.into_iter().enumerate().map(|(b, x)| to_real(x, "log_probs", b)).collect();
        Ok((to_real(value, "log_probs", Position::default())?, gradient?))
    }

    /// The advantages in `f64`, all finite.
    fn wide<T: Real>(&self, log_probs: ArrayView1<'_, T>, log_density: ArrayView1<'_, T>) -> Result<Vec<f64>> {
        check::shape("log_density", log_density.shape(), log_probs.shape())?;
        if log_probs.is_empty() {
            return Err(Error::NothingToAverage { argument: "log_probs" });
        }
        check::all_finite("log_probs", log_probs)?;
        check::all_finite("log_density", log_density)?;
        let mut ratios: Vec<f64> = log_probs.iter().zip(log_density).map(|(p, f)| p.as_f64() - f.as_f64()).collect();
        if self.advantage != Advantage::Raw {
            center(&mut ratios);
        }
        if self.advantage == Advantage::Standardized {
            standardize(&mut ratios);
        }
        match ratios.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::overflow::<f64>("log_probs", at)),
            None => Ok(ratios),
        }
    }
}

/// Takes the mean away, relative to the first: equal numbers become 0 exactly.
fn center(values: &mut [f64]) {
    let first = values[0];
    values.iter_mut().for_each(|x| *x -= first);
    let mean = reduction::pairwise(values) / values.len() as f64;
    values.iter_mut().for_each(|x| *x -= mean);
}

/// Divides centered numbers by their standard deviation, if they have any; relative to the largest, so that squares fit.
fn standardize(values: &mut [f64]) {
    let largest = values.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return;
    }
    values.iter_mut().for_each(|x| *x /= largest);
    let squares: Vec<f64> = values.iter().map(|x| x * x).collect();
    let deviation = (reduction::pairwise(&squares) / (values.len() - 1) as f64).sqrt();
    values.iter_mut().for_each(|x| *x /= deviation);
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;
    use crate::testing::all_close;

    fn kl(advantage: Advantage) -> ReinforceKl {
        ReinforceKl { advantage }
    }

    #[test]
    fn advantages_are_those_of_fifty_digits() {
        let (log_probs, log_density) = (array![-1.5, -0.25, -3.0, -2.0], array![0.5, -1.0, -2.75, 1.0]);
        let of = |advantage| kl(advantage).advantages(&log_probs, &log_density).unwrap();
        all_close(of(Advantage::Raw), [-2.0, 0.75, -0.25, -3.0], 0.0);
        all_close(of(Advantage::Centered), [-0.875, 1.875, 0.875, -1.875], 1e-15);
        let standardized =
            [-0.517_926_804_850_339_6, 1.109_843_153_250_727_7, 0.517_926_804_850_339_6, -1.109_843_153_250_727_7];
        all_close(of(Advantage::Standardized), standardized, 1e-15);
        let (value, gradient) = kl(Advantage::Standardized).grad(&log_probs, &log_density).unwrap();
        all_close(&gradient * 4.0, standardized, 1e-15);
        all_close([value], [(&gradient * &log_probs).sum()], 1e-15);
    }

    #[test]
    fn equal_ratios_and_a_single_one_have_no_advantage_but_their_own() {
        for (log_probs, log_density) in [(array![-1.3], array![0.7]), (array![-0.1, 0.9, 2.9], array![-1.1, -0.1, 1.9])]
        {
            for advantage in [Advantage::Centered, Advantage::Standardized] {
                let (value, gradient): (f64, Array1<f64>) = kl(advantage).grad(&log_probs, &log_density).unwrap();
                assert_eq!((value, gradient.iter().all(|&x| x == 0.0)), (0.0, true), "{advantage:?}");
            }
        }
        let far = ReinforceKl::default().advantages(&array![1e300, -1e300, 0.0], &array![0.0, 0.0, 0.0]).unwrap();
        all_close(far.iter().copied().take(2), [1.0, -1.0], 1e-15);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |log_probs: Array1<f64>, log_density: Array1<f64>| {
            ReinforceKl::default().value(&log_probs, &log_density).unwrap_err().to_string()
        };
        assert_eq!(message(array![1.0], array![]), "`log_density` has shape [0], expected [1]");
        assert_eq!(message(array![], array![]), "`log_probs` holds nothing to average over");
        assert_eq!(
            message(array![0.0, f64::NEG_INFINITY], array![0.0, 0.0]),
            "`log_probs`[1] is -inf, allowed is finite"
        );
        assert_eq!(message(array![0.0], array![f64::NAN]), "`log_density`[0] is NaN, allowed is finite");
        let raw = kl(Advantage::Raw).value(&array![f64::MAX], &array![f64::MIN]).unwrap_err();
        assert_eq!(raw.to_string(), "the result at `log_probs`[0] overflows f64");
    }
}
