//! The normal density whose variance is shared by many elements.

#![allow(clippy::type_complexity)] // a pair of arrays beside a value is not complex to read

use ndarray::{Array, ArrayRef, ArrayView, Dimension};

use super::driver;
use super::gaussian::GaussianNll;
use crate::error::Position;
use crate::{Error, Real, Reduction, Result, SumCount};

/// Gradients of [`shared_gaussian_nll`]: those in mean and observation have the shape of the data, that in the log-variance
/// its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedGaussianArguments<A, S> {
    /// With respect to the means.
    pub mean: A,
    /// With respect to the shared log-variances, summed over the elements that share one.
    pub log_variance: S,
    /// With respect to the observations.
    pub x: A,
}

/// Negative log-likelihood of observations under normal distributions of which many share one variance.
///
/// ```math
/// L_i = \tfrac12 \bigl( \ln 2\pi + s_{k(i)} + (x_i - \mu_i)^2 e^{-s_{k(i)}} \bigr), \qquad
/// \frac{\partial}{\partial s_k} \sum_i L_i = \sum_{i : k(i) = k} \tfrac12 \bigl( 1 - (x_i - \mu_i)^2 e^{-s_k} \bigr)
/// ```
///
/// `mean` and `x` have one shape; `log_variance` s has one that is broadcast to it: 0-d for one variance of all, `[C]` for
/// one for each class of the last axis, extents of 1 anywhere. It is never written at full size in the values; gradients take
/// one array of the shape of the data. Elements, reductions, precision and limits are those of
/// [`gaussian_nll`](super::gaussian_nll).
///
/// # Errors
///
/// Those of [`gaussian_nll`](super::gaussian_nll); a log-variance is named by its own place.
///
/// # Examples
///
/// ```
/// # use loglik::{likelihood::shared_gaussian_nll_grad, Reduction, ndarray::{arr0, array}};
/// let (mean, x) = (array![0.0_f64, 0.0], array![1.0, 3.0]);
/// let (loss, gradient) = shared_gaussian_nll_grad(&mean, &arr0(0.0), &x, Reduction::Sum)?;
/// assert!((loss - (5.0 + (2.0 * std::f64::consts::PI).ln())).abs() < 1e-14);
/// assert_eq!(gradient.log_variance, arr0(-4.0)); // ½ (1 - 1) + ½ (1 - 9)
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn shared_gaussian_nll<T: Real, D: Dimension, S: Dimension>(
    mean: &ArrayRef<T, D>,
    log_variance: &ArrayRef<T, S>,
    x: &ArrayRef<T, D>,
    reduction: Reduction<T, D>,
) -> Result<T> {
    let wide = broadcast(log_variance, mean)?;
    driver::value::<GaussianNll, _, _, _, _>([mean, &wide, x], reduction).map_err(|error| own(error, log_variance))
}

/// Sum and number of the elements of [`shared_gaussian_nll`], so that micro-batches combine exactly.
///
/// The parts of nothing are `(0, 0)`. Errors are those of the value.
pub fn shared_gaussian_nll_sum_count<T: Real, D: Dimension, S: Dimension>(
    mean: &ArrayRef<T, D>,
    log_variance: &ArrayRef<T, S>,
    x: &ArrayRef<T, D>,
) -> Result<SumCount> {
    let wide = broadcast(log_variance, mean)?;
    driver::sum_count::<GaussianNll, _, _, _, _>([mean, &wide, x]).map_err(|error| own(error, log_variance))
}

/// The elements of [`shared_gaussian_nll`], not reduced.
///
/// Errors are those of the value.
pub fn shared_gaussian_nll_each<T: Real, D: Dimension, S: Dimension>(
    mean: &ArrayRef<T, D>,
    log_variance: &ArrayRef<T, S>,
    x: &ArrayRef<T, D>,
) -> Result<Array<T, D>> {
    let wide = broadcast(log_variance, mean)?;
    driver::each::<GaussianNll, _, _, _, _>([mean, &wide, x]).map_err(|error| own(error, log_variance))
}

/// [`shared_gaussian_nll`] and its exact gradient.
///
/// The gradient is that of the reduced value; sums over the elements that share a variance are taken in `f64`. Errors are
/// those of the value, and [`Error::Overflow`] where a derivative does not fit the type.
pub fn shared_gaussian_nll_grad<T: Real, D: Dimension, S: Dimension>(
    mean: &ArrayRef<T, D>,
    log_variance: &ArrayRef<T, S>,
    x: &ArrayRef<T, D>,
    reduction: Reduction<T, D>,
) -> Result<(T, SharedGaussianArguments<Array<T, D>, Array<T, S>>)> {
    let wide = broadcast(log_variance, mean)?;
    let (value, [in_mean, in_variance, in_x]) = driver::grad::<GaussianNll, _, _, _, _>([mean, &wide, x], reduction)
        .map_err(|error| own(error, log_variance))?;
    Ok((value, SharedGaussianArguments { mean: in_mean, log_variance: gathered(&in_variance, log_variance)?, x: in_x }))
}

/// The log-variance of each element.
fn broadcast<'a, T: Real, D: Dimension, S: Dimension>(
    log_variance: &'a ArrayRef<T, S>,
    data: &ArrayRef<T, D>,
) -> Result<ArrayView<'a, T, D>> {
    log_variance.broadcast(data.raw_dim()).ok_or_else(|| Error::Shape {
        argument: "log_variance",
        got: log_variance.shape().to_vec(),
        expected: data.shape().to_vec(),
    })
}

