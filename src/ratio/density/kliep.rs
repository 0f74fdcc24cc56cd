//! The Kullback-Leibler importance estimation procedure (KLIEP).

use ndarray::{Array1, Array2, ArrayRef2, ArrayView2, Axis};

use super::features::{coefficients, column_means, read};
use super::interior::{mean_log, proportions};
use super::{GaussianKernels, KernelRatio};
use crate::error::Position;
use crate::ratio::Samples;
use crate::reduction::to_real;
use crate::{Error, Real, Result, check};

/// Fit of a density ratio of greatest likelihood, linear in features that are not negative (KLIEP).
///
/// ```math
/// \max_\theta\; \frac1n \sum_{i=1}^n \ln r(x^p_i) \quad \text{with} \quad \theta \ge 0, \quad \frac1m \sum_{j=1}^m r(x^q_j) = 1, \qquad
/// r(x) = \sum_l \theta_l \varphi_l(x)
/// ```
///
/// Where `r` is the ratio this is least in the Kullback-Leibler divergence of `p` from `r q`. The features are `real`,
/// `[n, b]`, at the samples of the numerator `p`, and `fake`, `[m, b]`, at those of the denominator `q`. The problem is
/// convex. In units in which each feature has the mean 1 under `q` it is that of the proportions of a mixture, solved
/// by an interior-point method in `f64` that ends when the mean log-likelihood is **proven** to lie within `tolerance`
/// of the maximum; usually in 10 to 20 steps, each of one Cholesky factorization of `[b, b]`. Coefficients that are 0
/// at the maximum are about as small as the tolerance, and above 0. The ratio is normalized to rounding.
///
/// # Errors
///
/// - [`Error::Parameter`]: the tolerance. [`Error::Shape`], [`Error::Empty`]: sides of different widths, or without
///   samples or features.
/// - [`Error::Value`]: a feature that is not finite or below 0; a numerator sample at which all features are 0, whose
///   log-ratio would be -inf; a feature that is 0 at every denominator sample and not at every numerator one, with which the
///   likelihood has no bound. Wider kernels avoid both.
/// - [`Error::Unfinished`]: the gap was not closed in the steps that `max_steps` allows, or not within rounding.
/// - [`Error::Overflow`]: a coefficient does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::density::Kliep;
/// // Two states, each a feature: the ratio of their frequencies.
/// let (real, fake) = (array![[1.0_f64, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], array![[1.0, 0.0], [0.0, 1.0]]);
/// let fit = Kliep::default().fit(Samples { real: real.view(), fake: fake.view() })?;
/// assert!((fit.coefficients[0] - 1.5).abs() < 1e-4 && (fit.coefficients[1] - 0.5).abs() < 1e-4);
/// assert!((fit.log_likelihood - (0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln())).abs() < 1e-9);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Sugiyama et al., Direct importance estimation with model selection and its application to covariate shift adaptation,
/// NIPS 2007. The mixture problem and its solvers: Kim, Carbonetto, Stephens and Anitescu, 2018,
/// [arXiv:1806.01412](https://arxiv.org/abs/1806.01412).
#[doc(alias = "Kullback-Leibler importance estimation procedure")]
#[doc(alias = "importance weights")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct Kliep {
    /// The largest gap to the maximum of the mean log-likelihood, in nats, in `[1e-12, 1]`. Default 1e-9.
    pub tolerance: f64,
    /// The most steps. Default 100, several times as many as any tried problem took.
    pub max_steps: u32,
}

impl Default for Kliep {
    /// A gap of 1e-9, far below the sampling error of any estimate, in at most 100 steps.
    fn default() -> Self {
        Self { tolerance: 1e-9, max_steps: 100 }
    }
}

/// What [`Kliep::fit`] has found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KliepFit<T> {
    /// `θ`, `[b]`.
    pub coefficients: Array1<T>,
    /// The mean of `ln r` over the numerator's samples: an estimate of `KL(p ‖ q)`.
    pub log_likelihood: f64,
    /// What that falls short of its maximum by, at most.
    pub gap: f64,
    /// Steps taken.
    pub steps: u32,
}

impl Kliep {
    /// The coefficients of greatest likelihood.
    ///
    /// # Errors
    ///
    /// See [`Kliep`].
    pub fn fit<T: Real>(&self, features: Samples<ArrayView2<'_, T>>) -> Result<KliepFit<T>> {
        T::kliep_fit(self, features)
    }

    /// The mean log-ratio of numerator samples that a fit has not seen, of which the largest is the best: the samples
    /// `f, f + k, ..` are left out of the fit that judges them, for each `f` below `k = folds`. All denominator samples
    /// are in every fit.
    ///
    /// # Errors
    ///
    /// See [`Kliep`], where positions are of what is left; [`Error::Parameter`] for fewer than two folds or more than
    /// numerator samples.
    pub fn cross_validate<T: Real>(&self, features: Samples<ArrayView2<'_, T>>, folds: usize) -> Result<T> {
        T::kliep_cross_validate(self, features, folds)
    }

