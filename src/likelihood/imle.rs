//! Implicit maximum likelihood: the sample nearest to the data is moved there.

use ndarray::{Array, ArrayRef, ArrayViewD, ArrayViewMutD, Axis, RemoveAxis};

use crate::reduction::{self, to_real};
use crate::{Error, Real, Result, check, parallel};

/// What [`imle`] finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImleLoss<T> {
    /// Mean absolute difference between the target and the nearest sample.
    pub loss: T,
    /// Which sample that is; of several, the first.
    pub nearest: usize,
}

/// Implicit maximum likelihood estimation (IMLE): the mean absolute difference between a target and the nearest of `K`
/// samples.
///
/// ```math
/// L = \min_k \frac1n \sum_i |\hat y_{ki} - y_i|, \qquad
/// \frac{\partial L}{\partial \hat y_{ki}} = \frac{[k = k^\star]}{n} \operatorname{sign}(\hat y_{ki} - y_i)
/// ```
///
/// `samples` are `[K, ..]`, `target` has the shape of one, of n elements. For a model that can be sampled and has no density:
/// each target pulls one sample, so no mode of the data is left out, whatever the other samples do. `L >= 0`, it never grows
/// with more samples, and it is 0 where one hits the target. It is bent where another sample becomes the nearest and where
/// an element hits its target: there the slope is that of the first nearest, and 0.
///
/// The published loss of trajectories adds terms of distances between agents, angles and a triplet of samples, at 1e-4 each;
/// they are not part of this.
///
/// # Errors
///
/// - [`Error::Shape`]: a target of another shape than a sample. [`Error::Empty`]: no samples, or none of their elements.
/// - [`Error::Value`]: an element that is not finite. [`Error::Overflow`]: a distance that does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::likelihood::{ImleLoss, imle, imle_grad};
/// let (samples, target) = (array![[0.0_f64, 4.0], [2.0, 1.0]], array![1.0, 1.0]);
/// assert_eq!(imle(&samples, &target)?, ImleLoss { loss: 0.5, nearest: 1 });
/// let (_, gradient) = imle_grad(&samples, &target)?;
/// assert_eq!(gradient, array![[0.0, 0.0], [0.5, 0.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Li and Malik, Implicit maximum likelihood estimation, 2018, [arXiv:1809.09087](https://arxiv.org/abs/1809.09087); in this
/// norm: Mohamed et al., ECCV 2022, [arXiv:2203.03057](https://arxiv.org/abs/2203.03057).
pub fn imle<T: Real, D: RemoveAxis>(samples: &ArrayRef<T, D>, target: &ArrayRef<T, D::Smaller>) -> Result<ImleLoss<T>> {
    T::imle(samples.view().into_dyn(), target.view().into_dyn())
}

/// [`imle`] and its gradient in the samples, `[K, ..]`, which is 0 but for the nearest.
///
/// # Errors
///
/// As [`imle`].
pub fn imle_grad<T: Real, D: RemoveAxis>(
    samples: &ArrayRef<T, D>,
    target: &ArrayRef<T, D::Smaller>,
) -> Result<(ImleLoss<T>, Array<T, D>)> {
    let mut gradient = Array::zeros(samples.raw_dim());
    let found = T::imle_grad(samples.view().into_dyn(), target.view().into_dyn(), gradient.view_mut().into_dyn())?;
    Ok((found, gradient))
}

/// [`imle`].
pub(super) fn find<T: Real>(samples: ArrayViewD<'_, T>, target: ArrayViewD<'_, T>) -> Result<ImleLoss<T>> {
    nearest(&samples, &target)
}

/// [`imle_grad`], into an array of zeros.
pub(super) fn find_and_pull<T: Real>(
    samples: ArrayViewD<'_, T>,
    target: ArrayViewD<'_, T>,
    mut gradient: ArrayViewMutD<'_, T>,
) -> Result<ImleLoss<T>> {
    let found = nearest(&samples, &target)?;
    let (sample, step) = (samples.index_axis(Axis(0), found.nearest), T::from_f64(1.0 / target.len() as f64));
    let slopes = gradient.index_axis_mut(Axis(0), found.nearest);
    for ((slope, x), y) in slopes.into_iter().zip(sample).zip(&target) {
        *slope = if x == y { T::zero() } else { step.copysign(*x - *y) };
    }
    Ok(found)
}

