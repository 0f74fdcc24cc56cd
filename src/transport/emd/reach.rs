//! Trees that send nothing along forbidden ways, or the places that have no other.

use super::simplex::{Ended, Limits, Simplex, exchanges};
use crate::transport::any_cost::AnyCost;
use crate::transport::cost_rows::CostRows;
use crate::transport::mass::held;
use crate::transport::problem::Masses;
use crate::{Error, Result, check, reduction};

impl<'a> Simplex<'a> {
    /// A tree that is feasible and sends nothing along forbidden ways. It is a good one where `potentials` of all columns
    /// are good ones; without them it goes by the least cost of each.
    ///
    /// Costs have been checked between the places that hold something, and no others are read.
    ///
    /// # Errors
    ///
    /// [`Error::NoFinitePlan`](crate::Error::NoFinitePlan).
    pub(in crate::transport) fn new(cost: AnyCost<'a>, masses: &Masses, potentials: Option<&[f64]>) -> Result<Self> {
        Self::in_units(1.0, cost, masses, potentials)
    }

    /// The same with all costs, and so all potentials, multiplied by a power of two: [`SMALL`](super::simplex::SMALL) where
    /// sums of costs do not fit the type. What subnormal costs lose by it is nothing beside such sums.
    pub(super) fn in_units(unit: f64, cost: AnyCost<'a>, masses: &Masses, potentials: Option<&[f64]>) -> Result<Self> {
        let columns = held(&masses.b);
        let mut simplex = Self::start(CostRows::of_columns(cost, &columns).in_units(unit), masses, potentials);
        simplex.unit = unit;
        if simplex.tree.arcs().any(|arc| arc.cost == f64::INFINITY && arc.flow > 0)
            && let Some(forbidden) = CostRows::of_forbidden(cost, &columns)
        {
            let reached = fewest_forbidden(forbidden, masses)?;
            (simplex.tree, simplex.rows_read) = (reached.tree, reached.rows_read);
            let (rows, columns) = (&simplex.rows, &simplex.columns);
            simplex.tree.price(|arc| unit * cost.at(rows[arc.row], columns[arc.column]));
        }
        simplex.draw_near();
        Ok(simplex)
    }
}

/// Some plan must have a finite cost. For callers that do not solve the problem, and so would not notice that none has.
///
/// Both sides hold the same. One look at the costs where none forbids a way.
pub(in crate::transport) fn finite_plan(cost: AnyCost<'_>, masses: &Masses) -> Result<()> {
    let Some(costs) = CostRows::of_forbidden(cost, &held(&masses.b)) else { return Ok(()) };
    let mut scratch = Vec::new();
    if held(&masses.a).into_iter().any(|i| costs.row(i, &mut scratch).iter().any(|forbidden| forbidden > 0.0)) {
        fewest_forbidden(costs, masses)?;
    }
    Ok(())
}

/// A tree that sends as little as can be along forbidden ways: nothing, but for what rounding of the weights leaves. An arc
/// costs 1 where its way is forbidden, and else 0.
fn fewest_forbidden<'a>(costs: CostRows<'a>, masses: &Masses) -> Result<Simplex<'a>> {
    let mut simplex = Simplex::start(costs, masses, None);
    let steps = exchanges(masses);
    if simplex.run(Limits { exchanges: steps, rows: u64::MAX }) == Ended::Limit {
        return Err(Error::Unfinished { objective: "emd", steps });
    }
    if simplex.tree.arcs().any(|arc| arc.cost > 0.0 && arc.flow > 0) {
        some_room(&simplex, masses)?;
    }
    Ok(simplex)
}

/// Where some flow must take a forbidden way, potentials tell which places have too little room.
///
/// They are whole numbers with `u_i + v_j <= 0` on ways that are open, so that for any `t` the rows with `u >= t` have ways
/// to the columns with `v <= -t` alone. Their shares of the flow, what rows of a `t` hold above what their columns want,
/// add up to the whole of it (this is the theorem of Hall, weighted). Shares within the tolerance of weights are of
/// rounding.
fn some_room(simplex: &Simplex<'_>, masses: &Masses) -> Result<()> {
    let (u, v): (Vec<f64>, Vec<f64>) =
        (simplex.tree.row_potentials().collect(), simplex.tree.column_potentials().collect());
    let mut levels = u.clone();
    levels.sort_unstable_by(f64::total_cmp);
    levels.dedup();
    for level in levels {
        let rows = Part::new(&simplex.rows, &masses.a, |k| u[k] >= level);
        let joined_to_them = Part::new(&simplex.columns, &masses.b, |k| v[k] <= -level);
        let columns = Part::new(&simplex.columns, &masses.b, |k| v[k] > -level);
        let joined_to_those = Part::new(&simplex.rows, &masses.a, |k| u[k] < level);
        if rows.is_too_much_for(&joined_to_them) || columns.is_too_much_for(&joined_to_those) {
            // Either set of places is a proof; the error names the smaller one.
            return Err(match rows.places.len() <= columns.places.len() {
                true => rows.has_no_way("a", &joined_to_them, "b"),
                false => columns.has_no_way("b", &joined_to_those, "a"),
            });
        }
    }
    Ok(())
}

/// Places of a side and what they hold.
struct Part {
    places: Vec<usize>,
    held: f64,
}

impl Part {
    fn new(places: &[usize], masses: &[f64], is_in: impl Fn(usize) -> bool) -> Self {
        let places: Vec<usize> = (0..places.len()).filter(|&k| is_in(k)).map(|k| places[k]).collect();
        let held = reduction::sum(&places.iter().map(|&place| masses[place]).collect::<Vec<_>>());
        Self { places, held }
    }

    fn is_too_much_for(&self, joined: &Self) -> bool {
        self.held - joined.held > check::sum_rounding(self.places.len() + joined.places.len()) * self.held
    }

    fn has_no_way(self, argument: &'static str, joined: &Self, other: &'static str) -> Error {
        Error::NoFinitePlan { argument, places: self.places, held: self.held, other, joined: joined.held }
    }
}
