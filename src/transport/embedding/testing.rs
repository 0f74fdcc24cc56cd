//! What the tests of this room share: costs between a few tokens, and logits over them.

use ndarray::{Array1, Array2, array};

use super::CosineCost;

/// Costs 0.2, 1 and 0.4 between three tokens.
pub(super) fn three() -> CosineCost<f64> {
    CosineCost::new(&array![[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]).unwrap()
}

/// Logits of three rows over five classes, their targets and costs.
pub(super) fn five() -> (Array2<f64>, Array1<i64>, CosineCost<f64>) {
    let embeddings = Array2::from_shape_fn((5, 3), |(i, j)| ((1 + 3 * i + j * j) as f64).sin());
    let logits = Array2::from_shape_fn((3, 5), |(n, k)| 0.3 * ((2 * n + 5 * k) as f64).cos() + 0.1 * k as f64);
    (logits, array![4, 0, 2], CosineCost::new(&embeddings).unwrap())
}
