//! Sums of exponentials over the columns of a matrix whose rows come in blocks.

use ndarray::{ArrayView2, Axis};

use crate::simd::{Kernel, RowSum, dispatch};
use crate::{Real, parallel};

/// Columns that one thread works on at a time.
const COLUMNS: usize = 1024;

/// Rows whose exponentials are added in the type of the caller.
const ROWS: usize = 32;

/// `Σ e^x` of each column, kept as `e^max · total`. No column looks at another, and its rows are added in their order.
pub(super) struct ColumnSums<T> {
    max: Vec<T>,
    total: Vec<f64>,
}

impl<T: Real> ColumnSums<T> {
    /// The sums over nothing.
    pub(super) fn new(columns: usize) -> Self {
        Self { max: vec![T::neg_infinity(); columns], total: vec![0.0; columns] }
    }

    /// Takes in the next rows, each of which lies in one piece.
    pub(super) fn push(&mut self, rows: ArrayView2<'_, T>) {
        let sums = self.max.chunks_mut(COLUMNS).zip(self.total.chunks_mut(COLUMNS));
        let jobs = rows.axis_chunks_iter(Axis(1), COLUMNS).zip(sums).collect();
        parallel::for_each(jobs, 2 * size_of::<T>() * rows.len(), |(rows, (max, total))| push(rows, max, total));
    }

    /// The sum of one column, NaN where the column holds NaN or +inf.
    pub(super) fn of(&self, column: usize) -> RowSum<T> {
        let (max, total) = (self.max[column], self.total[column]);
        // The largest element has added exactly 1; where there is none, there are no others either.
        let others = if max == T::neg_infinity() { total } else { total - 1.0 };
        RowSum { max, others, ..RowSum::new() }
    }
}

/// The same of the columns of one job: first the largest elements, then the terms below them.
fn push<T: Real>(rows: ArrayView2<'_, T>, max: &mut [T], total: &mut [f64]) {
    let before = max.to_vec();
    for row in rows.outer_iter().filter_map(|row| row.to_slice()) {
        dispatch(Raise { row, max });
    }
    for ((total, &max), &before) in total.iter_mut().zip(&*max).zip(&before) {
        if before < max {
            *total *= (before.as_f64() - max.as_f64()).exp();
        }
    }
    let shift: Vec<T> = max.iter().map(|&max| or_above_all(max)).collect();
    let mut sums = vec![T::zero(); max.len()];
    for rows in rows.axis_chunks_iter(Axis(0), ROWS) {
        for row in rows.outer_iter().filter_map(|row| row.to_slice()) {
            dispatch(AddBelow { row, shift: &shift, sums: &mut sums });
        }
        for (total, sum) in total.iter_mut().zip(&mut sums) {
            *total += std::mem::replace(sum, T::zero()).as_f64();
        }
    }
}

/// A maximum, as what is taken from elements before their exponential: of nothing but -inf it is +inf, and `e^(x - inf) = 0`.
pub(super) fn or_above_all<T: Real>(max: T) -> T {
    if max == T::neg_infinity() { T::infinity() } else { max }
}

/// `max_j <- max(max_j, x_j)`, NaN passed over.
struct Raise<'a, T> {
    row: &'a [T],
    max: &'a mut [T],
}

impl<T: Real> Kernel for Raise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (max, &x) in self.max.iter_mut().zip(self.row) {
            *max = if x > *max { x } else { *max };
        }
    }
}

/// `sum_j += e^(x_j - shift_j)`, where no element is above its shift.
struct AddBelow<'a, T> {
    row: &'a [T],
    shift: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real> Kernel for AddBelow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for ((sum, &x), &shift) in self.sums.iter_mut().zip(self.row).zip(self.shift) {
            *sum += (x - shift).exp_down_lane::<FMA>();
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;

    /// Numbers of very different sizes, a column of -inf, and one whose largest element comes last.
    fn matrix<T: Real>() -> Array2<T> {
        Array2::from_shape_fn((300, 2_100), |(i, j)| match j {
            3 => T::neg_infinity(),
            4 => T::from_f64(-900.0 + 3.0 * i as f64),
            _ if i == j => T::neg_infinity(),
            _ => T::from_f64(((i * 7919 + j * 104_729) % 1009) as f64 / 25.0 - 20.0),
        })
    }

    fn check<T: Real>() {
        let matrix = matrix::<T>();
        let mut sums = ColumnSums::new(2_100);
        for rows in [0..1, 1..70, 70..70, 70..300] {
            sums.push(matrix.slice(s![rows, ..]));
        }
        for j in 0..2_100 {
            let column = matrix.column(j).to_vec();
            let mut exact = RowSum::new();
            exact.push(&column);
            let found = sums.of(j);
            assert_eq!(found.max, exact.max, "{j}");
            let [found, exact] = [found, exact].map(|sum| sum.others.ln_1p());
            assert!((found - exact).abs() <= 4.0 * T::epsilon().as_f64() * (1.0 + exact), "{j}: {found}, {exact}");
        }
    }

    #[test]
    fn columns_have_the_sums_that_they_would_have_as_rows() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn nan_and_infinity_leave_no_proper_sum_in_their_column_alone() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut sums = ColumnSums::new(3);
            let mut rows = Array2::zeros((4, 3));
            sums.push(rows.view());
            rows[[2, 1]] = bad;
            sums.push(rows.view());
            assert!(!sums.of(1).is_proper(), "{bad}");
            assert_eq!([0, 2].map(|j| sums.of(j).others), [7.0, 7.0]);
        }
    }
}
