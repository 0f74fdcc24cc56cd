//! Two measures on a circle, and the best place to cut it open.

use super::turned::{Start, Turned};
use super::{median, search};
use crate::error::Position;
use crate::transport::Measure;
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::level;
use crate::transport::line::power::Power;
use crate::transport::line::slopes::{self, MeasureGradient};
use crate::{Error, Real, Result, check, parallel};

/// Both sides, sorted by where they are on the circle.
pub(super) struct Ring {
    pub(super) sides: [Atoms; 2],
    pub(super) period: f64,
    /// What everything has been multiplied by, a power of two.
    scale: f64,
}

/// The logarithm, base 2, of what a tiny circle is multiplied by. Nothing is rounded by it, where halves of subnormal numbers
/// would be.
const ENLARGEMENT: f64 = 512.0;

impl Ring {
    pub(super) fn new<T: Real>(x: Measure<'_, T>, y: Measure<'_, T>, period: f64, p: f64) -> Result<Self> {
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
    pub(super) fn with_places<T: Real>(
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
    pub(super) fn back(&self, power: f64) -> f64 {
        if self.scale == 1.0 { 1.0 } else { (-ENLARGEMENT * power).exp2() }
    }

    /// The first atoms of the best plan.
    pub(super) fn best(&self, power: Power) -> [Start; 2] {
        let (x, y, _) = level(&self.sides[0], &self.sides[1]);
        match power {
            Power::First => median::start(&x, &y, self.period),
            _ => search::start(&x, &y, power, self.period),
        }
    }

    /// Both sides from these atoms on, and what a unit of their masses stands for.
    pub(super) fn turned(&self, [from_x, from_y]: [Start; 2]) -> (Turned<'_>, Turned<'_>, f64) {
        let (x, y, unit) = level(&self.sides[0], &self.sides[1]);
        (Turned::whole(x, from_x, self.period), Turned::whole(y, from_y, self.period), unit)
    }

    /// The gradient where the caller has its points, from that along a plan. Slopes and potentials grow as these powers of
    /// the circle.
    pub(super) fn laid<T: Real>(
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
pub(super) fn wrapped(point: f64, period: f64) -> f64 {
    let rest = point % period;
    match rest {
        _ if rest >= period - rest => rest - period,
        _ if -rest > period + rest => rest + period,
        _ => rest + 0.0, // one zero for both
    }
}
