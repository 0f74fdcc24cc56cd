//! The Wasserstein distance on a circle.

use super::ring::Ring;
use super::turned::cost;
use crate::transport::Measure;
use crate::transport::line::power::Power;
use crate::transport::line::slopes::{End, MeasureGradient, centered, potentials, slopes};
use crate::transport::line::wasserstein_1d::fitting;
use crate::{Real, Result};

/// `W_p^p` on a circle: the least cost of moving one measure onto another, at `|distance|^p` for each unit of mass, the
/// shorter way round.
///
/// ```math
/// W_p^p(x, y) = \min_{\gamma \in \Pi(x, y)} \int \min_{k \in \mathbb{Z}} |s - t + k c|^p \, d\gamma(s, t)
/// = \min_{\theta} \int_0^m |F_x^{-1}(u) - F_y^{-1}(u + \theta)|^p \, du
/// ```
///
/// `c` is the `period`: positions are taken modulo it, so 1 is for shares of a turn and `2π` for radians; distances are
/// along the circle, at most `c/2`. The quantile functions go on as `F⁻¹(u + m) = F⁻¹(u) + c`, where `m` is the common
/// total, and no root is taken, as in [`wasserstein_1d`](crate::transport::wasserstein_1d()), which is never below.
///
/// Exact up to rounding. With `p = 1` the best shift is the median, weighted by lengths, of the difference of the
/// distribution functions: `O(n)` beyond the sorts. Otherwise the cost is a convex function of the shift, piecewise linear,
/// whose least value is found between tangents that close in on it, each for one pass. The result is then formed anew
/// from the atoms that start together, so that no mass is split by the shift. A circle below 1e-154 is enlarged by a power of
/// two first, down to a period of 5e-324.
///
/// # Errors
///
/// - [`Error::Parameter`](crate::Error::Parameter): `p` is not finite or below 1, `period` is not finite or not above zero.
/// - [`Error::Value`](crate::Error::Value): a point that holds mass is not finite, or a weight is not finite or below zero.
/// - [`Error::Shape`](crate::Error::Shape), [`Error::Empty`](crate::Error::Empty), [`Error::NoMass`](crate::Error::NoMass), [`Error::Unbalanced`](crate::Error::Unbalanced): as [`wasserstein_1d`](crate::transport::wasserstein_1d()).
/// - [`Error::Overflow`](crate::Error::Overflow): the result, a total or `(4c)^p` does not fit; for the last the period is named.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
/// # use loglik::transport::{Measure, wasserstein_1d, wasserstein_circle};
/// let (evening, morning) = (Measure::uniform(aview1(&[23.0_f64, 1.0])), Measure::uniform(aview1(&[0.0, 2.0])));
/// assert_eq!(wasserstein_circle(evening, morning, 1.0, 24.0)?, 1.0); // hours
/// assert_eq!(wasserstein_1d(evening, morning, 1.0)?, 11.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Delon, Salomon and Sobolevski, *Fast transport optimization for Monge costs on the circle*, SIAM J. Appl. Math. 2010,
/// [arXiv:0902.3527](https://arxiv.org/abs/0902.3527). Rabin, Delon and Gousseau, *Transportation distances on the circle*,
/// J. Math. Imaging Vis. 2011, [arXiv:0906.5499](https://arxiv.org/abs/0906.5499).
pub fn wasserstein_circle<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64, period: f64) -> Result<T> {
    T::wasserstein_circle(x, y, p, period)
}

pub(in crate::transport) fn value<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64, period: f64) -> Result<T> {
    let power = Power::new(p)?;
    let ring = Ring::new(x, y, period, p)?;
    let (x, y, unit) = ring.turned(ring.best(power));
    fitting(unit * cost(&x, &y, power) * ring.back(p))
}

/// [`wasserstein_circle`] and its gradient in the points and in the weights of both measures.
///
/// The formulas are those of [`wasserstein_1d_grad`](crate::transport::wasserstein_1d_grad), along the best plan around the
/// circle, and so is what is said there of points in one place and of `p = 1`. Where both quantile functions jump at once
/// the rises of the potentials are between the slopes to both sides, and such that those of a whole turn sum to zero.
///
/// The value has the bits of [`wasserstein_circle`].
///
/// # Errors
///
/// As [`wasserstein_circle`]; [`Error::Overflow`](crate::Error::Overflow) also where a slope or a potential does not fit
/// the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}, transport::wasserstein_circle_grad};
/// # use loglik::transport::Measure;
/// let (evening, morning) = (Measure::uniform(aview1(&[23.0_f64])), Measure::uniform(aview1(&[1.0])));
/// let (value, gradient, _) = wasserstein_circle_grad(evening, morning, 2.0, 24.0)?;
/// assert_eq!((value, gradient.points), (4.0, array![-4.0])); // later is nearer
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn wasserstein_circle_grad<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
    period: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    T::wasserstein_circle_grad(x, y, p, period)
}

pub(in crate::transport) fn gradient<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
    period: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    let power = Power::new(p)?;
    let (ring, places) = Ring::with_places(x, y, period, p)?;
    let starts = ring.best(power);
    let (from, to, unit) = ring.turned(starts);
    let value = fitting(unit * cost(&from, &to, power) * ring.back(p))?;
    let gradient = [slopes(&from, &to, unit, power), potentials(&from, &to, power, End::Closed).map(centered)];
    ring.laid((x, y), places, value, starts, gradient, [p - 1.0, p])
}
