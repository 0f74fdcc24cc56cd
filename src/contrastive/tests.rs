//! Contrastive losses against the plain formulas, over matrices that exist.

mod both_ways;
mod extremes;
mod info_nce;
mod machines;
mod sig_lip;
mod supervised;

use ndarray::{Array2, Axis};

use crate::testing::generator;

/// So many rows of noise.
fn rows(seed: u64, n: usize, d: usize) -> Array2<f64> {
    let mut random = generator(seed);
    Array2::from_shape_simple_fn((n, d), || 2.0 * random() - 1.0)
}

fn cosines(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    let unit = |x: &Array2<f64>| x / &x.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1));
    unit(a).dot(&unit(b).t())
}

fn log_sum(x: impl Iterator<Item = f64>) -> f64 {
    x.map(f64::exp).sum::<f64>().ln()
}

fn close(got: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((got - expected).abs() <= tolerance * (1.0 + expected.abs()), "{what}: {got}, {expected}");
}

/// A slope against the central difference of what a step away from 0 gives.
fn is_slope(slope: f64, moved: impl Fn(f64) -> f64, what: &str) {
    let step = 1e-6;
    close(slope, (moved(step) - moved(-step)) / (2.0 * step), 2e-8, what);
}

/// A gradient in some rows against central differences of the value.
fn are_slopes(x: &Array2<f64>, slopes: &Array2<f64>, value: impl Fn(&Array2<f64>) -> f64, what: &str) {
    for (at, &slope) in slopes.indexed_iter() {
        let moved = |by: f64| {
            let mut x = x.clone();
            x[at] += by;
            value(&x)
        };
        is_slope(slope, moved, &format!("{what}, {at:?}"));
    }
}
