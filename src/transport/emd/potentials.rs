//! Potentials of all places from those of a tree.

use super::simplex::Simplex;
use super::solve::dual;
use crate::transport::Cost;
use crate::transport::cost_rows::{CostRows, difference_below};
use crate::transport::problem::Masses;
use crate::{Real, parallel};

/// Potentials with `u_i + v_j <= C_ij`, in exact arithmetic, wherever the cost is a number and both potentials are known.
pub(super) struct Potentials {
    pub(super) u: Vec<f64>,
    pub(super) v: Vec<f64>,
}

impl Potentials {
    /// Those of the tree, raised as far as the costs allow. That of the heaviest column, the first of several, is 0: a constant
    /// that is added to one side and subtracted from the other would cost digits. The same holds between parts of the tree
    /// that no flow joins, so that two choices are tried, one zero for each part or the tree as it is, and the one with the
    /// larger dual value is kept.
    ///
    /// A place without mass gets the slope at which it would take some, from or to places with mass: +inf where they are all
    /// forbidden to it, NaN where that is not known since a cost is not a number, or does not fit the type.
    pub(super) fn of<T: Real>(cost: &Cost<'_, T>, masses: &Masses, simplex: &Simplex<'_, T>) -> Self {
        let (rows, columns) = (&simplex.rows, &simplex.columns);
        // Of the costs themselves, whatever the units of the tree.
        let ways = CostRows::of_columns(cost, columns);
        let first = heaviest(columns.iter().map(|&j| masses.b[j]));
        let from = |zeros: &dyn Fn(usize) -> usize| {
            let u: Vec<f64> = simplex.row_potentials(zeros).iter().map(|u| u / simplex.unit).collect();
            let mut v = room_of_columns(&ways, rows, &u);
            let constant = v[first];
            v.iter_mut().for_each(|v| *v = difference_below(*v, constant));
            let mut all = Self::nothing(masses);
            rows.iter().zip(room_of_rows(&ways, rows, &v)).for_each(|(&i, potential)| all.u[i] = potential);
            columns.iter().zip(v).for_each(|(&j, potential)| all.v[j] = potential);
            all
        };
        let mut all = from(&|_| first);
        if let Some([row_parts, column_parts]) = simplex.sum_count(cost) {
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
    fn complete<T: Real>(&mut self, cost: &Cost<'_, T>, masses: &Masses) {
        let empty = |masses: &[f64]| (0..masses.len()).filter(|&i| masses[i] == 0.0).collect::<Vec<_>>();
        let (rows, columns) = (empty(&masses.a), empty(&masses.b));
        let (ways, mut scratch) = (CostRows::of_columns(cost, &columns), Vec::new());
        let mut slopes = vec![Slope::default(); columns.len()];
        for i in (0..self.u.len()).filter(|&i| masses.a[i] > 0.0 && !columns.is_empty()) {
            let costs = ways.row(i, &mut scratch);
            slopes.iter_mut().zip(costs.iter()).for_each(|(slope, cost)| slope.meet(cost, self.u[i]));
        }
        let mut is_bound = vec![true; self.v.len()];
        for (&j, slope) in columns.iter().zip(slopes) {
            self.v[j] = slope.value::<T>(cost);
            is_bound[j] = slope.is_number::<T>();
        }
        let ways = CostRows::new(cost);
        for i in rows {
            let (mut slope, costs) = (Slope::default(), ways.row(i, &mut scratch));
            for (j, cost) in costs.iter().enumerate() {
                match masses.b[j] > 0.0 {
                    true => slope.meet(cost, self.v[j]),
                    false if is_bound[j] => slope.lower(cost, self.v[j]),
                    false => {}
                }
            }
            self.u[i] = slope.value::<T>(cost);
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

    fn is_number<T: Real>(self) -> bool {
        self.is_known && T::from_f64(self.least).is_finite()
    }

    /// Only a matrix forbids ways; points that far away have no cost that fits the type.
    fn value<T: Real>(self, cost: &Cost<'_, T>) -> f64 {
        let is_forbidden = self.is_known && self.least == f64::INFINITY && matches!(cost, Cost::Matrix(_));
        if self.is_number::<T>() || is_forbidden { self.least } else { f64::NAN }
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

/// Rows that make one job: few enough jobs that their results are little beside what they read.
fn rows_per_job(rows: usize) -> usize {
    rows.div_ceil(16).max(16)
}

/// The largest potentials of these rows that are not above `C_ij - v_j`, exactly, up to two roundings.
fn room_of_rows<T: Real>(ways: &CostRows<'_, T>, rows: &[usize], v: &[f64]) -> Vec<f64> {
    let (chunk, mut u) = (rows_per_job(rows.len()), vec![0.0; rows.len()]);
    let jobs = u.chunks_mut(chunk).zip(rows.chunks(chunk)).collect();
    parallel::for_each(jobs, size_of_val(v) * rows.len(), |(u, rows): (&mut [f64], &[usize])| {
        let mut scratch = Vec::new();
        u.iter_mut().zip(rows).for_each(|(u, &i)| *u = ways.row(i, &mut scratch).least_below(v));
    });
    u
}

/// The same of the columns: a potential that was rounded up would take its digits from those of the rows.
fn room_of_columns<T: Real>(ways: &CostRows<'_, T>, rows: &[usize], u: &[f64]) -> Vec<f64> {
    let chunk = rows_per_job(rows.len());
    let mut parts = vec![vec![f64::INFINITY; ways.width()]; rows.len().div_ceil(chunk)];
    let jobs = parts.iter_mut().zip(rows.chunks(chunk).zip(u.chunks(chunk))).collect();
    parallel::for_each(
        jobs,
        size_of_val(u) * ways.width(),
        |(least, (rows, u)): (&mut Vec<f64>, (&[usize], &[f64]))| {
            let mut scratch = Vec::new();
            rows.iter().zip(u).for_each(|(&i, &u)| ways.row(i, &mut scratch).lower_below(u, least));
        },
    );
    let join = |mut left: Vec<f64>, right: Vec<f64>| {
        left.iter_mut().zip(right).for_each(|(left, right)| *left = left.min(right));
        left
    };
    parts.into_iter().reduce(join).unwrap_or_default()
}
