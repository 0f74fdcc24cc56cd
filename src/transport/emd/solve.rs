//! From a problem to its solution in `f64`: the simplex, then flows and potentials that stand on their own.

use super::flows::flows;
use super::simplex::{Ended, Limits, Simplex};
use crate::transport::certificates::{to_columns, to_rows};
use crate::transport::cost_rows::CostRows;
use crate::transport::problem::Masses;
use crate::transport::{Flow, Plan, TransportProblem};
use crate::{Error, Real, Result, reduction};

/// A plan and a feasible pair of potentials, and what they say of the least cost.
pub(in crate::transport) struct Solved {
    pub(in crate::transport) plan: Plan<f64>,
    pub(in crate::transport) u: Vec<f64>,
    pub(in crate::transport) v: Vec<f64>,
    /// The cost of the plan.
    pub(in crate::transport) primal: f64,
    /// `Σ a u + Σ b v`.
    pub(in crate::transport) dual: f64,
}

/// Exchanges of arcs for each place. Random problems take about ten, degenerate ones some tens.
const EXCHANGES: u64 = 2_000;

/// Solves a problem whose sides hold the same.
pub(super) fn solve<T: Real>(problem: &TransportProblem<'_, T>, masses: &Masses) -> Result<Solved> {
    let exchanges = 1_000_000 + EXCHANGES * (masses.a.len() + masses.b.len()) as u64;
    let mut simplex = Simplex::new(&problem.cost, masses, None);
    match simplex.run(Limits { exchanges, rows: u64::MAX }) {
        Ended::Optimal => finish(problem, masses, &simplex),
        Ended::Limit => Err(Error::Unfinished { objective: "emd", steps: exchanges }),
    }
}

/// What the tree stands for: flows in the masses themselves, and potentials that are feasible at every place.
pub(in crate::transport) fn finish<T: Real>(
    problem: &TransportProblem<'_, T>,
    masses: &Masses,
    simplex: &Simplex<'_, T>,
) -> Result<Solved> {
    let plan = Plan::new(problem.cost.shape(), carried(masses, simplex));
    let primal = plan.cost(|i, j| problem.cost.at(i, j));
    let mut u = vec![f64::NEG_INFINITY; masses.a.len()];
    simplex.rows.iter().zip(simplex.tree.row_potentials()).for_each(|(&i, potential)| u[i] = potential);
    let ways = CostRows::new(&problem.cost);
    let v = from_zero(to_columns(&ways, &u));
    let u = to_rows(&ways, &v, u.len());
    let dual = dual(masses, &u, &v);
    if primal.is_finite() && dual.is_finite() {
        Ok(Solved { plan, u, v, primal, dual })
    } else {
        Err(Error::overflow::<f64>("cost", crate::Position::default()))
    }
}

/// Potentials whose first is zero: those of a c-transform are then no larger than the costs differ, and so their sums lose
/// no digits to a constant that goes from one side to the other.
pub(in crate::transport) fn from_zero(mut potentials: Vec<f64>) -> Vec<f64> {
    let first = potentials.first().copied().unwrap_or(0.0);
    potentials.iter_mut().for_each(|potential| *potential -= first);
    potentials
}

/// `Σ a u + Σ b v`.
pub(in crate::transport) fn dual(masses: &Masses, u: &[f64], v: &[f64]) -> f64 {
    let terms = |masses: &[f64], potentials: &[f64]| {
        reduction::sum(&masses.iter().zip(potentials).map(|(mass, potential)| mass * potential).collect::<Vec<_>>())
    };
    terms(&masses.a, u) + terms(&masses.b, v)
}

fn carried<T: Real>(masses: &Masses, simplex: &Simplex<'_, T>) -> Vec<Flow<f64>> {
    let at = |places: &[usize], masses: &[f64]| places.iter().map(|&i| masses[i]).collect::<Vec<_>>();
    let (a, b) = (at(&simplex.rows, &masses.a), at(&simplex.columns, &masses.b));
    let arcs: Vec<_> = simplex.tree.arcs().map(|(i, j, _)| (i, j)).collect();
    let flows = flows(&arcs, &a, &b);
    // Whole units know of no round-off: where they carry nothing there is nothing.
    let carry = simplex.tree.arcs().zip(flows).filter(|&((_, _, units), mass)| units > 0 && mass > 0.0);
    carry.map(|((i, j, _), mass)| Flow { from: simplex.rows[i], to: simplex.columns[j], mass }).collect()
}
