//! Arrays that are written to as if each lay in one piece.

use ndarray::ArrayViewMutD;

use crate::{Real, Result};

/// Lets `write` write to at most `N` arrays of any layout as slices in logical order, by way of a copy where an array is
/// none.
pub(crate) fn in_slices<T: Real, R, const N: usize>(
    arrays: &mut [ArrayViewMutD<'_, T>],
    write: impl FnOnce([Option<&mut [T]>; N]) -> Result<R>,
) -> Result<R> {
    let copy_for =
        |array: &ArrayViewMutD<'_, T>| if array.is_standard_layout() { vec![] } else { vec![T::zero(); array.len()] };
    let mut copies: Vec<Vec<T>> = arrays.iter().map(copy_for).collect();
    let mut slices = [const { None }; N];
    for ((slice, array), copy) in slices.iter_mut().zip(&mut *arrays).zip(&mut copies) {
        *slice = Some(array.as_slice_mut().unwrap_or(copy));
    }
    let result = write(slices)?;
    for (array, copy) in arrays.iter_mut().zip(&copies) {
        array.iter_mut().zip(copy).for_each(|(to, &x)| *to = x);
    }
    Ok(result)
}
