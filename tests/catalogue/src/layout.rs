//! The same numbers in memory of every layout.

use ndarray::{Array, ArrayBase, ArrayView, ArrayViewMut, Axis, Dimension, RawData, ShapeBuilder, Slice};

/// How an array lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major, without gaps.
    Packed,
    /// Column-major.
    Fortran,
    /// Every second element along each axis.
    Strided,
    /// Backwards along each axis.
    Reversed,
    /// A window of a larger array.
    Window,
    /// The first and the last axis change places.
    Transposed,
}

impl Layout {
    pub const ALL: [Self; 6] =
        [Self::Packed, Self::Fortran, Self::Strided, Self::Reversed, Self::Window, Self::Transposed];
}

/// An array that owns memory of some layout.
#[derive(Debug)]
pub struct Laid<A, D: Dimension> {
    backing: Array<A, D>,
    layout: Layout,
}

impl<A: Copy, D: Dimension> Laid<A, D> {
    /// A copy of `array`; what lies between its elements is `filler`.
    pub fn new(array: ArrayView<'_, A, D>, layout: Layout, filler: A) -> Self {
        let mut shape = array.raw_dim();
        for extent in shape.slice_mut() {
            *extent = match layout {
                Layout::Strided => 2 * *extent,
                Layout::Window => *extent + 2,
                _ => *extent,
            };
        }
        let last = shape.ndim().saturating_sub(1);
        if layout == Layout::Transposed && last > 0 {
            shape.slice_mut().swap(0, last);
        }
        let backing = match layout {
            Layout::Fortran => Array::from_elem(shape.f(), filler),
            _ => Array::from_elem(shape, filler),
        };
        let mut laid = Self { backing, layout };
        laid.view_mut().assign(&array);
        laid
    }

    pub fn view(&self) -> ArrayView<'_, A, D> {
        select(self.backing.view(), self.layout)
    }

    pub fn view_mut(&mut self) -> ArrayViewMut<'_, A, D> {
        select(self.backing.view_mut(), self.layout)
    }
}

fn select<S: RawData, D: Dimension>(mut array: ArrayBase<S, D>, layout: Layout) -> ArrayBase<S, D> {
    let last = array.ndim().saturating_sub(1);
    match layout {
        Layout::Packed | Layout::Fortran => {}
        Layout::Strided => array.slice_each_axis_inplace(|_| Slice::new(0, None, 2)),
        Layout::Window => array.slice_each_axis_inplace(|_| Slice::new(1, Some(-1), 1)),
        Layout::Reversed => (0..array.ndim()).for_each(|axis| array.invert_axis(Axis(axis))),
        Layout::Transposed if last > 0 => array.swap_axes(0, last),
        Layout::Transposed => {}
    }
    array
}
