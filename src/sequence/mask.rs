//! Which tokens count, and to which sequence each belongs.

use ndarray::{Array, Array1, ArrayD, ArrayRef, ArrayView, ArrayView1, ArrayView2, Dimension, Ix1, Ix2, IxDyn};

use crate::compiled::in_dimension;
use crate::error::Position;
use crate::rowwise::{self, check_offsets};
use crate::{Result, simd};

/// The tokens of a batch that count, sequence by sequence, in a padded or a packed layout.
///
/// | layout | mask | sequence `i` |
/// |---|---|---|
/// | [`padded`](TokenMask::padded) | `[B, T]` | row `i` |
/// | [`packed`](TokenMask::packed) | `[N]` and `B + 1` offsets | tokens `offsets[i] .. offsets[i + 1]` |
///
/// `true` counts; `false` (prompt, padding) is left out. The caller thus decides whether the prompt is scored.
/// The mask stands at the *scored* token: where logits predict the next token, [`causal_shift`](super::causal_shift)
/// moves targets and mask together.
///
/// It borrows the mask and is `Copy`: pass it by value. Any memory layout is allowed.
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let padded = array![[true, true, false], [true, false, false]];
/// let packed = array![true, true, true];
/// let padded = TokenMask::padded(padded.view());
/// let packed = TokenMask::packed(packed.view(), &[0, 2, 3])?; // the same two sequences
/// assert_eq!(padded.lengths(), packed.lengths());
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "completion mask")]
#[doc(alias = "loss mask")]
#[doc(alias = "cu_seqlens")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenMask<'a, D: Dimension> {
    mask: ArrayView<'a, bool, D>,
    offsets: Option<&'a [usize]>,
}

/// A mask of either layout.
pub(crate) type AnyMask<'a> = TokenMask<'a, IxDyn>;

impl<'a> TokenMask<'a, Ix2> {
    /// `B` sequences of up to `T` tokens, one in each row of `[B, T]`.
    #[must_use]
    pub fn padded(mask: ArrayView2<'a, bool>) -> Self {
        Self { mask, offsets: None }
    }
}

impl<'a> TokenMask<'a, Ix1> {
    /// `B` sequences end to end in `[N]`; `offsets` are the `B + 1` boundaries (`cu_seqlens` of the attention kernels).
    ///
    /// # Errors
    ///
    /// [`Error::Shape`](crate::Error::Shape) where there is no offset at all (an empty batch has one, 0);
    /// [`Error::Value`](crate::Error::Value), which names the offset, where the first is not 0, one is below the offset
    /// before it, or the last is not `N`.
    pub fn packed(mask: ArrayView1<'a, bool>, offsets: &'a [usize]) -> Result<Self> {
        check_offsets(offsets, mask.len(), "the number of tokens")?;
        Ok(Self { mask, offsets: Some(offsets) })
    }
}

impl<'a, D: Dimension> TokenMask<'a, D> {
    /// The parts of a mask whose offsets have been checked for this shape.
    pub(super) fn from_parts(mask: ArrayView<'a, bool, D>, offsets: Option<&'a [usize]>) -> Self {
        Self { mask, offsets }
    }

    /// The mask itself, `[B, T]` or `[N]`.
    pub fn mask(&self) -> ArrayView<'a, bool, D> {
        self.mask.clone()
    }

    /// The boundaries of packed sequences; `None` where they are padded.
    #[must_use]
    pub fn offsets(&self) -> Option<&'a [usize]> {
        self.offsets
    }

    /// Number of sequences.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.offsets {
            None => self.mask.shape()[..self.mask.ndim().saturating_sub(1)].iter().product(),
            Some(offsets) => offsets.len() - 1,
        }
    }

    /// Whether there is no sequence.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tokens of each sequence count, `[B]`.
    #[must_use]
    pub fn lengths(&self) -> Array1<usize> {
        lengths(&self.clone().into_dyn())
    }

    /// The same mask whatever the layout, as compiled functions take it.
    pub(crate) fn into_dyn(self) -> AnyMask<'a> {
        TokenMask { mask: self.mask.into_dyn(), offsets: self.offsets }
    }

    /// A mask of the same shape that keeps fewer tokens: of those that count, the ones for which `keep` is true. It is
    /// given the place of the sequence and, within it, the number of tokens before that count.
    pub(crate) fn narrowed(&self, mut keep: impl FnMut(usize, usize) -> bool) -> Array<bool, D> {
        in_dimension(narrowed(&self.clone().into_dyn(), &mut keep))
    }

    /// Another mask of the same shape over the same sequences.
    pub(crate) fn replaced<'b>(&self, mask: ArrayView<'b, bool, D>) -> TokenMask<'b, D>
    where
        'a: 'b,
    {
        TokenMask { mask, offsets: self.offsets }
    }

    /// The sequences of an array that has the mask's shape.
    pub(crate) fn split<'b, A>(&self, array: &'b ArrayRef<A, D>) -> Vec<ArrayView1<'b, A>> {
        rowwise::split(array, self.offsets)
    }

    /// The sequences of a row-major buffer that has the mask's shape.
    pub(crate) fn split_mut<'b, A>(&self, buffer: &'b mut [A]) -> Vec<&'b mut [A]> {
        rowwise::split_mut(buffer, self.split(&self.mask).into_iter().map(|mask| mask.len()))
    }

    /// Where the `token`-th token of a sequence stands in an array that has the mask's shape.
    pub(crate) fn position(&self, sequence: usize, token: usize) -> Position {
        match self.offsets {
            None => Position(vec![sequence, token]),
            Some(offsets) => Position(vec![offsets[sequence] + token]),
        }
    }
}

