//! A product by a library, in fixed jobs.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2};

use super::{has_whole_rows, work};
use crate::{Real, parallel};

/// Columns of the result for which the factors are copied at a time, where they must be.
const COLUMNS: usize = 2048;

/// Rows and columns of the result that make one job. Fixed, so that the bits do not depend on the number of threads.
const ROWS: usize = 256;
const FEW: usize = 256;
const MANY: usize = 512;

/// `c <- alpha a b + beta c`.
pub(super) fn product<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let work = work(a.nrows(), a.ncols(), b.ncols());
    let width = if a.nrows() > ROWS { MANY } else { FEW };
    for (b, mut c) in b.axis_chunks_iter(Axis(1), COLUMNS).zip(c.axis_chunks_iter_mut(Axis(1), COLUMNS)) {
        let b = settle(b);
        let mut jobs = Vec::new();
        for (a, c) in a.axis_chunks_iter(Axis(0), ROWS).zip(c.axis_chunks_iter_mut(Axis(0), ROWS)) {
            jobs.extend(cut(c, width).into_iter().zip(b.axis_chunks_iter(Axis(1), width)).map(|(c, b)| (a, b, c)));
        }
        parallel::for_each(jobs, work, |(a, b, c)| job(alpha, settle(a), settle(b), beta, c));
    }
}

/// SumCount of so many columns.
fn cut<T>(mut c: ArrayViewMut2<'_, T>, width: usize) -> Vec<ArrayViewMut2<'_, T>> {
    let mut parts = Vec::new();
    while c.ncols() > width {
        let (part, rest) = c.split_at(Axis(1), width);
        parts.push(part);
        c = rest;
    }
    parts.push(c);
    parts
}

/// One job. Libraries write to a result with whole rows in one way and to any other in other ways, with other bits.
fn job<T: Real>(alpha: T, a: CowArray<'_, T, Ix2>, b: CowArray<'_, T, Ix2>, beta: T, mut c: ArrayViewMut2<'_, T>) {
    if c.is_standard_layout() || c.ncols() > 1 && has_whole_rows(&c.view()) {
        return call(alpha, a.view(), b.view(), beta, c);
    }
    let mut scratch = if beta == T::zero() { Array2::zeros(c.dim()) } else { c.as_standard_layout().into_owned() };
    call(alpha, a.view(), b.view(), beta, scratch.view_mut());
    c.assign(&scratch);
}

/// `matrixmultiply` copies both factors to one layout of its own.
#[cfg(not(feature = "gemm"))]
fn settle<T: Real>(factor: ArrayView2<'_, T>) -> CowArray<'_, T, Ix2> {
    factor.into()
}

/// `gemm` takes ways with other bits for other layouts: it always gets one row after the other.
#[cfg(feature = "gemm")]
fn settle<T: Real>(factor: ArrayView2<'_, T>) -> CowArray<'_, T, Ix2> {
    if factor.is_standard_layout() { factor.into() } else { factor.as_standard_layout().into_owned().into() }
}

#[cfg(not(feature = "gemm"))]
fn call<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, mut c: ArrayViewMut2<'_, T>) {
    ndarray::linalg::general_mat_mul(alpha, &a, &b, beta, &mut c);
}

#[cfg(feature = "gemm")]
use crate::simd::gemm as call;
