//! The energy distance.

use ndarray::{Array2, ArrayView2};

use super::sides::{Sides, laid_out};
use crate::error::Position;
use crate::ratio::Samples;
use crate::ratio::pair_sums::{Pairs, Radial};
use crate::reduction::to_finite;
use crate::{Real, Result};

/// Energy distance of two sets of points, squared: twice the mean distance between the sides less the mean distances within
/// them.
///
/// ```math
/// D^2 = 2\, \mathbb{E} |X - Y| - \mathbb{E} |X - X'| - \mathbb{E} |Y - Y'|
/// ```
///
/// `X` are the points `real`, `[n, d]`, `Y` those of `fake`, `[m, d]`; means are over all pairs, a point with itself included
/// (the V-statistic). `D² >= 0` but for rounding, and of two distributions it is 0 only if they are one. There is no width to
/// choose: it is the squared MMD with the kernel `-|x - y|`, and scales with the unit of the points. In one dimension it is
/// `2 ∫ (F - G)²`; `scipy.stats.energy_distance` is its root. `nm D² / (n + m)` is the statistic of the test.
///
/// Computed in `f64` over `n² + m² + nm` pairs, in blocks: no matrix of `[n, m]` exists. Good to `1e-15` of the largest of
/// the three means; coordinates of any size have distances that fit.
///
/// # Errors
///
/// [`Error::Empty`](crate::Error::Empty) for a side without points; [`Error::Shape`](crate::Error::Shape) for sides of
/// different dimension; [`Error::Value`](crate::Error::Value) for a coordinate that is not finite;
/// [`Error::Overflow`](crate::Error::Overflow) where the result does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::two_sample::energy_distance;
/// let (x, y) = (array![[0.0_f64], [2.0]], array![[1.0]]);
/// let points = Samples { real: x.view(), fake: y.view() };
/// assert_eq!(energy_distance(points)?, 1.0); // 2 · 1 - 1 - 0
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Székely and Rizzo, Energy statistics: a class of statistics based on distances, Journal of Statistical Planning and
/// Inference 143, 2013. As a kernel: Sejdinovic et al., 2013, [arXiv:1207.6076](https://arxiv.org/abs/1207.6076).
#[doc(alias = "Cramér distance")]
#[doc(alias = "E-statistic")]
pub fn energy_distance<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<T> {
    T::energy_distance(points)
}

/// [`energy_distance`] and its gradient in the points of both sides.
///
/// ```math
/// \frac{\partial D^2}{\partial x_i} = \frac{2}{nm} \sum_j \frac{x_i - y_j}{|x_i - y_j|} - \frac{2}{n^2} \sum_{i'} \frac{x_i - x_{i'}}{|x_i - x_{i'}|}
/// ```
///
/// Points that coincide have no direction: their pair adds 0, which is one of the generalized gradients.
///
/// # Errors
///
/// See [`energy_distance`].
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::ratio::two_sample::energy_distance_grad;
/// let (x, y) = (array![[0.0_f64], [2.0]], array![[1.0]]);
/// let (_, gradient) = energy_distance_grad(Samples { real: x.view(), fake: y.view() })?;
/// assert_eq!(gradient.real, array![[-0.5], [0.5]]); // -1 of the point between, +½ of each other
/// assert_eq!(gradient.fake, array![[0.0]]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn energy_distance_grad<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<(T, Samples<Array2<T>>)> {
    T::energy_distance_grad(points)
}

/// Minus the distance.
struct MinusDistance;

impl Radial for MinusDistance {
    #[inline(always)]
    fn at<const FMA: bool>(&self, distances: &[f64], values: &mut [f64], slopes: &mut [f64]) {
        values.iter_mut().zip(distances).for_each(|(value, r)| *value = -r);
        slopes.fill(-1.0);
    }
}

pub(in crate::ratio) fn value<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<T> {
    let sides = Sides::new(points, 1)?;
    let value = sides.value(&MinusDistance, &sides.means(Pairs::All));
    to_finite(value * sides.clouds.unit, "real", Position::default())
}

/// Of a multiple of a distance the slope is in no unit.
pub(in crate::ratio) fn gradient<T: Real>(points: Samples<ArrayView2<'_, T>>) -> Result<(T, Samples<Array2<T>>)> {
    let sides = Sides::new(points, 1)?;
    let (value, gradient) = sides.gradient(&MinusDistance, &sides.means(Pairs::All));
    let real = laid_out(points.real.dim().into(), &gradient.real, "real")?;
    let fake = laid_out(points.fake.dim().into(), &gradient.fake, "fake")?;
    Ok((to_finite(value * sides.clouds.unit, "real", Position::default())?, Samples { real, fake }))
}
