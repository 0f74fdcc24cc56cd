//! Slices against sorts, peers, differences and their own laws.

use ndarray::{Array1, Array2, Ix2, array};

use super::slices::{BLOCK, ROUND};
use super::*;
use crate::testing::{all_close, close, generator};
use crate::transport::{Measure, wasserstein_1d, wasserstein_1d_grad};

/// Points of both sides, weights of one total, directions of any length.
fn sample(n: usize, m: usize, d: usize, k: usize) -> ([Array2<f64>; 2], [Array1<f64>; 2], Array2<f64>) {
    let mut random = generator((n + m * d) as u64);
    let mut matrix = |rows: usize, columns: usize| Array2::from_shape_simple_fn((rows, columns), || random() - 0.4);
    let (x, y, directions) = (matrix(n, d), matrix(m, d), matrix(k, d));
    let weights = [n, m].map(|n| Array1::from_shape_fn(n, |i| (1 + i % 3) as f64));
    let weights = weights.map(|weights| &weights / weights.sum());
    ([x, y], weights, directions)
}

fn measure<'a>(points: &'a Array2<f64>, weights: &'a Array1<f64>) -> Measure<'a, f64, Ix2> {
    Measure::weighted(points.view(), weights.view())
}

#[test]
fn each_slice_is_the_distance_of_the_projections() {
    // More than one round of directions, and a part of a block.
    let ([x, y], [a, b], directions) = sample(9, 7, 3, ROUND + BLOCK + 3);
    for p in [1.0, 2.0, 2.5] {
        let sliced = SlicedWasserstein { p };
        let mut expected = (Vec::new(), Array2::<f64>::zeros((9, 3)), Array2::<f64>::zeros((7, 3)));
        for direction in directions.rows() {
            let unit = &direction / direction.dot(&direction).sqrt();
            let (left, right) = (x.dot(&unit), y.dot(&unit));
            let (left, right) = (Measure::weighted(left.view(), a.view()), Measure::weighted(right.view(), b.view()));
            let (value, in_x, in_y) = wasserstein_1d_grad(left, right, p).unwrap();
            expected.0.push(value);
            let outer = |slopes: &Array1<f64>| {
                slopes.view().insert_axis(ndarray::Axis(1)).dot(&unit.view().insert_axis(ndarray::Axis(0)))
            };
            expected.1 += &outer(&in_x.points);
            expected.2 += &outer(&in_y.points);
        }
        let k = directions.nrows() as f64;
        let each = sliced.each(measure(&x, &a), measure(&y, &b), &directions).unwrap();
        all_close(each.iter().copied(), expected.0.iter().copied(), 1e-12);
        let (value, in_x, in_y) = sliced.grad(measure(&x, &a), measure(&y, &b), &directions).unwrap();
        assert_eq!(value, sliced.value(measure(&x, &a), measure(&y, &b), &directions).unwrap());
        close(value, expected.0.iter().sum::<f64>() / k, 1e-12);
        for (got, expected) in [(in_x, expected.1), (in_y, expected.2)] {
            assert!((got - expected / k).iter().all(|difference| difference.abs() < 1e-14));
        }
    }
}

#[test]
fn values_are_those_of_pot() {
    let x = array![[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 1.0, 0.5], [0.0, 3.0, -1.5]];
    let y = array![[1.0, 1.0, -1.0], [-0.5, 2.0, 0.25], [2.5, -1.25, 0.0]];
    let (a, b) = (array![0.1, 0.4, 0.2, 0.3], array![0.5, 0.2, 0.3]);
    let directions = array![[3.0, 4.0, 0.0], [0.0, -1.0, 0.0], [1.0, 2.0, 2.0], [2.0, -3.0, 6.0]];
    let expected = [
        (1.0, 0.718_214_285_714_285_7, 0.692_956_349_206_349_1, 1.067_857_142_857_142_8),
        (2.0, 0.820_334_750_566_893_4, 0.737_553_618_669_690_2, 1.421_811_224_489_795_8),
        (3.0, 1.113_055_239_714_933_4, 0.928_211_109_311_449_5, 2.087_094_569_970_844_7),
    ];
    for (p, with_weights, without, largest) in expected {
        let sliced = SlicedWasserstein { p };
        close(sliced.value(measure(&x, &a), measure(&y, &b), &directions).unwrap(), with_weights, 4e-15);
        let (index, slice) = sliced.max(measure(&x, &a), measure(&y, &b), &directions).unwrap();
        assert_eq!(index, 3);
        close(slice.value, largest, 4e-15);
        let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        close(sliced.value(x, y, &directions).unwrap(), without, 4e-15);
    }
}

