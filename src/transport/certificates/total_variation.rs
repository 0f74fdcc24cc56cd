//! A lower bound between distributions over the same places: mass that cannot stay pays the cheapest way.

use super::held::Held;
use crate::error::Position;
use crate::transport::TransportProblem;
use crate::transport::emd::finite_plan;
use crate::transport::outwards::lower;
use crate::transport::problem::Masses;
use crate::transport::twofold::Twofold;
use crate::{Error, Real, Result, check};

/// The mass that cannot stay, at the cheapest way from where it lies.
///
/// ```math
/// \operatorname{EMD} \ge \max\Bigl( \sum_i (a_i - b_i)^+ \min_{j \ne i} C_{ij},\;
/// \sum_j (b_j - a_j)^+ \min_{i \ne j} C_{ij} \Bigr)
/// \ge \operatorname{TV}(a, b)\, \min_{i \ne j} C_{ij}
/// ```
///
/// For a square cost `>= 0` with zeros on its diagonal: place `i` can keep no more than `b_i`, so that what it sends
/// elsewhere is at least `(a_i - b_i)^+`; and the same for what arrives. Attained where all other costs are equal. Rounded
/// downwards by what its sums may have lost. Of places without mass nothing is read. One pass over the costs.
///
/// # Errors
///
/// - Those of the problem, as for [`emd`](crate::transport::emd).
/// - [`Error::Shape`]: the cost is not square.
/// - [`Error::Value`]: a cost below zero, or one on the diagonal that is not zero.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::total_variation_bound;
/// let (a, b, cost) = (array![0.5_f64, 0.5], array![0.25, 0.75], array![[0.0, 2.0], [2.0, 0.0]]);
/// let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
/// assert_eq!(total_variation_bound(problem)?, 0.5);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn total_variation_bound<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    T::total_variation_bound(problem)
}

pub(in crate::transport) fn bound<T: Real>(problem: TransportProblem<'_, T>) -> Result<T> {
    let n = problem.a.len();
    check::shape("cost", &problem.cost.shape(), &[n, n])?;
    let masses = problem.held_masses()?.scaled();
    match leaving(&Held::new(problem.any_cost(), &masses), &masses) {
        Ok(f64::INFINITY) => {
            finite_plan(problem.any_cost(), &masses)?;
            Err(Error::overflow::<T>("cost", Position::default()))
        }
        Ok(bound) => lower(bound, "cost"),
        Err((at, value)) => {
            let position = Position(at.to_vec());
            Err(Error::Value { argument: "cost", position, value, allowed: ">= 0, and 0 on the diagonal" })
        }
    }
}

/// The bound, or where the cost is not of its kind.
pub(in crate::transport) fn leaving(held: &Held<'_>, masses: &Masses) -> Result<f64, ([usize; 2], f64)> {
    let n = masses.a.len();
    // Where there is no other place on the other side, nothing is known to leave.
    let (mut scratch, mut to, mut from) = (Vec::new(), vec![None; n], vec![None; n]);
    let lowered = |least: Option<f64>, cost: f64| Some(least.map_or(cost, |least| least.min(cost)));
    for (k, &i) in held.rows.iter().enumerate() {
        for (&j, cost) in held.columns.iter().zip(held.row(k, &mut scratch).iter()) {
            if cost < 0.0 || (i == j && cost != 0.0) {
                return Err(([i, j], cost));
            }
            if i != j {
                from[i] = lowered(from[i], cost);
                to[j] = lowered(to[j], cost);
            }
        }
    }
    let (mut leaves, mut arrives) = (Twofold::default(), Twofold::default());
    for (i, (&mass, wanted)) in masses.a.iter().zip(&masses.wanted).enumerate() {
        let mut surplus = Twofold::of(mass);
        surplus.add_all(-*wanted);
        // Where no way is open, what lies below the last digit of the masses is rounding.
        let pays = |cost: f64| cost < f64::INFINITY || mass != wanted.nearest();
        match (from[i], to[i]) {
            (Some(cost), _) if surplus.is_positive() && pays(cost) => leaves.add_all(surplus.times(cost)),
            (_, Some(cost)) if (-surplus).is_positive() && pays(cost) => arrives.add_all((-surplus).times(cost)),
            _ => {}
        }
    }
    if leaves.is_finite() && arrives.is_finite() {
        Ok(leaves.below().max(arrives.below()).max(0.0))
    } else {
        Ok(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::testing::{close, generator};
    use crate::transport::{Cost, GroundCost, emd};

    #[test]
    fn it_stays_below_and_equal_costs_attain_it() {
        let mut next = generator(51);
        for n in [1, 2, 5, 12] {
            let mut weights = || {
                let weights = Array1::from_shape_simple_fn(n, || (4.0 * next()).floor() + 0.25);
                &weights / weights.sum()
            };
            let (a, b) = (weights(), weights());
            let x = Array2::from_shape_simple_fn((n, 2), &mut next);
            let near =
                TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), x.view(), GroundCost::Euclidean));
            let bound = total_variation_bound(near).unwrap();
            assert!(bound <= emd(near).unwrap() + 1e-15);
            let equal = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { 3.0 });
            let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(equal.view()));
            let variation = (&a - &b).mapv(f64::abs).sum() / 2.0;
            assert!((total_variation_bound(problem).unwrap() - 3.0 * variation).abs() < 1e-15);
            assert!((emd(problem).unwrap() - 3.0 * variation).abs() < 1e-15);
        }
    }

    #[test]
    fn the_better_side_counts() {
        let (a, b) = (array![1.0, 0.0, 0.0], array![0.0, 0.5, 0.5]);
        let cost = array![[0.0, 1.0, 5.0], [1.0, 0.0, 9.0], [5.0, 9.0, 0.0]];
        let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
        close(total_variation_bound(problem).unwrap(), 3.0, 1e-15);
        close(total_variation_bound(problem.transposed()).unwrap(), 3.0, 1e-15);
    }

    #[test]
    fn other_costs_are_named() {
        let a = array![0.5, 0.5];
        let message = |cost: Array2<f64>| {
            let problem = TransportProblem::new(a.view(), a.view(), Cost::matrix(cost.view()));
            total_variation_bound(problem).unwrap_err().to_string()
        };
        assert_eq!(
            message(array![[0.0, 1.0], [1.0, 2.0]]),
            "`cost`[1, 1] is 2, allowed is >= 0, and 0 on the diagonal"
        );
        assert_eq!(
            message(array![[0.0, -1.0], [1.0, 0.0]]),
            "`cost`[0, 1] is -1, allowed is >= 0, and 0 on the diagonal"
        );
        assert_eq!(message(Array2::zeros((2, 3))), "`cost` has shape [2, 3], expected [2, 2]");
    }
}
