//! The optimal plan between two sides in order: first to first, as much as both hold, then on.

use super::measure::Atoms;
use crate::reduction;

/// Atoms in ascending order.
pub(super) trait Side {
    /// The index of the last one.
    fn last(&self) -> usize;

    /// Where one lies.
    fn point(&self, index: usize) -> f64;

    /// What it holds.
    fn mass(&self, index: usize) -> f64;

    /// By how much it lies further than it says: whole turns of a circle.
    #[inline(always)]
    fn lift(&self, _index: usize) -> f64 {
        0.0
    }
}

/// From an atom of y to one of x. Half of the turns between them goes to each, so that nothing is lost where the points
/// lie on both sides of the place from which a circle counts.
#[inline(always)]
pub(super) fn distance(x: &impl Side, i: usize, y: &impl Side, j: usize) -> f64 {
    let half = 0.5 * (x.lift(i) - y.lift(j));
    (x.point(i) + half) - (y.point(j) - half)
}

/// From an atom to the next one of the same side.
#[inline(always)]
pub(super) fn gap(side: &impl Side, index: usize) -> f64 {
    distance(side, index + 1, side, index)
}

/// A sorted measure, in the units of [`level`].
#[derive(Clone, Copy)]
pub(super) struct Sorted<'a> {
    pub(super) atoms: &'a Atoms,
    /// Mass of each atom where all hold the same.
    pub(super) equal: f64,
}

impl Side for Sorted<'_> {
    #[inline]
    fn last(&self) -> usize {
        self.atoms.len() - 1
    }

    #[inline]
    fn point(&self, index: usize) -> f64 {
        self.atoms.point(index)
    }

    #[inline]
    fn mass(&self, index: usize) -> f64 {
        self.atoms.mass(index, self.equal)
    }
}

/// Both sides, and what a unit of their masses stands for.
///
/// Two measures without weights share whole numbers: `len(y)` at each point of x, `len(x)` at each of y. Nothing is
/// rounded then.
pub(super) fn level<'a>(x: &'a Atoms, y: &'a Atoms) -> (Sorted<'a>, Sorted<'a>, f64) {
    let (n, m) = (x.len() as f64, y.len() as f64);
    let (left, right, unit) = match (x, y) {
        (Atoms::Equal(_), Atoms::Equal(_)) if n == m => (1.0, 1.0, 1.0 / n),
        (Atoms::Equal(_), Atoms::Equal(_)) => (m, n, 1.0 / (n * m)),
        _ => (1.0 / n, 1.0 / m, 1.0),
    };
    (Sorted { atoms: x, equal: left }, Sorted { atoms: y, equal: right }, unit)
}

/// Mass that goes from one atom of x to one of y.
pub(super) struct Step {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) mass: f64,
    /// From the point of y to that of x.
    pub(super) distance: f64,
    /// Whether the next step is from the next atom of x.
    pub(super) x_ends: bool,
    /// Whether the next step is to the next atom of y.
    pub(super) y_ends: bool,
    /// What one of both still holds.
    pub(super) rest: f64,
}

/// Gives the steps of the plan in order. The last atom of a side takes whatever the other side still holds.
#[inline(always)]
pub(super) fn walk(x: &impl Side, y: &impl Side, mut step: impl FnMut(Step)) {
    let (x_last, y_last) = (x.last(), y.last());
    let (mut i, mut j) = (0, 0);
    let (mut left, mut right) = (x.mass(0), y.mass(0));
    while i < x_last || j < y_last {
        let x_ends = i < x_last && (left <= right || j == y_last);
        let y_ends = j < y_last && (right <= left || i == x_last);
        let mass = if x_ends { left } else { right };
        let rest = (left - right).abs();
        step(Step { x: i, y: j, mass, distance: distance(x, i, y, j), x_ends, y_ends, rest });
        left -= mass;
        right -= mass;
        if x_ends {
            i += 1;
            left = x.mass(i);
        }
        if y_ends {
            j += 1;
            right = y.mass(j);
        }
    }
    let (mass, distance) = (left.max(right).max(0.0), distance(x, i, y, j));
    step(Step { x: i, y: j, mass, distance, x_ends: false, y_ends: false, rest: 0.0 });
}

/// A sum of as many terms as come, in blocks and pairwise across them.
#[derive(Default)]
pub(super) struct Sum {
    blocks: Vec<f64>,
    block: f64,
    terms: usize,
}

impl Sum {
    #[inline(always)]
    pub(super) fn add(&mut self, term: f64) {
        self.block += term;
        self.terms += 1;
        if self.terms == reduction::BLOCK {
            self.blocks.push(std::mem::take(&mut self.block));
            self.terms = 0;
        }
    }

    pub(super) fn total(mut self) -> f64 {
        self.blocks.push(self.block);
        reduction::pairwise(&self.blocks)
    }
}
