//! Rows of unequal lengths: end to end in one long row, with offsets that say where each begins.

use ndarray::{ArrayRef, ArrayView1, Dimension, s};

use crate::{Error, Result};

/// Checks that `offsets` cut a row of so many elements (`elements` says what they are): `[0, .., len]`, ascending.
pub(crate) fn check_offsets(offsets: &[usize], len: usize, elements: &'static str) -> Result<()> {
    let wrong = |index: usize, allowed| {
        let value = offsets[index] as f64;
        Err(Error::Value { argument: "offsets", position: index.into(), value, allowed })
    };
    match offsets {
        [] => Err(Error::Shape { argument: "offsets", got: vec![0], expected: vec![1] }),
        [first, ..] if *first != 0 => wrong(0, "0"),
        _ => match offsets.windows(2).position(|pair| pair[1] < pair[0]) {
            Some(before) => wrong(before + 1, "not below the offset before it"),
            None if offsets[offsets.len() - 1] != len => wrong(offsets.len() - 1, elements),
            None => Ok(()),
        },
    }
}

/// The rows of an array along its last axis, or, with offsets, the parts that they cut its one row into.
pub(crate) fn split<'b, A, D: Dimension>(
    array: &'b ArrayRef<A, D>,
    offsets: Option<&[usize]>,
) -> Vec<ArrayView1<'b, A>> {
    let rows = array.rows().into_iter();
    match offsets {
        None => rows.collect(),
        Some(offsets) => {
            rows.flat_map(|row| offsets.windows(2).map(move |pair| row.slice_move(s![pair[0]..pair[1]]))).collect()
        }
    }
}

/// The parts of a row-major buffer that have these lengths.
pub(crate) fn split_mut<A>(mut buffer: &mut [A], lengths: impl Iterator<Item = usize>) -> Vec<&mut [A]> {
    let next = |len| {
        let (row, after) = std::mem::take(&mut buffer).split_at_mut(len);
        buffer = after;
        row
    };
    lengths.map(next).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn offsets_cut_one_row_and_its_buffer_alike() {
        let offsets = [0, 2, 2, 5];
        let row = array![1, 2, 3, 4, 5];
        let rows = split(&row, Some(&offsets));
        assert_eq!(rows, [array![1, 2], array![], array![3, 4, 5]]);
        let mut buffer = [1, 2, 3, 4, 5];
        let parts = split_mut(&mut buffer, rows.iter().map(|row| row.len()));
        assert_eq!(parts, [&[1, 2][..], &[], &[3, 4, 5]]);
        assert_eq!(split(&array![[1, 2], [3, 4]], None), [array![1, 2], array![3, 4]]);
    }

    #[test]
    fn what_is_wrong_with_offsets_is_named() {
        let message = |offsets: &[usize]| check_offsets(offsets, 5, "the number of tokens").map_err(|e| e.to_string());
        assert_eq!(message(&[0, 2, 5]), Ok(()));
        assert!(message(&[]).unwrap_err().contains("`offsets`"));
        assert_eq!(message(&[1, 5]).unwrap_err(), "`offsets`[0] is 1, allowed is 0");
        assert_eq!(message(&[0, 3, 2]).unwrap_err(), "`offsets`[2] is 2, allowed is not below the offset before it");
        assert_eq!(message(&[0, 4]).unwrap_err(), "`offsets`[1] is 4, allowed is the number of tokens");
    }
}
