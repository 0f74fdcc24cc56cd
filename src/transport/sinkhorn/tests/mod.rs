//! Entropic transport against peers, exact arithmetic, differences and its own limits.

mod absent;
mod extremes;
mod flat;
mod forbidden;
mod forms;
mod gradients;
mod limits;
mod penalties;
mod stalls;
mod values;

use ndarray::{Array1, Array2, array};

use crate::testing::generator;
use crate::transport::sinkhorn::Sinkhorn;
use crate::transport::{Cost, GroundCost, TransportProblem};

const GROUNDS: [GroundCost; 3] = [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan];

/// Weights of 4 and 3 points in the plane, and the points.
struct Small {
    a: Array1<f64>,
    b: Array1<f64>,
    x: Array2<f64>,
    y: Array2<f64>,
}

impl Small {
    fn new() -> Self {
        Self {
            a: array![0.1, 0.4, 0.3, 0.2],
            b: array![0.5, 0.2, 0.3],
            x: array![[0.0, 0.0], [1.0, 0.5], [0.25, 2.0], [-1.0, 1.5]],
            y: array![[0.5, 0.5], [2.0, 1.0], [-0.5, 0.25]],
        }
    }

    /// Twice `a` and 0.7 times `b`.
    fn unequal() -> Self {
        let small = Self::new();
        Self { a: small.a * 2.0, b: small.b * 0.7, ..small }
    }

    fn points(&self, ground: GroundCost) -> TransportProblem<'_, f64> {
        TransportProblem::new(self.a.view(), self.b.view(), Cost::points(self.x.view(), self.y.view(), ground))
    }
}

fn sharp(regularization: f64) -> Sinkhorn {
    Sinkhorn { regularization, tolerance: 1e-14, ..Sinkhorn::default() }
}

fn problem<'a, T>(a: &'a Array1<T>, b: &'a Array1<T>, cost: &'a Array2<T>) -> TransportProblem<'a, T> {
    TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))
}

/// Random weights that sum to 1, and points in the unit cube.
fn cloud(n: usize, d: usize, seed: u64) -> (Array1<f64>, Array2<f64>) {
    let mut next = generator(seed);
    (0..99).for_each(|_| _ = next());
    let weights = Array1::from_shape_simple_fn(n, || 0.05 + next());
    (&weights / weights.sum(), Array2::from_shape_simple_fn((n, d), next))
}

/// Both kinds of problem.
fn settings() -> [Sinkhorn; 2] {
    [sharp(0.3), Sinkhorn { marginal_penalty: Some(0.8), ..sharp(0.3) }]
}
