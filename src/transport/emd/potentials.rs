//! Potentials of all places from those of a tree.

use super::simplex::Simplex;
use crate::transport::any_cost::AnyCost;
use crate::transport::cost_rows::{CostRows, difference_below};
use crate::transport::problem::Masses;
use crate::transport::reduced_costs::{Rounding, least_of_columns, least_of_rows};
use crate::transport::twofold::Twofold;

/// Potentials with `u_i + v_j <= C_ij`, in exact arithmetic, wherever the cost is a number and both potentials are known.
pub(super) struct Potentials {
    pub(super) u: Vec<f64>,
    pub(super) v: Vec<f64>,
}

impl Potentials {
    /// Those of the tree, raised as far as the costs allow. That of the heaviest column, the first of several, is 0: a
    /// constant that is added to one side and subtracted from the other would cost digits. The same holds between parts of
    /// the tree that no flow joins, so that two choices are tried, one zero for each part or the tree as it is, and the one
    /// with the larger dual value is kept.
    ///
    /// A place without mass gets the slope at which it would take some, from or to places with mass: +inf where they are all
    /// forbidden to it, NaN where that is not known since a cost is not a number, or does not fit the type.
    pub(super) fn of(cost: AnyCost<'_>, masses: &Masses, simplex: &Simplex<'_>) -> Self {
        let (rows, columns) = (&simplex.rows, &simplex.columns);
        // Of the costs themselves, whatever the units of the tree.
        let costs = CostRows::of_columns(cost, columns);
        let first = heaviest(columns.iter().map(|&j| masses.b[j]));
        let from = |zeros: &dyn Fn(usize) -> usize| {
            let u: Vec<f64> = simplex.row_potentials(zeros).iter().map(|u| u / simplex.unit).collect();
            let mut v = least_of_columns(&costs, rows, &u, Rounding::Down);
            let constant = v[first];
            v.iter_mut().for_each(|v| *v = difference_below(*v, constant));
            let mut all = Self::nothing(masses);
            rows.iter().zip(least_of_rows(&costs, rows, &v)).for_each(|(&i, potential)| all.u[i] = potential);
            columns.iter().zip(v).for_each(|(&j, potential)| all.v[j] = potential);
            all
        };
        let mut all = from(&|_| first);
        if let Some([row_parts, column_parts]) = simplex.components(cost) {
            let zeros = heaviest_of_each(&column_parts, |k| masses.b[columns[k]], first);
            let apart = from(&|row| zeros[row_parts[row]]);
            if dual(masses, &apart.u, &apart.v) > dual(masses, &all.u, &all.v) {
                all = apart;
            }
        }
        all.complete(cost, masses);
        all
    }

    fn nothing(masses: &Masses) -> Self {
        Self { u: vec![f64::NEG_INFINITY; masses.a.len()], v: vec![f64::NEG_INFINITY; masses.b.len()] }
    }

    /// Potentials of the places that hold nothing: first of columns, then of rows, which also leave those their room.
    fn complete(&mut self, cost: AnyCost<'_>, masses: &Masses) {
        let empty = |masses: &[f64]| (0..masses.len()).filter(|&i| masses[i] == 0.0).collect::<Vec<_>>();
        let (rows, columns) = (empty(&masses.a), empty(&masses.b));
        let (rows_of_costs, mut scratch) = (CostRows::of_columns(cost, &columns), Vec::new());
        let mut slopes = vec![Slope::default(); columns.len()];
        for i in (0..self.u.len()).filter(|&i| masses.a[i] > 0.0 && !columns.is_empty()) {
            let costs = rows_of_costs.row(i, &mut scratch);
            slopes.iter_mut().zip(costs.iter()).for_each(|(slope, cost)| slope.meet(cost, self.u[i]));
        }
        let mut is_bound = vec![true; self.v.len()];
        for (&j, slope) in columns.iter().zip(slopes) {
            self.v[j] = slope.value(cost);
            is_bound[j] = slope.is_number(cost);
        }
        let rows_of_costs = CostRows::new(cost);
        for i in rows {
            let (mut slope, costs) = (Slope::default(), rows_of_costs.row(i, &mut scratch));
            for (j, cost) in costs.iter().enumerate() {
                match masses.b[j] > 0.0 {
                    true => slope.meet(cost, self.v[j]),
                    false if is_bound[j] => slope.lower(cost, self.v[j]),
                    false => {}
                }
            }
            self.u[i] = slope.value(cost);
        }
    }
}

/// At what a place without mass would take some, as far as its ways have been met.
#[derive(Clone, Copy)]
struct Slope {
    least: f64,
    /// No cost has been met that is NaN or -inf.
    is_known: bool,
}

impl Default for Slope {
    fn default() -> Self {
        Self { least: f64::INFINITY, is_known: true }
    }
}

impl Slope {
    /// A way from or to a place with mass.
    fn meet(&mut self, cost: f64, potential: f64) {
        self.is_known &= cost > f64::NEG_INFINITY;
        self.lower(cost, potential);
    }

    /// A way that counts if it has a cost.
    fn lower(&mut self, cost: f64, potential: f64) {
        let difference = difference_below(cost, potential);
        if difference < self.least && cost > f64::NEG_INFINITY {
            self.least = difference;
        }
    }

    fn is_number(self, cost: AnyCost<'_>) -> bool {
        self.is_known && cost.fits(self.least)
    }

    /// Only a matrix forbids ways; points that far away have no cost that fits the type.
    fn value(self, cost: AnyCost<'_>) -> f64 {
        let is_forbidden = self.is_known && self.least == f64::INFINITY && cost.is_matrix();
        if self.is_number(cost) || is_forbidden { self.least } else { f64::NAN }
    }
}

/// The first of the largest.
fn heaviest(masses: impl Iterator<Item = f64>) -> usize {
    masses.enumerate().fold((0, 0.0), |best, (k, mass)| if mass > best.1 { (k, mass) } else { best }).0
}

/// The first of the heaviest columns of each part; one of another where a part has none.
fn heaviest_of_each(parts: &[usize], mass: impl Fn(usize) -> f64, other: usize) -> Vec<usize> {
    let mut best = vec![None; parts.iter().max().map_or(1, |last| last + 1)];
    for (column, &part) in parts.iter().enumerate() {
        if best[part].is_none_or(|best| mass(column) > mass(best)) {
            best[part] = Some(column);
        }
    }
    best.into_iter().map(|best| best.unwrap_or(other)).collect()
}

/// Potentials whose first is zero: those of a c-transform are then no larger than the costs differ, and so their sums lose
/// no digits to a constant that goes from one side to the other.
pub(in crate::transport) fn from_zero(mut potentials: Vec<f64>) -> Vec<f64> {
    let first = potentials.first().copied().unwrap_or(0.0);
    potentials.iter_mut().for_each(|potential| *potential -= first);
    potentials
}

/// `Σ a u + Σ b v`, of the places that hold something, rounded once.
pub(super) fn dual(masses: &Masses, u: &[f64], v: &[f64]) -> f64 {
    let mut sum = Twofold::default();
    let rows = masses.a.iter().zip(u).filter(|(mass, _)| **mass > 0.0);
    rows.for_each(|(&mass, &potential)| sum.add_product(mass, potential));
    let columns = masses.wanted.iter().zip(v).filter(|(mass, _)| mass.is_positive());
    columns.for_each(|(mass, &potential)| sum.add_all(mass.times(potential)));
    sum.nearest()
}
