//! The causal shift: position `t` of a language model's logits predicts token `t + 1`.

use ndarray::{Array, ArrayRef, Dimension};

use super::TokenMask;
use crate::{Result, check};

/// Targets and mask moved one place towards the start of each sequence, so that they stand at the logits that predict
/// them; made by [`causal_shift`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Shifted<'a, I, D: Dimension> {
    /// The token that each position predicts, of the shape of the mask. A sequence's last position predicts nothing: it
    /// keeps its own token, which the mask selects away.
    pub targets: Array<I, D>,
    /// Whether the predicted token counts; `false` at each sequence's last position.
    pub mask: Array<bool, D>,
    pub(super) offsets: Option<&'a [usize]>,
}

impl<I, D: Dimension> Shifted<'_, I, D> {
    /// The mask with the sequences' bounds, as [`sum_tokens`](super::sum_tokens) takes it.
    #[must_use]
    pub fn token_mask(&self) -> TokenMask<'_, D> {
        TokenMask::from_parts(self.mask.view(), self.offsets)
    }
}

/// Moves targets and mask to the positions whose logits predict them, sequence by sequence.
///
/// ```math
/// y'_{it} = y_{i,t+1}, \qquad m'_{it} = m_{i,t+1}, \qquad m'_{i,T_i-1} = 0
/// ```
///
/// `targets` are the tokens of the model's own input, of the mask's shape. Both move together, so that numerator and
/// denominator cannot differ by a token; the first token of a sequence is predicted by nothing and counts nowhere,
/// whatever the mask said.
/// Shapes do not change: logits, `[B, T, V]` or `[N, V]`, stay where they are, whole and contiguous, and their gradient
/// has the same shape, with zeros at each last position.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape).
///
/// # Examples
///
/// ```
/// # use loglik::{prelude::*, ndarray::array};
/// let tokens = array![11, 12, 13, 21, 22]; // two sequences; the first token of each is its prompt
/// let mask = array![false, true, true, false, true];
/// let shifted = causal_shift(&tokens, TokenMask::packed(mask.view(), &[0, 3, 5])?)?;
/// assert_eq!(shifted.targets, array![12, 13, 13, 22, 22]);
/// assert_eq!(shifted.mask, array![true, true, false, true, false]);
/// assert_eq!(shifted.token_mask().lengths(), array![2, 1]);
/// # Ok::<(), loglik::Error>(())
/// ```
pub fn causal_shift<'a, I: Copy, D: Dimension>(
    targets: &ArrayRef<I, D>,
    mask: TokenMask<'a, D>,
) -> Result<Shifted<'a, I, D>> {
    let kept = mask.mask();
    check::shape("targets", targets.shape(), kept.shape())?;
    let targets = next(targets, &mask, None);
    let shifted = next(&kept, &mask, Some(false));
    Ok(Shifted { targets, mask: shifted, offsets: mask.offsets() })
}

/// Each element's successor within its sequence; the last one stays, or becomes `end`.
fn next<A: Copy, D: Dimension>(array: &ArrayRef<A, D>, mask: &TokenMask<'_, D>, end: Option<A>) -> Array<A, D> {
    let mut moved = array.as_standard_layout().into_owned();
    for sequence in mask.split_mut(moved.as_slice_mut().unwrap_or_default()) {
        let after_first = sequence.len().min(1);
        sequence.copy_within(after_first.., 0);
        if let (Some(last), Some(end)) = (sequence.last_mut(), end) {
            *last = end;
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::sequence::sum_tokens;

    #[test]
    fn targets_and_mask_move_together() {
        let tokens = array![[7, 8, 9, 0], [5, 6, 0, 0]];
        let mask = array![[false, false, true, false], [false, true, false, false]];
        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        assert_eq!(shifted.targets, array![[8, 9, 0, 0], [6, 0, 0, 0]]);
        assert_eq!(shifted.mask, array![[false, true, false, false], [true, false, false, false]]);
        let scored: Vec<i32> =
            shifted.targets.iter().zip(&shifted.mask).filter(|(_, m)| **m).map(|(t, _)| *t).collect();
        assert_eq!(scored, [9, 6]);
    }

    #[test]
    fn it_equals_the_slices_that_others_take() {
        let tokens = Array2::from_shape_fn((3, 6), |(i, t)| 10 * i + t);
        let mask = Array2::from_shape_fn((3, 6), |(i, t)| (i + t) % 2 == 0);
        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        assert_eq!(shifted.targets.slice(s![.., ..5]), tokens.slice(s![.., 1..]));
        assert_eq!(shifted.mask.slice(s![.., ..5]), mask.slice(s![.., 1..]));
        assert!(shifted.mask.column(5).iter().all(|&keep| !keep));
    }

    #[test]
    fn no_packed_sequence_predicts_the_next_ones_first_token() {
        let tokens = array![1, 2, 3, 4, 5, 6];
        let mask = array![true, true, true, true, true, true];
        let offsets = [0, 2, 2, 3, 6];
        let shifted = causal_shift(&tokens, TokenMask::packed(mask.view(), &offsets).unwrap()).unwrap();
        assert_eq!(shifted.targets, array![2, 2, 3, 5, 6, 6]);
        assert_eq!(shifted.mask, array![true, false, false, true, true, false]);
        assert_eq!(shifted.token_mask().lengths(), array![1, 0, 0, 2]);
        assert_eq!(shifted.token_mask().offsets(), Some(&offsets[..]));
    }

    #[test]
    fn one_token_or_none_predicts_nothing() {
        for width in [0, 1] {
            let mask = Array2::from_elem((2, width), true);
            let shifted = causal_shift(&mask.mapv(u32::from), TokenMask::padded(mask.view())).unwrap();
            let sequences = sum_tokens(&Array2::from_elem((2, width), f64::NAN), shifted.token_mask()).unwrap();
            assert_eq!((sequences.sums, sequences.lengths), (array![0.0, 0.0], array![0.0, 0.0]), "T = {width}");
        }
    }

    #[test]
    fn strided_tokens_come_back_in_row_major_order() {
        let (tokens, mask) = (array![[1, 4], [2, 5], [3, 6]], Array2::from_elem((3, 2), true));
        let shifted = causal_shift(&tokens.t(), TokenMask::padded(mask.t())).unwrap();
        assert_eq!(shifted.targets, array![[2, 3, 3], [5, 6, 6]]);
        assert!(shifted.targets.is_standard_layout() && shifted.mask.is_standard_layout());
    }

    #[test]
    fn targets_of_another_shape_are_refused() {
        let mask = Array2::from_elem((2, 3), true);
        let error = causal_shift(&Array2::from_elem((2, 4), 0), TokenMask::padded(mask.view())).unwrap_err();
        assert_eq!(error.to_string(), "`targets` has shape [2, 4], expected [2, 3]");
    }
}