/// The sum over the elements that share an entry.
fn gathered<T: Real, D: Dimension, S: Dimension>(wide: &Array<T, D>, like: &ArrayRef<T, S>) -> Result<Array<T, S>> {
    let mut count = 0..;
    let places = Array::from_shape_simple_fn(like.raw_dim(), || count.next().unwrap_or_default());
    let mut sums = vec![0.0; like.len()];
    for (&place, slope) in places.broadcast(wide.raw_dim()).iter().flatten().zip(wide) {
        let sum: &mut f64 = &mut sums[place];
        *sum += slope.as_f64();
    }
    let mut sums = sums.into_iter();
    let total = Array::from_shape_simple_fn(like.raw_dim(), || T::from_f64(sums.next().unwrap_or_default()));
    match total.iter().position(|slope| !slope.is_finite()) {
        Some(at) => Err(Error::overflow::<T>("log_variance", Position::unravel(at, like.shape()))),
        None => Ok(total),
    }
}

/// The error with the place of a log-variance in its own array.
fn own<T, S: Dimension>(mut error: Error, log_variance: &ArrayRef<T, S>) -> Error {
    if let Error::Value { argument: "log_variance", position, .. } = &mut error {
        let wide = position.0.split_off(position.0.len() - log_variance.ndim());
        position.0 = wide.into_iter().zip(log_variance.shape()).map(|(at, &extent)| at.min(extent - 1)).collect();
    }
    error
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, arr0, array};

    use super::super::{gaussian_nll, gaussian_nll_each, gaussian_nll_grad, gaussian_nll_sum_count};
    use super::*;

    fn sample() -> [Array2<f64>; 2] {
        [3, 5].map(|k| Array2::from_shape_fn((3, 4), |(i, j)| ((k * i + 7 * j + k) as f64).sin()))
    }

    #[test]
    fn it_is_the_density_of_a_variance_that_is_repeated() {
        let [mean, x] = sample();
        let per_class = array![0.5, -1.0, 0.0, 2.0];
        let wide = per_class.broadcast((3, 4)).unwrap();
        let (value, expected) = gaussian_nll_grad(&mean, &wide, &x, Reduction::Mean).unwrap();
        let (same, gradient) = shared_gaussian_nll_grad(&mean, &per_class, &x, Reduction::Mean).unwrap();
        assert_eq!((same, &gradient.mean, &gradient.x), (value, &expected.mean, &expected.x));
        let summed = expected.log_variance.sum_axis(Axis(0));
        assert!(gradient.log_variance.iter().zip(&summed).all(|(a, b)| (a - b).abs() <= 1e-15));
        assert_eq!(
            shared_gaussian_nll(&mean, &per_class, &x, Reduction::Mean),
            gaussian_nll(&mean, &wide, &x, Reduction::Mean)
        );
        assert_eq!(shared_gaussian_nll_each(&mean, &per_class, &x), gaussian_nll_each(&mean, &wide, &x));
        assert_eq!(shared_gaussian_nll_sum_count(&mean, &per_class, &x), gaussian_nll_sum_count(&mean, &wide, &x));
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_and_vanishes_at_the_fit() {
        let [mean, x] = sample();
        let value = |s: f64| shared_gaussian_nll(&mean, &arr0(s), &x, Reduction::Sum).unwrap();
        let slope = |s: f64| shared_gaussian_nll_grad(&mean, &arr0(s), &x, Reduction::Sum).unwrap().1.log_variance[()];
        let quotient = (value(0.3 + 1e-5) - value(0.3 - 1e-5)) / 2e-5;
        assert!((slope(0.3) - quotient).abs() < 1e-8);
        let fit = (&x - &mean).mapv(|r| r * r).mean().unwrap().ln();
        assert!(slope(fit).abs() < 1e-14);
        let rows = array![[0.5], [-1.0], [0.0]];
        let (_, gradient) = shared_gaussian_nll_grad(&mean, &rows, &x, Reduction::Sum).unwrap();
        assert_eq!(gradient.log_variance.dim(), (3, 1));
    }

    #[test]
    fn errors_name_the_place_of_the_shared_variance() {
        let [mean, x] = sample();
        let message = |s: &Array2<f64>| shared_gaussian_nll(&mean, s, &x, Reduction::Sum).unwrap_err().to_string();
        assert_eq!(message(&array![[0.0], [f64::NAN], [0.0]]), "`log_variance`[1, 0] is NaN, allowed is finite");
        assert_eq!(message(&array![[0.0, 1.0]]), "`log_variance` has shape [1, 2], expected [3, 4]");
        let error = shared_gaussian_nll(&mean, &arr0(f64::INFINITY), &x, Reduction::Sum).unwrap_err();
        assert_eq!(error.to_string(), "`log_variance` is inf, allowed is finite");
        let none = Array2::<f64>::zeros((0, 4));
        let (value, gradient) = shared_gaussian_nll_grad(&none, &arr0(0.0), &none, Reduction::Sum).unwrap();
        assert_eq!((value, gradient.log_variance), (0.0, arr0(0.0)));
    }
}