    /// The ratio as a sum of kernels, from points `[n, d]` and `[m, d]`.
    ///
    /// # Errors
    ///
    /// See [`Kliep`] and [`GaussianKernels::features`].
    pub fn fit_points<T: Real>(
        &self,
        points: Samples<ArrayView2<'_, T>>,
        kernels: GaussianKernels<T>,
    ) -> Result<KernelRatio<T>> {
        let Samples { real, fake } = kernels.both(points)?;
        let KliepFit { coefficients, .. } = self.fit(Samples { real: real.view(), fake: fake.view() })?;
        Ok(KernelRatio { kernels, coefficients })
    }

    /// The width of greatest [`Kliep::cross_validate`] among these, and that score, for kernels around `centers`. Of
    /// equal scores the first is taken.
    ///
    /// # Errors
    ///
    /// Those of [`Kliep::cross_validate`]; [`Error::Empty`] for no widths.
    pub fn choose<T: Real>(
        &self,
        points: Samples<ArrayView2<'_, T>>,
        centers: &ArrayRef2<T>,
        widths: &[f64],
        folds: usize,
    ) -> Result<(f64, T)> {
        let mut best: Option<(f64, T)> = None;
        for &width in widths {
            let Samples { real, fake } = GaussianKernels { centers: centers.to_owned(), width }.both(points)?;
            let score = self.cross_validate(Samples { real: real.view(), fake: fake.view() }, folds)?;
            if best.is_none_or(|best| score > best.1) {
                best = Some((width, score));
            }
        }
        best.ok_or(Error::Empty { argument: "widths" })
    }

    fn check(&self) -> Result<()> {
        let tolerance = self.tolerance;
        check::parameter("tolerance", tolerance, "in [1e-12, 1]", (1e-12..=1.0).contains(&tolerance))
    }

    /// The fit in `f64`, of checked features.
    fn solve(&self, features: &Samples<Array2<f64>>) -> Result<KliepFit<f64>> {
        let means = column_means(&features.fake);
        check_bounded(features, &means)?;
        // Features of the mean 1. One that is 0 everywhere stays so.
        let scales = means.mapv(|mean| if mean > 0.0 { mean } else { 1.0 });
        let scaled = &features.real / &scales.view().insert_axis(Axis(0));
        if !scaled.iter().all(|x| x.is_finite()) {
            return Err(Error::overflow::<f64>("real", Position::default()));
        }
        let unfinished = Error::Unfinished { objective: "Kliep", steps: self.max_steps.into() };
        let found = proportions(&scaled, self.tolerance, self.max_steps).ok_or(unfinished)?;
        let log_likelihood = mean_log(scaled.view(), &found.weights);
        let coefficients = Array1::from(found.weights) / scales;
        Ok(KliepFit { coefficients, log_likelihood, gap: found.gap, steps: found.steps })
    }
}

/// Features are `>= 0`, no numerator sample lacks them all, and the likelihood has a bound.
fn check_bounded(features: &Samples<Array2<f64>>, means: &Array1<f64>) -> Result<()> {
    for (argument, side) in [("real", &features.real), ("fake", &features.fake)] {
        if let Some(((i, l), &value)) = side.indexed_iter().find(|(_, x)| **x < 0.0) {
            return Err(Error::Value { argument, position: Position(vec![i, l]), value, allowed: "finite and >= 0" });
        }
    }
    if let Some(i) = features.real.rows().into_iter().position(|row| row.iter().all(|&x| x == 0.0)) {
        let allowed = "a row with at least one feature above 0";
        return Err(Error::Value { argument: "real", position: i.into(), value: 0.0, allowed });
    }
    for (l, column) in features.real.columns().into_iter().enumerate() {
        if means[l] == 0.0 && column.iter().any(|&x| x > 0.0) {
            let allowed = "a feature whose mean over the rows of the denominator is above 0";
            return Err(Error::Value { argument: "fake", position: l.into(), value: 0.0, allowed });
        }
    }
    Ok(())
}

pub(in crate::ratio) fn fit<T: Real>(kliep: &Kliep, features: Samples<ArrayView2<'_, T>>) -> Result<KliepFit<T>> {
    kliep.check()?;
    let KliepFit { coefficients: wide, log_likelihood, gap, steps } = kliep.solve(&read(features)?)?;
    Ok(KliepFit { coefficients: coefficients(&wide.to_vec())?, log_likelihood, gap, steps })
}

