//! The network simplex: arcs that save something enter the tree until none does.

use super::start::greedy;
use super::tree::{Arc, Tree};
use super::units::units;
use crate::Real;
use crate::transport::Cost;
use crate::transport::certificates::to_columns;
use crate::transport::cost_rows::CostRows;
use crate::transport::problem::Masses;

/// Arcs that are offered before the best of them enter: more of them make for fewer exchanges and more passes.
const OFFERS: usize = 8;

/// What a run may cost.
#[derive(Clone, Copy)]
pub(in crate::transport) struct Limits {
    /// Exchanges of arcs.
    pub(in crate::transport) exchanges: u64,
    /// Rows of costs that are read.
    pub(in crate::transport) rows: u64,
}

/// Why a run has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::transport) enum Ended {
    /// No arc saves anything that round-off cannot account for.
    Optimal,
    /// A limit was reached; the tree is feasible.
    Limit,
}

/// A problem without its empty places, and a tree of it.
pub(in crate::transport) struct Simplex<'a, T> {
    ways: CostRows<'a, T>,
    /// The places that hold something.
    pub(super) rows: Vec<usize>,
    pub(super) columns: Vec<usize>,
    pub(super) tree: Tree,
    /// Rows of costs that have been read, without those of the start.
    pub(in crate::transport) rows_read: u64,
}

impl<'a, T: Real> Simplex<'a, T> {
    /// A tree that is feasible. It is a good one where `worth` are good potentials of all columns; without them it goes by
    /// the least cost of each.
    pub(in crate::transport) fn new(cost: &Cost<'a, T>, masses: &Masses, worth: Option<&[f64]>) -> Self {
        let held = |masses: &[f64]| (0..masses.len()).filter(|&i| masses[i] > 0.0).collect::<Vec<_>>();
        let (rows, columns) = (held(&masses.a), held(&masses.b));
        let at = |places: &[usize], values: &[f64]| places.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let (a, b) = (at(&rows, &masses.a), at(&columns, &masses.b));
        let (offered, wanted) = units(&a, &b);
        let ways = CostRows::of_columns(cost, &columns);
        let worth = match worth {
            Some(worth) => at(&columns, worth),
            None => {
                let nothing = |mass: &f64| if *mass > 0.0 { 0.0 } else { f64::NEG_INFINITY };
                to_columns(&ways, &masses.a.iter().map(nothing).collect::<Vec<_>>())
            }
        };
        let tree = greedy(&ways, &rows, &offered, wanted, worth);
        Self { ways, rows, columns, tree, rows_read: 0 }
    }

    /// Exchanges arcs until none saves anything, or a limit is reached.
    ///
    /// Rows take turns and offer the arc by which they save most. Of [`OFFERS`] at a time, that which saves most enters, then
    /// of those that still save something the next: rows are read in order, and what is left is soon offered again.
    ///
    /// An arc enters only if the bound on the errors of its potentials leaves no doubt that it saves something, so that with
    /// a strongly feasible tree and whole flows no tree comes back, whatever the round-off.
    pub(in crate::transport) fn run(&mut self, limits: Limits) -> Ended {
        let n = self.rows.len();
        let (mut exchanges, mut row, mut scratch) = (0, 0, Vec::new());
        let mut offers = Vec::with_capacity(OFFERS);
        // Rows since the last exchange: after all of them in turn nothing can be saved.
        let mut since = 0;
        while since < n {
            while since < n && offers.len() < OFFERS {
                offers.extend(self.offer(row, &mut scratch));
                (row, since) = ((row + 1) % n, since + 1);
            }
            while let Some(arc) = self.take_best(&mut offers) {
                if exchanges == limits.exchanges || self.rows_read > limits.rows {
                    return Ended::Limit;
                }
                self.tree.exchange(arc);
                (since, exchanges) = (0, exchanges + 1);
            }
        }
        Ended::Optimal
    }

    /// The arc by which a row saves most, if it saves anything.
    fn offer(&mut self, row: usize, scratch: &mut Vec<f64>) -> Option<Arc> {
        self.rows_read += 1;
        let (costs, potentials) = (self.ways.row(self.rows[row], scratch), self.tree.certain_columns());
        let least = costs.least(potentials);
        if least < self.tree.certain_rows()[row] {
            let column = costs.place(potentials, least);
            Some(Arc { row, column, cost: costs.at(column) })
        } else {
            None
        }
    }

    /// Drops the arcs that save nothing any more, and takes out that which saves most.
    fn take_best(&self, offers: &mut Vec<Arc>) -> Option<Arc> {
        let (rows, columns) = (self.tree.certain_rows(), self.tree.certain_columns());
        let saving = |arc: &Arc| rows[arc.row] - (arc.cost - columns[arc.column]);
        offers.retain(|arc| saving(arc) > 0.0);
        let best = (0..offers.len()).max_by(|&x, &y| saving(&offers[x]).total_cmp(&saving(&offers[y])))?;
        Some(offers.swap_remove(best))
    }
}