fn nearest<T: Real>(samples: &ArrayViewD<'_, T>, target: &ArrayViewD<'_, T>) -> Result<ImleLoss<T>> {
    let Some(one) = samples.shape().get(1..) else { return Err(Error::Empty { argument: "samples" }) };
    check::shape("target", target.shape(), one)?;
    if samples.is_empty() {
        return Err(Error::Empty { argument: "samples" });
    }
    check::all_finite("target", target.view())?;
    check::all_finite("samples", samples.view())?;
    let mut distances = vec![0.0; samples.len_of(Axis(0))];
    let jobs = distances.iter_mut().zip(samples.outer_iter()).collect();
    let bytes = samples.len() * size_of::<T>();
    parallel::for_each(jobs, bytes, |(distance, sample): (&mut f64, ArrayViewD<'_, T>)| {
        let n = target.len() as f64;
        let parts: Vec<f64> = sample.iter().zip(target).map(|(x, y)| (x.as_f64() - y.as_f64()).abs() / n).collect();
        *distance = reduction::sum(&parts);
    });
    let nearer =
        |best: (usize, f64), (k, &distance): (usize, &f64)| if distance < best.1 { (k, distance) } else { best };
    let (nearest, loss) = distances.iter().enumerate().skip(1).fold((0, distances[0]), nearer);
    if loss.is_infinite() {
        return Err(Error::overflow::<f64>("samples", nearest));
    }
    Ok(ImleLoss { loss: to_real(loss, "samples", nearest)?, nearest })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, Array3, array, s};

    use super::*;
    use crate::testing::generator;

    fn sample() -> (Array3<f64>, Array2<f64>) {
        let next = generator(8);
        (
            Array3::from_shape_simple_fn((6, 4, 3), next),
            Array2::from_shape_fn((4, 3), |(i, j)| (i * 3 + j) as f64 / 12.0),
        )
    }

    #[test]
    fn it_is_the_least_of_all_means() {
        let (samples, target) = sample();
        let all: Vec<f64> = samples.outer_iter().map(|x| (&x - &target).mapv(f64::abs).mean().unwrap()).collect();
        let found = imle(&samples, &target).unwrap();
        assert!((found.loss - all.iter().copied().fold(f64::INFINITY, f64::min)).abs() < 1e-15);
        assert!((found.loss - all[found.nearest]).abs() < 1e-15);
        assert!(all.iter().any(|d| *d > found.loss + 1e-3));
    }

    #[test]
    fn the_gradient_is_the_difference_quotient() {
        let (samples, target) = sample();
        let (found, gradient) = imle_grad(&samples, &target).unwrap();
        assert_eq!(imle(&samples, &target), Ok(found));
        for (at, &slope) in gradient.indexed_iter() {
            let moved = |step: f64| {
                let mut samples = samples.clone();
                samples[at] += step;
                imle(&samples, &target).unwrap().loss
            };
            assert!((slope - (moved(1e-6) - moved(-1e-6)) / 2e-6).abs() < 1e-9, "{at:?}");
            assert_eq!(slope != 0.0, at.0 == found.nearest);
        }
    }

    #[test]
    fn more_samples_never_cost_more_and_a_hit_costs_nothing() {
        let (mut samples, target) = sample();
        let mut last = f64::INFINITY;
        for k in 1..=6 {
            let loss = imle(&samples.slice(s![..k, .., ..]), &target).unwrap().loss;
            assert!(loss <= last);
            last = loss;
        }
        samples.index_axis_mut(Axis(0), 4).assign(&target);
        samples.index_axis_mut(Axis(0), 2).assign(&target);
        let (found, gradient) = imle_grad(&samples, &target).unwrap();
        assert_eq!((found, gradient), (ImleLoss { loss: 0.0, nearest: 2 }, Array3::zeros((6, 4, 3))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |samples: Array2<f32>, target: Array1<f32>| {
            let error = imle(&samples, &target).unwrap_err();
            assert_eq!(imle_grad(&samples, &target).unwrap_err().to_string(), error.to_string());
            error.to_string()
        };
        assert_eq!(message(array![[1.0, 2.0]], array![1.0]), "`target` has shape [1], expected [2]");
        assert_eq!(
            message(Array2::zeros((0, 2)), array![1.0, 1.0]),
            "`samples` is empty, needed is at least one element"
        );
        assert_eq!(message(Array2::zeros((2, 0)), array![]), "`samples` is empty, needed is at least one element");
        assert_eq!(message(array![[1.0, f32::NAN]], array![1.0, 1.0]), "`samples`[0, 1] is NaN, allowed is finite");
        assert_eq!(message(array![[1.0]], array![f32::INFINITY]), "`target`[0] is inf, allowed is finite");
        assert_eq!(message(array![[f32::MAX]], array![f32::MIN]), "the result at `samples`[0] overflows f32");
    }
}
