//! Identities and limits that a wrong formula would break, at random points. The seed is fixed: the same points every time.

mod batchwise;
mod contrastive;
mod detached;
mod discriminators;
mod displacement;
mod divergence;
mod energy;
mod entropic_transport;
mod estimates;
mod exact_transport;
mod line;
mod linear;
mod logits;
mod margins;
mod metric;
mod observations;
mod pairs;
mod reductions;
mod samples;
mod sequence_match;
mod sequences;
mod sides;
mod special_cases;
mod transport;

use ndarray::{Array1, Array2};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases on every machine.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(20_230_529),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Relative to the larger of the number and 1.
#[track_caller]
fn assert_near(got: f64, expected: f64, tolerance: f64) {
    let error = (got - expected).abs();
    assert!(error <= tolerance * expected.abs().max(1.0), "{got} is not {expected}, by {error:e}");
}

/// The same for each element.
#[track_caller]
fn assert_all_near<'a>(
    got: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
) {
    let (got, expected): (Vec<_>, Vec<_>) = (got.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(got.len(), expected.len());
    got.into_iter().zip(expected).for_each(|(&got, &expected)| assert_near(got, expected, tolerance));
}

/// Numbers in a range, one for each of `n`.
fn numbers(n: usize, low: f64, high: f64) -> impl Strategy<Value = Array1<f64>> {
    vec(low..high, n).prop_map(Array1::from_vec)
}

/// A matrix of numbers in a range.
fn matrix(rows: usize, columns: usize, low: f64, high: f64) -> impl Strategy<Value = Array2<f64>> {
    vec(low..high, rows * columns)
        .prop_map(move |data| Array2::from_shape_vec((rows, columns), data).expect("as many numbers as places"))
}
