//! The normal density whose variance is shared by many elements.

use ndarray::{Array, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension, IxDyn};

use super::pass::{self, Out, Request};
use super::{Density, Gaussian};
use crate::error::Position;
use crate::{Error, Real, Reduction, Result, SumCount};

/// One thing for each argument of [`SharedGaussian`]: those of mean and observation have the shape of the data, that of the
/// log-variance its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedGaussianArguments<A, S> {
    /// For the means.
    pub mean: A,
    /// For the shared log-variances; a gradient is summed over the elements that share one.
    pub log_variance: S,
    /// For the observations.
    pub x: A,
}

/// Gaussian (normal) negative log-likelihood of observations of which many share one variance.
///
/// ```math
/// L_i = \tfrac12 \bigl( \ln 2\pi + s_{k(i)} + (x_i - \mu_i)^2 e^{-s_{k(i)}} \bigr), \qquad
/// \frac{\partial}{\partial s_k} \sum_i L_i = \sum_{i : k(i) = k} \tfrac12 \bigl( 1 - (x_i - \mu_i)^2 e^{-s_k} \bigr)
/// ```
///
/// `mean` and `x` have one shape; `log_variance` s has one that is broadcast to it: 0-d for one variance of all, `[C]` for
/// one for each class of the last axis, extents of 1 anywhere. Values and gradients take one array of the shape of the data.
/// Elements, reductions, precision and limits are those of [`Gaussian`].
///
/// # Errors
///
/// Those of [`Gaussian`]; a log-variance is named by its own place.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{arr0, array}};
/// # use loglik::likelihood::{SharedGaussian, SharedGaussianArguments};
/// let (mean, x) = (array![0.0_f64, 0.0], array![1.0, 3.0]);
/// let (loss, gradient) = SharedGaussian.grad(
///     SharedGaussianArguments { mean: &mean, log_variance: &arr0(0.0), x: &x },
///     Reduction::Sum,
/// )?;
/// assert!((loss - (5.0 + (2.0 * std::f64::consts::PI).ln())).abs() < 1e-14);
/// assert_eq!(gradient.log_variance, arr0(-4.0)); // ½ (1 - 1) + ½ (1 - 9)
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "normal")]
#[doc(alias = "NLL")]
#[doc(alias = "homoscedastic")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SharedGaussian;

/// The arguments of a call, all in the caller's memory.
type Arguments<'a, T, D, S> = SharedGaussianArguments<&'a ArrayRef<T, D>, &'a ArrayRef<T, S>>;

impl SharedGaussian {
    /// The reduced loss.
    ///
    /// # Errors
    ///
    /// Those of the density.
    pub fn value<T: Real, D: Dimension, S: Dimension>(
        &self,
        arguments: Arguments<'_, T, D, S>,
        reduction: Reduction<'_, T, D>,
    ) -> Result<T> {
        run(arguments, reduction, &mut Out::Nothing)
    }

    /// The loss of each element.
    ///
    /// # Errors
    ///
    /// Those of the density.
    pub fn each<T: Real, D: Dimension, S: Dimension>(&self, arguments: Arguments<'_, T, D, S>) -> Result<Array<T, D>> {
        let mut losses = Array::zeros(arguments.mean.raw_dim());
        run(arguments, Reduction::Sum, &mut Out::Each(losses.view_mut().into_dyn()))?;
        Ok(losses)
    }

    /// Sum of the losses and number of the elements, by which micro-batches combine exactly; `(0, 0)` over nothing.
    ///
    /// # Errors
    ///
    /// Those of the density.
    pub fn sum_count<T: Real, D: Dimension, S: Dimension>(
        &self,
        arguments: Arguments<'_, T, D, S>,
    ) -> Result<SumCount> {
        let arrays = views(arguments);
        let sum = T::sum_of_shared(&request(&arrays, Reduction::Sum))?;
        Ok(SumCount { sum, count: arrays[0].len() as f64 })
    }

    /// The reduced loss and its exact gradient, in one pass. Sums over the elements that share a variance are taken in `f64`.
    ///
    /// # Errors
    ///
    /// Those of the density.
    #[allow(clippy::type_complexity)] // a bundle beside a value is not complex to read
    pub fn grad<T: Real, D: Dimension, S: Dimension>(
        &self,
        arguments: Arguments<'_, T, D, S>,
        reduction: Reduction<'_, T, D>,
    ) -> Result<(T, SharedGaussianArguments<Array<T, D>, Array<T, S>>)> {
        let (data, shared) = (arguments.mean.raw_dim(), arguments.log_variance.raw_dim());
        let (mut mean, mut log_variance, mut x) =
            (Array::zeros(data.clone()), Array::zeros(shared), Array::zeros(data));
        let out = SharedGaussianArguments { mean: &mut *mean, log_variance: &mut *log_variance, x: &mut *x };
        let value = self.grad_into(arguments, reduction, out)?;
        Ok((value, SharedGaussianArguments { mean, log_variance, x }))
    }

