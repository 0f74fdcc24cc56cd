//! Products of matrices: the one place that knows who computes them.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use crate::{Real, parallel};

/// Rows of the result that make one job. Fixed, so that the bits do not depend on the number of threads.
const JOB_ROWS: usize = 256;

/// `c <- alpha a b + beta c`, in any layout. The shapes must fit; where `beta` is 0 the old `c` is not read.
#[allow(dead_code)]
pub(crate) fn product<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let bytes = (a.len() + b.len() + c.len()) * size_of::<T>();
    let rows = a.axis_chunks_iter(Axis(0), JOB_ROWS).zip(c.axis_chunks_iter_mut(Axis(0), JOB_ROWS));
    parallel::for_each(rows.collect(), bytes, |(a, mut c)| general_mat_mul(alpha, &a, &b, beta, &mut c));
}
