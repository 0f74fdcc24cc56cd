//! The rows of an array along its last axis, in logical order, wherever they lie in memory.
//!
//! Kernels see contiguous blocks of a [`Real`] only. What is strided or of half precision is copied to scratch block by
//! block, so that the same numbers give the same bits in every layout.

use std::ops::Range;

use ndarray::{ArrayRef, ArrayView1, ArrayViewMut1, Dimension, s};
use num_traits::Zero;

use crate::error::Position;
use crate::simd::BLOCK;
use crate::{Element, Error, Real, Result, check};

/// Borrowed rows.
pub(crate) enum Rows<'a, E> {
    /// One after the other in memory.
    Packed { data: &'a [E], width: usize },
    /// Anywhere, with any stride.
    Scattered { rows: Vec<ArrayView1<'a, E>>, width: usize },
}

impl<'a, E: Element> Rows<'a, E> {
    /// The rows of an array with at least one axis and at least one element in each row.
    pub(crate) fn new<D: Dimension>(argument: &'static str, array: &'a ArrayRef<E, D>) -> Result<Self> {
        let width = match array.shape().last() {
            None => return Err(Error::no_axis(argument)),
            Some(0) => return Err(Error::Empty { argument }),
            Some(&width) => width,
        };
        Ok(match array.as_slice() {
            Some(data) => Self::Packed { data, width },
            None => Self::Scattered { rows: array.rows().into_iter().collect(), width },
        })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Packed { data, width } => data.len() / width,
            Self::Scattered { rows, .. } => rows.len(),
        }
    }

    /// Elements of each row.
    pub(crate) fn width(&self) -> usize {
        match *self {
            Self::Packed { width, .. } | Self::Scattered { width, .. } => width,
        }
    }

    /// Memory that all rows together take.
    pub(crate) fn bytes(&self) -> usize {
        self.len() * self.width() * size_of::<E>()
    }

    /// The row at this place in row-major order.
    pub(crate) fn row(&self, index: usize) -> ArrayView1<'a, E> {
        match self {
            Self::Packed { data, width } => ArrayView1::from(&data[index * width..][..*width]),
            Self::Scattered { rows, .. } => rows[index],
        }
    }
}

/// Gives the elements of a row to `f` in blocks of [`BLOCK`], each contiguous and in the type that is computed in.
pub(crate) fn for_each_block<E: Element>(row: ArrayView1<'_, E>, mut f: impl FnMut(&[E::Real])) {
    if let Some(row) = row.to_slice().and_then(E::as_real) {
        return row.chunks(BLOCK).for_each(f);
    }
    let mut scratch = vec![E::Real::zero(); BLOCK.min(row.len())];
    for block in row.axis_chunks_iter(ndarray::Axis(0), BLOCK) {
        let scratch = &mut scratch[..block.len()];
        copy(block, scratch);
        f(scratch);
    }
}

/// A part of a row as a view. Most rows lie in one piece, where it costs nothing.
#[inline]
pub(crate) fn cut<E: Element>(row: ArrayView1<'_, E>, at: Range<usize>) -> ArrayView1<'_, E> {
    match row.to_slice() {
        Some(row) => ArrayView1::from(&row[at]),
        None => row.slice_move(s![at]),
    }
}

/// Copies a row of any layout and storage into a slice of the same length.
pub(crate) fn copy<E: Element>(from: ArrayView1<'_, E>, to: &mut [E::Real]) {
    match from.to_slice() {
        Some(from) => E::widen(from, to),
        None => to.iter_mut().zip(from).for_each(|(to, from)| *to = from.real()),
    }
}

/// A part of a row as a slice: itself where it lies in one piece, else copied to scratch that is no shorter.
pub(crate) fn part<'s, E: Element>(
    row: ArrayView1<'s, E>,
    at: Range<usize>,
    scratch: &'s mut [E::Real],
) -> &'s [E::Real] {
    match row.to_slice().and_then(E::as_real) {
        Some(row) => &row[at],
        None => {
            let scratch = &mut scratch[..at.len()];
            copy(cut(row, at), scratch);
            scratch
        }
    }
}

/// What keeps a row of log-weights from being a distribution: the first NaN or +inf in it, or else that all is -inf.
///
/// `leading` is the shape of the array without its last axis, `index` the row's place in row-major order.
pub(crate) fn improper<E: Element>(
    argument: &'static str,
    leading: &[usize],
    index: usize,
    row: ArrayView1<'_, E>,
) -> Error {
    let mut position = Position::unravel(index, leading);
    let wrong = row.iter().map(|x| x.real().as_f64()).enumerate().find(|(_, x)| x.is_nan() || *x == f64::INFINITY);
    position.0.extend(wrong.map(|(class, _)| class));
    let (value, allowed) = match wrong {
        Some((_, value)) => (value, "finite or -inf"),
        None => (f64::NEG_INFINITY, "a row with at least one finite logit"),
    };
    Error::Value { argument, position, value, allowed }
}

