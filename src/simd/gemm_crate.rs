//! The door to the crate `gemm`, whose interface is pointers.

use gemm::Parallelism;
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::Real;

/// `c <- alpha a b + beta c` on the calling thread; where `beta` is 0 the old `c` is not read.
pub(crate) fn gemm<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let ((rows, inner), columns) = (a.dim(), b.ncols());
    assert!(b.nrows() == inner && c.dim() == (rows, columns), "the shapes of a product fit");
    let [strides_a, strides_b, strides_c] = [strides(&a), strides(&b), strides(&c.view())];
    let keep = beta != T::zero();
    let out = c.as_mut_ptr();
    // SAFETY: each pointer and its strides come from a view of the shape that goes with them (checked above), save the
    // stride of an axis of one element, which only its place 0 is multiplied by; so every element is inside and may be
    // read. `c` is borrowed mutably, so its elements are distinct and those of nobody else. `T` is `f32` or `f64`, which
    // the function takes, since `Real` is sealed.
    unsafe {
        ::gemm::gemm(
            rows,
            columns,
            inner, //
            out,
            strides_c[1],
            strides_c[0],
            keep, //
            a.as_ptr(),
            strides_a[1],
            strides_a[0], //
            b.as_ptr(),
            strides_b[1],
            strides_b[0], //
            beta,
            alpha,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The strides of a matrix; of an axis of one element that which it has in a matrix without gaps, since the way that is
/// taken, and with it the bits, depends on strides.
fn strides<T>(matrix: &ArrayView2<'_, T>) -> [isize; 2] {
    let (rows, columns) = matrix.dim();
    let [down, right] = [matrix.strides()[0], matrix.strides()[1]];
    [if rows > 1 { down } else { columns as isize }, if columns > 1 { right } else { 1 }]
}
