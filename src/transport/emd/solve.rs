//! From a problem to its solution in `f64`: the simplex, then flows and potentials that stand on their own.

use super::flows::flows;
use super::potentials::{Potentials, dual};
use super::simplex::{Ended, Limits, SMALL, Simplex, exchanges};
use crate::transport::any_cost::AnyCost;
use crate::transport::problem::Masses;
use crate::transport::twofold::Twofold;
use crate::transport::{Flow, Plan, mass};
use crate::{Error, Result, check};

/// A plan and a feasible pair of potentials, and what they say of the least cost.
pub(in crate::transport) struct Solved {
    pub(in crate::transport) plan: Plan<f64>,
    /// Potentials; NaN where nothing is known of a place without mass, since a cost is not a number.
    pub(in crate::transport) u: Vec<f64>,
    pub(in crate::transport) v: Vec<f64>,
    /// The cost of the plan.
    pub(in crate::transport) primal: f64,
    /// `Σ a u + Σ b v`.
    pub(in crate::transport) dual: f64,
    /// `Σ P (C - u - v)`, of which no term is below zero.
    pub(in crate::transport) gap: f64,
}

/// The tree of an optimal plan, of a problem whose sides hold the same.
pub(super) fn optimal<'a>(cost: AnyCost<'a>, masses: &Masses) -> Result<Simplex<'a>> {
    let simplex = optimal_in_units(1.0, cost, masses)?;
    if simplex.tree.fits() { Ok(simplex) } else { optimal_in_units(SMALL, cost, masses) }
}

fn optimal_in_units<'a>(unit: f64, cost: AnyCost<'a>, masses: &Masses) -> Result<Simplex<'a>> {
    let steps = exchanges(masses);
    let mut simplex = Simplex::in_units(unit, cost, masses, None)?;
    match simplex.run(Limits { exchanges: steps, rows: u64::MAX }) {
        Ended::Optimal => Ok(simplex),
        Ended::Limit => Err(Error::Unfinished { objective: "emd", steps }),
    }
}

/// The plan of a tree, in the masses themselves, and its cost.
pub(super) fn plan(cost: AnyCost<'_>, masses: &Masses, simplex: &Simplex<'_>) -> Result<(Plan<f64>, f64)> {
    let carried = carried(cost, masses, simplex)?;
    let mut primal = Twofold::default();
    carried.iter().for_each(|(flow, mass)| primal.add_all(mass.times(cost.at(flow.from, flow.to))));
    let (primal, flows) = (primal.nearest(), carried.into_iter().map(|(flow, _)| flow).collect());
    let plan = Plan::new(cost.shape(), flows);
    if primal.is_finite() && simplex.tree.fits() { Ok((plan, primal)) } else { Err(overflow()) }
}

/// The solution that a tree stands for: flows in the masses themselves, and potentials that are feasible at every place.
pub(in crate::transport) fn finish(cost: AnyCost<'_>, masses: &Masses, simplex: &Simplex<'_>) -> Result<Solved> {
    let (plan, primal) = plan(cost, masses, simplex)?;
    let Potentials { u, v } = Potentials::of(cost, masses, simplex);
    let dual = dual(masses, &u, &v);
    // Never below zero, since no `u + v` is above its cost; nor is a rounded difference then.
    let gap = plan.cost(|i, j| (cost.at(i, j) - v[j]) - u[i]);
    if dual.is_finite() && gap.is_finite() { Ok(Solved { plan, u, v, primal, dual, gap }) } else { Err(overflow()) }
}

fn overflow() -> Error {
    Error::overflow::<f64>("cost", crate::Position::default())
}

/// The flows, and what their masses are rounded from.
fn carried(cost: AnyCost<'_>, masses: &Masses, simplex: &Simplex<'_>) -> Result<Vec<(Flow<f64>, Twofold)>> {
    let a: Vec<f64> = simplex.rows.iter().map(|&i| masses.a[i]).collect();
    let b: Vec<Twofold> = simplex.columns.iter().map(|&j| masses.wanted[j]).collect();
    let arcs: Vec<_> = simplex.tree.arcs().map(|arc| (arc.row, arc.column)).collect();
    let flows = flows(&arcs, &a, &b);
    // Whole units know of no round-off: where they carry nothing there is nothing.
    let carry = simplex.tree.arcs().zip(flows).filter(|(arc, mass)| arc.flow > 0 && mass.is_positive());
    let flow = |(arc, mass): (super::tree::Arc, Twofold)| {
        let (from, to) = (simplex.rows[arc.row], simplex.columns[arc.column]);
        (Flow { from, to, mass: mass.nearest() }, mass)
    };
    let (carried, forbidden): (Vec<_>, Vec<_>) =
        carry.map(flow).partition(|(flow, _)| cost.at(flow.from, flow.to) < f64::INFINITY);
    // What rounding of the weights has left no way for.
    let left: f64 = forbidden.iter().map(|(flow, _)| flow.mass).sum();
    let rounding = check::sum_rounding(masses.a.len() + masses.b.len());
    if left <= rounding * mass::total(&masses.a) { Ok(carried) } else { Err(overflow()) }
}
