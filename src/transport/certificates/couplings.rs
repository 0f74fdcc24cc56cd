//! Upper bounds: what some plan costs.

use ndarray::ArrayRef2;

use super::held::Held;
use super::rounding::{Rounding, check_plan, fill};
use crate::error::Position;
use crate::transport::cost_rows::CostRow;
use crate::transport::outwards::upper;
use crate::transport::problem::Masses;
use crate::transport::twofold::Twofold;
use crate::transport::{TransportProblem, mass};
use crate::{Error, Real, Result, check, reduction};

/// The cost of the product coupling, which sends mass from each place to all in the proportions in which they want it.
///
/// ```math
/// \operatorname{EMD}(a, b; C) \le \frac{1}{\sum_i a_i} \sum_{ij} a_i\, b_j\, C_{ij}
/// ```
///
/// The coupling is feasible whatever the cost, hence the inequality; with all mass of one side at one place no other
/// exists, and both are equal. Of next-token distributions it is [`demd`](crate::transport::demd). Formed to thirty digits
/// and rounded upwards. One pass over the costs.
///
/// # Errors
///
/// As for [`emd`](crate::transport::emd), but that it always ends; and [`Error::Value`] where a way between places with
/// mass is forbidden, since this coupling takes them all.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::product_coupling_cost;
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// assert_eq!((product_coupling_cost(problem)?, emd(problem)?), (0.5, 0.25));
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn product_coupling_cost<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::product_coupling_cost(problem)
}

pub(in crate::transport) fn of_product<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let masses = problem.held_masses()?.scaled();
    let held = Held::new(problem.any_cost(), &masses);
    let (mut scratch, mut sum) = (Vec::new(), Twofold::default());
    let unit = unit(&held.a);
    for (k, &mass) in held.a.iter().enumerate() {
        let row = held.row(k, &mut scratch);
        if let Some(j) = row.iter().position(|cost| cost == f64::INFINITY) {
            let (position, value) = (Position(vec![held.rows[k], held.columns[j]]), f64::INFINITY);
            return Err(Error::Value { argument: "cost", position, value, allowed: "finite, as all ways are taken" });
        }
        let mut spent = row.spent(&held.b);
        if held.is_scaled() {
            spent.add_all(row.spent(&held.lost()));
            spent.blur(held.blur() * row.size(&held.b));
        }
        sum.add_all(spent.times(mass * unit));
        // What mass below the normal numbers loses by the unit.
        sum.blur(if mass * unit < f64::MIN_POSITIVE { f64::from_bits(1) * row.size(&held.b) } else { 0.0 });
    }
    let total = Twofold::sum(held.a.iter().map(|mass| mass * unit));
    upper(sum.over(total).above(), "cost")
}

/// A power of two by which masses may be multiplied, after which their total is of the size of 1.
fn unit(masses: &[f64]) -> f64 {
    let power = -mass::total(masses).log2().floor();
    power.clamp(-1022.0, 1022.0).exp2()
}

/// The cost of a plan that the caller has, once its marginals have been checked.
///
/// ```math
/// \operatorname{EMD}(a, b; C) \le \sum_{ij} P_{ij}\, C_{ij}, \qquad P \ge 0, \quad P 1 = a, \quad P^\top 1 = b
/// ```
///
/// `plan` P is `[n, m]`. Within the tolerance of the check it is made feasible by [`round_plan`](super::round_plan) first,
/// so that the bound holds for `a` and `b` themselves, and rounded upwards: what rounding leaves above a weight is scaled
/// away, and what it leaves missing pays the largest cost, forbidden ways apart. A plan that is feasible to the last digit
/// pays just what it says.
///
/// # Errors
///
/// - Those of [`round_plan`](super::round_plan).
/// - [`Error::Value`]: a row or column of `plan` does not sum to its weight, by more than 6e-8 (n + m + 16) of the total; named
///   are the place and the sum. Or an entry is above zero where the way is forbidden.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::plan_cost;
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// assert_eq!(plan_cost(problem, &array![[0.25, 0.25], [0.0, 0.5]])?, 0.25);
/// assert!(plan_cost(problem, &array![[0.5, 0.0], [0.0, 0.5]]).is_err());
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn plan_cost<T: Real>(problem: TransportProblem<'_, T>, plan: &ArrayRef2<T>) -> Result<T> {
    T::plan_cost(problem, plan)
}

pub(in crate::transport) fn of_plan<T: Real>(problem: TransportProblem<'_, T>, plan: &ArrayRef2<T>) -> Result<T> {
    let masses = problem.held_masses()?.scaled();
    check_plan(&problem, plan)?;
    let mut row_into = |i: usize, out: &mut [f64]| fill(plan, i, out);
    check_marginals(&masses, &mut row_into)?;
    let held = Held::new(problem.any_cost(), &masses);
    let Feasible { cost, astray } = feasible_cost(&held, &masses, &mut row_into);
    if astray {
        check_ways(&problem, plan, &masses)?;
    }
    upper(cost, "cost")
}

