//! The average of the largest variance of a mixture.

use ndarray::Array1;

use super::mixture::center;
use super::symmetric::largest_eigenvalue;
use super::{Mixtures, points};
use crate::error::Position;
use crate::{Real, Result};

/// Average maximum eigenvalue (AMV): how widely mixtures spread, in the direction in which each spreads most.
///
/// ```math
/// \mathrm{AMV} = \frac1P \sum_p \lambda_{\max}\Bigl(\sum_c \pi_c \bigl[\Sigma_c + (\mu_c - \hat\mu)(\mu_c - \hat\mu)^\top\bigr]\Bigr),
/// \qquad \hat\mu = \sum_c \pi_c \mu_c
/// ```
///
/// In units of length squared: scaling everything by `s` scales it by `s²`, and no rotation or shift changes it. It says how
/// sure the model is; how right, [`Amd`](super::Amd) does. The authors' code takes the eigenvalue of the mean covariance in
/// place of the mean of eigenvalues, which is the paper's and never smaller.
///
/// # Errors
///
/// Those of [`Amd`](super::Amd); covariances need not be positive definite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::diagnostics::{Mixtures, amv};
/// let (weights, means) = (array![[0.5_f64, 0.5]], array![[[-1.0, 0.0], [1.0, 0.0]]]);
/// let covariances = array![[[[0.5, 0.0], [0.0, 1.0]], [[0.5, 0.0], [0.0, 1.0]]]];
/// let mixtures = Mixtures { weights: weights.view(), means: means.view(), covariances: covariances.view() };
/// assert_eq!(amv(mixtures)?, 1.5); // 0.5 and the distance between the means
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Mohamed et al., ECCV 2022, [arXiv:2203.03057](https://arxiv.org/abs/2203.03057).
pub fn amv<T: Real>(mixtures: Mixtures<'_, T>) -> Result<T> {
    T::amv(mixtures)
}

pub(crate) fn mean_variance<T: Real>(mixtures: Mixtures<'_, T>) -> Result<T> {
    let all = variances(mixtures)?;
    points::fitting(points::mean(&all), "covariances", Position::default())
}

/// The largest variance at each place, `[P]`.
///
/// # Errors
///
/// Those of [`amv`].
pub fn amv_each<T: Real>(mixtures: Mixtures<'_, T>) -> Result<Array1<T>> {
    T::amv_each(mixtures)
}

pub(crate) fn variance_by_place<T: Real>(mixtures: Mixtures<'_, T>) -> Result<Array1<T>> {
    let all = variances(mixtures)?;
    all.into_iter().enumerate().map(|(place, variance)| points::fitting(variance, "covariances", place)).collect()
}

fn variances<T: Real>(mixtures: Mixtures<'_, T>) -> Result<Vec<f64>> {
    mixtures.check()?;
    points::each(mixtures.places(), mixtures.bytes(), |place| {
        let components = mixtures.at(place)?;
        let center = center(&components);
        let size = center.len();
        let mut total = vec![0.0; size * size];
        for component in &components {
            let away: Vec<f64> = component.mean.iter().zip(&center).map(|(mean, center)| mean - center).collect();
            for (at, (total, covariance)) in total.iter_mut().zip(&component.covariance).enumerate() {
                *total += component.weight * (covariance + away[at / size] * away[at % size]);
            }
        }
        let fits = total.iter().all(|x| x.is_finite());
        let variance = if fits { largest_eigenvalue(&mut total, size) } else { f64::INFINITY };
        points::fitting(variance, "covariances", place)
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3, Array4, array};

    use super::*;
    use crate::testing::close;

    fn sample() -> (Array2<f64>, Array3<f64>, Array4<f64>) {
        let covariance = [[[0.5, 0.2], [0.2, 0.4]], [[1.5, -0.3], [-0.3, 0.8]]];
        (
            array![[0.3, 0.7], [2.0, 0.0]],
            Array3::from_shape_fn((2, 2, 2), |(p, c, k)| [[1.0, 0.5], [-0.5, 2.0]][c][k] + p as f64),
            Array4::from_shape_fn((2, 2, 2, 2), |(_, c, i, j)| if i < j { f64::NAN } else { covariance[c][i][j] }),
        )
    }

    fn of(parts: &(Array2<f64>, Array3<f64>, Array4<f64>)) -> Mixtures<'_, f64> {
        Mixtures { weights: parts.0.view(), means: parts.1.view(), covariances: parts.2.view() }
    }

    #[test]
    fn it_is_the_eigenvalue_of_the_total_covariance() {
        let parts = sample();
        let each = amv_each(of(&parts)).unwrap();
        // Σ π Σ + π₀ π₁ δ δᵀ with δ = (1.5, -1.5); of the second place only the first component counts.
        let (a, b, c) = (0.15_f64 + 1.05 + 0.21 * 2.25, 0.06_f64 - 0.21 - 0.21 * 2.25, 0.12 + 0.56 + 0.21 * 2.25);
        close(each[0], 0.5 * (a + c) + (0.5 * (a - c)).hypot(b), 1e-14);
        close(each[1], 0.45 + 0.05_f64.hypot(0.2), 1e-14);
        close(amv(of(&parts)).unwrap(), each.sum() / 2.0, 1e-15);
    }

    #[test]
    fn it_turns_with_nothing_and_scales_by_the_square() {
        let parts = sample();
        let before = amv_each(of(&parts)).unwrap();
        let (sine, cosine) = 0.7_f64.sin_cos();
        let turn = array![[cosine, -sine], [sine, cosine]];
        let mut moved = parts.clone();
        for p in 0..2 {
            for c in 0..2 {
                let at = ndarray::s![p, c, ..];
                let mean: Array1<f64> = turn.dot(&parts.1.slice(at)) * 3.0 + 8.0;
                moved.1.slice_mut(at).assign(&mean);
                let at = ndarray::s![p, c, .., ..];
                let mut full: Array2<f64> = parts.2.slice(at).to_owned();
                full[[0, 1]] = full[[1, 0]];
                let moved_full: Array2<f64> = turn.dot(&full).dot(&turn.t()) * 9.0;
                moved.2.slice_mut(at).assign(&moved_full);
            }
        }
        amv_each(of(&moved))
            .unwrap()
            .iter()
            .zip(&before)
            .for_each(|(&after, &before)| close(after, 9.0 * before, 1e-13));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut parts = sample();
        parts.2[[0, 1, 1, 0]] = f64::INFINITY;
        let error = amv(of(&parts)).unwrap_err();
        assert_eq!(error.to_string(), "`covariances`[0, 1, 1, 0] is inf, allowed is finite");
        let mut parts = sample();
        parts.1.fill(1e300);
        parts.1[[0, 0, 0]] = -1e300;
        assert_eq!(amv(of(&parts)).unwrap_err().to_string(), "the result at `covariances`[0] overflows f64");
        // Entries that fit, with an eigenvalue of twice their size.
        let mut parts = sample();
        parts.1.fill(0.0);
        parts.2.fill(1.5e308);
        assert_eq!(amv_each(of(&parts)).unwrap_err().to_string(), "the result at `covariances`[0] overflows f64");
        parts.2.fill(7e307);
        close(amv(of(&parts)).unwrap(), 1.4e308, 1e-14);
    }
}
