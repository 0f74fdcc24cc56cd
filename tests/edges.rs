//! Extreme inputs: where floating-point implementations break, against exact answers.
//!
//! Expected numbers come from mpmath with 60 digits. The rows in which other libraries fail are marked.

#[path = "edges/batchwise.rs"]
mod batchwise;
#[path = "edges/detached.rs"]
mod detached;
#[path = "edges/divergence.rs"]
mod divergence;
#[path = "edges/exact_transport.rs"]
mod exact_transport;
#[path = "edges/line.rs"]
mod line;
#[path = "edges/linear.rs"]
mod linear;
#[path = "edges/logits.rs"]
mod logits;
#[path = "edges/margins.rs"]
mod margins;
#[path = "edges/observations.rs"]
mod observations;
#[path = "edges/pairs.rs"]
mod pairs;
#[path = "edges/sides.rs"]
mod sides;
#[path = "edges/sizes.rs"]
mod sizes;

use std::f64::consts::LN_2;

const INF: f64 = f64::INFINITY;

/// Equal to a few units of the last place, or both below the smallest positive number of the type.
#[track_caller]
fn assert_exact(what: &str, got: f64, expected: f64, ulps: f64, epsilon: f64, tiny: f64) {
    let close = got == expected || (got - expected).abs() <= ulps * epsilon * expected.abs() + tiny;
    assert!(close, "{what} is {got:e}, exactly {expected:e}");
}

/// The same in `f64`.
#[track_caller]
fn assert_wide(what: &str, got: f64, expected: f64) {
    assert_exact(what, got, expected, 16.0, f64::EPSILON, f64::from_bits(1));
}

/// The same in `f32`; the expected number may be one that `f32` cannot hold.
#[track_caller]
fn assert_narrow(what: &str, got: f32, expected: f64) {
    assert_exact(what, f64::from(got), expected, 16.0, f64::from(f32::EPSILON), f64::from(f32::from_bits(1)));
}
