//! The rows of an array of any stored type, read in the type that is computed in.
//!
//! What reads rows block by block is compiled for `f32` and `f64` only: the stored type, the layout and the dimension are
//! behind a [`RowReader`], which is asked once for a row or a block.

use std::ops::Range;

use ndarray::{ArrayRef, ArrayView1, ArrayViewD, IxDyn};

use crate::compiled::compiled;
use crate::rowwise::RowJobs;
use crate::rowwise::rows::{self, Rows};
use crate::simd::RowSum;
use crate::{Element, Error, Real, Result};

compiled! {
    /// What reading rows compiles once for each stored type.
    pub trait Compiled for stored types {
        fn reader<'a>(
            argument: &'static str,
            array: &'a ArrayViewD<'_, Self>,
        ) -> Result<Box<dyn RowReader<<Self as Element>::Real> + 'a>> = reader;
        fn wide_reader<'a>(
            argument: &'static str,
            array: &'a ArrayViewD<'_, Self>,
        ) -> Result<Box<dyn WideReader + 'a>> = wide_reader;
    }
}

fn reader<'a, E: Element>(
    argument: &'static str,
    array: &'a ArrayViewD<'_, E>,
) -> Result<Box<dyn RowReader<E::Real> + 'a>> {
    let array: &ArrayRef<E, IxDyn> = array;
    Ok(Box::new(Rows::new(argument, array)?))
}

fn wide_reader<'a, E: Element>(
    argument: &'static str,
    array: &'a ArrayViewD<'_, E>,
) -> Result<Box<dyn WideReader + 'a>> {
    let array: &ArrayRef<E, IxDyn> = array;
    Ok(Box::new(Rows::new(argument, array)?))
}

/// Short rows, read in `f64`.
pub(crate) trait WideReader: Send + Sync {
    /// Writes a row in the place of what is there.
    fn read(&self, row: usize, to: &mut Vec<f64>);

    /// Bytes of an element as it is stored.
    fn stored_size(&self) -> usize;
}

impl<E: Element> WideReader for Rows<'_, E> {
    fn read(&self, row: usize, to: &mut Vec<f64>) {
        to.clear();
        to.extend(self.row(row).iter().map(|x| x.real().as_f64()));
    }

    fn stored_size(&self) -> usize {
        size_of::<E>()
    }
}

/// Rows that all have one length.
pub(crate) trait RowReader<T: Real>: Send + Sync {
    /// Number of rows.
    fn len(&self) -> usize;

    /// Elements of each row.
    fn width(&self) -> usize;

    /// Bytes of an element as it is stored.
    fn element_size(&self) -> usize;

    /// One element of a row.
    fn at(&self, row: usize, class: usize) -> T;

    /// A part of a row as a slice: itself where it lies in one piece and in this type, else copied to scratch that is no
    /// shorter.
    fn part<'s>(&'s self, row: usize, at: Range<usize>, scratch: &'s mut [T]) -> &'s [T];

    /// Copies a part of a row to a slice of its length.
    fn copy(&self, row: usize, at: Range<usize>, to: &mut [T]);

    /// Gives a row to `f` in blocks, as [`rows::for_each_block`] does.
    fn for_each_block(&self, row: usize, f: &mut dyn FnMut(&[T]));

    /// The sum of the exponentials of a row.
    fn sum(&self, row: usize) -> RowSum<T>;

    /// Memory that all rows together take.
    fn bytes(&self) -> usize {
        self.len() * self.width() * self.element_size()
    }

    /// All rows in jobs, where for each row so many times its own memory is read and written.
    fn jobs(&self, times: usize) -> RowJobs {
        RowJobs::new(self.len(), times * self.width() * self.element_size())
    }
}

impl<E: Element> RowReader<E::Real> for Rows<'_, E> {
    fn len(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.width()
    }

    fn element_size(&self) -> usize {
        size_of::<E>()
    }

    fn at(&self, row: usize, class: usize) -> E::Real {
        self.row(row)[class].real()
    }

    fn part<'s>(&'s self, row: usize, at: Range<usize>, scratch: &'s mut [E::Real]) -> &'s [E::Real] {
        rows::part(self.row(row), at, scratch)
    }

    fn copy(&self, row: usize, at: Range<usize>, to: &mut [E::Real]) {
        rows::copy(rows::cut(self.row(row), at), to);
    }

    fn for_each_block(&self, row: usize, f: &mut dyn FnMut(&[E::Real])) {
        rows::for_each_block(self.row(row), f);
    }

    fn sum(&self, row: usize) -> RowSum<E::Real> {
        let (mut sum, row) = (RowSum::new(), self.row(row));
        match row.to_slice() {
            Some(row) => sum.push(row),
            None => rows::for_each_block(row, |block| sum.push(block)),
        }
        sum
    }
}

/// [`rows::improper`] of a row.
pub(crate) fn improper_row<T: Real>(
    argument: &'static str,
    leading: &[usize],
    row: usize,
    rows: &dyn RowReader<T>,
) -> Error {
    let mut elements = vec![T::zero(); rows.width()];
    rows.copy(row, 0..rows.width(), &mut elements);
    rows::improper(argument, leading, row, ArrayView1::from(&elements))
}
