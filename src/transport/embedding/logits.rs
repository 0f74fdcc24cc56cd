//! Rows of logits without the type that they are stored in: what computes knows the type that it computes in alone.

use ndarray::ArrayRef2;

use crate::rowwise::{RowReader, Rows, improper_row};
use crate::{Element, Error, Real};

/// A matrix of logits, or of embeddings.
pub(in crate::transport) struct Logits<'a, T> {
    pub(super) shape: [usize; 2],
    pub(super) rows: Box<dyn RowReader<T> + 'a>,
}

impl<T: Real> Logits<'_, T> {
    /// What keeps a row from being a distribution.
    pub(super) fn improper(&self, argument: &'static str, row: usize) -> Error {
        improper_row(argument, &self.shape[..1], row, &*self.rows)
    }
}

pub(in crate::transport) fn logits<E: Element>(array: &ArrayRef2<E>) -> Logits<'_, E::Real> {
    // Without columns there is nothing to read, and every caller says so in its own words.
    let nothing = Rows::Scattered { rows: Vec::new(), width: 0 };
    let rows = Rows::new("logits", array).unwrap_or(nothing);
    Logits { shape: [array.nrows(), array.ncols()], rows: Box::new(rows) }
}