#[test]
fn in_one_dimension_it_is_the_distance_itself() {
    let ([x, y], ..) = sample(12, 8, 1, 0);
    let sliced = SlicedWasserstein { p: 1.5 };
    let (left, right) = (Measure::uniform(x.column(0)), Measure::uniform(y.column(0)));
    let line = wasserstein_1d(left, right, 1.5).unwrap();
    let all = sliced.each(Measure::uniform(x.view()), Measure::uniform(y.view()), &array![[1.0], [-3.0]]).unwrap();
    all_close(all, [line, line], 1e-14);
}

#[test]
fn the_largest_slice_is_that_of_each_and_has_the_gradient_of_its_direction() {
    let ([x, y], [a, b], directions) = sample(9, 7, 3, 20);
    let (x, y) = (measure(&x, &a), measure(&y, &b));
    let sliced = SlicedWasserstein::default();
    let each = sliced.each(x, y, &directions).unwrap();
    let (index, slice) = sliced.max(x, y, &directions).unwrap();
    assert!(each.iter().all(|&cost| cost <= each[index]));
    close(slice.value, each[index], 1e-14);
    let only = directions.slice(ndarray::s![index..index + 1, ..]);
    let (value, in_x, in_y) = sliced.grad(x, y, &only).unwrap();
    close(slice.value, value, 1e-14);
    all_close(slice.x, in_x, 1e-12);
    all_close(slice.y, in_y, 1e-12);
    assert_eq!(sliced.max(x, y, &array![[0.0, 1.0, 0.0], [0.0, 2.0, 0.0]]).unwrap().0, 0);
}

#[test]
fn the_ascent_never_falls_and_says_what_its_direction_gives() {
    let mut random = generator(4);
    for (turn, p) in (0..5).flat_map(|turn| [1.0, 2.0, 3.0].map(|p| (turn, p))) {
        let ([x, y], [a, b], _) = sample(20 + turn, 15, 4, 0);
        let (x, y) = (measure(&x, &a), measure(&y, &b));
        let start = directions::<f64>(1, 4, &mut random).unwrap();
        let sliced = SlicedWasserstein { p };
        let mut last = sliced.each(x, y, &start).unwrap()[0];
        for steps in [0, 1, 2, 5, 20] {
            let slice = sliced.ascend(x, y, &start.row(0), steps).unwrap();
            assert!(slice.value >= last * (1.0 - 1e-14));
            last = slice.value;
            let again = sliced.each(x, y, &slice.direction.view().insert_axis(ndarray::Axis(0))).unwrap()[0];
            close(again, slice.value, 1e-12);
        }
    }
}

#[test]
fn the_ascent_finds_the_axis_of_the_largest_variance() {
    // Two centered clouds, one of them stretched: along a direction W_2² is (σ - 1)² for spread σ.
    let x = Array2::from_shape_fn((400, 3), |(i, j)| ((i * (j + 2) * 7 + j) as f64).sin());
    let y = &x * &array![[1.0, 3.0, 1.0]];
    let slice = SlicedWasserstein::default()
        .ascend(Measure::uniform(x.view()), Measure::uniform(y.view()), &array![1.0, 0.3, -0.5], 100)
        .unwrap();
    assert!(slice.direction[1].abs() > 0.99, "{}", slice.direction);
}

