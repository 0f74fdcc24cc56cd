//! What the tests of this room share: numbers, differences, layouts.

use ndarray::{Array2, ArrayRef2, ShapeBuilder, array, s};

use crate::Real;

/// Logits with a few digits each, so that sums of them with small whole numbers are exact in both types.
pub(super) fn sample<T: Real>(rows: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, classes), |(i, k)| {
        T::from_f64(((i * 7919 + k * 104_729 + i * k) % 513) as f64 / 64.0 - 4.0)
    })
}

/// The two rows that the worked numbers belong to.
pub(super) fn worked() -> Array2<f64> {
    array![[0.5, -1.25, 2.0, 0.75], [-3.0, 1.5, 0.0, 0.25]]
}

/// Derivative of `f` in each entry by central differences of fourth order.
pub(super) fn differences(at: &Array2<f64>, f: impl Fn(&Array2<f64>) -> f64) -> Array2<f64> {
    let step = 1e-3;
    Array2::from_shape_fn(at.dim(), |entry| {
        let moved = |by: f64| {
            let mut x = at.clone();
            x[entry] += by * step;
            f(&x)
        };
        (8.0 * (moved(1.0) - moved(-1.0)) - (moved(2.0) - moved(-2.0))) / (12.0 * step)
    })
}

/// Each pair of entries differs by at most `tolerance`, absolute below 1 and relative above.
#[track_caller]
pub(super) fn assert_close<'a, T: Real>(
    got: impl IntoIterator<Item = &'a T>,
    expected: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
) {
    let (mut got, mut expected) = (got.into_iter(), expected.into_iter());
    loop {
        match (got.next(), expected.next()) {
            (None, None) => return,
            (Some(g), Some(e)) => {
                assert!((g.as_f64() - e).abs() <= tolerance * e.abs().max(1.0), "{g} against {e}");
            }
            (g, e) => panic!("one side is longer: {g:?} against {e:?}"),
        }
    }
}

/// Gives the same numbers to `f` in other layouts: column-major, every second column, reversed on both axes.
pub(super) fn other_layouts<T: Real>(x: &Array2<T>, f: impl Fn(&ArrayRef2<T>)) {
    let (rows, classes) = x.dim();
    let mut columns = Array2::zeros((rows, classes).f());
    columns.assign(x);
    f(&columns);
    let mut wide = Array2::from_elem((rows, 2 * classes), T::nan());
    wide.slice_mut(s![.., ..;2]).assign(x);
    f(&wide.slice(s![.., ..;2]));
    let mut reversed = Array2::zeros((rows, classes));
    reversed.slice_mut(s![..;-1, ..;-1]).assign(x);
    f(&reversed.slice(s![..;-1, ..;-1]));
}
