//! From a plan whose marginals are almost right to one whose marginals are.

use ndarray::{Array2, ArrayRef2};

use crate::error::Position;
use crate::transport::TransportProblem;
use crate::{Error, Real, Result, check, reduction};

/// A feasible plan near one that is not quite: the rounding of Altschuler, Weed and Rigollet.
///
/// ```math
/// F' = \operatorname{diag}\!\Bigl(\min\Bigl(1, \frac{a}{F 1}\Bigr)\Bigr) F, \qquad
/// F'' = F' \operatorname{diag}\!\Bigl(\min\Bigl(1, \frac{b}{F'^\top 1}\Bigr)\Bigr), \qquad
/// P = F'' + \frac{(a - F'' 1)(b - F''^\top 1)^\top}{\lVert a - F'' 1 \rVert_1}
/// ```
///
/// `plan` F is `[n, m]`, entries `>= 0`. Where it holds too much it is scaled down, and what is then missing is spread as a
/// product. The result has the marginals `a` and `b` up to round-off (`b` scaled to the total of `a`, from which it may
/// differ by the tolerance of [`TransportProblem`]), so that its cost is an upper bound on the least. Costs are not looked
/// at: the result may send mass along forbidden ways, and then bounds nothing. `‖P - F‖₁ <= 2 (‖F1 - a‖₁ + ‖Fᵀ1 - b‖₁)`. A
/// plan that is feasible comes back as it is, up to round-off.
///
/// # Errors
///
/// - Those of the problem: [`Error::Shape`], [`Error::Value`], [`Error::Empty`], [`Error::NoMass`],
///   [`Error::Unbalanced`], [`Error::Overflow`].
/// - [`Error::Shape`], [`Error::Value`]: `plan` is not `[n, m]`, or an entry is not finite or below zero.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::round_plan;
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// let plan = round_plan(problem, &array![[0.5, 0.0], [0.0, 0.5]])?;
/// assert_eq!(plan, array![[0.25, 0.25], [0.0, 0.5]]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Altschuler, Weed and Rigollet, NeurIPS 2017, algorithm 2 and lemma 7,
/// [arXiv:1705.09634](https://arxiv.org/abs/1705.09634).
pub fn round_plan<T: Real>(problem: TransportProblem<'_, T>, plan: &ArrayRef2<T>) -> Result<Array2<T>> {
    T::round_plan(problem, plan)
}

pub(in crate::transport) fn rounded<T: Real>(
    problem: TransportProblem<'_, T>,
    plan: &ArrayRef2<T>,
) -> Result<Array2<T>> {
    let masses = problem.held_masses()?.scaled();
    check_plan(&problem, plan)?;
    let mut row_into = |i: usize, out: &mut [f64]| fill(plan, i, out);
    let rounding = Rounding::new(&masses.a, &masses.b, &mut row_into);
    let (mut rounded, mut row) = (Array2::zeros(plan.dim()), vec![0.0; plan.ncols()]);
    for (i, mut out) in rounded.rows_mut().into_iter().enumerate() {
        row_into(i, &mut row);
        rounding.apply(i, &mut row);
        out.iter_mut().zip(&row).for_each(|(out, &mass)| *out = T::from_f64(mass));
    }
    Ok(rounded)
}

/// Shape and entries of a plan.
pub(super) fn check_plan<T: Real>(problem: &TransportProblem<'_, T>, plan: &ArrayRef2<T>) -> Result<()> {
    check::shape("plan", plan.shape(), &problem.cost.shape())?;
    match plan.indexed_iter().find(|(_, mass)| !(mass.is_finite() && **mass >= T::zero())) {
        None => Ok(()),
        Some(((i, j), mass)) => {
            let (position, value) = (Position(vec![i, j]), mass.as_f64());
            Err(Error::Value { argument: "plan", position, value, allowed: "finite and >= 0" })
        }
    }
}

/// Copies a row of a dense plan.
pub(super) fn fill<T: Real>(plan: &ArrayRef2<T>, i: usize, out: &mut [f64]) {
    out.iter_mut().zip(plan.row(i)).for_each(|(out, mass)| *out = mass.as_f64());
}

/// What rounds a plan row by row, so that no matrix need exist: two passes over its rows.
pub(in crate::transport) struct Rounding<'a> {
    a: &'a [f64],
    /// By what each row is scaled, at most 1.
    rows: Vec<f64>,
    /// By what each column is scaled then.
    columns: Vec<f64>,
    /// What each column lacks after both.
    missing: Vec<f64>,
    /// What all lack.
    total: f64,
}

impl<'a> Rounding<'a> {
    /// The first pass: `row_into(i, out)` writes row `i` of the plan, finite and not below zero.
    pub(in crate::transport) fn new(a: &'a [f64], b: &[f64], row_into: &mut dyn FnMut(usize, &mut [f64])) -> Self {
        let (mut row, mut sums) = (vec![0.0; b.len()], vec![0.0; b.len()]);
        let rows: Vec<f64> = (a.iter().enumerate())
            .map(|(i, &mass)| {
                row_into(i, &mut row);
                let scale = at_most_one(mass, reduction::sum(&row));
                sums.iter_mut().zip(&row).for_each(|(sum, mass)| *sum += scale * mass);
                scale
            })
            .collect();
        let columns: Vec<f64> = b.iter().zip(&sums).map(|(&mass, &sum)| at_most_one(mass, sum)).collect();
        let missing = |((mass, sum), scale): ((&f64, f64), &f64)| (mass - scale * sum).max(0.0);
        let missing: Vec<f64> = b.iter().zip(sums).zip(&columns).map(missing).collect();
        let total = reduction::sum(&missing);
        Self { a, rows, columns, missing, total }
    }

