//! How likely the truth is under a kernel density of the samples.

use std::f64::consts::TAU;

use ndarray::{ArrayRef3, ArrayRef4};

use super::points::{self, Cloud, check_samples, check_truth};
use crate::error::Position;
use crate::factor::{Factor, square};
use crate::reduction::{self, to_real};
use crate::{Error, Real, Result, check};

/// Negative log-likelihood of the truth under a Gaussian kernel density of the samples: the mean over times and agents, in
/// nats.
///
/// ```math
/// -\frac{1}{TA} \sum_{ta} \max\Bigl(\ln \frac1N \sum_n \mathcal N(y_{ta};\, \hat y_{nta},\, h^2 S_{ta}),\; f\Bigr),
/// \qquad h = N^{-1/(d+4)}
/// ```
///
/// `samples` are `[N, T, A, d]`, `truth` is `[T, A, d]`. `S` is the covariance of the samples of one place, divided by
/// `N - 1`, and `h` is Scott's factor (SciPy's `gaussian_kde`). `floor` is f, the least log-density that counts: -20 in the
/// literature, -inf for none. Where the samples of a place do not spread in every direction the density is 0 off their hull,
/// and the floor counts; SciPy fails there, and the code of Social-Implicit counts places with fewer than three different
/// samples as 0, which is better than most densities.
///
/// # Errors
///
/// - [`Error::Shape`](crate::Error::Shape), [`Error::Empty`](crate::Error::Empty), [`Error::Value`](crate::Error::Value): as
///   [`best_of_n`](super::best_of_n()).
/// - [`Error::Parameter`](crate::Error::Parameter): a floor that is NaN or +inf.
/// - [`Error::Overflow`](crate::Error::Overflow): a covariance of the samples, or without a floor a log-density, that does not
///   fit `f64`; the place is named, `t A + a`.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::kde_nll;
/// let samples = array![[[[-1.0_f64]]], [[[1.0]]]]; // S = 2, h² = 2^(-2/5)
/// let variance = 2.0_f64.powf(0.6);
/// let nll = kde_nll(&samples, &array![[[0.0]]], -20.0)?;
/// assert!((nll - 0.5 * (1.0 / variance + (std::f64::consts::TAU * variance).ln())).abs() < 1e-14);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Scott, *Multivariate Density Estimation*, 1992. As a metric of trajectories: Ivanovic and Pavone, The Trajectron, ICCV
/// 2019, [arXiv:1810.05993](https://arxiv.org/abs/1810.05993).
pub fn kde_nll<T: Real>(samples: &ArrayRef4<T>, truth: &ArrayRef3<T>, floor: f64) -> Result<T> {
    T::kde_nll(samples, truth, floor)
}

pub(crate) fn nll<T: Real>(samples: &ArrayRef4<T>, truth: &ArrayRef3<T>, floor: f64) -> Result<T> {
    check::parameter("floor", floor, "below +inf", floor < f64::INFINITY)?;
    check_samples(samples)?;
    check_truth(truth, samples)?;
    let (_, times, agents, size) = samples.dim();
    let places = times * agents;
    let log_density = |place: usize| {
        let (time, agent) = (place / agents, place % agents);
        let truth: Vec<f64> = (0..size).map(|k| truth[[time, agent, k]].as_f64()).collect();
        match log_density(&Cloud::new(samples, time, agent), &truth) {
            Density::None => Ok(floor),
            // -inf here is a number too small for the type, which is below every floor.
            Density::Log(f64::NEG_INFINITY) if floor > f64::NEG_INFINITY => Ok(floor),
            Density::Log(log) if log.is_finite() => Ok(log.max(floor)),
            Density::Log(_) => Err(Error::overflow::<f64>("samples", place)),
        }
    };
    let all = points::each(places, samples.len() * size_of::<T>(), log_density)?;
    let mean = reduction::sum(&all.iter().map(|x| x / places as f64).collect::<Vec<_>>());
    to_real(-mean, "samples", Position::default())
}

/// How dense samples are somewhere.
enum Density {
    /// They do not spread in every direction: there is none.
    None,
    /// Its logarithm; not finite where it does not fit.
    Log(f64),
}

