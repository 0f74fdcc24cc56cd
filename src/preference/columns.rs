//! The columns of a batch, block by block, as slices wherever they lie in memory.

use std::ops::Range;

use ndarray::ArrayView1;

use crate::preference::{Needs, PairBatch, Pairs, Row, TargetUse};
use crate::simd::{Kernel, LANES, dispatch};
use crate::{Real, math, rows};

/// One block of every column.
pub(crate) type Columns<'a, T> = Row<&'a [T]>;

/// The column of each entry; `None` where the batch has none or the objective does not look at it.
pub(crate) type Sources<'a, T> = Row<Option<ArrayView1<'a, T>>>;

/// The columns that an objective looks at.
pub(crate) fn sources<'a, T: Real>(batch: &'a PairBatch<'_, T>, needs: Needs) -> Sources<'a, T> {
    let used = Row {
        policy: both(true),
        reference: both(needs.reference),
        lengths: both(needs.lengths),
        rewards: both(needs.rewards),
        target: needs.target != TargetUse::Unused,
        gold: needs.gold,
    };
    batch.columns().zip(used).map(|(column, used)| column.filter(|_| used))
}

fn both<A: Copy>(a: A) -> Pairs<A> {
    Pairs { chosen: a, rejected: a }
}

/// Scratch for blocks of up to `N` pairs of every column: copies of those that are not contiguous, which alone allocate, and
/// what is neutral for the absent.
pub(crate) struct Slots<T, const N: usize> {
    copies: Row<Vec<T>>,
    zeros: [T; N],
    ones: [T; N],
}

impl<T: Real, const N: usize> Slots<T, N> {
    /// Slots for blocks of these columns.
    pub(crate) fn new(sources: Sources<'_, T>) -> Self {
        let copies = sources.map(|source| match source {
            Some(column) if column.to_slice().is_none() => vec![T::zero(); N],
            _ => Vec::new(),
        });
        Self { copies, zeros: [T::zero(); N], ones: [T::one(); N] }
    }

    /// One block of every column.
    pub(crate) fn columns<'s, 'a: 's>(&'s mut self, sources: Sources<'a, T>, at: Range<usize>) -> Columns<'s, T> {
        let (zeros, ones) = (&self.zeros[..at.len()], &self.ones[..at.len()]);
        let neutral = Row {
            policy: both(zeros),
            reference: both(zeros),
            lengths: both(ones),
            rewards: both(zeros),
            target: zeros,
            gold: zeros,
        };
        sources.zip(self.copies.as_mut()).zip(neutral).map(|((source, slot), neutral)| match source {
            Some(column) => rows::part(column, at.clone(), slot),
            None => neutral,
        })
    }
}

/// Whether all numbers of the block are ordinary: finite, and lengths above zero.
pub(crate) fn are_ordinary<T: Real>(sources: Sources<'_, T>, columns: Columns<'_, T>) -> bool {
    let finite = |(source, values): (Option<ArrayView1<'_, T>>, &[T])| source.is_none() || dispatch(AllFinite(values));
    let lengths =
        sources.lengths.zip(columns.lengths).map(|(source, values)| source.is_none() || dispatch(AllPositive(values)));
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
