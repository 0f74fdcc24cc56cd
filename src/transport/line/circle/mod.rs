//! The Wasserstein distance on a circle: the line's, from the best place to cut it open.

mod median;
mod search;

use super::measure::Atoms;
use super::merge::{Side, Sorted, Sum, level, walk};
use super::power::Power;
use super::wasserstein_1d::fitting;
use crate::error::Position;
use crate::transport::Measure;
use crate::{Error, Real, Result, check, parallel};

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
/// total, and no root is taken, as in [`wasserstein_1d`](super::wasserstein_1d()), which is never below.
///
/// Exact up to rounding. With `p = 1` the best shift is the median, weighted by lengths, of the difference of the
/// distribution functions: `O(n)` beyond the sorts. Otherwise the cost is a convex function of the shift, piecewise linear,
/// whose least value is found between tangents that close in on it, each for one pass. The result is then formed anew
/// from the atoms that start together, so that no mass is split by the shift.
///
/// # Errors
///
/// - [`Error::Parameter`]: `p` is not finite or below 1, `period` is not finite or not above zero.
/// - [`Error::Value`]: a point that holds mass is not finite, or a weight is not finite or below zero.
/// - [`Error::Shape`], [`Error::Empty`], [`Error::NoMass`], [`Error::Unbalanced`]: as [`wasserstein_1d`](super::wasserstein_1d()).
/// - [`Error::Overflow`]: the result, a total or `(4c)^p` does not fit.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::aview1};
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
    let power = Power::new(p)?;
    check::positive("period", period)?;
    let mut sides = Atoms::both(x, y)?;
    let bytes = 16 * (sides[0].len() + sides[1].len());
    parallel::for_each(sides.iter_mut().collect(), bytes, |atoms| {
        atoms.move_points(|point| wrapped(point, period));
        atoms.sort();
    });
    if !(power.of(4.0 * period) * sides[0].total()).is_finite() {
        return Err(Error::overflow::<f64>("x.points", Position::default()));
    }
    let (x, y, unit) = level(&sides[0], &sides[1]);
    let [from_x, from_y] = match power {
        Power::First => median::start(&x, &y, period),
        _ => search::start(&x, &y, power, period),
    };
    fitting(unit * cost(&Turned::whole(x, from_x, period), &Turned::whole(y, from_y, period), power))
}

/// The point modulo the period, between `-period/2` and `period/2`, where the remainder is exact.
fn wrapped(point: f64, period: f64) -> f64 {
    let rest = point % period;
    match rest {
        _ if rest >= 0.5 * period => rest - period,
        _ if rest < -0.5 * period => rest + period,
        _ => rest + 0.0, // one zero for both
    }
}

fn cost(x: &Turned<'_>, y: &Turned<'_>, power: Power) -> f64 {
    let mut sum = Sum::default();
    walk(x, y, |step| sum.add(step.mass * power.of(step.distance)));
    sum.total()
}

/// From which atom on a side is read, and how far around that one lies.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    atom: usize,
    lift: f64,
}

impl Start {
    /// The atom that is so many places behind the first one; `n` atoms make a turn.
    fn new(place: usize, n: usize, lift: f64, period: f64) -> Self {
        Self { atom: place % n, lift: lift + (place / n) as f64 * period }
    }
}

/// A sorted side, read around the circle once. The atom that is read first may be split: the rest of it comes last.
struct Turned<'a> {
    side: Sorted<'a>,
    start: Start,
    begin: f64,
    end: Option<f64>,
    period: f64,
}

impl<'a> Turned<'a> {
    /// No atom is split.
    fn whole(side: Sorted<'a>, start: Start, period: f64) -> Self {
        Self { side, start, begin: side.mass(start.atom), end: None, period }
    }

    fn atoms(&self) -> usize {
        self.side.last() + 1
    }
}

impl Side for Turned<'_> {
    #[inline]
    fn last(&self) -> usize {
        self.side.last() + usize::from(self.end.is_some())
    }

    #[inline]
    fn point(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        self.side.point(if place < self.atoms() { place } else { place - self.atoms() })
    }

    #[inline]
    fn mass(&self, index: usize) -> f64 {
        let place = self.start.atom + index;
        match index {
            0 => self.begin,
            _ if index == self.atoms() => self.end.unwrap_or(0.0),
            _ => self.side.mass(if place < self.atoms() { place } else { place - self.atoms() }),
        }
    }

    #[inline]
    fn lift(&self, index: usize) -> f64 {
        let turned = self.start.atom + index >= self.atoms();
        self.start.lift + if turned { self.period } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
