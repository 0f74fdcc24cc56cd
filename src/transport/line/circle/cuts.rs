//! The ways to cut a circle open: by how much mass the quantiles of y are shifted against those of x.

use super::turned::{Start, Turned};
use crate::reduction::Total;
use crate::transport::line::measure::Atoms;
use crate::transport::line::merge::{Side, Sorted, Step};

/// Both sides, x read from its first atom.
pub(super) struct Cuts<'a> {
    pub(super) x: Turned<'a>,
    pub(super) y: Sorted<'a>,
    /// Mass of y up to the end of each atom.
    ends: Vec<f64>,
    pub(super) period: f64,
}

/// A shift: y, read from the atom in which that much of its mass lies behind, which it splits.
pub(super) struct Cut<'a> {
    pub(super) y: Turned<'a>,
    atoms: [usize; 2],
    period: f64,
}

/// The atoms of both sides that start most nearly together under a cut.
pub(super) struct Together {
    places: [usize; 2],
    rest: f64,
}

impl<'a> Cuts<'a> {
    pub(super) fn new(x: &Sorted<'a>, y: &Sorted<'a>, period: f64) -> Self {
        let mut total = Total::default();
        let ends = (0..=y.last()).map(|j| {
            total.add(y.mass(j));
            total.value()
        });
        let ends: Vec<f64> = ends.collect();
        Self { x: Turned::whole(*x, Start { atom: 0, lift: 0.0 }, period), y: *y, ends, period }
    }

    /// All mass of y.
    pub(super) fn total(&self) -> f64 {
        self.ends[self.ends.len() - 1]
    }

    /// Shifts that are closer are the same: whole masses are compared as they are, others with the roundings of their sums.
    pub(super) fn grain(&self) -> f64 {
        if self.has_whole_masses() { 1.0 } else { 4.0 * f64::EPSILON * self.total() }
    }

    pub(super) fn has_whole_masses(&self) -> bool {
        matches!((self.x.side.atoms, self.y.atoms), (Atoms::Equal(_), Atoms::Equal(_)))
    }

    /// Shifts by more than a total go around again.
    pub(super) fn at(&self, shift: f64) -> Cut<'a> {
        let (total, atoms) = (self.total(), self.ends.len());
        let turns = (shift / total).floor();
        let offset = (shift - turns * total).clamp(0.0, total);
        let atom = self.ends.partition_point(|&end| end <= offset).min(atoms - 1);
        let begin = (self.ends[atom] - offset).clamp(0.0, self.y.mass(atom));
        let (end, lift) = (self.y.mass(atom) - begin, turns * self.period);
        let y = Turned { side: self.y, start: Start { atom, lift }, begin, end: Some(end), period: self.period };
        Cut { y, atoms: [self.x.atoms(), atoms], period: self.period }
    }
}

impl Cut<'_> {
    /// To begin with, the first atom of x and the one behind the split atom of y.
    pub(super) fn together(&self) -> Together {
        Together { places: [0, 1], rest: self.y.begin }
    }

    /// From where both sides are read if what starts most nearly together starts together.
    pub(super) fn starts(&self, together: &Together) -> [Start; 2] {
        let ([x, y], [n, m], Start { atom, lift }) = (together.places, self.atoms, self.y.start);
        [Start::new(x, n, 0.0, self.period), Start::new(atom + y, m, lift, self.period)]
    }
}

impl Together {
    pub(super) fn see(&mut self, step: &Step) {
        if (step.x_ends || step.y_ends) && step.rest < self.rest {
            (self.places, self.rest) = ([step.x + 1, step.y + 1], step.rest);
        }
    }
}
