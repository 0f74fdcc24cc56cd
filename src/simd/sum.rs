//! Sums by lanes.

use super::lanes::{fold, join};
use super::{Kernel, dispatch};
use crate::Real;

struct Sum<'a, T>(&'a [T]);

impl<T: Real> Kernel for Sum<'_, T> {
    type Output = T;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> T {
        join(fold(self.0, T::zero(), T::zero(), |s, x| s + x), |a, b| a + b)
    }
}

/// The sum of a short slice, in lanes of its own type. For long slices see [`crate::reduction::sum`].
pub(crate) fn sum<T: Real>(values: &[T]) -> T {
    dispatch(Sum(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::dispatch::{available, run_at};

    #[test]
    fn every_level_and_length_adds_every_element_once() {
        for n in [0, 1, 31, 32, 33, 2047, 2048, 2049] {
            let integers: Vec<f32> = (0..n).map(|i| (i % 5) as f32 - 1.0).collect(); // exact in any order
            let exact: f32 = integers.iter().sum();
            for level in available() {
                assert_eq!(run_at(level, Sum(&integers)), exact, "{n} at {level:?}");
            }
        }
    }
}
