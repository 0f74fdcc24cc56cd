//! The distance on a circle with its root, and its gradient.

use super::ring::Ring;
use super::turned::{Start, Turned, cost};
use super::wasserstein_circle::{wasserstein_circle, wasserstein_circle_grad};
use super::{longest as whole, search};
use crate::transport::Measure;
use crate::transport::line::longest::{Way, longest, share_out, slack};
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::{Sorted, level};
use crate::transport::line::root::{Both, Order, Root, gradient_of_way};
use crate::transport::line::slopes::{End, MeasureGradient};
use crate::transport::line::wasserstein_1d::fitting;
use crate::{Real, Result};

/// `W_p` itself on a circle, for `1 <= p <= ∞`: the distance on the line from the best place to cut the circle open.
///
/// ```math
/// W_p(x, y) = \min_{\theta} \Bigl(\int_0^m |F_x^{-1}(u) - F_y^{-1}(u + \theta)|^p \, du\Bigr)^{1/p}, \qquad
/// W_\infty(x, y) = \min_{\theta} \max_u |F_x^{-1}(u) - F_y^{-1}(u + \theta)|
/// ```
///
/// [`wasserstein_circle`](crate::transport::wasserstein_circle()) to the power `1/p`, with its bits at `p = 1`, and at most
/// half of the `period`. What [`wasserstein_1d_distance`](crate::transport::wasserstein_1d_distance) says of large powers,
/// and of masses that are round-off, holds here. At `p = ∞` bisection finds the cut at which the longest ways in both
/// directions have one length.
///
/// # Errors
///
/// As [`wasserstein_circle`](crate::transport::wasserstein_circle()), but `p` may be infinite, and powers need not fit the
/// type; [`Error::Overflow`](crate::Error::Overflow) where four times the `period` does not.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1, transport::wasserstein_circle_distance};
/// # use loglik::transport::Measure;
/// let (evening, morning) = (Measure::uniform(aview1(&[23.0_f64, 1.0])), Measure::uniform(aview1(&[0.0, 3.0])));
/// assert_eq!(wasserstein_circle_distance(evening, morning, f64::INFINITY, 24.0)?, 2.0); // hours
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// As [`wasserstein_circle`](crate::transport::wasserstein_circle()).
pub fn wasserstein_circle_distance<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64, period: f64) -> Result<T> {
    T::wasserstein_circle_distance(x, y, p, period)
}

pub(in crate::transport) fn value<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, p: f64, period: f64) -> Result<T> {
    let order = Order::new(p)?;
    if let Order::First = order {
        return wasserstein_circle(x, y, p, period);
    }
    let mut ring = Ring::new(x, y, period, 1.0)?;
    let distance = match order {
        Order::Finite(p) => best_root(&ring, p).0.value(),
        _ => {
            share_out(&mut ring.sides);
            best_way(&ring, T::epsilon().as_f64()).0.distance.abs()
        }
    };
    fitting(distance * ring.back(1.0))
}

/// [`wasserstein_circle_distance`] and its gradient in the points and in the weights of both measures.
///
/// The formulas are those of [`wasserstein_1d_distance_grad`](crate::transport::wasserstein_1d_distance_grad), along the
/// best plan around the circle, and so are the values at the distance 0 and at `p = ∞`; there, of several longest ways, it
/// is the first one behind the cut. A point moves by its distance along the circle; going on for a turn changes nothing.
///
/// # Errors
///
/// As [`wasserstein_circle_distance`]; [`Error::Overflow`](crate::Error::Overflow) also where a potential does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}, transport::wasserstein_circle_distance_grad};
/// # use loglik::transport::Measure;
/// let (evening, morning) = (Measure::uniform(aview1(&[23.0_f64])), Measure::uniform(aview1(&[1.5])));
/// let (value, gradient, _) = wasserstein_circle_distance_grad(evening, morning, 2.0, 24.0)?;
/// assert_eq!((value, gradient.points), (2.5, array![-1.0])); // later is nearer
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn wasserstein_circle_distance_grad<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
    period: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    T::wasserstein_circle_distance_grad(x, y, p, period)
}

pub(in crate::transport) fn gradient<T: Real>(
    x: Measure<'_, T>,
    y: Measure<'_, T>,
    p: f64,
    period: f64,
) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
    let order = Order::new(p)?;
    if let Order::First = order {
        return wasserstein_circle_grad(x, y, p, period);
    }
    let (mut ring, places) = Ring::with_places(x, y, period, 1.0)?;
    let (value, starts, gradient): (f64, [Start; 2], [Both; 2]) = match order {
        Order::Finite(p) => {
            let (root, starts) = best_root(&ring, p);
            let (x, y, unit) = ring.turned(starts);
            (root.value(), starts, root.gradient(&x, &y, unit, End::Closed))
        }
        _ => {
            share_out(&mut ring.sides);
            let (way, starts) = best_way(&ring, T::epsilon().as_f64());
            let (x, y, _) = ring.turned(starts);
            (way.distance.abs(), starts, gradient_of_way(way, &x, &y))
        }
    };
    ring.laid((x, y), places, fitting(value * ring.back(1.0))?, starts, gradient, [0.0, 1.0])
}

/// The longest way of the best plan, and the first atoms of that plan.
fn best_way(ring: &Ring, epsilon: f64) -> (Way, [Start; 2]) {
    let (x, y, _) = level(&ring.sides[0], &ring.sides[1]);
    let slack = slack(&ring.sides[0], &ring.sides[1], epsilon);
    let starts = whole::start(&x, &y, ring.period, slack);
    let (x, y, _) = ring.turned(starts);
    (longest(&x, &y, slack), starts)
}

/// The root of the least cost, and the first atoms of its plan.
///
/// Distances are divided by the longest way of a plan that is near the best one. Where all ways of the best plan are far
/// shorter, their powers vanish: then the search is repeated with that plan's longest way as the unit.
fn best_root(ring: &Ring, p: f64) -> (Root, [Start; 2]) {
    const TOO_SMALL: f64 = 1e-200;
    let (x, y, mass_unit) = level(&ring.sides[0], &ring.sides[1]);
    let at =
        |[from_x, from_y]: [Start; 2]| (Turned::whole(x, from_x, ring.period), Turned::whole(y, from_y, ring.period));
    let mut starts = whole::start(&x, &y, ring.period, 0.0);
    loop {
        let (from, to) = at(starts);
        let unit = longest(&from, &to, 0.0).distance.abs();
        if unit == 0.0 || !unit.is_finite() {
            return (Root { p, unit, sum: 0.0 }, starts);
        }
        let power = Root::power(p, unit);
        let sum = cost(&from, &to, power);
        let found = search::start(&x, &y, power, ring.period);
        let (from, to) = at(found);
        let least = cost(&from, &to, power);
        if least.is_nan() || least >= sum {
            return (Root { p, unit, sum: mass_unit * sum }, starts);
        }
        let is_small = least < TOO_SMALL * total(&x) && longest(&from, &to, 0.0).distance.abs() < unit;
        starts = found;
        if !is_small {
            return (Root { p, unit, sum: mass_unit * least }, starts);
        }
    }
}

/// All mass of a side, in its units.
fn total(side: &Sorted<'_>) -> f64 {
    match side.atoms {
        Atoms::Equal(points) => side.equal * points.len() as f64,
        Atoms::Weighted(_) => side.atoms.total(),
    }
}
