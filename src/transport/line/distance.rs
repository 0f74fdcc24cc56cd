//! The distance on a line with its root, for any order up to infinity.

use super::longest::{longest, share_out, slack};
use super::measure::Atoms;
use super::merge::level;
use super::root::{Order, Root, gradient_of_way};
use super::slopes::{End, MeasureGradient, laid, wasserstein_1d_grad};
use super::wasserstein_1d::{cost, fitting, wasserstein_1d};
use crate::transport::Measure;
use crate::{Real, Result, parallel};

/// `W_p` itself on the line, for `1 <= p <= ∞`.
///
/// ```math
/// W_p(x, y) = \Bigl(\int_0^m |F_x^{-1}(u) - F_y^{-1}(u)|^p \, du\Bigr)^{1/p}, \qquad
/// W_\infty(x, y) = \max_u |F_x^{-1}(u) - F_y^{-1}(u)|
/// ```
///
/// It is [`wasserstein_1d`](super::wasserstein_1d()) to the power `1/p`, in the unit of the points, and has its bits at
/// `p = 1`. Each distance between two points is divided by the longest one that mass goes before it is raised to `p`, so
/// that nothing overflows or vanishes, with points up to 1e200 and with `p = 1e6`. Good to some ulp.
///
/// **Masses that are round-off.** At a finite `p` every mass counts, and at a large `p` a small mass counts almost as much as
/// a large one: weights 0.1 and 0.2 on one side and 0.3 on the other leave 6e-17, and `(6e-17)^(1/200)` is 0.83. At `p = ∞`
/// the weights are first divided by their totals, and masses are ignored up to what the rounding of weights and sums makes:
/// one spacing of the element type at 1, and `2^-52` for each point. Measures without weights have no such round-off.
///
/// # Errors
///
/// As [`wasserstein_1d`](super::wasserstein_1d()), but that `p` may be infinite; [`Error::Overflow`](crate::Error::Overflow)
/// only where the distance itself does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1, transport::wasserstein_1d_distance};
/// # use loglik::transport::Measure;
/// let here = Measure::uniform(aview1(&[0.0_f64, 10.0]));
/// let there = Measure::uniform(aview1(&[3.0, 14.0]));
/// assert!((wasserstein_1d_distance(here, there, 2.0)? - 12.5_f64.sqrt()).abs() < 1e-15);
/// assert!((wasserstein_1d_distance(here, there, 1e4)? - 4.0).abs() < 1e-3); // 4 · 2^(-1/p)
/// assert_eq!(wasserstein_1d_distance(here, there, f64::INFINITY)?, 4.0);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Villani, *Topics in Optimal Transportation*, 2003, sections 2.2 and 7.1.2. Of order infinity: Champion, De Pascale and
/// Juutinen, *The ∞-Wasserstein distance*, SIAM J. Math. Anal. 2008.
pub fn wasserstein_1d_distance<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64) -> Result<T> {
    T::wasserstein_1d_distance(x, y, p)
}

pub(in crate::transport) fn value<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64) -> Result<T> {
    let order = Order::new(p)?;
    if let Order::First = order {
        return wasserstein_1d(x, y, p);
    }
    let mut sides = Atoms::both(x, y)?;
    let bytes = 16 * (sides[0].len() + sides[1].len());
    parallel::for_each(sides.iter_mut().collect(), bytes, Atoms::sort);
    fitting(match order {
        Order::Finite(p) => root(&sides[0], &sides[1], p).value(),
        _ => {
            share_out(&mut sides);
            let (x, y, _) = level(&sides[0], &sides[1]);
            longest(&x, &y, slack(&sides[0], &sides[1], T::epsilon().as_f64())).distance.abs()
        }
    })
}

/// [`wasserstein_1d_distance`] and its gradient in the points and in the weights of both measures.
///
/// ```math
/// \frac{\partial W_p}{\partial x_i} = \sum_j \gamma_{ij}\, \Bigl(\frac{|x_i - y_j|}{W_p}\Bigr)^{p-1} \operatorname{sign}(x_i - y_j), \qquad
/// \frac{\partial W_p}{\partial a_i} = \frac{f_i}{p\, W_p^{p-1}}
/// ```
///
/// with the plan and the potentials of [`wasserstein_1d_grad`](super::wasserstein_1d_grad), and what is said there of points
/// in one place and of quantiles that jump at once. At the distance 0, where a root has no slope, the gradient is 0, which
/// is one of its subgradients in the points.
///
/// At `p = ∞` only the longest way moves the distance: the gradient is 1 at one of its ends and -1 at the other, 0 elsewhere.
/// Of several longest ways it is the first on the line, the one with the lowest quantiles; any mean of them would be a
/// subgradient as well. In the weights it is 0: as long as some mass goes the longest way, it does not matter how much.
///
/// # Errors
///
/// As [`wasserstein_1d_distance`]; [`Error::Overflow`](crate::Error::Overflow) also where a potential does not fit, which at
/// large p it may not where neighboring points are many times as far apart as the measures.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}, transport::wasserstein_1d_distance_grad};
/// # use loglik::transport::Measure;
/// let here = Measure::uniform(aview1(&[0.0_f64, 10.0]));
/// let there = Measure::uniform(aview1(&[3.0, 14.0]));
/// let (value, gradient, _) = wasserstein_1d_distance_grad(here, there, f64::INFINITY)?;
/// assert_eq!((value, gradient.points), (4.0, array![0.0, -1.0]));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn wasserstein_1d_distance_grad<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    T::wasserstein_1d_distance_grad(x, y, p)
}

pub(in crate::transport) fn gradient<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    let order = Order::new(p)?;
    if let Order::First = order {
        return wasserstein_1d_grad(x, y, p);
    }
    let (mut sides, places) = Atoms::both_sorted(x, y, |point| point)?;
    let (value, [slopes, potentials]) = match order {
        Order::Finite(p) => {
            let root = root(&sides[0], &sides[1], p);
            let (x, y, unit) = level(&sides[0], &sides[1]);
            (root.value(), root.gradient(&x, &y, unit, End::Open))
        }
        _ => {
            share_out(&mut sides);
            let (x, y, _) = level(&sides[0], &sides[1]);
            let way = longest(&x, &y, slack(&sides[0], &sides[1], T::epsilon().as_f64()));
            (way.distance.abs(), gradient_of_way(way, &x, &y))
        }
    };
    let value = fitting(value)?;
    let [in_x, in_y] = laid((x, y), places, slopes, potentials)?;
    Ok((value, in_x, in_y))
}

/// The distance between sorted measures.
pub(super) fn root(x: &Atoms, y: &Atoms, p: f64) -> Root {
    let (from, to, _) = level(x, y);
    let unit = longest(&from, &to, 0.0).distance.abs();
    let sum = if unit > 0.0 { cost(x, y, Root::power(p, unit)) } else { 0.0 };
    Root { p, unit, sum }
}