/// Rows that are written to.
pub(crate) enum RowsMut<'a, T> {
    /// One after the other in memory.
    Packed { data: &'a mut [T], width: usize },
    /// Anywhere, with any stride.
    Scattered { rows: Vec<ArrayViewMut1<'a, T>>, width: usize },
}

impl<'a, T: Real> RowsMut<'a, T> {
    /// The rows of a buffer that must have this shape.
    pub(crate) fn new<D: Dimension>(
        argument: &'static str,
        array: &'a mut ArrayRef<T, D>,
        shape: &[usize],
    ) -> Result<Self> {
        check::shape(argument, array.shape(), shape)?;
        let width = shape.last().copied().unwrap_or(0).max(1);
        Ok(if array.is_standard_layout() {
            Self::Packed { data: array.as_slice_mut().unwrap_or_default(), width }
        } else {
            Self::Scattered { rows: array.rows_mut().into_iter().collect(), width }
        })
    }

    /// Cuts the rows into groups of `count`, the last one shorter.
    pub(crate) fn split(self, count: usize) -> Vec<RowsMut<'a, T>> {
        match self {
            Self::Packed { data, width } => {
                data.chunks_mut(count * width).map(|data| RowsMut::Packed { data, width }).collect()
            }
            Self::Scattered { rows, width } => {
                let mut rows = rows.into_iter();
                let group = || -> Vec<_> { rows.by_ref().take(count).collect() };
                let groups = std::iter::repeat_with(group).take_while(|group| !group.is_empty());
                groups.map(|rows| RowsMut::Scattered { rows, width }).collect()
            }
        }
    }

    /// Number of rows.
    fn len(&self) -> usize {
        match self {
            Self::Packed { data, width } => data.len() / *width,
            Self::Scattered { rows, .. } => rows.len(),
        }
    }

    /// A row as a slice that holds its elements: itself, or the copy of one with gaps, which [`RowsMut::store`] writes back.
    pub(super) fn load<'s>(&'s mut self, row: usize, copied: &'s mut Vec<T>) -> &'s mut [T] {
        match self {
            Self::Packed { data, width } => &mut data[row * *width..][..*width],
            Self::Scattered { rows, width } => {
                copied.resize(*width, T::zero());
                copy(rows[row].view(), copied);
                copied
            }
        }
    }

    /// Writes back what [`RowsMut::load`] has copied of a row.
    pub(super) fn store(&mut self, row: usize, copied: &[T]) {
        if let Self::Scattered { rows, .. } = self {
            rows[row].iter_mut().zip(copied).for_each(|(to, &from)| *to = from);
        }
    }

    /// Gives each row to `f` with its place in this group, as a contiguous slice that holds its elements and from which
    /// they are written back.
    pub(crate) fn for_each(mut self, mut f: impl FnMut(usize, &mut [T])) {
        let mut copied = Vec::new();
        for row in 0..self.len() {
            f(row, self.load(row, &mut copied));
            self.store(row, &copied);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, ShapeBuilder};

    use super::*;

    #[test]
    fn rows_come_in_logical_order_from_every_layout() {
        let packed = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (100 * i + 10 * j + k) as f64);
        let mut other = Array3::zeros((2, 3, 4).f());
        other.assign(&packed);
        let (packed, other) = (Rows::new("x", &packed).unwrap(), Rows::new("x", &other).unwrap());
        assert!(matches!(other, Rows::Scattered { .. }));
        assert_eq!((other.len(), other.width(), other.bytes()), (6, 4, 192));
        for i in 0..6 {
            assert_eq!(packed.row(i), other.row(i));
            for_each_block(other.row(i), |block| assert_eq!(block, packed.row(i).as_slice().unwrap()));
        }
    }

    #[test]
    fn written_rows_reach_every_layout() {
        let mut array = Array3::<f32>::zeros((2, 3, 4).f());
        let rows = RowsMut::new("out", &mut array, &[2, 3, 4]).unwrap();
        for (group, rows) in rows.split(4).into_iter().enumerate() {
            rows.for_each(|i, row| row.fill((4 * group + i) as f32));
        }
        assert_eq!(array.map_axis(ndarray::Axis(2), |row| row.sum()), ndarray::array![[0., 4., 8.], [12., 16., 20.]]);
    }

    #[test]
    fn a_part_is_copied_only_where_it_must_be() {
        let array = ndarray::Array1::from_shape_fn(9, |i| i as f32);
        let mut scratch = [f32::NAN; 4];
        assert_eq!(part(array.view(), 2..5, &mut scratch), [2.0, 3.0, 4.0]);
        assert!(scratch[0].is_nan());
        assert_eq!(part(array.slice(s![..;-2]), 1..4, &mut scratch), [6.0, 4.0, 2.0]);
    }

    #[test]
    fn what_is_wrong_with_a_row_is_named_by_its_place() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let message = |row: &[f64]| improper("logits", &[2, 3], 4, ndarray::aview1(row)).to_string();
        assert_eq!(message(&[-inf, 0.0, nan, inf]), "`logits`[1, 1, 2] is NaN, allowed is finite or -inf");
        assert_eq!(message(&[inf, nan]), "`logits`[1, 1, 0] is inf, allowed is finite or -inf");
        let allowed = "allowed is a row with at least one finite logit";
        assert_eq!(message(&[-inf, -inf]), format!("`logits`[1, 1] is -inf, {allowed}"));
    }

    #[test]
    fn nothing_to_normalize_is_an_error() {
        assert!(Rows::new("logits", &Array3::<f32>::zeros((2, 3, 0))).is_err());
        assert_eq!(Rows::new("logits", &Array3::<f32>::zeros((0, 3, 4))).unwrap().len(), 0);
    }
}
