//! Potentials in exact arithmetic, by which the end of the simplex decides whatever round-off has left in doubt.

use super::expansion::Expansion;
use super::tree::{Arc, Tree};
use crate::transport::cost_rows::CostRow;
use crate::transport::twofold::two_sum;

/// Potentials of a tree without round-off.
pub(super) struct Exact {
    rows: Vec<Expansion>,
    columns: Vec<Expansion>,
    /// Each rounded, and raised by what roundings may hide: an arc whose cost less that of its column is not below that of
    /// its row saves nothing.
    raised: [Vec<f64>; 2],
    /// Memory for a sum.
    sum: Expansion,
}

impl Exact {
    pub(super) fn new(tree: &Tree) -> Self {
        let [rows, columns] = tree.sizes();
        let potentials = |places| vec![Expansion::default(); places];
        let raised = [vec![0.0; rows], vec![0.0; columns]];
        let mut exact =
            Self { rows: potentials(rows), columns: potentials(columns), raised, sum: Expansion::default() };
        exact.follow(tree, tree.root());
        exact
    }

    /// Forms the potentials of a node and of all below it.
    pub(super) fn follow(&mut self, tree: &Tree, top: u32) {
        tree.walk_below(top, |node, parent| {
            let potential = std::mem::take(self.at(tree, node).0);
            let formed = match parent {
                None => Expansion::default(),
                Some((parent, cost)) => {
                    let mut formed = potential;
                    formed.set_difference(cost, self.at(tree, parent).0);
                    formed
                }
            };
            let value = formed.value();
            let (potential, raised) = self.at(tree, node);
            // One rounding of the value, and one of the difference that is compared with it.
            (*potential, *raised) = (formed, value + 2.0 * f64::EPSILON * value.abs());
        });
    }

    /// Potentials of the rows, each with that of its column added, then rounded downwards: were one rounded upwards, every
    /// column that its row can reach would have to be lowered.
    pub(super) fn rows_from(&self, column: impl Fn(usize) -> usize) -> Vec<f64> {
        let from = |(row, potential): (usize, &Expansion)| {
            let mut sum = potential.clone();
            sum.add_all(1.0, &self.columns[column(row)]);
            sum.below()
        };
        self.rows.iter().enumerate().map(from).collect()
    }

    fn at(&mut self, tree: &Tree, node: u32) -> (&mut Expansion, &mut f64) {
        match tree.place(node) {
            Ok(row) => (&mut self.rows[row], &mut self.raised[0][row]),
            Err(column) => (&mut self.columns[column], &mut self.raised[1][column]),
        }
    }

    /// `C - u - v`, up to one rounding and with the right sign.
    fn reduced(&mut self, row: usize, column: usize, cost: f64) -> f64 {
        let (u, v) = (&self.rows[row], &self.columns[column]);
        if let (Some(u), Some(v)) = (u.single(), v.single())
            && let (left, 0.0) = two_sum(cost, -u)
        {
            return left - v;
        }
        self.sum.set_difference(cost, u);
        self.sum.add_all(-1.0, v);
        self.sum.value()
    }

    /// The arc by which a row saves most, if it saves anything.
    pub(super) fn offer(&mut self, row: usize, costs: &CostRow<'_>) -> Option<Arc> {
        if costs.least(&self.raised[1]) >= self.raised[0][row] {
            return None;
        }
        let mut best: Option<(f64, Arc)> = None;
        for (column, cost) in costs.iter().enumerate() {
            if cost - self.raised[1][column] >= self.raised[0][row] {
                continue;
            }
            let reduced = self.reduced(row, column, cost);
            if reduced < best.map_or(0.0, |(least, _)| least) {
                best = Some((reduced, Arc { row, column, cost, flow: 0 }));
            }
        }
        best.map(|(_, arc)| arc)
    }
}