fn log_density(cloud: &Cloud, truth: &[f64]) -> Density {
    let (size, n) = (truth.len(), cloud.points.len() / truth.len());
    let (count, dimensions) = (n as f64, size as f64);
    let bandwidth = count.powf(-1.0 / (dimensions + 4.0));
    if n == 1 {
        return Density::None;
    }
    let covariance = cloud.covariance(count - 1.0);
    if !covariance.iter().all(|x| x.is_finite()) {
        return Density::Log(f64::NAN);
    }
    let Ok(factor) = Factor::of(covariance, size) else { return Density::None };
    let kernel = |point: &[f64]| {
        let mut way: Vec<f64> = point.iter().zip(truth).map(|(x, y)| (x - y) / bandwidth).collect();
        factor.whiten(&mut way);
        let square = square(&way);
        if square.is_nan() { f64::NEG_INFINITY } else { -0.5 * square } // of differences that do not fit
    };
    let kernels: Vec<f64> = cloud.points.chunks(size).map(kernel).collect();
    let top = kernels.iter().fold(f64::NEG_INFINITY, |top, &x| top.max(x));
    if top == f64::NEG_INFINITY {
        return Density::Log(top);
    }
    let sum = reduction::sum(&kernels.iter().map(|x| (x - top).exp()).collect::<Vec<_>>());
    let normalizer = dimensions * (0.5 * TAU.ln() + bandwidth.ln()) + factor.log_root_determinant();
    Density::Log(top + (sum / count).ln() - normalizer)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, Array4, array, s};

    use super::*;
    use crate::testing::close;

    fn sample() -> (Array4<f64>, Array3<f64>) {
        let samples = Array4::from_shape_fn((9, 2, 2, 2), |(n, t, a, k)| {
            let x = ((n * n * 7 + t * 3 + a * 5 + k * 11) % 13) as f64 / 4.0;
            if k == 1 { 0.5 * x + ((n * 5) % 7) as f64 / 5.0 } else { x }
        });
        (samples, array![[[1.0, 1.2], [0.3, 2.0]], [[2.5, 0.4], [9.0, -8.0]]])
    }

    const SCIPY: [f64; 4] =
        [-1.516_093_779_273_38, -3.765_064_285_635_377, -3.790_684_246_898_571, -201.023_470_506_345_83];

    /// Log-densities from SciPy's `gaussian_kde`, place by place; the last is below the floor.
    #[test]
    fn densities_are_those_of_scipy() {
        let (samples, truth) = sample();
        for (place, expected) in SCIPY.into_iter().enumerate() {
            let (t, a) = (place / 2, place % 2);
            let (samples, truth) =
                (samples.slice(s![.., t..t + 1, a..a + 1, ..]), truth.slice(s![t..t + 1, a..a + 1, ..]));
            close(kde_nll(&samples, &truth, f64::NEG_INFINITY).unwrap(), -expected, 1e-12);
            close(kde_nll(&samples, &truth, -20.0).unwrap(), -expected.max(-20.0), 1e-12);
        }
        let mean = SCIPY.map(|x: f64| x.max(-20.0)).iter().sum::<f64>() / 4.0;
        close(kde_nll(&samples, &truth, -20.0).unwrap(), -mean, 1e-12);
    }

    #[test]
    fn samples_on_a_line_have_no_density_and_the_floor_counts() {
        let line = array![[[[0.0, 0.0]]], [[[1.0, 2.0]]], [[[2.0, 4.0]]]];
        assert_eq!(kde_nll(&line, &array![[[1.0, 2.0]]], -20.0), Ok(20.0));
        assert_eq!(kde_nll(&line.slice(s![..1, .., .., ..]), &array![[[0.0, 0.0]]], -7.0), Ok(7.0));
        assert_eq!(kde_nll(&line, &array![[[1.0, 2.0]]], f64::NEG_INFINITY), Ok(f64::INFINITY));
    }

    #[test]
    fn what_does_not_fit_is_not_taken_for_no_density() {
        let wide = array![[[[0.0]]], [[[1e300]]], [[[-1e300]]]];
        let message = |samples: &Array4<f64>, truth: f64, floor: f64| {
            kde_nll(samples, &array![[[truth]]], floor).map_err(|error| error.to_string())
        };
        let expected = Err("the result at `samples`[0] overflows f64".to_owned());
        assert_eq!(message(&wide, 0.0, -20.0), expected);
        let near = array![[[[0.0]]], [[[1.0]]], [[[-1.0]]]];
        assert_eq!(message(&near, 1e300, -20.0), Ok(20.0));
        assert_eq!(message(&near, 1e300, f64::NEG_INFINITY), expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (samples, truth) = sample();
        let message = |floor| kde_nll(&samples, &truth, floor).unwrap_err().to_string();
        assert_eq!(message(f64::NAN), "`floor` is NaN, allowed is below +inf");
        let error = kde_nll(&samples, &Array3::zeros((2, 2, 3)), -20.0).unwrap_err();
        assert_eq!(error.to_string(), "`truth` has shape [2, 2, 3], expected [2, 2, 2]");
    }
}
