//! The largest potential on one side that a potential on the other leaves room for.

use ndarray::{Array1, ArrayRef1};

use super::held::Held;
use crate::transport::Cost;
use crate::transport::cost_rows::CostRows;
use crate::{Error, Real, Result, check, parallel};

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
    let transform = to_columns(&CostRows::new(&cost), &potential);
    let is_open = |j: usize| (0..n).any(|i| cost.at(i, j) < f64::INFINITY);
    let narrow = |(j, v)| match below::<T>(v) {
        room if room.is_finite() || (v == f64::INFINITY && !is_open(j)) => Ok(room),
        _ => Err(Error::overflow::<T>("cost", j)),
    };
    transform.into_iter().enumerate().map(narrow).collect()
}

/// The potential in `f64`. Only at places that take part must it be finite.
pub(super) fn finite<T: Real>(
    argument: &'static str,
    potential: &ArrayRef1<T>,
    takes_part: impl Fn(usize) -> bool,
) -> Result<Vec<f64>> {
    match potential.iter().enumerate().position(|(i, u)| !u.is_finite() && takes_part(i)) {
        None => Ok(potential.iter().map(|u| u.as_f64()).collect()),
        Some(at) => {
            let value = potential[at].as_f64();
            Err(Error::Value { argument, position: at.into(), value, allowed: "finite" })
        }
    }
}

/// A number of the type that is not above, and at most two roundings below; not finite where it does not fit.
pub(in crate::transport) fn below<T: Real>(wide: f64) -> T {
    let near = T::from_f64(wide);
    if near.as_f64() > wide { near - near.abs().max(T::min_positive_value()) * T::epsilon() } else { near }
}

/// Rows that make one job: few enough jobs that their results are little beside what they read.
fn rows_per_job(rows: usize) -> usize {
    rows.div_ceil(16).max(16)
}

/// `v_j = min_i (C_ij - u_i)`, where `u` of -inf takes no part.
pub(in crate::transport) fn to_columns<T: Real>(rows: &CostRows<'_, T>, u: &[f64]) -> Vec<f64> {
    let chunk = rows_per_job(u.len());
    let mut parts = vec![vec![f64::INFINITY; rows.width()]; u.len().div_ceil(chunk)];
    let jobs = parts.iter_mut().enumerate().collect();
    parallel::for_each(jobs, size_of_val(u) * rows.width(), |(part, least): (usize, &mut Vec<f64>)| {
        let mut scratch = Vec::new();
        for (i, &u) in u.iter().enumerate().skip(part * chunk).take(chunk) {
            if u > f64::NEG_INFINITY {
                rows.row(i, &mut scratch).lower(u, least);
            }
        }
    });
    let join = |mut left: Vec<f64>, right: Vec<f64>| {
        left.iter_mut().zip(right).for_each(|(left, right)| *left = left.min(right));
        left
    };
    parts.into_iter().reduce(join).unwrap_or_default()
}

/// `u_i = min_j (C_ij - v_j)` of the rows that hold something, `v` of the columns: rounded downwards, so that no `u_i + v_j` is
/// above its cost.
pub(in crate::transport) fn to_rows<T: Real>(held: &Held<'_, T>, v: &[f64]) -> Vec<f64> {
    let n = held.rows.len();
    let (chunk, mut u) = (rows_per_job(n), vec![0.0; n]);
    let jobs = u.chunks_mut(chunk).enumerate().collect();
    parallel::for_each(jobs, size_of_val(v) * n, |(part, u): (usize, &mut [f64])| {
        let mut scratch = Vec::new();
        for (k, u) in u.iter_mut().enumerate() {
            *u = held.row(part * chunk + k, &mut scratch).least_below(v);
        }
    });
    u
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::testing::generator;
    use crate::transport::GroundCost;
    use crate::transport::problem::Masses;

    fn random(n: usize, m: usize) -> Array2<f64> {
        let mut next = generator(7);
        Array2::from_shape_simple_fn((n, m), || 4.0 * next() - 1.0)
    }

    fn all_held(cost: Cost<'_, f64>) -> Held<'_, f64> {
        let [n, m] = cost.shape();
        Held::new(&cost, &Masses { a: vec![1.0; n], b: vec![1.0; m] })
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
    fn both_directions_agree_and_a_third_changes_nothing() {
        let (x, y) = (random(70, 2), random(90, 2));
        let cost = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
        let u = vec![0.0; 70];
        let v = to_columns(&CostRows::new(&cost), &u);
        assert_eq!(to_rows(&all_held(cost.transposed()), &u), v);
        let back = to_rows(&all_held(cost), &v);
        assert!(back.iter().zip(&u).all(|(new, old)| new >= old));
        let third = to_columns(&CostRows::new(&cost), &back);
        assert!(third.iter().zip(&v).all(|(new, old)| (new - old).abs() < 1e-15));
    }

    #[test]
    fn a_potential_of_minus_infinity_takes_no_part() {
        let cost = random(3, 5);
        let all = Cost::matrix(cost.view());
        let without = to_columns(&CostRows::new(&all), &[0.5, f64::NEG_INFINITY, -0.25]);
        let expected: Vec<f64> = (0..5).map(|j| (cost[[0, j]] - 0.5).min(cost[[2, j]] + 0.25)).collect();
        assert_eq!(without, expected);
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

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_leave_no_trace() {
        let cost = random(600, 500);
        let u = vec![0.25; 600];
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let rows = Cost::matrix(cost.view());
                let v = to_columns(&CostRows::new(&rows), &u);
                (to_rows(&all_held(rows), &v), v)
            })
        };
        assert_eq!(run(1), run(2));
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
