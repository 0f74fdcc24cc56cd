use ndarray::{Array2, ShapeBuilder, aview2, s};

use super::*;

const BACKENDS: [Backend; 2] = [Backend::Tiles, Backend::Library];

/// Shapes around every edge: rows, inner axis, columns.
const SHAPES: [(usize, usize, usize); 16] = [
    (0, 3, 4),
    (3, 0, 4),
    (3, 4, 0),
    (1, 1, 1),
    (1, 17, 1),
    (1, 17, 33),
    (33, 17, 1),
    (3, 1, 3),
    (6, 2, 64),
    (7, 513, 65),
    (17, 130, 33),
    (64, 64, 64),
    (130, 33, 17),
    (97, 1030, 31),
    (13, 5, 1100),
    (300, 20, 130),
];

/// Numbers in [-1, 1] that look random, the same in every run.
fn matrix<T: Real>(rows: usize, columns: usize, seed: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let bits = (((seed * 1009 + i) * 10_007 + j + 1) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        T::from_f64((bits >> 40) as f64 / (1 << 23) as f64 - 1.0)
    })
}

/// The product as it is defined, in `f64`, and the sum of the sizes of what it adds.
fn definition<T: Real>(factors: [f64; 2], a: &Array2<T>, b: &Array2<T>, c: &Array2<T>) -> (Array2<f64>, Array2<f64>) {
    let [alpha, beta] = factors;
    let term = |i: usize, p: usize, j: usize| a[[i, p]].as_f64() * b[[p, j]].as_f64();
    let start = |i: usize, j: usize| if beta == 0.0 { 0.0 } else { beta * c[[i, j]].as_f64() };
    let sum = |i: usize, j: usize| alpha * (0..a.ncols()).map(|p| term(i, p, j)).sum::<f64>() + start(i, j);
    let size =
        |i: usize, j: usize| alpha.abs() * (0..a.ncols()).map(|p| term(i, p, j).abs()).sum::<f64>() + start(i, j).abs();
    (Array2::from_shape_fn(c.dim(), |(i, j)| sum(i, j)), Array2::from_shape_fn(c.dim(), |(i, j)| size(i, j)))
}

fn agrees_with_the_definition<T: Real>() {
    for (rows, inner, columns) in SHAPES {
        let (a, b) = (matrix::<T>(rows, inner, 1), matrix::<T>(inner, columns, 2));
        for factors in [[1.0, 0.0], [1.0, 1.0], [-0.5, 2.0], [0.0, 1.0], [0.75, 0.0]] {
            let old = if factors[1] == 0.0 { T::nan() } else { T::one() };
            let start = matrix::<T>(rows, columns, 3).mapv(|x| x * old);
            let (exact, size) = definition(factors, &a, &b, &start);
            for backend in BACKENDS {
                let mut c = start.clone();
                let [alpha, beta] = factors.map(T::from_f64);
                product_by(backend, alpha, a.view(), b.view(), beta, c.view_mut());
                // Each of the additions that an element goes through, and a few more, rounds by half an ulp of the size.
                let bound = (inner + 4) as f64 * T::epsilon().as_f64();
                for ((i, &got), (exact, size)) in c.iter().enumerate().zip(exact.iter().zip(&size)) {
                    let error = (got.as_f64() - exact).abs();
                    assert!(error <= bound * size, "{backend:?} {rows}x{inner}x{columns} {factors:?} at {i}: {error}");
                }
            }
        }
    }
}

#[test]
fn every_shape_agrees_with_the_definition() {
    agrees_with_the_definition::<f32>();
    agrees_with_the_definition::<f64>();
}

/// The same numbers by rows, by columns, in rows with gaps, backwards, and every second one of both axes.
fn layouts<T: Real>(packed: &Array2<T>) -> [Array2<T>; 5] {
    let (rows, columns) = packed.dim();
    let mut by_columns = Array2::zeros((rows, columns).f());
    by_columns.assign(packed);
    let mut gaps = Array2::from_elem((rows, columns + 3), T::nan());
    gaps.slice_mut(s![.., 1..=columns]).assign(packed);
    let mut backwards = Array2::zeros((rows, columns));
    backwards.slice_mut(s![..;-1, ..;-1]).assign(packed);
    let mut sparse = Array2::from_elem((2 * rows, 2 * columns), T::nan());
    sparse.slice_mut(s![..;2, ..;2]).assign(packed);
    [packed.clone(), by_columns, gaps, backwards, sparse]
}