#[test]
fn points_without_mass_are_never_looked_at() {
    let (x, y) = (array![[1.0, 2.0], [f64::NAN, 0.0], [3.0, 1.0]], array![[0.0, 0.5]]);
    let held = array![[1.0, 2.0], [3.0, 1.0]];
    let (a, one) = (array![0.25, 0.0, 0.75], array![1.0]);
    let kept = array![0.25, 0.75];
    let directions = array![[1.0, 0.0], [0.6, 0.8]];
    let sliced = SlicedWasserstein::default();
    let (value, in_x, in_y) = sliced.grad(measure(&x, &a), measure(&y, &one), &directions).unwrap();
    let plain = sliced.grad(measure(&held, &kept), measure(&y, &one), &directions).unwrap();
    assert_eq!((value, in_x.select(ndarray::Axis(0), &[0, 2]), in_y), plain);
    assert_eq!(in_x.row(1), array![0.0, 0.0]);
    let slice = sliced.ascend(measure(&x, &a), measure(&y, &one), &array![1.0, 1.0], 3).unwrap();
    assert_eq!(slice.x.row(1), array![0.0, 0.0]);
}

#[test]
fn f32_is_computed_in_f64() {
    let ([x, y], _, directions) = sample(9, 7, 3, 10);
    let [x, y, directions] = [x, y, directions].map(|array| array.mapv(|x| x as f32));
    let wide = [&x, &y, &directions].map(|array| array.mapv(f64::from));
    let sliced = SlicedWasserstein { p: 1.0 };
    let got = sliced.value(Measure::uniform(x.view()), Measure::uniform(y.view()), &directions).unwrap();
    let expected = sliced.value(Measure::uniform(wide[0].view()), Measure::uniform(wide[1].view()), &wide[2]);
    assert_eq!(got, expected.unwrap() as f32);
}

#[test]
fn bad_input_is_named() {
    let sliced = SlicedWasserstein::default();
    let (x, wide, nan) = (array![[0.0, 1.0]], array![[0.0, 1.0, 2.0]], array![[0.0, 1.0], [0.0, f64::NAN]]);
    let says = |x: &Array2<f64>, y: &Array2<f64>, directions: &Array2<f64>, message: &str| {
        let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        assert_eq!(sliced.value(x, y, directions).unwrap_err().to_string(), message);
        assert_eq!(sliced.grad(x, y, directions).unwrap_err().to_string(), message);
        assert_eq!(sliced.max(x, y, directions).unwrap_err().to_string(), message);
    };
    says(&x, &wide, &x, "`y.points` has shape [1, 3], expected [1, 2]");
    says(&x, &x, &wide, "`directions` has shape [1, 3], expected [1, 2]");
    says(&nan, &x, &x, "`x.points`[1, 1] is NaN, allowed is finite");
    says(&x, &nan, &x, "`y.points`[1, 1] is NaN, allowed is finite");
    says(&x, &x, &nan, "`directions`[1, 1] is NaN, allowed is finite");
    says(&x, &x, &array![[1.0, 0.0], [0.0, 0.0]], "`directions`[1] is 0, allowed is a row that is not zero");
    says(&x, &x, &Array2::zeros((0, 2)), "`directions` is empty, needed is at least one element");
    says(&Array2::zeros((0, 2)), &x, &x, "`x.points` is empty, needed is at least one element");
    says(&array![[1e200, 0.0]], &x, &array![[1.0, 0.0]], "the result at `x.points` overflows f64");
    let low = SlicedWasserstein { p: 0.5 };
    let x = Measure::uniform(x.view());
    let error = low.value(x, x, &array![[1.0, 0.0]]).unwrap_err();
    assert_eq!(error.to_string(), "`p` is 0.5, allowed is finite and >= 1");
    let out = &mut Array2::zeros((2, 2));
    let error = sliced.grad_into(x, x, &array![[1.0, 0.0]], &mut Array2::zeros((1, 2)), out).unwrap_err();
    assert_eq!(error.to_string(), "`out_y` has shape [2, 2], expected [1, 2]");
}
