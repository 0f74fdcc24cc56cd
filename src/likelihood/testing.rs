//! What the tests of every density share.

use super::Density;

/// Whether the numbers agree to a relative error; two zeros do.
pub(super) fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    (found - expected).abs() <= tolerance * expected.abs()
}

/// The derivatives at an element must be central differences of the loss.
pub(super) fn derivatives_match<L: Density<N, G>, const N: usize, const G: usize>(
    density: &L,
    element: [f64; N],
    tolerance: f64,
) {
    let (_, slopes) = density.at::<f64, false>(element);
    for (i, slope) in slopes.into_iter().enumerate() {
        let h = 1e-5;
        let moved = |by: f64| {
            let mut moved = element;
            moved[i] += by;
            density.at::<f64, false>(moved).0
        };
        let difference = (moved(h) - moved(-h)) / (2.0 * h);
        let name = L::ARGUMENTS[i].0;
        let error = (slope - difference).abs();
        assert!(error <= tolerance * (1.0 + slope.abs()), "{name} at {element:?}: {slope} against {difference}");
    }
}