pub(in crate::ratio) fn cross_validate<T: Real>(
    kliep: &Kliep,
    features: Samples<ArrayView2<'_, T>>,
    folds: usize,
) -> Result<T> {
    kliep.check()?;
    let features = read(features)?;
    check_bounded(&features, &column_means(&features.fake))?; // or errors would count the rows of a fold
    let Samples { real, fake } = features;
    let n = real.nrows();
    check::parameter("folds", folds as f64, "from 2 to the number of numerator samples", (2..=n).contains(&folds))?;
    let (mut features, mut sum) = (Samples { real: real.clone(), fake }, 0.0);
    for fold in 0..folds {
        let (out, rest): (Vec<usize>, Vec<usize>) = (0..n).partition(|i| i % folds == fold);
        features.real = real.select(Axis(0), &rest);
        let fit = kliep.solve(&features)?;
        let unseen = real.select(Axis(0), &out);
        sum += mean_log(unseen.view(), &fit.coefficients.to_vec()) * (out.len() as f64 / n as f64);
    }
    to_real(sum, "real", Position::default())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::testing::{close, generator};

    fn random(rows: usize, seed: u64) -> Array2<f64> {
        let next = generator(seed);
        Array2::from_shape_simple_fn((rows, 4), next)
    }

    #[test]
    fn the_ratio_is_normalized_and_no_coefficient_is_below_zero() {
        let (real, fake) = (random(30, 1), random(50, 2));
        let fit = Kliep::default().fit(Samples { real: real.view(), fake: fake.view() }).unwrap();
        close(fake.dot(&fit.coefficients).mean().unwrap(), 1.0, 1e-14);
        assert!(fit.coefficients.iter().all(|&x| x >= 0.0) && fit.gap <= 1e-9);
        close(real.dot(&fit.coefficients).ln().mean().unwrap(), fit.log_likelihood, 1e-12);
    }

    /// Exact optimum: SciPy's SLSQP at 1e-15, `scripts/density_reference.py`.
    #[test]
    fn the_maximum_is_that_of_another_solver() {
        let real = array![[0.9, 0.1, 0.3], [0.8, 0.3, 0.2], [0.2, 0.9, 0.4], [0.5, 0.5, 0.9], [0.7, 0.2, 0.1]];
        let fake = array![[0.6, 0.4, 0.5], [0.5, 0.6, 0.3], [0.7, 0.2, 0.5], [0.8, 0.5, 0.2]];
        let features = Samples { real: real.view(), fake: fake.view() };
        let fit = Kliep { tolerance: 1e-12, ..Kliep::default() }.fit(features).unwrap();
        close(fit.log_likelihood, -0.047_775_211_210_589_22, 1e-9);
        let theta = [0.910_717_167_651, 0.571_368_050_103, 0.440_539_785_955];
        fit.coefficients.iter().zip(theta).for_each(|(&got, theta)| close(got, theta, 1e-5));
        let score = Kliep { tolerance: 1e-12, ..Kliep::default() }.cross_validate(features, 5).unwrap();
        close(score, -0.511_423_966_468_719, 1e-6);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |real: &Array2<f64>, fake: &Array2<f64>| {
            let features = Samples { real: real.view(), fake: fake.view() };
            Kliep::default().fit(features).unwrap_err().to_string()
        };
        let good = array![[1.0, 1.0]];
        assert_eq!(message(&good, &array![[1.0]]), "`fake` has shape [1, 1], expected [1, 2]");
        assert_eq!(message(&good, &array![[1.0, -1.0]]), "`fake`[0, 1] is -1, allowed is finite and >= 0");
        assert_eq!(message(&array![[1.0, f64::NAN]], &good), "`real`[0, 1] is NaN, allowed is finite");
        assert_eq!(
            message(&array![[1.0, 1.0], [0.0, 0.0]], &good),
            "`real`[1] is 0, allowed is a row with at least one feature above 0"
        );
        assert_eq!(
            message(&good, &array![[1.0, 0.0]]),
            "`fake`[1] is 0, allowed is a feature whose mean over the rows of the denominator is above 0"
        );
        assert_eq!(message(&Array2::zeros((0, 2)), &good), "`real` is empty, needed is at least one element");
        let features = Samples { real: good.view(), fake: good.view() };
        let error = Kliep { tolerance: 0.0, ..Kliep::default() }.fit(features).unwrap_err().to_string();
        assert_eq!(error, "`tolerance` is 0, allowed is in [1e-12, 1]");
        let error = Kliep::default().cross_validate(features, 2).unwrap_err().to_string();
        assert_eq!(error, "`folds` is 2, allowed is from 2 to the number of numerator samples");
        let (real, fake) = (random(30, 1), random(50, 2));
        let features = Samples { real: real.view(), fake: fake.view() };
        let error = Kliep { max_steps: 1, ..Kliep::default() }.fit(features).unwrap_err().to_string();
        assert_eq!(error, "Kliep has not ended after 1 steps");
    }
}
