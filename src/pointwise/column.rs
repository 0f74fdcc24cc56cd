//! What a column is, and how a block of it becomes a slice wherever it lies in memory.

use std::ops::Range;

use ndarray::ArrayView1;

use super::{COLUMNS, Domain};
use crate::{Real, rowwise};

/// One argument of an objective.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a, T> {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) domain: Domain,
    /// Its numbers.
    pub(crate) source: Source<'a, T>,
}

/// Where the numbers of a column are.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a, T> {
    /// One for each element, in any layout.
    Array(ArrayView1<'a, T>),
    /// The same 0 for all: what an objective does not look at, or the caller left out.
    Zeros,
    /// The same 1 for all.
    Ones,
}

impl<'a, T: Real> Column<'a, T> {
    /// A column that a caller has given.
    pub(crate) fn array(name: &'static str, domain: Domain, array: ArrayView1<'a, T>) -> Self {
        Self { name, domain, source: Source::Array(array) }
    }

    /// The array, where there is one.
    pub(super) fn given(&self) -> Option<ArrayView1<'a, T>> {
        match self.source {
            Source::Array(array) => Some(array),
            Source::Zeros | Source::Ones => None,
        }
    }
}

/// Scratch for blocks of up to `N` elements of every column: copies of those that are not contiguous, which alone allocate,
/// and what stands for the absent.
pub(super) struct Slots<T, const N: usize> {
    copies: [Vec<T>; COLUMNS],
    zeros: [T; N],
    ones: [T; N],
}

impl<T: Real, const N: usize> Slots<T, N> {
    pub(super) fn new(columns: &[Column<'_, T>]) -> Self {
        let mut copies = [const { Vec::new() }; COLUMNS];
        for (copy, column) in copies.iter_mut().zip(columns) {
            if column.given().is_some_and(|array| array.to_slice().is_none()) {
                *copy = vec![T::zero(); N];
            }
        }
        Self { copies, zeros: [T::zero(); N], ones: [T::one(); N] }
    }

    /// One block of every column.
    pub(super) fn block<'s, 'a: 's>(&'s mut self, columns: &[Column<'a, T>], at: Range<usize>) -> [&'s [T]; COLUMNS] {
        let mut block: [&[T]; COLUMNS] = [&[]; COLUMNS];
        for ((to, column), copy) in block.iter_mut().zip(columns).zip(&mut self.copies) {
            *to = match column.source {
                Source::Array(array) => rowwise::part(array, at.clone(), copy),
                Source::Zeros => &self.zeros[..at.len()],
                Source::Ones => &self.ones[..at.len()],
            };
        }
        block
    }
}
