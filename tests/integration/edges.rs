//! Extreme inputs: where floating-point implementations break, against exact answers.
//!
//! Expected numbers come from mpmath with 60 digits. The rows in which other libraries fail are marked.

mod batchwise;
mod detached;
mod divergence;
mod every_pair;
mod exact_transport;
mod line;
mod linear;
mod logits;
mod margins;
mod observations;
mod pairs;
mod sides;
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
