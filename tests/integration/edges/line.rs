//! Points on lines and circles: very far, very near, very many, all in one place.

use loglik::transport::{
    Measure, SlicedWasserstein, normalized, wasserstein_1d, wasserstein_1d_grad, wasserstein_circle,
};
use ndarray::{Array1, Array2, array, aview1};

use super::{assert_narrow, assert_wide};

#[test]
fn distances_of_any_size_are_exact() {
    for scale in [1e-150, 1e-20, 1.0, 1e20, 1e150] {
        let (x, y) = ([0.5 * scale, -2.0 * scale], [scale, 3.0 * scale]);
        let (x, y) = (Measure::uniform(aview1(&x)), Measure::uniform(aview1(&y)));
        assert_wide("W_1", wasserstein_1d(x, y, 1.0).unwrap(), 2.75 * scale);
        assert_wide("W_2", wasserstein_1d(x, y, 2.0).unwrap(), 7.625 * scale * scale);
        let (value, f, g) = wasserstein_1d_grad(x, y, 2.0).unwrap();
        assert_wide("value", value, 7.625 * scale * scale);
        assert_wide("slope", f.points[1], -3.0 * scale);
        assert_wide("slope", g.points[0], 3.0 * scale);
        // -3 to -0.5 over 2.5, and -5 to -2.5: rises of (0.25 - 9) and (6.25 - 25), their mean, half to each side.
        assert_wide("potential", f.weights[0], 0.5 * 0.5 * (-8.75 - 18.75) * scale * scale);
        let circle = wasserstein_circle(x, y, 2.0, 100.0 * scale).unwrap();
        assert_wide("circle", circle, 7.625 * scale * scale);
        // Round the back of a circle of 6: from -2 to 3 it is 1, from 0.5 to 1 it is 0.5.
        assert_wide("circle", wasserstein_circle(x, y, 2.0, 6.0 * scale).unwrap(), 0.625 * scale * scale);
        let (x, y) = (array![[0.0, 0.5 * scale]], array![[0.0, 3.0 * scale]]);
        let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        let sliced = SlicedWasserstein::default();
        assert_wide("sliced", sliced.value(x, y, &array![[0.0, 1.0], [1.0, 0.0]]).unwrap(), 3.125 * scale * scale);
    }
}

#[test]
fn f32_goes_as_far_as_its_results() {
    for scale in [1e-18_f32, 1.0, 1e18] {
        let (x, y) = ([0.5 * scale, -2.0 * scale], [scale, 3.0 * scale]);
        let (x, y) = (Measure::uniform(aview1(&x)), Measure::uniform(aview1(&y)));
        let wide = f64::from(scale);
        let (value, f, _) = wasserstein_1d_grad(x, y, 2.0).unwrap();
        assert_narrow("value", value, 7.625 * wide * wide);
        assert_narrow("slope", f.points[0], -2.5 * wide);
        assert_narrow("circle", wasserstein_circle(x, y, 2.0, 6.0 * wide).unwrap(), 0.625 * wide * wide);
    }
    let (x, y) = ([1e30_f32], [-1e30_f32]);
    let (x, y) = (Measure::uniform(aview1(&x)), Measure::uniform(aview1(&y)));
    assert_eq!(wasserstein_1d(x, y, 1.0).unwrap(), 2e30);
    assert!(wasserstein_1d(x, y, 2.0).is_err());
}

#[test]
fn everything_in_one_place_costs_nothing_and_pulls_nowhere() {
    let (x, y) = (Array1::from_elem(1_000, 0.3), Array1::from_elem(70, 0.3));
    let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    for p in [1.0, 2.0, 3.3] {
        let (value, f, g) = wasserstein_1d_grad(x, y, p).unwrap();
        assert_eq!(value, 0.0);
        for gradient in [f, g] {
            assert!(gradient.points.iter().chain(&gradient.weights).all(|&slope| slope == 0.0));
        }
        assert_eq!(wasserstein_circle(x, y, p, 0.7).unwrap(), 0.0);
    }
    let points = Array2::from_elem((30, 4), -1.5);
    let cloud = Measure::uniform(points.view());
    let (value, in_x, _) = SlicedWasserstein { p: 1.0 }.grad(cloud, cloud, &Array2::eye(4)).unwrap();
    assert_eq!((value, in_x), (0.0, Array2::zeros((30, 4))));
    let slice = SlicedWasserstein::default().ascend(cloud, cloud, &array![1.0, 0.0, 0.0, 0.0], 9).unwrap();
    assert_eq!((slice.value, slice.direction), (0.0, array![1.0, 0.0, 0.0, 0.0]));
}

