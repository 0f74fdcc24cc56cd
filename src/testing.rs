//! Comparisons that the tests of several rooms share.

use approx::assert_relative_eq;

/// Equal up to this relative difference; equal infinities are equal.
#[track_caller]
pub(crate) fn close(got: f64, expected: f64, tolerance: f64) {
    assert_relative_eq!(got, expected, max_relative = tolerance, epsilon = 0.0);
}

/// As many numbers on both sides, each [`close`] to its counterpart.
#[track_caller]
pub(crate) fn all_close(got: impl IntoIterator<Item = f64>, expected: impl IntoIterator<Item = f64>, tolerance: f64) {
    let (got, expected): (Vec<_>, Vec<_>) = (got.into_iter().collect(), expected.into_iter().collect());
    assert_eq!(got.len(), expected.len());
    assert_relative_eq!(got[..], expected[..], max_relative = tolerance, epsilon = 0.0);
}

/// How many cases of a long search are tried: a tenth of them where nothing is optimized.
pub(crate) fn cases(count: usize) -> usize {
    if cfg!(debug_assertions) { count.div_ceil(10) } else { count }
}

/// Random numbers in `[0, 1)`, the same for the same seed.
pub(crate) fn generator(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    }
}
