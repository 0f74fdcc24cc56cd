//! The largest potential on one side that a potential on the other leaves room for.

use ndarray::{Array1, ArrayRef1};

use crate::transport::Cost;
use crate::transport::cost_rows::CostRows;
use crate::transport::outwards::below;
use crate::transport::reduced_costs::{Rounding, least_of_columns};
use crate::{Error, Real, Result, check};

/// The c-transform of a potential: the largest `v` with `u_i + v_j <= C_ij` everywhere.
///
/// ```math
/// v_j = \min_i\, (C_{ij} - u_i)
/// ```
///
/// `potential` u is `[n]`, the cost `[n, m]`, the result `[m]`. Whatever `u` is, the pair is feasible for the dual problem,
/// so that `Σ a u + Σ b v` is a lower bound on the cost of transport. The way back is
/// `c_transform(cost.transposed(), &v)`: after it neither side has room, and a further round changes nothing.
///
/// Forbidden ways leave all the room that there is: `v_j` is +inf where every way to `j` is forbidden.
///
/// Computed in `f64` and rounded downwards to the type, so that rounding to `f32` keeps the pair feasible; what remains is
/// the rounding of `C - u` in `f64`. No matrix of `[n, m]` is made.
///
/// # Errors
///
/// - [`Error::Shape`], [`Error::Value`]: `potential` is not `[n]`, or not finite; or the cost is at fault.
/// - [`Error::Empty`]: no places on either side.
/// - [`Error::Overflow`]: a difference does not fit the type.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// # use loglik::transport::c_transform;
/// let cost = array![[1.0_f64, 3.0], [2.0, 5.0]];
/// let v = c_transform(Cost::matrix(cost.view()), &array![0.0, 1.5])?;
/// assert_eq!(v, array![0.5, 3.0]);
/// assert_eq!(c_transform(Cost::matrix(cost.t()), &v)?, array![0.0, 1.5]);
/// # Ok::<(), loglik::Error>(())
/// ```
///
/// # References
///
/// Villani, *Topics in Optimal Transportation*, 2003, section 2.1.
pub fn c_transform<T: Real>(cost: Cost<'_, T>, potential: &ArrayRef1<T>) -> Result<Array1<T>> {
    T::c_transform(cost, potential)
}

pub(in crate::transport) fn transform<T: Real>(cost: Cost<'_, T>, potential: &ArrayRef1<T>) -> Result<Array1<T>> {
    let [n, m] = cost.shape();
    check::shape("potential", potential.shape(), &[n])?;
    if n == 0 || m == 0 {
        return Err(Error::Empty { argument: "cost" });
    }
    cost.check_between(|_| true, |_| true)?;
    let potential = finite("potential", potential, |_| true)?;
    let rows: Vec<usize> = (0..n).collect();
    let transform = least_of_columns(&CostRows::new(T::any_cost(cost)), &rows, &potential, Rounding::Nearest);
    let is_open = |j: usize| (0..n).any(|i| cost.at(i, j) < f64::INFINITY);
    let narrow = |(j, v)| match below::<T>(v) {
        room if room.is_finite() || (v == f64::INFINITY && !is_open(j)) => Ok(room),
        _ => Err(Error::overflow::<T>("cost", j)),
    };
    transform.into_iter().enumerate().map(narrow).collect()
}

/// The potential in `f64`. Only at places that count must it be finite.
pub(super) fn finite<T: Real>(
    argument: &'static str,
    potential: &ArrayRef1<T>,
    counts: impl Fn(usize) -> bool,
) -> Result<Vec<f64>> {
    match potential.iter().enumerate().position(|(i, u)| !u.is_finite() && counts(i)) {
        None => Ok(potential.iter().map(|u| u.as_f64()).collect()),
        Some(at) => {
            let value = potential[at].as_f64();
            Err(Error::Value { argument, position: at.into(), value, allowed: "finite" })
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::testing::generator;

    fn random(n: usize, m: usize) -> Array2<f64> {
        let mut next = generator(7);
        Array2::from_shape_simple_fn((n, m), || 4.0 * next() - 1.0)
    }

    #[test]
    fn the_pair_is_feasible_and_touches_every_column() {
        let cost = random(40, 300);
        let u = Array1::from_shape_fn(40, |i| (i as f64).sin());
        let v = c_transform(Cost::matrix(cost.view()), &u).unwrap();
        for (j, column) in cost.columns().into_iter().enumerate() {
            let room = column.iter().zip(&u).map(|(c, u)| c - u - v[j]).fold(f64::INFINITY, f64::min);
            assert_eq!(room, 0.0, "{j}");
        }
    }

    #[test]
    fn single_precision_is_rounded_downwards() {
        let cost = array![[1.0_f32, 1e-3], [0.3, 7.0]];
        let u = array![1e-9_f32, 1e-9];
        let v = c_transform(Cost::matrix(cost.view()), &u).unwrap();
        for ((i, j), c) in cost.indexed_iter() {
            assert!(u[i].as_f64() + v[j].as_f64() <= c.as_f64());
        }
        assert!((v[0] - 0.3).abs() < 1e-7 && (v[1] - 0.000_999_999).abs() < 1e-9);
    }

    #[test]
    fn forbidden_ways_leave_all_the_room() {
        let never = f64::INFINITY;
        let cost = array![[1.0, never, never], [2.0, 5.0, never]];
        let v = c_transform(Cost::matrix(cost.view()), &array![0.5, 1.0]).unwrap();
        assert_eq!(v, array![0.5, 4.0, never]);
    }

    #[test]
    fn bad_input_is_named() {
        let cost = random(2, 3);
        let message = |u: Array1<f64>| c_transform(Cost::matrix(cost.view()), &u).unwrap_err().to_string();
        assert_eq!(message(array![0.0]), "`potential` has shape [1], expected [2]");
        assert_eq!(message(array![0.0, f64::NAN]), "`potential`[1] is NaN, allowed is finite");
        let none = Array2::<f64>::zeros((0, 3));
        let error = c_transform(Cost::matrix(none.view()), &array![]).unwrap_err();
        assert_eq!(error.to_string(), "`cost` is empty, needed is at least one element");
        let wide = array![[f64::MAX], [0.0]];
        let error = c_transform(Cost::matrix(wide.view()), &array![-f64::MAX, f64::MAX]);
        assert_eq!(error, Ok(array![-f64::MAX]));
        let error = c_transform(Cost::matrix(wide.slice(ndarray::s![..1, ..])), &array![-f64::MAX]).unwrap_err();
        assert_eq!(error.to_string(), "the result at `cost`[0] overflows f64");
    }
}