/// Where the numbers lie in each of the [`layouts`].
fn window<T>(layout: usize, array: ArrayViewMut2<'_, T>) -> ArrayViewMut2<'_, T> {
    let columns = array.ncols();
    match layout {
        2 => array.slice_move(s![.., 1..columns - 2]),
        3 => array.slice_move(s![..;-1, ..;-1]),
        4 => array.slice_move(s![..;2, ..;2]),
        _ => array,
    }
}

fn layout_leaves_no_trace<T: Real>() {
    for (rows, inner, columns) in SHAPES {
        let mut a = layouts(&matrix::<T>(rows, inner, 1));
        let mut b = layouts(&matrix::<T>(inner, columns, 2));
        let c = layouts(&matrix::<T>(rows, columns, 3));
        for backend in BACKENDS {
            let [alpha, beta] = [T::from_f64(0.7), T::from_f64(-1.3)];
            let mut expected = c[0].clone();
            product_by(backend, alpha, a[0].view(), b[0].view(), beta, expected.view_mut());
            for choice in 0..125 {
                let [x, y, z] = [choice % 5, choice / 5 % 5, choice / 25];
                let mut result = c[z].clone();
                let (a, b) = (window(x, a[x].view_mut()), window(y, b[y].view_mut()));
                product_by(backend, alpha, a.view(), b.view(), beta, window(z, result.view_mut()));
                let same = window(z, result.view_mut()) == expected;
                assert!(same, "{backend:?} {rows}x{inner}x{columns} in layouts {x}, {y}, {z}");
                assert_eq!(outside(z, result), outside(z, c[z].clone()), "only the window is written");
            }
        }
    }
}

/// How many elements beside the window are still NaN.
fn outside<T: Real>(layout: usize, mut array: Array2<T>) -> usize {
    window(layout, array.view_mut()).fill(T::zero());
    array.iter().filter(|x| x.is_nan()).count()
}

#[test]
fn every_layout_gives_the_same_bits() {
    layout_leaves_no_trace::<f32>();
    layout_leaves_no_trace::<f64>();
}

#[test]
fn a_stretched_axis_gives_the_same_bits() {
    let row = matrix::<f32>(1, 40, 1);
    let (stretched, b) = (row.broadcast((70, 40)).unwrap(), matrix::<f32>(40, 70, 2));
    for backend in BACKENDS {
        let [mut left, mut right] = [(); 2].map(|()| Array2::zeros((70, 70)));
        product_by(backend, 1.0, stretched, b.view(), 0.0, left.view_mut());
        product_by(backend, 1.0, stretched.to_owned().view(), b.view(), 0.0, right.view_mut());
        assert_eq!(left, right);
        product_by(backend, 1.0, b.t(), stretched.t(), 0.0, left.view_mut());
        product_by(backend, 1.0, b.t(), stretched.t().to_owned().view(), 0.0, right.view_mut());
        assert_eq!(left, right);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn every_number_of_threads_gives_the_same_bits() {
    for (rows, inner, columns) in [(300, 600, 1100), (64, 1030, 513), (1030, 130, 70)] {
        let (a, b) = (matrix::<f32>(rows, inner, 1), matrix::<f32>(columns, inner, 2));
        for backend in BACKENDS {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut c = Array2::zeros((rows, columns));
                pool.install(|| product_by(backend, 1.0, a.view(), b.t(), 0.0, c.view_mut()));
                c
            };
            let one = run(1);
            assert_eq!(one, run(2));
            assert_eq!(one, run(5));
        }
    }
}

#[test]
fn what_is_not_finite_comes_through_even_times_zero() {
    let (rows, inner, columns) = (70, 40, 130);
    for backend in BACKENDS {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut a = Array2::<f32>::zeros((rows, inner));
            let b = Array2::zeros((inner, columns));
            a[[69, 39]] = bad;
            let mut c = Array2::zeros((rows, columns));
            product_by(backend, 1.0, a.view(), b.view(), 0.0, c.view_mut());
            for ((i, j), x) in c.indexed_iter() {
                assert_eq!(x.is_nan(), i == 69, "{backend:?}: {bad} times zero is {x} at {i}, {j}");
            }
            product_by(backend, 1.0, b.t(), a.t(), 1.0, c.reversed_axes().view_mut());
            let ones = Array2::ones((inner, columns));
            let mut c = Array2::zeros((rows, columns));
            product_by(backend, 1.0, a.view(), ones.view(), 0.0, c.view_mut());
            assert!(
                c.row(69).iter().all(|x| x.to_bits() == bad.to_bits() || x.is_nan() && bad.is_nan()),
                "{backend:?}"
            );
            assert!(c.slice(s![..69, ..]).iter().all(|&x| x == 0.0), "{backend:?}");
        }
    }
}

#[test]
fn nothing_to_add_up_scales_what_is_there() {
    let (a, b): (Array2<f64>, _) = (Array2::zeros((2, 0)), Array2::zeros((0, 2)));
    for backend in BACKENDS {
        let mut c = aview2(&[[1.0, 2.0], [3.0, f64::INFINITY]]).to_owned();
        product_by(backend, 1.0, a.view(), b.view(), 0.5, c.view_mut());
        assert_eq!(c, aview2(&[[0.5, 1.0], [1.5, f64::INFINITY]]));
        c[[0, 0]] = f64::NAN;
        product_by(backend, 1.0, a.view(), b.view(), 0.0, c.view_mut());
        assert_eq!(c, Array2::<f64>::zeros((2, 2)));
    }
}
