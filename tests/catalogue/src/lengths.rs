//! Lengths of axes in a search.

use std::cell::Cell;

use crate::random::Random;

/// Lengths at which loops change over: lanes, blocks, jobs, vocabularies.
const BORDERS: [usize; 18] =
    [1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 65, 1_023, 1_025, 2_047, 2_048, 2_049, 4_097, 32_000];

/// The longest that every axis may be at once.
const SHORT: usize = 70;

thread_local! {
    /// The axis that is long in the case of a seed: the first that comes, and no other.
    static LONG: Cell<(u64, [usize; 2])> = const { Cell::new((0, [0; 2])) };
}

/// The length of an axis that is usually `small` or `large`: mostly small, and the same for the same arguments.
pub(crate) fn any(seed: u64, small: usize, large: usize) -> usize {
    let mut random = Random(seed ^ ((small as u64) << 32) ^ large as u64);
    random.bits();
    let longest = match random.below(12) {
        0 if may_be_long(seed, [small, large]) => {
            if large > 1_000 {
                large.max(32_000)
            } else {
                large
            }
        }
        0..4 => large.min(SHORT),
        _ => return small,
    };
    let borders: Vec<_> = BORDERS.into_iter().filter(|&border| border <= longest).collect();
    borders.get(random.below(borders.len())).copied().unwrap_or(small)
}

fn may_be_long(seed: u64, axis: [usize; 2]) -> bool {
    if LONG.get().0 != seed {
        LONG.set((seed, axis));
    }
    LONG.get().1 == axis
}
