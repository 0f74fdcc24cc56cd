//! Fixed groups of numbers that the compiler turns into vectors.

use crate::Real;

/// Numbers that a loop works on side by side: enough independent chains to hide the latency of an addition at every
/// level, and few enough to stay in registers.
pub(crate) const LANES: usize = 32;

/// Folds a slice lane by lane, in chunks of [`LANES`]; the last chunk is filled up with `fill`.
#[inline(always)]
pub(crate) fn fold<T: Real>(values: &[T], fill: T, start: T, mut step: impl FnMut(T, T) -> T) -> [T; LANES] {
    let mut state = [start; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        // A loop with a counter: `zip` need not be inlined, and then takes longer than the additions.
        for i in 0..LANES {
            state[i] = step(state[i], chunk[i]);
        }
    }
    if !rest.is_empty() {
        let mut chunk = [fill; LANES];
        chunk[..rest.len()].copy_from_slice(rest);
        for i in 0..LANES {
            state[i] = step(state[i], chunk[i]);
        }
    }
    state
}

/// Joins the lanes by halves.
#[inline(always)]
pub(crate) fn join<T: Real>(mut lanes: [T; LANES], op: impl Fn(T, T) -> T) -> T {
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            lanes[i] = op(lanes[i], lanes[i + width]);
        }
    }
    lanes[0]
}
