//! One Gaussian for the samples of each place.

use ndarray::{Array2, Array3, Array4, ArrayRef4, Axis};

use super::Mixtures;
use super::points::{self, Cloud, check_samples};
use crate::{Real, Result, check};

/// The Gaussians of maximum likelihood for samples `[N, T, A, d]`: one for each time and agent, at `P = T A` places in this
/// order.
///
/// Covariances divide by N, and `jitter` is added to their diagonals, in units of length squared: 1e-6 is scikit-learn's
/// `reg_covar`, which the authors of AMD fit with. With 0 the samples of every place must spread in all dimensions for
/// [`Amd`](super::Amd). A mixture of several components fits samples with several modes better; give its parts to
/// [`Mixtures`] yourself.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::{SampleGaussians, amv};
/// let samples = array![[[[0.0_f64, 1.0]]], [[[2.0, 1.0]]]]; // two samples of one time and agent
/// let fit = SampleGaussians::fit(&samples, 0.0)?;
/// assert_eq!(fit.means, array![[[1.0, 1.0]]]);
/// assert_eq!(fit.covariances, array![[[[1.0, 0.0], [0.0, 0.0]]]]);
/// assert_eq!(amv(fit.mixtures())?, 1.0);
/// # Ok::<(), loglik::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SampleGaussians<T> {
    /// Ones, `[P, 1]`.
    pub weights: Array2<T>,
    /// `[P, 1, d]`.
    pub means: Array3<T>,
    /// `[P, 1, d, d]`.
    pub covariances: Array4<T>,
}

impl<T: Real> SampleGaussians<T> {
    /// Fits one at each place.
    ///
    /// # Errors
    ///
    /// [`Error::Parameter`](crate::Error::Parameter) where `jitter` is not finite or below 0;
    /// [`Error::Empty`](crate::Error::Empty) without samples, times, agents or dimensions;
    /// [`Error::Value`](crate::Error::Value) for a coordinate that is not finite;
    /// [`Error::Overflow`](crate::Error::Overflow) for a covariance that does not fit the type.
    pub fn fit(samples: &ArrayRef4<T>, jitter: f64) -> Result<Self> {
        T::sample_gaussians(samples, jitter)
    }

    pub(crate) fn of_places(samples: &ArrayRef4<T>, jitter: f64) -> Result<Self> {
        check::non_negative("jitter", jitter)?;
        check_samples(samples)?;
        let (n, times, agents, size) = samples.dim();
        let places = times * agents;
        let found = points::each(places, samples.len() * size_of::<T>(), |place| {
            let cloud = Cloud::new(samples, place / agents, place % agents);
            let mut covariance = cloud.covariance(n as f64);
            (0..size).for_each(|k| covariance[k * size + k] += jitter);
            // The mean first, then the covariance.
            cloud
                .mean
                .iter()
                .chain(&covariance)
                .map(|&x| points::fitting(x, "samples", place))
                .collect::<Result<Vec<T>>>()
        })?;
        let (mut means, mut covariances) = (Array3::zeros((places, 1, size)), Array4::zeros((places, 1, size, size)));
        for (place, found) in found.iter().enumerate() {
            let (mean, covariance) = found.split_at(size);
            means.index_axis_mut(Axis(0), place).iter_mut().zip(mean).for_each(|(to, &x)| *to = x);
            covariances.index_axis_mut(Axis(0), place).iter_mut().zip(covariance).for_each(|(to, &x)| *to = x);
        }
        Ok(Self { weights: Array2::ones((places, 1)), means, covariances })
    }

    /// The same as mixtures of one component.
    #[must_use]
    pub fn mixtures(&self) -> Mixtures<'_, T> {
        Mixtures { weights: self.weights.view(), means: self.means.view(), covariances: self.covariances.view() }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::testing::generator;

    #[test]
    fn moments_are_those_of_the_samples_of_a_place() {
        let mut next = generator(2);
        let samples = Array4::from_shape_fn((50, 3, 2, 2), |_| 4.0 * next());
        let fit = SampleGaussians::fit(&samples, 0.25).unwrap();
        for place in 0..6 {
            let cloud = samples.index_axis(Axis(1), place / 2);
            let cloud = cloud.index_axis(Axis(1), place % 2);
            let mean = cloud.mean_axis(Axis(0)).unwrap();
            let away = &cloud - &mean;
            let covariance = away.t().dot(&away) / 50.0 + Array2::<f64>::eye(2) * 0.25;
            for i in 0..2 {
                assert!((fit.means[[place, 0, i]] - mean[i]).abs() < 1e-14);
                for j in 0..2 {
                    assert!((fit.covariances[[place, 0, i, j]] - covariance[[i, j]]).abs() < 1e-14);
                }
            }
        }
    }

    #[test]
    fn samples_far_from_zero_keep_their_spread() {
        let samples = array![[[[1e8, 0.0]]], [[[1e8 + 2.0, 0.0]]]];
        let fit = SampleGaussians::fit(&samples, 0.0).unwrap();
        assert_eq!((fit.means[[0, 0, 0]], fit.covariances[[0, 0, 0, 0]]), (1e8 + 1.0, 1.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |samples: Array4<f32>, jitter| SampleGaussians::fit(&samples, jitter).unwrap_err().to_string();
        assert_eq!(message(Array4::zeros((2, 1, 1, 2)), -1.0), "`jitter` is -1, allowed is finite and >= 0");
        assert_eq!(message(Array4::zeros((0, 1, 1, 2)), 0.0), "`samples` is empty, needed is at least one element");
        let far = array![[[[1e30]], [[0.0]]], [[[-1e30]], [[0.0]]]];
        assert_eq!(message(far, 0.0), "the result at `samples`[0] overflows f32");
    }
}