/// Masses of 30 orders of magnitude: none is lost.
#[test]
fn small_masses_keep_their_share() {
    let (x, a) = ([0.0, 1.0, 2.0], [1.0, 1e-15, 1e-30]);
    let y = [0.0, 1.0 + 1e6, 2.0 + 1e12];
    let (x, y) = (Measure::weighted(aview1(&x), aview1(&a)), Measure::weighted(aview1(&y), aview1(&a)));
    assert_wide("value", wasserstein_1d(x, y, 1.0).unwrap(), 1e-9 + 1e-18);
    let (_, f, _) = wasserstein_1d_grad(x, y, 2.0).unwrap();
    assert_wide("slope", f.points[1], -2e-9);
    assert_wide("slope", f.points[2], -2e-18);
}

/// Four sorts and an exact answer: points on a grid against the same grid, shifted by `shift` steps.
#[test]
fn a_million_points_move_as_one() {
    let (n, shift) = (1_000_000, 3);
    let order = |i: usize| i * 611_953 % n;
    let x = Array1::from_shape_fn(n, |i| order(i) as f64);
    let y = Array1::from_shape_fn(n, |i| (order(i + 7) + shift) as f64);
    let (left, right) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    let (value, f, g) = wasserstein_1d_grad(left, right, 2.0).unwrap();
    assert_wide("value", value, 9.0);
    let slope = 2.0 * 3.0 / n as f64;
    assert!(f.points.iter().all(|&got| (got + slope).abs() < 1e-20));
    assert!(g.points.iter().all(|&got| (got - slope).abs() < 1e-20));
    // f(x) = -6 x + a constant; the mean of the points is (n - 1) / 2.
    let middle = (n - 1) as f64 / 2.0;
    let worst = x.iter().zip(&f.weights).fold(0.0_f64, |max, (x, f)| max.max((f + 6.0 * (x - middle)).abs()));
    assert!(worst <= 1e-9, "{worst}"); // of 3e6
    let ring = n as f64;
    assert_eq!(wasserstein_circle(left, right, 1.0, ring).unwrap(), 0.0);
    let half = Measure::uniform(y.slice(ndarray::s![..n / 2]));
    let circle = wasserstein_circle(left, half, 2.0, ring).unwrap();
    let line = wasserstein_1d(left, half, 2.0).unwrap();
    assert!(circle <= line && circle > 0.0, "{circle} above {line}");
}

/// A softmax by its plain formula, all in `f32`.
fn softmax(n: usize, level: f32) -> Vec<f32> {
    let mut shares: Vec<f32> = (0..n).map(|i| (level + ((i * 7_919) % 97) as f32 / 97.0).exp()).collect();
    let total: f32 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= total);
    shares
}

#[test]
fn weights_of_an_f32_softmax_are_taken_as_they_are_in_either_type() {
    for n in [2, 3, 10, 100, 1_000, 32_000, 100_000, 200_000] {
        for level in [-3.0, -0.357, 0.7] {
            let narrow = Array1::from(softmax(n, level));
            let wide = narrow.mapv(f64::from);
            let points = Array1::from_shape_fn(n, |i| i as f64 / n as f64);
            let other = aview1(&[0.5]);
            let value = wasserstein_1d(Measure::weighted(points.view(), wide.view()), Measure::uniform(other), 1.0);
            assert!(value.is_ok(), "{n}: {value:?}");
            let circle =
                wasserstein_circle(Measure::weighted(points.view(), wide.view()), Measure::uniform(other), 2.0, 1.0);
            assert!(circle.is_ok(), "{n}: {circle:?}");
            let points = points.mapv(|x| x as f32);
            let other = aview1(&[0.5_f32]);
            let value = wasserstein_1d(Measure::weighted(points.view(), narrow.view()), Measure::uniform(other), 1.0);
            assert!(value.is_ok(), "{n}: {value:?}");
        }
    }
    // A share that is missing is still seen.
    let (points, short) = (array![0.0, 1.0, 2.0], array![0.5, 0.25, 0.2499]);
    let error = wasserstein_1d(Measure::weighted(points.view(), short.view()), Measure::uniform(points.view()), 1.0);
    assert!(error.unwrap_err().to_string().contains("`transport::normalized` divides weights by their sum"));
    let whole = normalized(&short).unwrap();
    assert!(
        wasserstein_1d(Measure::weighted(points.view(), whole.view()), Measure::uniform(points.view()), 1.0).is_ok()
    );
}