    /// [`SharedGaussian::grad`] with the gradient written to the caller's arrays, of the shapes of the arguments and any
    /// layout. After an error in the data what `out` holds is unspecified.
    ///
    /// # Errors
    ///
    /// Those of the density.
    pub fn grad_into<T: Real, D: Dimension, S: Dimension>(
        &self,
        arguments: Arguments<'_, T, D, S>,
        reduction: Reduction<'_, T, D>,
        out: SharedGaussianArguments<&mut ArrayRef<T, D>, &mut ArrayRef<T, S>>,
    ) -> Result<T> {
        let SharedGaussianArguments { mean, log_variance, x } = out;
        let mut out = [mean.view_mut().into_dyn(), log_variance.view_mut().into_dyn(), x.view_mut().into_dyn()];
        run(arguments, reduction, &mut Out::Grad(&["out.mean", "out.log_variance", "out.x"], &mut out))
    }
}

/// The arrays of a call, free of their dimensions.
fn views<'a, T: Real, D: Dimension, S: Dimension>(arguments: Arguments<'a, T, D, S>) -> [ArrayViewD<'a, T>; 3] {
    let SharedGaussianArguments { mean, log_variance, x } = arguments;
    [mean.view().into_dyn(), log_variance.view().into_dyn(), x.view().into_dyn()]
}

fn request<'a, T: Real>(arrays: &'a [ArrayViewD<'a, T>; 3], reduction: Reduction<'a, T, IxDyn>) -> Request<'a, T> {
    Request { arguments: &Gaussian::ARGUMENTS, arrays, slopes: 3, reduction }
}

fn run<T: Real, D: Dimension, S: Dimension>(
    arguments: Arguments<'_, T, D, S>,
    reduction: Reduction<'_, T, D>,
    out: &mut Out<'_, '_, T>,
) -> Result<T> {
    let (arrays, reduction) = (views(arguments), reduction.into_any());
    T::run_shared(&request(&arrays, reduction.get()), out).map(T::from_f64)
}

/// The reduced loss, which fits the type of the data, and `out` filled.
pub(super) fn run_compiled<T: Real>(shared: &Request<'_, T>, out: &mut Out<'_, '_, T>) -> Result<f64> {
    match out {
        Out::Grad(names, out) => grad(shared, names, out),
        _ => repeated(shared, |wide| Gaussian.with_loops(&mut |loops| pass::run(loops, wide, out))),
    }
}

/// The reduced loss, whether it fits that type or not.
pub(super) fn sum_alone<T: Real>(shared: &Request<'_, T>) -> Result<f64> {
    repeated(shared, |wide| Gaussian.with_loops(&mut |loops| pass::sum_alone(loops, wide)))
}

/// The slopes in the log-variances, one for each element, are summed up afterwards.
fn grad<T: Real>(shared: &Request<'_, T>, names: &[&'static str], out: &mut [ArrayViewMutD<'_, T>]) -> Result<f64> {
    let [mean, log_variance, x] = out else { return Ok(0.0) };
    crate::check::shape(names[1], log_variance.shape(), shared.arrays[1].shape())?;
    let mut wide = Array::zeros(shared.arrays[0].raw_dim());
    let mut places = [mean.view_mut(), wide.view_mut(), x.view_mut()];
    let value = repeated(shared, |request| {
        Gaussian.with_loops(&mut |loops| pass::run(loops, request, &mut Out::Grad(names, &mut places)))
    })?;
    gather(&wide, log_variance)?;
    Ok(value)
}

/// `f` of the same request with one log-variance for each element. An error has the place of a log-variance in its own array.
fn repeated<T: Real>(shared: &Request<'_, T>, f: impl FnOnce(&Request<'_, T>) -> Result<f64>) -> Result<f64> {
    let [mean, log_variance, x] = shared.arrays else { return Ok(0.0) };
    let Some(wide) = log_variance.broadcast(mean.raw_dim()) else {
        let (got, expected) = (log_variance.shape().to_vec(), mean.shape().to_vec());
        return Err(Error::Shape { argument: "log_variance", got, expected });
    };
    let arrays = [mean.view(), wide, x.view()];
    f(&Request { arrays: &arrays, ..*shared }).map_err(|error| own(error, log_variance))
}

/// The sum over the elements that share an entry.
fn gather<T: Real>(wide: &ArrayRef<T, IxDyn>, to: &mut ArrayViewMutD<'_, T>) -> Result<()> {
    let mut count = 0..;
    let places = Array::from_shape_simple_fn(to.raw_dim(), || count.next().unwrap_or_default());
    let mut sums = vec![0.0; to.len()];
    for (&place, slope) in places.broadcast(wide.raw_dim()).iter().flatten().zip(wide) {
        let sum: &mut f64 = &mut sums[place];
        *sum += slope.as_f64();
    }
    to.iter_mut().zip(sums).for_each(|(to, sum)| *to = T::from_f64(sum));
    match to.iter().position(|slope| !slope.is_finite()) {
        Some(at) => Err(Error::overflow::<T>("log_variance", Position::unravel(at, to.shape()))),
        None => Ok(()),
    }
}

