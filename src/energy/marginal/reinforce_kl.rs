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
    /// Less their mean, over their standard deviation (that of a sample, with `B - 1`). Where all are equal, or there is one, 0.
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
/// [`Advantage::Raw`] its expectation is that of `KL(p ‖ f/Z)`, whatever `Z` is. The **value** is a surrogate and no divergence.
/// Centering lowers the variance and shrinks the gradient by `1 - 1/B`; standardizing also takes away its scale, so that it is
/// a direction. Nothing is added to the standard deviation (the authors' code adds 1.2e-7).
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
        for (argument, array) in [("log_probs", log_probs), ("log_density", log_density)] {
            if let Some(at) = array.iter().position(|x| !x.is_finite()) {
                let value = array[at].as_f64();
                return Err(Error::Value { argument, position: at.into(), value, allowed: "finite" });
            }
        }
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
