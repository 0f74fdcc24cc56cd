//! The Wasserstein distance on a circle: the line's, from the best place to cut it open.

mod cuts;
pub(in crate::transport) mod distance;
mod longest;
mod median;
mod search;

use super::measure::Atoms;
use super::merge::{Side, Sorted, Sum, level, walk};
use super::power::Power;
use super::slopes::{self, End, MeasureGradient, centered, potentials, slopes};
use super::wasserstein_1d::fitting;
use crate::error::Position;
use crate::transport::Measure;
use crate::{Error, Real, Result, check, parallel};

pub use distance::{wasserstein_circle_distance, wasserstein_circle_distance_grad};

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
/// from the atoms that start together, so that no mass is split by the shift. A circle below 1e-154 is enlarged by a power of
/// two first, down to a period of 5e-324.
///
/// # Errors
///
/// - [`Error::Parameter`]: `p` is not finite or below 1, `period` is not finite or not above zero.
/// - [`Error::Value`]: a point that holds mass is not finite, or a weight is not finite or below zero.
/// - [`Error::Shape`], [`Error::Empty`], [`Error::NoMass`], [`Error::Unbalanced`]: as [`wasserstein_1d`](super::wasserstein_1d()).
/// - [`Error::Overflow`]: the result, a total or `(4c)^p` does not fit; for the last the period is named.
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
/// The formulas are those of [`wasserstein_1d_grad`](super::wasserstein_1d_grad), along the best plan around the circle, and so
/// is what is said there of points in one place and of `p = 1`. Where both quantile functions jump at once the rises of the
/// potentials are between the slopes to both sides, and such that those of a whole turn sum to zero.
///
/// The value has the bits of [`wasserstein_circle`].
///
/// # Errors
///
/// As [`wasserstein_circle`]; [`Error::Overflow`] also where a slope or a potential does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::{array, aview1}, transport::wasserstein_circle_grad};
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

/// Both sides, sorted by where they are on the circle.
struct Ring {
    sides: [Atoms; 2],
    period: f64,
    /// What everything has been multiplied by, a power of two.
    scale: f64,
}

/// The logarithm, base 2, of what a tiny circle is multiplied by. Nothing is rounded by it, where halves of subnormal numbers
/// would be.
const ENLARGEMENT: f64 = 512.0;

impl Ring {
    fn new<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, period: f64, p: f64) -> Result<Self> {
        let scale = Self::scale(period)?;
        let mut sides = Atoms::both(x, y)?;
        let bytes = 16 * (sides[0].len() + sides[1].len());
        parallel::for_each(sides.iter_mut().collect(), bytes, |atoms| {
            atoms.move_points(|point| scale * wrapped(point, period));
            atoms.sort();
        });
        Self { sides, period: scale * period, scale }.fitting(p)
    }

    /// The same, and where each atom stood.
    fn with_places<T: Real>(
        x: Measure<'_, T>,
        y: Measure<'_, T>,
        period: f64,
        p: f64,
    ) -> Result<(Self, [Vec<usize>; 2])> {
        let scale = Self::scale(period)?;
        let (sides, places) = Atoms::both_sorted(x, y, |point| scale * wrapped(point, period))?;
        Ok((Self { sides, period: scale * period, scale }.fitting(p)?, places))
    }

    fn scale(period: f64) -> Result<f64> {
        check::positive("period", period)?;
        Ok(if period < (-ENLARGEMENT).exp2() { ENLARGEMENT.exp2() } else { 1.0 })
    }

    /// No shift that is looked at may cost more than fits.
    fn fitting(self, p: f64) -> Result<Self> {
        let largest = (4.0 * self.period).powf(p) * self.sides[0].total();
        if largest.is_finite() { Ok(self) } else { Err(Error::overflow::<f64>("period", Position::default())) }
    }

    /// What takes a number that grows as this power of the circle back to the caller's unit.
    fn back(&self, power: f64) -> f64 {
        if self.scale == 1.0 { 1.0 } else { (-ENLARGEMENT * power).exp2() }
    }

    /// The first atoms of the best plan.
    fn best(&self, power: Power) -> [Start; 2] {
        let (x, y, _) = level(&self.sides[0], &self.sides[1]);
        match power {
            Power::First => median::start(&x, &y, self.period),
            _ => search::start(&x, &y, power, self.period),
        }
    }

    /// Both sides from these atoms on, and what a unit of their masses stands for.
    fn turned(&self, [from_x, from_y]: [Start; 2]) -> (Turned<'_>, Turned<'_>, f64) {
        let (x, y, unit) = level(&self.sides[0], &self.sides[1]);
        (Turned::whole(x, from_x, self.period), Turned::whole(y, from_y, self.period), unit)
    }

    /// The gradient where the caller has its points, from that along a plan. Slopes and potentials grow as these powers of the
    /// circle.
    fn laid<T: Real>(
        &self,
        measures: (Measure<'_, T>, Measure<'_, T>),
        places: [Vec<usize>; 2],
        value: T,
        starts: [Start; 2],
        [mut slopes, mut potentials]: [[Vec<f64>; 2]; 2],
        powers: [f64; 2],
    ) -> Result<(T, MeasureGradient<T>, MeasureGradient<T>)> {
        for (sides, power) in [(&mut slopes, powers[0]), (&mut potentials, powers[1])] {
            let back = self.back(power);
            for (side, start) in sides.iter_mut().zip(starts) {
                side.iter_mut().for_each(|value| *value *= back);
                side.rotate_right(start.atom);
            }
        }
        let [in_x, in_y] = slopes::laid(measures, places, slopes, potentials)?;
        Ok((value, in_x, in_y))
    }
}

/// The point modulo the period, between `-period/2` and `period/2`, where the remainder is exact. Halves of the period are
/// compared by what is left of it, which rounds no half of a subnormal number.
fn wrapped(point: f64, period: f64) -> f64 {
    let rest = point % period;
    match rest {
        _ if rest >= period - rest => rest - period,
        _ if -rest > period + rest => rest + period,
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
