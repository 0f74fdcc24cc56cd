//! The network simplex: arcs that save something enter the tree until none does, first as far as `f64` can tell, then
//! exactly.

use super::exact::Exact;
use super::start::greedy;
use super::tree::{Arc, Tree};
use super::units::units;
use crate::transport::any_cost::AnyCost;
use crate::transport::cost_rows::CostRows;
use crate::transport::mass::held;
use crate::transport::problem::Masses;
use crate::transport::reduced_costs::{Rounding, least_of_columns};

/// Arcs that are offered before the best of them enter: more of them make for fewer exchanges and more passes.
const OFFERS: usize = 8;

/// How often idle arcs are drawn near at most: without it, potentials are only larger than need be.
const DRAWS: usize = 8;

/// A unit of costs in which a trillion of the largest add up without an overflow.
pub(super) const SMALL: f64 = 1.0 / (1_u64 << 60) as f64;

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
    /// No arc saves anything.
    Optimal,
    /// A limit was reached; the tree is feasible.
    Limit,
}

/// Exchanges of arcs for each place. Random problems take about ten, degenerate ones some tens.
const EXCHANGES: u64 = 2_000;

/// More exchanges than a problem of this size is known to need.
pub(super) fn exchanges(masses: &Masses) -> u64 {
    1_000_000 + EXCHANGES * (masses.a.len() + masses.b.len()) as u64
}

/// A problem without its empty places, and a tree of it.
pub(in crate::transport) struct Simplex<'a> {
    costs: CostRows<'a>,
    /// The places that hold something.
    pub(super) rows: Vec<usize>,
    pub(super) columns: Vec<usize>,
    pub(super) tree: Tree,
    /// Rows of costs that have been read, without those of the start.
    pub(in crate::transport) rows_read: u64,
    /// The least cost, once it has been asked for.
    least: Option<f64>,
    /// Exchanges so far.
    exchanges: u64,
    /// Exact potentials of the tree, once it is optimal.
    exact: Option<Exact>,
    /// Whether idle arcs have been drawn near.
    is_drawn: bool,
    /// By what costs and potentials are multiplied.
    pub(super) unit: f64,
}

impl<'a> Simplex<'a> {
    /// A first tree, which may send something along ways of infinite cost.
    pub(super) fn start(costs: CostRows<'a>, masses: &Masses, potentials: Option<&[f64]>) -> Self {
        let (rows, columns) = (held(&masses.a), held(&masses.b));
        let at = |places: &[usize], values: &[f64]| places.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let (offered, wanted) = units(&at(&rows, &masses.a), &at(&columns, &masses.b));
        let mut potentials = match potentials {
            Some(potentials) => at(&columns, potentials),
            None => least_of_columns(&costs, &rows, &vec![0.0; rows.len()], Rounding::Nearest),
        };
        potentials.iter_mut().filter(|potential| !potential.is_finite()).for_each(|potential| *potential = 0.0);
        let tree = greedy(&costs, &rows, &offered, wanted, potentials);
        Self {
            costs,
            rows,
            columns,
            tree,
            rows_read: 0,
            least: None,
            exchanges: 0,
            exact: None,
            is_drawn: false,
            unit: 1.0,
        }
    }

    /// Lowers the cost of each arc that carries nothing and costs far more than any that carries something, to just above the
    /// costs that could matter; returns whether there were any. Such arcs belong to the tree only because it must span all
    /// places. At their own costs, potentials on one side of them would lose their digits, and be infinite where the way is
    /// forbidden.
    ///
    /// Another plan differs from this one by cycles, each of which takes mass from at most `k` arcs, `k` the places of the
    /// smaller side, and adds it to as many. An arc of cost `c` is part of none that saves anything if `c` and `k - 1` of the
    /// least cost are more than `k` of the largest that carries something: no optimal plan has it.
    pub(super) fn draw_near(&mut self) -> bool {
        let carries = |arc: &Arc| arc.flow > 0 && arc.cost < f64::INFINITY;
        let largest = self.tree.arcs().filter(carries).fold(f64::NEG_INFINITY, |max, arc| max.max(arc.cost));
        let most = self.rows.len().min(self.columns.len()) as f64;
        let is_idle = |arc: &Arc| !carries(arc);
        let idle = self.tree.arcs().filter(is_idle).fold(f64::NEG_INFINITY, |max, arc| max.max(arc.cost));
        // No less than this is far, whatever the least cost.
        if idle <= 2.0 * most * largest.abs() {
            return false;
        }
        let spread = largest - self.least();
        let far = largest
            + match 2.0 * most * spread {
                0.0 if largest == 0.0 => 1.0,
                0.0 => largest.abs(),
                beyond => beyond,
            };
        let is_far = |arc: &Arc| is_idle(arc) && arc.cost > 2.0 * far.abs();
        let found = far.is_finite() && self.tree.arcs().any(|arc| is_far(&arc));
        if found {
            self.tree.price(|arc| if is_far(&arc) { far } else { arc.cost });
            self.is_drawn = true;
        }
        found
    }

    /// The least of all costs.
    fn least(&mut self) -> f64 {
        if let Some(least) = self.least {
            return least;
        }
        let (nothing, mut scratch) = (vec![0.0; self.columns.len()], Vec::new());
        let rows = self.rows.iter().map(|&i| self.costs.row(i, &mut scratch).least(&nothing));
        let least = rows.fold(f64::INFINITY, f64::min);
        self.rows_read += self.rows.len() as u64;
        self.least = Some(least);
        least
    }

