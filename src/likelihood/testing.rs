//! What the tests of every density share: one point at a time, and comparison with differences.

use super::Density;
use crate::Real;

/// Loss and derivatives at one point.
pub(super) fn at<L: Density<N, G>, T: Real, const N: usize, const G: usize>(point: [T; N]) -> (T, [T; G]) {
    L::at::<T, false>(point)
}

/// Whether the numbers agree to a relative error; two zeros do.
pub(super) fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * expected.abs()
}

/// The derivatives at a point must be central differences of the loss.
pub(super) fn derivatives_match<L: Density<N, G>, const N: usize, const G: usize>(point: [f64; N], tolerance: f64) {
    let (_, slopes) = at::<L, f64, N, G>(point);
    for (i, slope) in slopes.into_iter().enumerate() {
        let h = 1e-5;
        let moved = |by: f64| {
            let mut moved = point;
            moved[i] += by;
            at::<L, f64, N, G>(moved).0
        };
        let difference = (moved(h) - moved(-h)) / (2.0 * h);
        let name = L::ARGUMENTS[i].0;
        let error = (slope - difference).abs();
        assert!(error <= tolerance * (1.0 + slope.abs()), "{name} at {point:?}: {slope} against {difference}");
    }
}
