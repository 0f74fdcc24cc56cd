//! Where to start on the circle for powers above the first: the least of a convex function of the shift.

use super::{Start, Turned};
use crate::reduction::Total;
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::{Side, Sorted, Sum, distance, walk};
use crate::transport::line::power::Power;

/// Tangents of the cost, by the shift of the quantiles of y.
struct Tangents<'a> {
    x: Turned<'a>,
    y: Sorted<'a>,
    /// Mass of y up to the end of each atom.
    ends: Vec<f64>,
    power: Power,
    period: f64,
}

/// What a shift costs.
#[derive(Clone, Copy)]
struct Tangent {
    shift: f64,
    cost: f64,
    slope: f64,
    /// The atoms that start most nearly together.
    starts: [Start; 2],
}

/// The first atoms of the best plan. At its shift an atom of x and one of y start together, for between such shifts the cost
/// is linear.
pub(super) fn start(x: &Sorted<'_>, y: &Sorted<'_>, power: Power, period: f64) -> [Start; 2] {
    let mut total = Total::default();
    let ends = (0..=y.last()).map(|j| {
        total.add(y.mass(j));
        total.value()
    });
    let ends: Vec<f64> = ends.collect();
    let x = Turned::whole(*x, Start { atom: 0, lift: 0.0 }, period);
    Tangents { x, y: *y, ends, power, period }.least().starts
}

impl Tangents<'_> {
    fn total(&self) -> f64 {
        self.ends[self.ends.len() - 1]
    }

    /// Closes in on the least cost. Beyond one turn to either side all mass would go the same way round, further than it must.
    fn least(&self) -> Tangent {
        let mut best = self.at(0.0);
        if best.cost == 0.0 || best.slope == 0.0 {
            return best;
        }
        let other = self.at(if best.slope < 0.0 { self.total() } else { -self.total() });
        let (mut low, mut high) = if best.slope < 0.0 { (best, other) } else { (other, best) };
        best = if other.cost < best.cost { other } else { best };
        for turn in 0.. {
            if high.shift - low.shift < 2.0 * self.grain() || is_certain(&low, &high, best.cost) {
                break;
            }
            let found = self.at(self.probe(&low, &high, turn));
            if found.cost <= best.cost {
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

    /// Shifts that are closer are the same: whole masses are compared as they are, others with the roundings of their sums.
    fn grain(&self) -> f64 {
        if self.has_whole_masses() { 1.0 } else { 4.0 * f64::EPSILON * self.total() }
    }

    fn has_whole_masses(&self) -> bool {
        matches!((self.x.side.atoms, self.y.atoms), (Atoms::Equal(_), Atoms::Equal(_)))
    }

    /// Where to look next: where the slope would be zero if it were linear, where the tangents meet, which is the end of the
    /// search if both belong to neighbouring pieces, and half way, so that every third step halves what is left.
    fn probe(&self, low: &Tangent, high: &Tangent, turn: usize) -> f64 {
        let (width, bend) = (high.shift - low.shift, high.slope - low.slope);
        let step = match turn % 3 {
            0 => -low.slope * width / bend,
            1 => meeting(low, high),
            _ => 0.5 * width,
        };
        let step = if step.is_finite() { step } else { 0.5 * width };
        let shift = low.shift + step;
        let shift = if self.has_whole_masses() { shift.round() } else { shift };
        shift.max(low.shift + self.grain()).min(high.shift - self.grain())
    }

    fn at(&self, shift: f64) -> Tangent {
        let (total, atoms) = (self.total(), self.ends.len());
        let turns = (shift / total).floor();
        let offset = (shift - turns * total).clamp(0.0, total);
        let atom = self.ends.partition_point(|&end| end <= offset).min(atoms - 1);
        let begin = (self.ends[atom] - offset).clamp(0.0, self.y.mass(atom));
        let (end, lift) = (self.y.mass(atom) - begin, turns * self.period);
        let y = Turned { side: self.y, start: Start { atom, lift }, begin, end: Some(end), period: self.period };
        let (mut cost, mut slope) = (Sum::default(), Sum::default());
        let (mut together, mut nearest) = ([0, 1], begin);
        walk(&self.x, &y, |step| {
            cost.add(step.mass * self.power.of(step.distance));
            if (step.x_ends || step.y_ends) && step.rest < nearest {
                (together, nearest) = ([step.x + 1, step.y + 1], step.rest);
            }
            if step.y_ends {
                // Mass at the end of an atom of y goes to the next one instead.
                slope.add(self.power.rise(step.distance, distance(&y, step.y, &y, step.y + 1)));
            }
        });
        let starts = [
            Start::new(together[0], self.x.atoms(), 0.0, self.period),
            Start::new(atom + together[1], atoms, lift, self.period),
        ];
        Tangent { shift, cost: cost.total(), slope: slope.total(), starts }
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
