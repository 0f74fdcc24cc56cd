//! Hyper-parameters of the entries: the usual ones, or what a search makes of them.

use std::cell::Cell;
use std::panic::Location;

use crate::random::Random;
use crate::strange;

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A hyper-parameter: `usual`, and while [`turned`] runs with a seed, what that gives for this line of the catalogue. The same
/// line has the same number throughout.
#[track_caller]
pub fn knob(usual: f64) -> f64 {
    let Some(seed) = SEED.get() else { return usual };
    let place = Location::caller();
    let mut random = Random(seed ^ (u64::from(place.line()) << 20) ^ (u64::from(place.column()) << 40));
    random.bits();
    strange::knob(&mut random, usual)
}

/// Calls `f` with the knobs turned as the seed says.
pub(crate) fn turned<R>(seed: Option<u64>, f: impl FnOnce() -> R) -> R {
    /// Puts back what was, after a panic too.
    struct Before(Option<u64>);
    impl Drop for Before {
        fn drop(&mut self) {
            SEED.set(self.0);
        }
    }
    let _before = Before(SEED.replace(seed));
    f()
}