/// What a plan costs at most, once it is feasible.
struct Feasible {
    cost: f64,
    /// Whether there is mass where the way is forbidden.
    astray: bool,
}

/// The cost of the plan that [`Rounding`] makes, of which what rounding has left too much of is scaled away, and what is then
/// missing pays the largest cost: nothing, where the plan is feasible to every digit.
fn feasible_cost(held: &Held<'_>, masses: &Masses, row_into: &mut dyn FnMut(usize, &mut [f64])) -> Feasible {
    let rounding = Rounding::new(&masses.a, &masses.b, row_into);
    let (mut scratch, mut row, mut kept) = (Vec::new(), vec![0.0; masses.b.len()], vec![0.0; held.b.len()]);
    let (mut cost, mut mass, mut columns) =
        (Twofold::default(), Twofold::default(), vec![Twofold::default(); kept.len()]);
    let (mut surplus, mut dearest, mut astray) = (0.0_f64, f64::NEG_INFINITY, false);
    let over = |mut sum: Twofold, wanted: Twofold| {
        sum.add_all(-wanted);
        sum.above() / wanted.nearest()
    };
    for (k, &i) in held.rows.iter().enumerate() {
        row_into(i, &mut row);
        rounding.apply(i, &mut row);
        kept.iter_mut().zip(&held.columns).for_each(|(kept, &j)| *kept = row[j]);
        let costs = held.row(k, &mut scratch);
        for (cost, mass) in costs.iter().zip(&mut kept) {
            dearest = if cost < f64::INFINITY { dearest.max(cost) } else { dearest };
            if cost == f64::INFINITY && *mass > 0.0 {
                (*mass, astray) = (0.0, true);
            }
        }
        let sum = Twofold::sum(kept.iter().copied());
        surplus = surplus.max(over(sum, Twofold::of(held.a[k])));
        mass.add_all(sum);
        columns.iter_mut().zip(&kept).for_each(|(column, &mass)| column.add(mass));
        cost.add_all(costs.spent(&kept));
    }
    surplus = columns.iter().zip(&held.wanted).fold(surplus, |most, (&sum, &wanted)| most.max(over(sum, wanted)));
    // `1 - s <= 1 / (1 + s)`, and twice for the roundings of the quotient.
    let surplus = if surplus > 0.0 { (2.0 * surplus).min(1.0) } else { 0.0 };
    let mut left = Twofold::of(1.0);
    left.add(-surplus);
    let mut missing = Twofold::sum(held.a.iter().copied());
    missing.add_all(-mass.times_all(left));
    let mut all = cost.times_all(left);
    let missing = if dearest >= 0.0 { missing.above() } else { missing.below() }.max(0.0);
    if missing > 0.0 && dearest > f64::NEG_INFINITY {
        all.add_product(missing, dearest);
    }
    Feasible { cost: all.above(), astray }
}

/// No mass may be where the way is forbidden.
fn check_ways<T: Real>(problem: &TransportProblem<'_, T>, plan: &ArrayRef2<T>, masses: &Masses) -> Result<()> {
    let is_astray =
        |(i, j): (usize, usize)| masses.a[i] > 0.0 && masses.b[j] > 0.0 && problem.cost.at(i, j) == f64::INFINITY;
    match plan.indexed_iter().find(|&(at, mass)| *mass > T::zero() && is_astray(at)) {
        None => Ok(()),
        Some(((i, j), mass)) => {
            let (position, value) = (Position(vec![i, j]), mass.as_f64());
            Err(Error::Value { argument: "plan", position, value, allowed: "0 where the cost is +inf" })
        }
    }
}

/// What a plan costs.
pub(in crate::transport) struct Spent {
    /// `Σ P C`, over ways that are not forbidden.
    pub(in crate::transport) cost: f64,
    /// `Σ P |C|` over the same.
    pub(in crate::transport) size: f64,
    /// The first forbidden way that has mass.
    pub(in crate::transport) astray: Option<[usize; 2]>,
}

/// What parts of a plan cost, by rows.
struct Bill {
    costs: Vec<f64>,
    sizes: Vec<f64>,
    terms: Vec<f64>,
    astray: Option<[usize; 2]>,
}

impl Bill {
    fn new(width: usize) -> Self {
        Self { costs: Vec::new(), sizes: Vec::new(), terms: vec![0.0; width], astray: None }
    }