    /// Exchanges arcs until none saves anything, or a limit is reached.
    ///
    /// First in `f64`, as long as a saving is beyond doubt; then, for what round-off may have hidden, in exact arithmetic:
    /// the tree is optimal without any tolerance.
    pub(in crate::transport) fn run(&mut self, limits: Limits) -> Ended {
        self.exact = None;
        for draws in 0.. {
            if self.exchange_while_it_saves(limits) == Ended::Limit {
                return Ended::Limit;
            }
            if draws < DRAWS && self.draw_near() {
                continue;
            }
            let mut exact = Exact::new(&self.tree);
            if self.decide(&mut exact, limits) == Ended::Limit {
                return Ended::Limit;
            }
            if draws >= DRAWS || !self.draw_near() {
                self.exact = Some(exact);
                break;
            }
        }
        Ended::Optimal
    }

    /// Exchanges arcs as long as any saves something by exact potentials.
    fn decide(&mut self, exact: &mut Exact, limits: Limits) -> Ended {
        let n = self.rows.len();
        let (mut row, mut since, mut scratch) = (0, 0, Vec::new());
        while since < n {
            self.rows_read += 1;
            match exact.offer(row, &self.costs.row(self.rows[row], &mut scratch)) {
                None => since += 1,
                Some(_) if self.is_over(limits) => return Ended::Limit,
                Some(arc) => {
                    let changed = self.tree.exchange(arc);
                    exact.follow(&self.tree, changed);
                    self.exchanges += 1;
                    since = 0;
                }
            }
            row = (row + 1) % n;
        }
        Ended::Optimal
    }

    fn is_over(&self, limits: Limits) -> bool {
        self.exchanges == limits.exchanges || self.rows_read > limits.rows
    }

    /// Potentials of the rows, where that of a column, of each row its own, is zero.
    pub(super) fn row_potentials(&self, column: impl Fn(usize) -> usize) -> Vec<f64> {
        match &self.exact {
            Some(exact) => exact.rows_from(column),
            None => {
                let columns: Vec<f64> = self.tree.column_potentials().collect();
                self.tree.row_potentials().enumerate().map(|(row, u)| u + columns[column(row)]).collect()
            }
        }
    }

    /// The parts of the tree that idle arcs drawn near hold together, if there are any: to which of them each row and each
    /// column belongs. Nothing says how their potentials stand to each other but that they must be feasible.
    pub(super) fn components(&self, cost: AnyCost<'_>) -> Option<[Vec<usize>; 2]> {
        if !self.is_drawn {
            return None;
        }
        let [rows, columns] = self.tree.sizes();
        let (mut parts, mut last) = ([vec![0; rows], vec![0; columns]], 0);
        self.tree.walk_below(self.tree.root(), |node, above| {
            let at = |node: u32| self.tree.place(node);
            let is_drawn = |parent: u32, arc_cost: f64| {
                let (row, column) = match (at(node), at(parent)) {
                    (Ok(row), Err(column)) | (Err(column), Ok(row)) => (row, column),
                    _ => return false,
                };
                arc_cost != self.unit * cost.at(self.rows[row], self.columns[column])
            };
            let part = match above {
                Some((parent, arc_cost)) if !is_drawn(parent, arc_cost) => match at(parent) {
                    Ok(row) => parts[0][row],
                    Err(column) => parts[1][column],
                },
                Some(_) => {
                    last += 1;
                    last
                }
                None => 0,
            };
            match at(node) {
                Ok(row) => parts[0][row] = part,
                Err(column) => parts[1][column] = part,
            }
        });
        Some(parts)
    }

    /// Rows take turns and offer the arc by which they save most. Of [`OFFERS`] at a time, that which saves most enters, then
    /// of those that still save something the next: rows are read in order, and what is left is soon offered again.
    ///
    /// An arc enters only if the bound on the errors of its potentials leaves no doubt that it saves something, so that with
    /// a strongly feasible tree and whole flows no tree comes back, whatever the round-off.
    fn exchange_while_it_saves(&mut self, limits: Limits) -> Ended {
        let n = self.rows.len();
        let (mut row, mut scratch) = (0, Vec::new());
        let mut offers = Vec::with_capacity(OFFERS);
        // Rows since the last exchange: after all of them in turn nothing can be saved.
        let mut since = 0;
        while since < n {
            while since < n && offers.len() < OFFERS {
                offers.extend(self.offer(row, &mut scratch));
                (row, since) = ((row + 1) % n, since + 1);
            }
            while let Some(arc) = self.take_best(&mut offers) {
                if self.is_over(limits) {
                    return Ended::Limit;
                }
                self.tree.exchange(arc);
                since = 0;
                self.exchanges += 1;
            }
        }
        Ended::Optimal
    }

    /// The arc by which a row saves most, if it saves anything.
    fn offer(&mut self, row: usize, scratch: &mut Vec<f64>) -> Option<Arc> {
        self.rows_read += 1;
        let (costs, potentials) = (self.costs.row(self.rows[row], scratch), self.tree.certain_columns());
        let least = costs.least(potentials);
        if least < self.tree.certain_rows()[row] {
            let column = costs.place(potentials, least);
            Some(Arc { row, column, cost: costs.at(column), flow: 0 })
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