/// The error with the place of a log-variance in its own array.
fn own<T>(mut error: Error, log_variance: &ArrayRef<T, IxDyn>) -> Error {
    if let Error::Value { argument: "log_variance", position, .. } = &mut error {
        let wide = position.0.split_off(position.0.len() - log_variance.ndim());
        position.0 = wide.into_iter().zip(log_variance.shape()).map(|(at, &extent)| at.min(extent - 1)).collect();
    }
    error
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, arr0, array};

    use super::super::GaussianArguments;
    use super::*;

    fn sample() -> [Array2<f64>; 2] {
        [3, 5].map(|k| Array2::from_shape_fn((3, 4), |(i, j)| ((k * i + 7 * j + k) as f64).sin()))
    }

    #[test]
    fn it_is_the_density_of_a_variance_that_is_repeated() {
        let [mean, x] = sample();
        let per_class = array![0.5, -1.0, 0.0, 2.0];
        let wide = per_class.broadcast((3, 4)).unwrap();
        let (value, expected) =
            Gaussian.grad(GaussianArguments { mean: &mean, log_variance: &wide, x: &x }, Reduction::Mean).unwrap();
        let (same, gradient) = SharedGaussian
            .grad(SharedGaussianArguments { mean: &mean, log_variance: &per_class, x: &x }, Reduction::Mean)
            .unwrap();
        assert_eq!((same, &gradient.mean, &gradient.x), (value, &expected.mean, &expected.x));
        let summed = expected.log_variance.sum_axis(Axis(0));
        assert!(gradient.log_variance.iter().zip(&summed).all(|(a, b)| (a - b).abs() <= 1e-15));
        assert_eq!(
            SharedGaussian
                .value(SharedGaussianArguments { mean: &mean, log_variance: &per_class, x: &x }, Reduction::Mean),
            Gaussian.value(GaussianArguments { mean: &mean, log_variance: &wide, x: &x }, Reduction::Mean)
        );
        assert_eq!(
            SharedGaussian.each(SharedGaussianArguments { mean: &mean, log_variance: &per_class, x: &x }),
            Gaussian.each(GaussianArguments { mean: &mean, log_variance: &wide, x: &x })
        );
        assert_eq!(
            SharedGaussian.sum_count(SharedGaussianArguments { mean: &mean, log_variance: &per_class, x: &x }),
            Gaussian.sum_count(GaussianArguments { mean: &mean, log_variance: &wide, x: &x })
        );
    }

    #[test]
    fn the_gradient_is_the_difference_quotient_and_vanishes_at_the_fit() {
        let [mean, x] = sample();
        let value = |s: f64| {
            SharedGaussian
                .value(SharedGaussianArguments { mean: &mean, log_variance: &arr0(s), x: &x }, Reduction::Sum)
                .unwrap()
        };
        let slope = |s: f64| {
            SharedGaussian
                .grad(SharedGaussianArguments { mean: &mean, log_variance: &arr0(s), x: &x }, Reduction::Sum)
                .unwrap()
                .1
                .log_variance[()]
        };
        let quotient = (value(0.3 + 1e-5) - value(0.3 - 1e-5)) / 2e-5;
        assert!((slope(0.3) - quotient).abs() < 1e-8);
        let fit = (&x - &mean).mapv(|r| r * r).mean().unwrap().ln();
        assert!(slope(fit).abs() < 1e-14);
        let rows = array![[0.5], [-1.0], [0.0]];
        let (_, gradient) = SharedGaussian
            .grad(SharedGaussianArguments { mean: &mean, log_variance: &rows, x: &x }, Reduction::Sum)
            .unwrap();
        assert_eq!(gradient.log_variance.dim(), (3, 1));
    }

    #[test]
    fn errors_name_the_place_of_the_shared_variance() {
        let [mean, x] = sample();
        let message = |s: &Array2<f64>| {
            SharedGaussian
                .value(SharedGaussianArguments { mean: &mean, log_variance: s, x: &x }, Reduction::Sum)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(message(&array![[0.0], [f64::NAN], [0.0]]), "`log_variance`[1, 0] is NaN, allowed is finite");
        assert_eq!(message(&array![[0.0, 1.0]]), "`log_variance` has shape [1, 2], expected [3, 4]");
        let error = SharedGaussian
            .value(SharedGaussianArguments { mean: &mean, log_variance: &arr0(f64::INFINITY), x: &x }, Reduction::Sum)
            .unwrap_err();
        assert_eq!(error.to_string(), "`log_variance` is inf, allowed is finite");
        let none = Array2::<f64>::zeros((0, 4));
        let (value, gradient) = SharedGaussian
            .grad(SharedGaussianArguments { mean: &none, log_variance: &arr0(0.0), x: &none }, Reduction::Sum)
            .unwrap();
        assert_eq!((value, gradient.log_variance), (0.0, arr0(0.0)));
    }
}
