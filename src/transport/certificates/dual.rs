//! A lower bound: the dual value of a pair of potentials.

use ndarray::ArrayRef1;

use super::c_transform::finite;
use super::held::{Held, chosen};
use crate::transport::TransportProblem;
use crate::transport::cost_rows::difference_below;
use crate::transport::outwards::lower;
use crate::transport::reduced_costs::least_of_rows;
use crate::transport::twofold::Twofold;
use crate::{Real, Result, check, reduction};

/// The dual value of a pair of potentials, less what it costs to make the pair feasible.
///
/// ```math
/// \operatorname{EMD}(a, b; C) \ge \sum_i a_i u_i + \sum_j b_j v_j - w \sum_i a_i, \qquad
/// w = \max_{ij} \max(0,\; u_i + v_j - C_{ij})
/// ```
///
/// `u` is `[n]`, `v` `[m]`. A feasible pair, `u_i + v_j <= C_ij`, has `w = 0`, and any plan pays `Σ P C >= Σ P (u + v)`.
/// Another is shifted down by its largest violation `w`, so that the result is a bound whatever comes; it is a good one
/// only where `w` is small. [`c_transform`](super::c_transform) makes the best `v` for a `u`. Potentials of places without
/// mass are not read. Formed to thirty digits, `b` scaled to the total of `a` included, and rounded downwards by what may
/// be lost of those, so that no round-off takes it above what it bounds. One pass over the costs.
///
/// # Errors
///
/// - Those of the problem, as for [`emd`](crate::transport::emd).
/// - [`Error::Shape`](crate::Error::Shape), [`Error::Value`](crate::Error::Value): potentials of another length, or not finite.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::dual_bound;
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 1.0], [1.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// assert_eq!(dual_bound(problem, &array![0.5, -0.5], &array![-0.5, 0.5])?, 0.25); // attained
/// assert_eq!(dual_bound(problem, &array![0.5, -0.5], &array![0.0, 1.0])?, 0.25); // above by 0.5 throughout
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Kantorovich duality: Villani, *Topics in Optimal Transportation*, 2003, theorem 1.3.
pub fn dual_bound<T: Real>(problem: TransportProblem<'_, T>, u: &ArrayRef1<T>, v: &ArrayRef1<T>) -> Result<T> {
    T::dual_bound(problem, u, v)
}

pub(in crate::transport) fn bound<T: Real>(
    problem: TransportProblem<'_, T>,
    u: &ArrayRef1<T>,
    v: &ArrayRef1<T>,
) -> Result<T> {
    check::shape("u", u.shape(), &[problem.a.len()])?;
    check::shape("v", v.shape(), &[problem.b.len()])?;
    let masses = problem.held_masses()?.scaled();
    let (u, v) = (finite("u", u, |i| masses.a[i] > 0.0)?, finite("v", v, |j| masses.b[j] > 0.0)?);
    let held = Held::new(problem.any_cost(), &masses);
    let (u, v) = (chosen(&u, &held.rows), chosen(&v, &held.columns));
    let room = least_of_rows(&held.costs, &held.rows, &v);
    // Not below the exact one, as `room` is not above its.
    let violation = u.iter().zip(&room).fold(0.0, |max: f64, (&u, &room)| max.max(-difference_below(room, u)));
    // A constant that goes from one side to the other would bring in what the masses are not known to: the heaviest
    // column's potential does.
    let heaviest = (0..v.len()).fold(0, |best, j| if held.b[j] > held.b[best] { j } else { best });
    let constant = v.get(heaviest).copied().unwrap_or(0.0);
    let mut sum = Twofold::default();
    for (&mass, &u) in held.a.iter().zip(&u) {
        [u, constant, -violation].into_iter().for_each(|potential| sum.add_product(mass, potential));
    }
    for (mass, &v) in held.wanted.iter().zip(&v) {
        let mut beside = Twofold::of(v);
        beside.add(-constant);
        sum.add_all(mass.times_all(beside));
    }
    lower(sum.below(), "u")
}

/// `Σ a u + Σ b v`, of potentials of the places that hold something.
pub(in crate::transport) fn dual_value(held: &Held<'_>, u: &[f64], v: &[f64]) -> f64 {
    let terms = |masses: &[f64], potentials: &[f64]| {
        reduction::sum(&masses.iter().zip(potentials).map(|(mass, potential)| mass * potential).collect::<Vec<_>>())
    };
    terms(&held.a, u) + terms(&held.b, v)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::{Cost, c_transform, emd_plan};

    #[test]
    fn the_solution_attains_it_and_anything_else_stays_below() {
        let mut next = generator(31);
        let (a, b) = (Array1::from_elem(8, 0.125), Array1::from_elem(5, 0.2));
        let cost = Array2::from_shape_simple_fn((8, 5), || next() - 0.5);
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        let solution = emd_plan(problem).unwrap();
        assert!((dual_bound(problem, &solution.u, &solution.v).unwrap() - solution.cost).abs() < 1e-15);
        for _ in 0..50 {
            let u = Array1::from_shape_simple_fn(8, || 2.0 * next() - 1.0);
            let v = Array1::from_shape_simple_fn(5, || 2.0 * next() - 1.0);
            let any = dual_bound(problem, &u, &v).unwrap();
            let best = dual_bound(problem, &u, &c_transform(problem.cost, &u).unwrap()).unwrap();
            assert!(any <= best + 1e-15 && best <= solution.cost + 1e-15, "{any}, {best}, {}", solution.cost);
        }
    }

    #[test]
    fn a_violation_is_paid_for_by_all_mass() {
        let (a, cost) = (array![2.0], array![[3.0]]);
        let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
        close(dual_bound(problem, &array![1.0], &array![1.5]).unwrap(), 5.0, 1e-15);
        close(dual_bound(problem, &array![10.0], &array![1.5]).unwrap(), 6.0, 1e-15);
        let message = |u: Array1<f64>, v: Array1<f64>| dual_bound(problem, &u, &v).unwrap_err().to_string();
        assert_eq!(message(array![1.0, 2.0], array![1.0]), "`u` has shape [2], expected [1]");
        assert_eq!(message(array![1.0], array![f64::INFINITY]), "`v`[0] is inf, allowed is finite");
    }
}
