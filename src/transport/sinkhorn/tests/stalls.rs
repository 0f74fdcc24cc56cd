//! Costs of hundreds of regularizations, where the iteration is far from linear at first.

use ndarray::{Array1, Array2};

use crate::testing::{cases, generator};
use crate::transport::{Cost, Sinkhorn, TransportProblem};

/// Rounds on four to eight points against as many, to the last digits; `None` where they are not enough.
fn rounds(seed: u64) -> Option<usize> {
    let mut random = generator(seed);
    let (n, m) = (4 + (5.0 * random()) as usize, 4 + (5.0 * random()) as usize);
    let mut weights = |n| {
        let weights = Array1::from_shape_simple_fn(n, || -(1.0 - random()).ln());
        &weights / weights.sum()
    };
    let (a, b) = (weights(n), weights(m));
    let mut points = |n| Array2::from_shape_simple_fn((n, 3), || 8.0 * (random() + random() - 1.0));
    let (x, y): (Array2<f64>, Array2<f64>) = (points(n), points(m));
    let cost = Array2::from_shape_fn((n, m), |(i, j)| (&x.row(i) - &y.row(j)).mapv(|d| d * d).sum());
    let problem = TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()));
    let settings = Sinkhorn { regularization: 0.05, tolerance: 1e-13, max_iterations: 100_000, ..Sinkhorn::default() };
    let solution = settings.solve(problem).unwrap();
    solution.converged.then_some(solution.iterations)
}

#[test]
fn extrapolations_that_lead_nowhere_do_not_keep_it_from_its_end() {
    let rounds: Vec<_> = (0..cases(100) as u64).map(rounds).collect();
    assert!(rounds.iter().all(Option::is_some), "{rounds:?}");
    let mut rounds: Vec<_> = rounds.into_iter().flatten().collect();
    rounds.sort_unstable();
    assert!(rounds[rounds.len() / 2] <= 150, "{rounds:?}");
}
