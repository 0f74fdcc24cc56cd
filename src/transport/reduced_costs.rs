//! The least reduced costs of rows and of columns, which are the largest potentials that the other side's leave room for.

use super::cost_rows::CostRows;
use crate::parallel;

/// How a difference of a cost and a potential is rounded.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Rounding {
    Nearest,
    /// Not above the exact difference, and at most two roundings below it.
    Down,
}

/// Rows that make one job: few enough jobs that what they collect is little beside what they read.
pub(super) fn rows_per_job(rows: usize) -> usize {
    rows.div_ceil(16).max(16)
}

/// What the jobs have collected, joined in their order.
pub(super) fn join(parts: Vec<Vec<f64>>, op: fn(f64, f64) -> f64) -> Vec<f64> {
    let both = |mut left: Vec<f64>, right: Vec<f64>| {
        left.iter_mut().zip(right).for_each(|(left, right)| *left = op(*left, right));
        left
    };
    parts.into_iter().reduce(both).unwrap_or_default()
}

/// `min_j (C_ij - v_j)` of these rows, rounded downwards, so that no `u_i + v_j` is above its cost.
pub(super) fn least_of_rows(costs: &CostRows<'_>, rows: &[usize], v: &[f64]) -> Vec<f64> {
    let (chunk, mut u) = (rows_per_job(rows.len()), vec![0.0; rows.len()]);
    let jobs = u.chunks_mut(chunk).zip(rows.chunks(chunk)).collect();
    parallel::for_each(jobs, size_of_val(v) * rows.len(), |(u, rows): (&mut [f64], &[usize])| {
        let mut scratch = Vec::new();
        u.iter_mut().zip(rows).for_each(|(u, &i)| *u = costs.row(i, &mut scratch).least_below(v));
    });
    u
}

/// `min_i (C_ij - u_i)` of the columns, over these rows.
pub(super) fn least_of_columns(costs: &CostRows<'_>, rows: &[usize], u: &[f64], rounding: Rounding) -> Vec<f64> {
    let chunk = rows_per_job(rows.len());
    let mut parts = vec![vec![f64::INFINITY; costs.width()]; rows.len().div_ceil(chunk)];
    let jobs = parts.iter_mut().zip(rows.chunks(chunk).zip(u.chunks(chunk))).collect();
    parallel::for_each(
        jobs,
        size_of_val(u) * costs.width(),
        |(least, (rows, u)): (&mut Vec<f64>, (&[usize], &[f64]))| {
            let mut scratch = Vec::new();
            for (&i, &u) in rows.iter().zip(u) {
                let row = costs.row(i, &mut scratch);
                match rounding {
                    Rounding::Nearest => row.lower(u, least),
                    Rounding::Down => row.lower_below(u, least),
                }
            }
        },
    );
    join(parts, f64::min)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::testing::generator;
    use crate::transport::any_cost::AnyCost;
    use crate::transport::{Cost, GroundCost};

    fn random(n: usize, m: usize) -> Array2<f64> {
        let mut next = generator(7);
        Array2::from_shape_simple_fn((n, m), || 4.0 * next() - 1.0)
    }

    fn columns(cost: AnyCost<'_>, u: &[f64], rounding: Rounding) -> Vec<f64> {
        least_of_columns(&CostRows::new(cost), &(0..u.len()).collect::<Vec<_>>(), u, rounding)
    }

    fn rows(cost: AnyCost<'_>, v: &[f64]) -> Vec<f64> {
        least_of_rows(&CostRows::new(cost), &(0..cost.shape()[0]).collect::<Vec<_>>(), v)
    }

    #[test]
    fn both_directions_agree_and_a_third_changes_nothing() {
        let (x, y) = (random(70, 2), random(90, 2));
        let there = Cost::points(x.view(), y.view(), GroundCost::Euclidean);
        let (cost, back) = (AnyCost::from(there), AnyCost::from(there.transposed()));
        let u = vec![0.0; 70];
        let v = columns(cost, &u, Rounding::Nearest);
        assert_eq!(rows(back, &u), v);
        let back = rows(cost, &v);
        assert!(back.iter().zip(&u).all(|(new, old)| new >= old));
        let third = columns(cost, &back, Rounding::Down);
        assert!(third.iter().zip(&v).all(|(new, old)| (new - old).abs() < 1e-15));
    }

    #[test]
    fn only_the_given_rows_count() {
        let cost = random(3, 5);
        let costs = CostRows::new(Cost::matrix(cost.view()).into());
        let without = least_of_columns(&costs, &[0, 2], &[0.5, -0.25], Rounding::Nearest);
        let expected: Vec<f64> = (0..5).map(|j| (cost[[0, j]] - 0.5).min(cost[[2, j]] + 0.25)).collect();
        assert_eq!(without, expected);
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_leave_no_trace() {
        let cost = random(600, 500);
        let u = vec![0.25; 600];
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let cost = AnyCost::from(Cost::matrix(cost.view()));
                let v = columns(cost, &u, Rounding::Nearest);
                (rows(cost, &v), v)
            })
        };
        assert_eq!(run(1), run(2));
    }
}
