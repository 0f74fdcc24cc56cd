//! The columns of a batch, block by block, as slices wherever they lie in memory.

use std::ops::Range;

use ndarray::{ArrayView1, s};

use crate::preference::{Needs, PairBatch, Pairs, Row, TargetUse};
use crate::simd::{Kernel, dispatch};
use crate::{Real, math, reduction, rows};

/// Pairs that a kernel takes at a time: few enough that everything about them stays in the first-level cache.
pub(crate) const BLOCK: usize = reduction::BLOCK;

/// Pairs that a kernel works on side by side.
pub(crate) const LANES: usize = 32;

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
    let absent = |source: &Source<'_, T>| matches!(source, Source::Absent);
    let finite = |(source, values): (Source<'_, T>, &[T])| absent(&source) || dispatch(AllFinite(values));
    let lengths =
        sources.lengths.zip(columns.lengths).map(|(source, values)| absent(&source) || dispatch(AllPositive(values)));
    lengths.chosen && lengths.rejected && sources.zip(columns).into_array().into_iter().all(finite)
}

/// Whether each of the values is finite: only then are all `0 · x` zero. One instruction for each vector.
struct AllFinite<'a, T>(&'a [T]);

impl<T: Real> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let mut zeros = [T::zero(); LANES];
        let (groups, rest) = self.0.as_chunks::<LANES>();
        for group in groups {
            for (zero, &x) in zeros.iter_mut().zip(group) {
                *zero = math::mul_add::<T, FMA>(x, T::zero(), *zero);
            }
        }
        zeros.iter().all(|zero| *zero == T::zero()) && rest.iter().all(|x| x.is_finite())
    }
}

/// Whether each of the values is above zero.
struct AllPositive<'a, T>(&'a [T]);

impl<T: Real> Kernel for AllPositive<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> bool {
        let mut positive = true;
        for &x in self.0 {
            positive &= x > T::zero();
        }
        positive
    }
}
