//! Objectives that are not sums over pairs, compiled here in both element types.

use crate::preference::{Out, PairBatch};
use crate::{Reduction, Result, SumCount};

/// What an objective over whole batches does, in one element type: the methods of
/// [`PairObjective`](crate::preference::PairObjective) that it writes itself.
pub trait BatchObjective<T> {
    /// See [`PairObjective::validate`](crate::preference::PairObjective::validate).
    fn validate_batch(&self, batch: &PairBatch<'_, T>) -> Result<()>;

    /// See [`PairObjective::run`](crate::preference::PairObjective::run).
    fn run_batch(&self, batch: &PairBatch<'_, T>, reduction: Reduction<'_, T>, scale: T, out: Out<'_, T>) -> Result<T>;

    /// See [`PairObjective::sum_count`](crate::preference::PairObjective::sum_count).
    fn sum_count_of_batch(&self, batch: PairBatch<'_, T>) -> Result<SumCount>;
}

/// The same objective in both element types.
pub trait InBothTypes {
    /// In `f32`.
    fn in_f32(&self) -> &dyn BatchObjective<f32>;

    /// In `f64`.
    fn in_f64(&self) -> &dyn BatchObjective<f64>;
}

/// The element type, as one of the two that an objective comes in.
pub trait InType: Sized {
    /// The objective in this type.
    #[doc(hidden)]
    fn choose_objective(objective: &dyn InBothTypes) -> &dyn BatchObjective<Self>;
}

impl InType for f32 {
    fn choose_objective(objective: &dyn InBothTypes) -> &dyn BatchObjective<Self> {
        objective.in_f32()
    }
}

impl InType for f64 {
    fn choose_objective(objective: &dyn InBothTypes) -> &dyn BatchObjective<Self> {
        objective.in_f64()
    }
}

/// Makes a [`PairObjective`](crate::preference::PairObjective) of a [`BatchObjective`], whose code is compiled here.
macro_rules! compile_objective {
    ($($objective:ty),+) => {$(
        impl $crate::preference::batch_objective::InBothTypes for $objective {
            #[inline(never)] // or the caller would compile it again
            fn in_f32(&self) -> &dyn $crate::preference::batch_objective::BatchObjective<f32> {
                self
            }

            #[inline(never)]
            fn in_f64(&self) -> &dyn $crate::preference::batch_objective::BatchObjective<f64> {
                self
            }
        }

        impl<T: $crate::Real> $crate::preference::PairObjective<T> for $objective {
            fn validate(&self, batch: &$crate::preference::PairBatch<'_, T>) -> $crate::Result<()> {
                T::choose_objective(self).validate_batch(batch)
            }

            fn run(
                &self,
                batch: &$crate::preference::PairBatch<'_, T>,
                reduction: $crate::Reduction<'_, T>,
                scale: T,
                out: $crate::preference::Out<'_, T>,
            ) -> $crate::Result<T> {
                T::choose_objective(self).run_batch(batch, reduction, scale, out)
            }

            fn sum_count(&self, batch: $crate::preference::PairBatch<'_, T>) -> $crate::Result<$crate::SumCount> {
                T::choose_objective(self).sum_count_of_batch(batch)
            }
        }
    )+};
}
pub(super) use compile_objective;
