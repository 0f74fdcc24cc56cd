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
