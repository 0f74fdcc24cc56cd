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
