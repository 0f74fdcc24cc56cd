//! The distance itself: the root of a cost that is summed by the longest way, so that no power overflows.

use super::longest::Way;
use super::merge::Side;
use super::power::Power;
use super::slopes::{End, centered, potentials, slopes};
use crate::{Result, check};

/// The order of a distance.
#[derive(Clone, Copy)]
pub(super) enum Order {
    /// The distance is the cost.
    First,
    /// The root of a cost.
    Finite(f64),
    /// The longest way.
    Infinite,
}

impl Order {
    /// `p` must be at least 1, and may be infinite.
    pub(super) fn new(p: f64) -> Result<Self> {
        check::parameter("p", p, ">= 1", p >= 1.0)?;
        Ok(match p {
            1.0 => Self::First,
            f64::INFINITY => Self::Infinite,
            p => Self::Finite(p),
        })
    }
}

/// Numbers of the atoms of both sides.
pub(super) type Both = [Vec<f64>; 2];

/// A distance of finite order, `unit · sum^(1/p)`.
#[derive(Clone, Copy)]
pub(super) struct Root {
    pub(super) p: f64,
    /// A way, of which others are fractions or not too many times as long; 0 where nothing moves.
    pub(super) unit: f64,
    /// `Σ mass (|d| / unit)^p`.
    pub(super) sum: f64,
}

impl Root {
    /// What is summed.
    pub(super) fn power(p: f64, unit: f64) -> Power {
        Power::Scaled { p, unit }
    }

    /// `W_p`.
    pub(super) fn value(&self) -> f64 {
        if self.unit == 0.0 { 0.0 } else { self.unit * self.root() }
    }

    fn root(&self) -> f64 {
        if self.p == 2.0 { self.sum.sqrt() } else { self.sum.powf(self.p.recip()) }
    }

    /// The slope of the distance, from that of the sum by `d / unit`.
    pub(super) fn slope(&self, of_sum: f64) -> f64 {
        of_sum / self.sum * (self.root() / self.p)
    }

    /// Slopes along a plan, whose masses count in `mass_unit`; zeros at the distance 0.
    pub(super) fn slopes(&self, x: &impl Side, y: &impl Side, mass_unit: f64) -> Both {
        if self.unit == 0.0 {
            return still(x, y);
        }
        let of_sum = slopes(x, y, mass_unit, Self::power(self.p, self.unit));
        of_sum.map(|side| side.into_iter().map(|slope| self.slope(slope)).collect())
    }

    /// Slopes, and potentials.
    pub(super) fn gradient(&self, x: &impl Side, y: &impl Side, mass_unit: f64, end: End) -> [Both; 2] {
        let of_points = self.slopes(x, y, mass_unit);
        if self.unit == 0.0 {
            return [of_points, still(x, y)];
        }
        let of_sum = potentials(x, y, Self::power(self.p, self.unit), end);
        let of_weights = of_sum.map(|side| centered(side.into_iter().map(|f| self.unit * self.slope(f)).collect()));
        [of_points, of_weights]
    }
}

/// The gradient of the longest way: its two ends move it, and no mass does as long as some goes there.
pub(super) fn gradient_of_way(way: Way, x: &impl Side, y: &impl Side) -> [Both; 2] {
    let mut slopes = still(x, y);
    if way.distance != 0.0 {
        slopes[0][way.x] = way.distance.signum();
        slopes[1][way.y] = -way.distance.signum();
    }
    [slopes, still(x, y)]
}

fn still(x: &impl Side, y: &impl Side) -> Both {
    [vec![0.0; x.last() + 1], vec![0.0; y.last() + 1]]
}
