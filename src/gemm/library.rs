//! A product by a library, in fixed jobs.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, CowArray, Ix2};

use super::{has_whole_rows, work};
use crate::{Real, parallel};

/// Columns of the result that are worked on at a time.
const COLUMNS: usize = 512;

/// Rows of the result that make one job, at least and at most; between them, an eighth.
const LEAST: usize = 64;
const GREATEST: usize = 256;

/// `c <- alpha a b + beta c`.
pub(super) fn product<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let height = a.nrows().div_ceil(8).clamp(LEAST, GREATEST);
    let work = work(a.nrows(), a.ncols(), b.ncols().min(COLUMNS));
    for (b, mut c) in b.axis_chunks_iter(Axis(1), COLUMNS).zip(c.axis_chunks_iter_mut(Axis(1), COLUMNS)) {
        let b = settle(b);
        let jobs = a.axis_chunks_iter(Axis(0), height).zip(c.axis_chunks_iter_mut(Axis(0), height));
        parallel::for_each(jobs.collect(), work, |(a, c)| job(alpha, settle(a), b.view(), beta, c));
    }
}

/// One job. Libraries write to a result with whole rows in one way and to any other in other ways, with other bits.
fn job<T: Real>(alpha: T, a: CowArray<'_, T, Ix2>, b: ArrayView2<'_, T>, beta: T, mut c: ArrayViewMut2<'_, T>) {
    if c.is_standard_layout() || c.ncols() > 1 && has_whole_rows(&c.view()) {
        return call(alpha, a.view(), b, beta, c);
    }
    let mut scratch = if beta == T::zero() { Array2::zeros(c.dim()) } else { c.as_standard_layout().into_owned() };
    call(alpha, a.view(), b, beta, scratch.view_mut());
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
