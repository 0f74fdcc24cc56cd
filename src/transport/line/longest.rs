//! The longest way of a plan, which is all that counts at `p = ∞`.

use super::measure::Atoms;
use super::merge::{Side, walk};

/// A way, from an atom of y to one of x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) distance: f64,
}

/// The longest way on which more mass goes than `slack`; of several the first.
pub(super) fn longest(x: &impl Side, y: &impl Side, slack: f64) -> Way {
    let mut longest = Way { x: 0, y: 0, distance: 0.0 };
    walk(x, y, |step| {
        if step.mass > slack && step.distance.abs() > longest.distance.abs() {
            longest = Way { x: step.x, y: step.y, distance: step.distance };
        }
    });
    longest
}

/// Gives both sides the total 1.
pub(super) fn share_out(sides: &mut [Atoms; 2]) {
    for side in sides {
        let total = side.total();
        side.move_masses(|mass| mass / total);
    }
}

/// The mass up to which a way may be round-off, of sides with the total 1: weights were rounded to a type, of which
/// `epsilon` is the spacing at 1, and so were their sums here. It is never so large that no way would be left.
pub(super) fn slack(x: &Atoms, y: &Atoms, epsilon: f64) -> f64 {
    let atoms = (x.len() + y.len()) as f64;
    match (x, y) {
        (Atoms::Equal(_), Atoms::Equal(_)) => 0.0,
        _ => (epsilon + atoms * f64::EPSILON).min(0.5 / atoms),
    }
}
