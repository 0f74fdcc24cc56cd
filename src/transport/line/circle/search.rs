//! Where to start on the circle for powers above the first: the least of a convex function of the shift.

use super::cuts::Cuts;
use super::turned::{self, Start, Turned};
use crate::transport::line::merge::{Sorted, Sum, gap, walk};
use crate::transport::line::power::Power;

/// Tangents of the cost, by the shift of the quantiles of y.
struct Tangents<'a> {
    cuts: Cuts<'a>,
    power: Power,
}

/// What a shift costs.
#[derive(Clone, Copy)]
struct Tangent {
    shift: f64,
    cost: f64,
    slope: f64,
    /// What the plan costs that starts with the atoms that start most nearly together.
    plan: f64,
    /// The atoms that start most nearly together.
    starts: [Start; 2],
}

/// The first atoms of the best plan. At its shift an atom of x and one of y start together, for between such shifts the cost
/// is linear.
pub(super) fn start(x: &Sorted<'_>, y: &Sorted<'_>, power: Power, period: f64) -> [Start; 2] {
    Tangents { cuts: Cuts::new(x, y, period), power }.least().starts
}

impl Tangents<'_> {
    /// Closes in on the least cost. Beyond one turn to either side all mass would go the same way round, further than it
    /// must.
    fn least(&self) -> Tangent {
        let mut best = self.at(0.0);
        if best.cost == 0.0 || best.slope == 0.0 {
            return best;
        }
        let other = self.at(if best.slope < 0.0 { self.cuts.total() } else { -self.cuts.total() });
        let (mut low, mut high) = if best.slope < 0.0 { (best, other) } else { (other, best) };
        best = if other.plan < best.plan { other } else { best };
        for turn in 0.. {
            if high.shift - low.shift < 2.0 * self.cuts.grain() || is_certain(&low, &high, best.plan) {
                break;
            }
            let found = self.at(self.probe(&low, &high, turn));
            if found.plan <= best.plan {
                best = found;
            }
            match found.slope {
                slope if slope < 0.0 => low = found,
                slope if slope > 0.0 => high = found,
                _ => break,
            }
        }
        best
    }

    /// Where to look next: where the slope would be zero if it were linear, where the tangents meet, which is the end of the
    /// search if both belong to neighboring pieces, and half way, so that every third step halves what is left.
    fn probe(&self, low: &Tangent, high: &Tangent, turn: usize) -> f64 {
        let (width, bend) = (high.shift - low.shift, high.slope - low.slope);
        let step = match turn % 3 {
            0 => -low.slope * width / bend,
            1 => meeting(low, high),
            _ => 0.5 * width,
        };
        let step = if step.is_finite() { step } else { 0.5 * width };
        let shift = low.shift + step;
        let shift = if self.cuts.has_whole_masses() { shift.round() } else { shift };
        shift.max(low.shift + self.cuts.grain()).min(high.shift - self.cuts.grain())
    }

    fn at(&self, shift: f64) -> Tangent {
        let (x, cut) = (&self.cuts.x, self.cuts.at(shift));
        let (mut cost, mut slope) = (Sum::default(), Sum::default());
        let mut together = cut.together();
        walk(x, &cut.y, |step| {
            cost.add(step.mass * self.power.of(step.distance));
            together.see(&step);
            if step.y_ends {
                // Mass at the end of an atom of y goes to the next one instead.
                slope.add(self.power.rise(step.distance, -gap(&cut.y, step.y)));
            }
        });
        let slope = match (self.power, slope.total()) {
            (Power::Scaled { p, .. }, slope) if slope == 0.0 || !slope.is_finite() => self.sign(p, shift),
            (_, slope) => slope,
        };
        let (cost, starts) = (cost.total(), cut.starts(&together));
        Tangent { shift, cost, slope, plan: self.plan(cost, starts), starts }
    }

    /// Beside a shift at which atoms start together, what is split off by a rounding goes a long way. A square of it is
    /// nothing, but a high power may be more than all else: what counts there is the plan at that shift itself.
    fn plan(&self, cost: f64, [from_x, from_y]: [Start; 2]) -> f64 {
        match self.power {
            Power::First | Power::Second => cost,
            _ => {
                let whole = |side, start| Turned::whole(side, start, self.cuts.period);
                turned::cost(&whole(self.cuts.x.side, from_x), &whole(self.cuts.y, from_y), self.power)
            }
        }
    }

    /// The sign of the slope where its terms do not fit, as an infinity of that sign: they are summed by the longest way that
    /// is among them.
    fn sign(&self, p: f64, shift: f64) -> f64 {
        let (x, cut) = (&self.cuts.x, self.cuts.at(shift));
        let (mut unit, mut slope) = (0.0_f64, Sum::default());
        walk(x, &cut.y, |step| {
            if step.y_ends {
                unit = unit.max(step.distance.abs()).max((step.distance - gap(&cut.y, step.y)).abs());
            }
        });
        let power = Power::Scaled { p, unit };
        walk(x, &cut.y, |step| {
            if step.y_ends {
                slope.add(power.rise(step.distance, -gap(&cut.y, step.y)));
            }
        });
        match slope.total() {
            slope if slope > 0.0 => f64::INFINITY,
            slope if slope < 0.0 => f64::NEG_INFINITY,
            _ => 0.0,
        }
    }
}

/// How far behind the lower shift the tangents meet.
fn meeting(low: &Tangent, high: &Tangent) -> f64 {
    let width = high.shift - low.shift;
    (low.cost - high.cost + high.slope * width) / (high.slope - low.slope)
}

/// Whether no shift between these costs less than the best one by more than rounding. Tangents of shifts that cost much
/// more cannot tell.
fn is_certain(low: &Tangent, high: &Tangent, best: f64) -> bool {
    let bound = low.cost + low.slope * meeting(low, high);
    low.cost.max(high.cost) <= 2.0 * best && best - bound <= 4.0 * f64::EPSILON * best
}