fn lengths(mask: &AnyMask<'_>) -> Array1<usize> {
    mask.split(&mask.mask).into_iter().map(count).collect()
}

fn narrowed(mask: &AnyMask<'_>, keep: &mut dyn FnMut(usize, usize) -> bool) -> ArrayD<bool> {
    let mut narrow = Array::from_elem(mask.mask.raw_dim(), false);
    let whole = mask.split(&mask.mask);
    let places = mask.split_mut(narrow.as_slice_mut().unwrap_or_default());
    for (sequence, (mask, narrow)) in whole.into_iter().zip(places).enumerate() {
        let counted = mask.iter().zip(narrow).filter(|(counts, _)| **counts);
        counted.enumerate().for_each(|(before, (_, narrow))| *narrow = keep(sequence, before));
    }
    narrow
}

/// How many places of one sequence's mask are kept.
pub(crate) fn count(mask: ArrayView1<'_, bool>) -> usize {
    match mask.to_slice() {
        Some(mask) => simd::count(mask),
        None => mask.iter().filter(|&&keep| keep).count(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;

    #[test]
    fn both_layouts_cut_the_same_sequences() {
        let padded = array![[true, false, true], [false, false, false]];
        let flat = array![true, false, true, false];
        let padded = TokenMask::padded(padded.view());
        let packed = TokenMask::packed(flat.view(), &[0, 3, 4]).unwrap();
        assert_eq!(padded.lengths(), array![2, 0]);
        assert_eq!(packed.lengths(), array![2, 0]);
        assert_eq!((padded.position(1, 2), packed.position(1, 0)), (Position(vec![1, 2]), Position(vec![3])));
        assert_eq!((packed.offsets(), packed.mask()), (Some(&[0, 3, 4][..]), flat.view()));
    }

    #[test]
    fn lengths_do_not_depend_on_the_layout() {
        let mask = Array2::from_shape_fn((5, 100), |(i, t)| (i * t) % 3 != 1);
        let mut strided = Array2::from_elem((10, 200), true);
        strided.slice_mut(s![..;2, ..;-2]).assign(&mask);
        let strided = TokenMask::padded(strided.slice(s![..;2, ..;-2]));
        assert_eq!(strided.lengths(), TokenMask::padded(mask.view()).lengths());
    }

    #[test]
    fn a_batch_may_hold_nothing() {
        for (rows, width) in [(0, 3), (3, 0), (0, 0)] {
            let mask = Array2::from_elem((rows, width), true);
            assert_eq!(TokenMask::padded(mask.view()).lengths().to_vec(), vec![0; rows], "[{rows}, {width}]");
        }
        let none = array![];
        assert_eq!(TokenMask::packed(none.view(), &[0]).unwrap().lengths().len(), 0);
        assert_eq!(TokenMask::packed(none.view(), &[0, 0, 0]).unwrap().lengths(), array![0, 0]);
    }

    #[test]
    fn offsets_that_are_no_boundaries_are_named() {
        let mask = array![true, true, true];
        let message = |offsets: &[usize]| TokenMask::packed(mask.view(), offsets).unwrap_err().to_string();
        assert_eq!(message(&[]), "`offsets` has shape [0], expected [1]");
        assert_eq!(message(&[1, 3]), "`offsets`[0] is 1, allowed is 0");
        assert_eq!(message(&[0, 2, 1, 3]), "`offsets`[2] is 1, allowed is not below the offset before it");
        assert_eq!(message(&[0, 2]), "`offsets`[1] is 2, allowed is the number of tokens");
        assert_eq!(message(&[0, 2, 4]), "`offsets`[2] is 4, allowed is the number of tokens");
        assert_eq!(message(&[0]), "`offsets`[0] is 0, allowed is the number of tokens");
    }
}
