//! Both statistics against their definitions, pair by pair.

use ndarray::{Array2, ArrayView2, array, s};

use super::*;
use crate::Result;
use crate::ratio::Samples;
use crate::testing::{close, generator};

fn cloud(n: usize, d: usize, shift: f64, seed: u64) -> Array2<f64> {
    let mut next = generator(seed);
    Array2::from_shape_simple_fn((n, d), || next() + shift)
}

fn both<'a>(x: &'a Array2<f64>, y: &'a Array2<f64>) -> Samples<ArrayView2<'a, f64>> {
    Samples { real: x.view(), fake: y.view() }
}

fn mixed(estimator: MmdEstimator) -> Mmd {
    let (gaussian, laplace) = (RadialKernel::Gaussian { width: 0.4 }, RadialKernel::Laplace { width: 1.3 });
    Mmd { kernels: vec![gaussian, laplace, RadialKernel::RationalQuadratic { alpha: 0.7, width: 0.6 }], estimator }
}

fn kernel(x: &[f64], y: &[f64]) -> f64 {
    let r = x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
    let share = 1.0 + r * r / (2.0 * 0.7 * 0.36);
    (-r * r / 0.32).exp() + (-r / 1.3).exp() + share.powf(-0.7)
}

/// The mean of `f` over all pairs, or over those of different points.
fn mean(x: &Array2<f64>, y: &Array2<f64>, skip: bool, f: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (i, a) in x.rows().into_iter().enumerate() {
        for (j, b) in y.rows().into_iter().enumerate() {
            if !skip || i != j {
                sum += f(&a.to_vec(), &b.to_vec());
                count += 1.0;
            }
        }
    }
    sum / count
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn values_are_those_of_all_pairs() {
    for (n, m, d) in [(7, 5, 3), (1, 4, 2), (600, 530, 1), (9, 9, 0)] {
        let (x, y) = (cloud(n, d, 0.0, 1), cloud(m, d, 0.3, 2));
        for (estimator, skip) in [(MmdEstimator::Biased, false), (MmdEstimator::Unbiased, true)] {
            if skip && n < 2 {
                continue;
            }
            let expected = mean(&x, &x, skip, kernel) + mean(&y, &y, skip, kernel) - 2.0 * mean(&x, &y, false, kernel);
            let got = mixed(estimator).value(both(&x, &y)).unwrap();
            assert!((got - expected).abs() < 1e-13, "{n} {m} {d}: {got} {expected}");
        }
        let expected =
            2.0 * mean(&x, &y, false, distance) - mean(&x, &x, false, distance) - mean(&y, &y, false, distance);
        assert!((energy_distance(both(&x, &y)).unwrap() - expected).abs() < 1e-13);
    }
}

type Gradient = Result<(f64, Samples<Array2<f64>>)>;

fn check_gradient(x: &Array2<f64>, y: &Array2<f64>, f: &dyn Fn(Samples<ArrayView2<'_, f64>>) -> Gradient) {
    let (_, gradient) = f(both(x, y)).unwrap();
    let slope = |x: [&Array2<f64>; 2], y: [&Array2<f64>; 2]| {
        (f(both(x[1], y[1])).unwrap().0 - f(both(x[0], y[0])).unwrap().0) / 2e-5
    };
    let moved = |points: &Array2<f64>, at: (usize, usize)| {
        [-1e-5, 1e-5].map(|by| {
            let mut points = points.clone();
            points[at] += by;
            points
        })
    };
    for (at, &got) in gradient.real.indexed_iter() {
        let [low, high] = moved(x, at);
        assert!((got - slope([&low, &high], [y, y])).abs() < 1e-9);
    }
    for (at, &got) in gradient.fake.indexed_iter() {
        let [low, high] = moved(y, at);
        assert!((got - slope([x, x], [&low, &high])).abs() < 1e-9);
    }
}

#[test]
fn gradients_are_central_differences() {
    let (x, y) = (cloud(6, 2, 0.0, 3), cloud(4, 2, 0.2, 4));
    for estimator in [MmdEstimator::Biased, MmdEstimator::Unbiased] {
        check_gradient(&x, &y, &|points| mixed(estimator).grad(points));
    }
    check_gradient(&x, &y, &energy_distance_grad);
}

#[test]
fn equal_samples_have_no_distance_and_no_pull() {
    let x = cloud(40, 3, 0.0, 5);
    let (value, gradient) = mixed(MmdEstimator::Biased).grad(both(&x, &x)).unwrap();
    assert!(value == 0.0 && gradient.real.iter().chain(&gradient.fake).all(|&slope| slope == 0.0));
    let (value, gradient) = energy_distance_grad(both(&x, &x)).unwrap();
    assert!(value == 0.0 && gradient.real.iter().chain(&gradient.fake).all(|&slope| slope == 0.0));
    let point = array![[1.0, 2.0], [1.0, 2.0]];
    let (_, gradient) = energy_distance_grad(both(&point, &point)).unwrap();
    assert_eq!(gradient.real, array![[0.0, 0.0], [0.0, 0.0]]);
}

#[test]
fn a_unit_of_any_size_is_a_factor() {
    let (x, y) = (cloud(5, 2, 0.0, 6), cloud(7, 2, 0.4, 7));
    let (one, slopes) = energy_distance_grad(both(&x, &y)).unwrap();
    let (mmd, pull) = mixed(MmdEstimator::Unbiased).grad(both(&x, &y)).unwrap();
    for exponent in [-300, 40, 300] {
        let unit = 2.0_f64.powi(exponent);
        let (a, b) = (&x * unit, &y * unit);
        let (value, gradient) = energy_distance_grad(both(&a, &b)).unwrap();
        assert_eq!((value, &gradient), (one * unit, &slopes));
        let kernels = mixed(MmdEstimator::Unbiased).kernels.into_iter().map(|kernel| match kernel {
            RadialKernel::Gaussian { width } => RadialKernel::Gaussian { width: width * unit },
            RadialKernel::Laplace { width } => RadialKernel::Laplace { width: width * unit },
            RadialKernel::RationalQuadratic { alpha, width } => {
                RadialKernel::RationalQuadratic { alpha, width: width * unit }
            }
        });
        let scaled = Mmd { kernels: kernels.collect(), estimator: MmdEstimator::Unbiased };
        let (value, gradient) = scaled.grad(both(&a, &b)).unwrap();
        assert_eq!((value, gradient.map(|side| side * unit)), (mmd, pull.clone()));
    }
    let (far, near) = (array![[1.7e308]], array![[-1.7e308]]);
    let error = energy_distance(both(&far, &near)).unwrap_err().to_string();
    assert_eq!(error, "the result at `real` overflows f64");
    let gaussian = Mmd { estimator: MmdEstimator::Biased, ..Mmd::default() };
    assert_eq!(gaussian.value(both(&far, &near)), Ok(2.0));
}

#[test]
fn the_median_is_that_of_the_sorted_list() {
    for (n, m, d) in [(1, 1, 2), (2, 1, 1), (9, 8, 3), (40, 33, 2)] {
        let (mut x, y) = (cloud(n, d, 0.0, 8), cloud(m, d, 0.5, 9));
        x.slice_mut(s![..n / 2, ..]).fill(0.25); // ties
        let all: Vec<Vec<f64>> = x.rows().into_iter().chain(y.rows()).map(|row| row.to_vec()).collect();
        let pairs = (0..n + m).flat_map(|i| (0..i).map(move |j| (i, j)));
        let mut distances: Vec<f64> = pairs.map(|(i, j)| distance(&all[i], &all[j])).collect();
        distances.sort_by(f64::total_cmp);
        close(median_distance(both(&x, &y)).unwrap(), distances[(distances.len() - 1) / 2], 1e-15);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (x, one) = (cloud(3, 2, 0.0, 1), cloud(1, 2, 0.0, 2));
    let message = |mmd: &Mmd, y: &Array2<f64>| mmd.value(both(&x, y)).unwrap_err().to_string();
    let usual = Mmd::default();
    assert_eq!(message(&usual, &one), "`fake` has shape [1, 2], expected [2, 2]");
    assert_eq!(message(&usual, &Array2::zeros((0, 2))), "`fake` is empty, needed is at least one element");
    assert_eq!(message(&usual, &cloud(3, 1, 0.0, 3)), "`fake` has shape [3, 1], expected [3, 2]");
    let mut bad = x.clone();
    bad[[2, 1]] = f64::NEG_INFINITY;
    assert_eq!(message(&usual, &bad), "`fake`[2, 1] is -inf, allowed is finite");
    assert_eq!(
        message(&Mmd { kernels: vec![], ..usual.clone() }, &x),
        "`kernels` is empty, needed is at least one element"
    );
    let of = |kernel| Mmd { kernels: vec![kernel], ..Mmd::default() };
    assert_eq!(message(&of(RadialKernel::Laplace { width: 0.0 }), &x), "`width` is 0, allowed is finite and > 0");
    let rational = RadialKernel::RationalQuadratic { alpha: 0.0, width: 1.0 };
    assert_eq!(message(&of(rational), &x), "`alpha` is 0, allowed is in [1e-6, 1e6]");
    assert_eq!(energy_distance(both(&x, &bad)).unwrap_err().to_string(), "`fake`[2, 1] is -inf, allowed is finite");
    assert_eq!(median_distance(both(&bad, &x)).unwrap_err().to_string(), "`real`[2, 1] is -inf, allowed is finite");
}