    /// The second pass: row `i` of the plan becomes that of the feasible one.
    pub(in crate::transport) fn apply(&self, i: usize, row: &mut [f64]) {
        row.iter_mut().zip(&self.columns).for_each(|(mass, column)| *mass *= self.rows[i] * column);
        let missing = (self.a[i] - reduction::sum(row)).max(0.0);
        if self.total > 0.0 {
            let share = missing / self.total;
            row.iter_mut().zip(&self.missing).for_each(|(mass, column)| *mass += share * column);
        }
    }
}

/// `min(1, mass / sum)`; of an empty sum, 1.
fn at_most_one(mass: f64, sum: f64) -> f64 {
    if sum > mass { mass / sum } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Axis, array};

    use super::*;
    use crate::testing::{all_close, close, generator};
    use crate::transport::Cost;

    fn weights(n: usize, next: &mut impl FnMut() -> f64) -> Array1<f64> {
        let weights = Array1::from_shape_simple_fn(n, || 0.01 + next());
        &weights / weights.sum()
    }

    #[test]
    fn any_plan_becomes_feasible_and_moves_no_more_than_it_may() {
        let mut next = generator(3);
        for (n, m, off) in [(5, 7, 0.1), (1, 4, 0.5), (6, 1, 1.0), (12, 12, 10.0)] {
            let (a, b, cost) = (weights(n, &mut next), weights(m, &mut next), Array2::zeros((n, m)));
            let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
            let plan = Array2::from_shape_fn((n, m), |(i, j)| a[i] * b[j] * (1.0 + off * (next() - 0.5)).max(0.0));
            let rounded = round_plan(problem, &plan).unwrap();
            assert!(rounded.iter().all(|&mass| mass >= 0.0));
            let error = |sums: Array1<f64>, mass: &Array1<f64>| (sums - mass).mapv(f64::abs).sum();
            assert!(error(rounded.sum_axis(Axis(1)), &a) < 1e-15 && error(rounded.sum_axis(Axis(0)), &b) < 1e-15);
            let before = error(plan.sum_axis(Axis(1)), &a) + error(plan.sum_axis(Axis(0)), &b);
            let moved = (&rounded - &plan).mapv(f64::abs).sum();
            assert!(moved <= 2.0 * before + 1e-15, "{moved} of {before}");
            let again = round_plan(problem, &rounded).unwrap();
            assert!((&again - &rounded).iter().all(|d| d.abs() < 1e-15));
        }
    }

    #[test]
    fn the_formula_by_hand() {
        // Rows hold 0.6 and 0.5 for 0.5 each: the first is scaled by 5/6. Columns then hold 0.75 for 0.25 and 0.25 for
        // 0.75: the first is scaled by a third, which leaves 1/6 missing in each of two rows, and 0.5 in the second column.
        let (a, b, cost) = (array![0.5, 0.5], array![0.25, 0.75], Array2::zeros((2, 2)));
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        let rounded = round_plan(problem, &array![[0.6, 0.0], [0.25, 0.25]]).unwrap();
        all_close(rounded, [1.0 / 6.0, 1.0 / 3.0, 1.0 / 12.0, 5.0 / 12.0], 1e-15);
    }

    #[test]
    fn an_empty_plan_becomes_the_product_and_empty_places_stay_so() {
        let (a, b, cost) = (array![0.0, 1.0, 3.0], array![2.0, 0.0, 2.0], Array2::zeros((3, 3)));
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        let product = array![[0.0, 0.0, 0.0], [0.5, 0.0, 0.5], [1.5, 0.0, 1.5]];
        assert_eq!(round_plan(problem, &Array2::zeros((3, 3))).unwrap(), product);
        let full = round_plan(problem, &Array2::ones((3, 3))).unwrap();
        assert_eq!((full.row(0).sum(), full.column(1).sum()), (0.0, 0.0));
        close(full.sum(), 4.0, 1e-15);
    }

    #[test]
    fn bad_plans_are_named() {
        let (a, cost) = (array![0.5, 0.5], Array2::<f64>::zeros((2, 2)));
        let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
        let message = |plan: Array2<f64>| round_plan(problem, &plan).unwrap_err().to_string();
        assert_eq!(message(Array2::zeros((2, 3))), "`plan` has shape [2, 3], expected [2, 2]");
        assert_eq!(message(array![[0.5, 0.0], [-0.5, 1.0]]), "`plan`[1, 0] is -0.5, allowed is finite and >= 0");
        assert_eq!(message(array![[0.5, f64::NAN], [0.5, 0.0]]), "`plan`[0, 1] is NaN, allowed is finite and >= 0");
    }
}
