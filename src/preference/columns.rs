//! The columns of a batch, block by block, as slices wherever they lie in memory.

use std::ops::Range;

use ndarray::{ArrayView1, s};

use crate::preference::{Needs, PairBatch, Pairs, Row, TargetUse};
use crate::simd::{Kernel, dispatch};
use crate::{Real, reduction, rows};

/// Pairs that a kernel takes at a time: few enough that everything about them stays in the first-level cache.
pub(crate) const BLOCK: usize = reduction::BLOCK;

/// One block of every column.
pub(crate) type Columns<'a, T> = Row<&'a [T]>;

/// Where the numbers of one column come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a, T> {
    /// From a slice.
    Packed(&'a [T]),
    /// From anywhere, with any stride.
    Scattered(ArrayView1<'a, T>),
    /// The batch has none, or the objective does not look at it.
    Absent,
}

impl<'a, T: Real> Source<'a, T> {
    /// The column as it lies in memory.
    pub(crate) fn new(column: ArrayView1<'a, T>) -> Self {
        column.to_slice().map_or(Self::Scattered(column), Self::Packed)
    }

    /// The numbers at these places; `slot` holds the neutral ones of an absent column, or takes the copy.
    pub(crate) fn block<'s>(&self, at: Range<usize>, slot: &'s mut [T]) -> &'s [T]
    where
        'a: 's,
    {
        match *self {
            Self::Packed(slice) => &slice[at],
            Self::Absent => &slot[..at.len()],
            Self::Scattered(column) => {
                let slot = &mut slot[..at.len()];
                rows::copy(column.slice(s![at]), slot);
                slot
            }
        }
    }
}

/// The columns that an objective looks at.
pub(crate) fn sources<'a, T: Real>(batch: &'a PairBatch<'_, T>, needs: Needs) -> Row<Source<'a, T>> {
    let used = Row {
        policy: both(true),
        reference: both(needs.reference),
        lengths: both(needs.lengths),
        target: needs.target != TargetUse::Unused,
    };
    batch.columns().zip(used).map(|(column, used)| match column {
        Some(column) if used => Source::new(column),
        _ => Source::Absent,
    })
}

fn both<A: Copy>(a: A) -> Pairs<A> {
    Pairs { chosen: a, rejected: a }
}

/// Scratch for one block of every column.
pub(crate) struct Slots<T>(Row<Vec<T>>);

impl<T: Real> Slots<T> {
    /// Slots for blocks of up to `len` pairs; packed columns need none.
    pub(crate) fn new(sources: Row<Source<'_, T>>, len: usize) -> Self {
        let neutral = Row { lengths: both(T::one()), ..Row::default() };
        Self(sources.zip(neutral).map(|(source, neutral)| match source {
            Source::Packed(_) => Vec::new(),
            _ => vec![neutral; len],
        }))
    }

    /// One block of every column.
    pub(crate) fn columns<'s, 'a: 's>(&'s mut self, sources: Row<Source<'a, T>>, at: Range<usize>) -> Columns<'s, T> {
        sources.zip(self.0.as_mut()).map(|(source, slot)| source.block(at.clone(), slot))
    }
}

/// Whether all numbers of the block are ordinary: finite, and lengths above zero.
pub(crate) fn are_ordinary<T: Real>(sources: Row<Source<'_, T>>, columns: Columns<'_, T>) -> bool {
    let low = Row { lengths: both(T::zero()), ..Row::default().map(|()| T::neg_infinity()) };
    let ordinary = |((source, values), low): ((Source<'_, T>, &[T]), T)| match source {
        Source::Absent => true,
        _ => dispatch(AllBetween { values, low }),
    };
    sources.zip(columns).zip(low).into_array().into_iter().all(ordinary)
}

/// Whether each of the values lies strictly between `low` and +inf.
struct AllBetween<'a, T> {
    values: &'a [T],
    low: T,
}

impl<T: Real> Kernel for AllBetween<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let mut outside = false;
        for &x in self.values {
            outside |= !(x > self.low && x < T::infinity());
        }
        !outside
    }
}
