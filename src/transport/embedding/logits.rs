//! Rows of logits without the type that they are stored in: what computes knows the type that it computes in alone.

use std::ops::Range;

use ndarray::ArrayRef2;

use crate::rows::{self, Rows};
use crate::{Element, Error};

/// A matrix of logits, or of embeddings.
pub(in crate::transport) struct Logits<'a, T> {
    pub(super) shape: [usize; 2],
    pub(super) rows: Box<dyn LogitRows<T> + 'a>,
}

/// Rows that are widened as they are read, a block or a part at a time.
pub(super) trait LogitRows<T>: Sync {
    /// Memory that all rows together take.
    fn bytes(&self) -> usize;

    /// One logit.
    fn at(&self, row: usize, class: usize) -> T;

    /// Gives a row to `f` in blocks.
    fn for_each_block(&self, row: usize, f: &mut dyn FnMut(&[T]));

    /// A part of a row: itself, or its copy in scratch that is no shorter.
    fn part<'s>(&'s self, row: usize, at: Range<usize>, scratch: &'s mut [T]) -> &'s [T];

    /// Copies a row.
    fn copy(&self, row: usize, to: &mut [T]);

    /// What keeps a row from being a distribution.
    fn improper(&self, argument: &'static str, row: usize) -> Error;
}

pub(in crate::transport) fn logits<E: Element>(array: &ArrayRef2<E>) -> Logits<'_, E::Real> {
    // Without columns there is nothing to read, and every caller says so in its own words.
    let nothing = Rows::Scattered { rows: Vec::new(), width: 0 };
    let rows = Rows::new("logits", array).unwrap_or(nothing);
    Logits { shape: [array.nrows(), array.ncols()], rows: Box::new(rows) }
}

impl<E: Element> LogitRows<E::Real> for Rows<'_, E> {
    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn at(&self, row: usize, class: usize) -> E::Real {
        self.row(row)[class].real()
    }

    fn for_each_block(&self, row: usize, f: &mut dyn FnMut(&[E::Real])) {
        rows::for_each_block(self.row(row), f);
    }

    fn part<'s>(&'s self, row: usize, at: Range<usize>, scratch: &'s mut [E::Real]) -> &'s [E::Real] {
        rows::part(self.row(row), at, scratch)
    }

    fn copy(&self, row: usize, to: &mut [E::Real]) {
        rows::copy(self.row(row), to);
    }

    fn improper(&self, argument: &'static str, row: usize) -> Error {
        rows::improper(argument, &[self.len()], row, self.row(row))
    }
}