    /// A row whose masses are `share` of these.
    fn add(
        &mut self,
        (place, columns): (usize, &[usize]),
        costs: &CostRow<'_>,
        masses: impl Iterator<Item = f64>,
        share: f64,
    ) {
        for (((term, cost), mass), &j) in self.terms.iter_mut().zip(costs.iter()).zip(masses).zip(columns) {
            let is_open = cost < f64::INFINITY;
            if !is_open && mass > 0.0 && self.astray.is_none() {
                self.astray = Some([place, j]);
            }
            *term = if is_open { mass * cost } else { 0.0 };
        }
        self.costs.push(share * reduction::sum(&self.terms));
        self.terms.iter_mut().for_each(|term| *term = term.abs());
        self.sizes.push(share * reduction::sum(&self.terms));
    }

    fn total(self) -> Spent {
        Spent { cost: reduction::sum(&self.costs), size: reduction::sum(&self.sizes), astray: self.astray }
    }
}

/// `Σ a b C / Σ a`.
pub(in crate::transport) fn product_cost(held: &Held<'_>) -> Spent {
    let (mut scratch, mut bill, total) = (Vec::new(), Bill::new(held.b.len()), mass::total(&held.a));
    for (k, mass) in held.a.iter().enumerate() {
        let masses = held.b.iter().copied();
        bill.add((held.rows[k], &held.columns), &held.row(k, &mut scratch), masses, mass / total);
    }
    bill.total()
}

/// The cost of the plan that [`Rounding`] makes of one whose rows are written by `row_into`: no matrix need exist.
pub(in crate::transport) fn rounded_cost(
    held: &Held<'_>,
    masses: &Masses,
    row_into: &mut dyn FnMut(usize, &mut [f64]),
) -> Spent {
    let rounding = Rounding::new(&masses.a, &masses.b, row_into);
    let (mut scratch, mut row, mut bill) = (Vec::new(), vec![0.0; masses.b.len()], Bill::new(held.b.len()));
    for (k, &i) in held.rows.iter().enumerate() {
        row_into(i, &mut row);
        rounding.apply(i, &mut row);
        let masses = held.columns.iter().map(|&j| row[j]);
        bill.add((i, &held.columns), &held.row(k, &mut scratch), masses, 1.0);
    }
    bill.total()
}

fn check_marginals(masses: &Masses, row_into: &mut dyn FnMut(usize, &mut [f64])) -> Result<()> {
    let slack = check::sum_rounding(masses.a.len() + masses.b.len()) * mass::total(&masses.a);
    let (mut row, mut columns) = (vec![0.0; masses.b.len()], vec![0.0; masses.b.len()]);
    let far = |sum: f64, mass: f64| (sum - mass).abs() > slack;
    for (i, &mass) in masses.a.iter().enumerate() {
        row_into(i, &mut row);
        columns.iter_mut().zip(&row).for_each(|(sum, mass)| *sum += mass);
        let (value, allowed) = (reduction::sum(&row), "a row that sums to its weight in `a`");
        if far(value, mass) {
            return Err(Error::Value { argument: "plan", position: i.into(), value, allowed });
        }
    }
    match columns.iter().zip(&masses.b).position(|(&sum, &mass)| far(sum, mass)) {
        None => Ok(()),
        Some(j) => {
            let (value, allowed) = (columns[j], "a column that sums to its weight in `b`");
            Err(Error::Value { argument: "plan", position: j.into(), value, allowed })
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::{Cost, GroundCost};

    #[test]
    fn the_product_costs_its_double_sum() {
        let mut next = generator(21);
        let (x, y) = (Array2::from_shape_simple_fn((7, 2), &mut next), Array2::from_shape_simple_fn((9, 2), &mut next));
        let (a, b) = (Array1::from_elem(7, 9.0), Array1::from_elem(9, 7.0));
        let points = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
        let costs = points.to_matrix().unwrap();
        for cost in [points, Cost::matrix(costs.view())] {
            let got = product_coupling_cost(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
            close(got, costs.sum(), 1e-14);
        }
    }

    #[test]
    fn a_plan_costs_what_it_says_once_it_is_feasible() {
        let (a, b, cost) = (array![0.5, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, -2.0]]);
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        close(plan_cost(problem, &array![[0.25, 0.25], [0.0, 0.5]]).unwrap(), -0.75, 1e-15);
        close(plan_cost(problem, &array![[0.25, 0.25 - 1e-11], [0.0, 0.5]]).unwrap(), -0.75, 1e-10);
        let message = |plan: Array2<f64>| plan_cost(problem, &plan).unwrap_err().to_string();
        assert_eq!(
            message(array![[0.25, 0.25], [0.0, 0.75]]),
            "`plan`[1] is 0.75, allowed is a row that sums to its weight in `a`"
        );
        assert_eq!(
            message(array![[0.5, 0.0], [0.0, 0.5]]),
            "`plan`[0] is 0.5, allowed is a column that sums to its weight in `b`"
        );
        assert_eq!(message(array![[0.5, 0.0]]), "`plan` has shape [1, 2], expected [2, 2]");
    }
}
