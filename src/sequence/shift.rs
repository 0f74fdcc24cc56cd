//! The causal shift: position `t` of a language model's logits predicts token `t + 1`.

use ndarray::{Array, ArrayD, ArrayRef, ArrayViewD, ArrayViewMutD, Dimension, IxDyn, Zip};

use super::TokenMask;
use super::mask::AnyMask;
use crate::compiled::in_dimension;
use crate::{Result, Target, check};

/// Targets and mask moved one place towards the start of each sequence, so that they stand at the logits that predict
/// them; made by [`causal_shift`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Shifted<'a, I, D: Dimension> {
    /// The token that each position predicts, of the shape of the mask; [`Target::IGNORED`] wherever the mask is false, a
    /// sequence's last position included.
    pub targets: Array<I, D>,
    /// Whether the predicted token counts; `false` at each sequence's last position.
    pub mask: Array<bool, D>,
    pub(super) offsets: Option<&'a [usize]>,
}

impl<I: Target, D: Dimension> Shifted<'_, I, D> {
    /// The mask with the sequences' bounds, as [`sum_tokens`](super::sum_tokens) takes it.
    #[must_use]
    pub fn token_mask(&self) -> TokenMask<'_, D> {
        TokenMask::from_parts(self.mask.view(), self.offsets)
    }

    /// The same with another ignored index, for objectives whose `ignore_index` is not the default.
    pub fn ignored_as(mut self, ignored: I) -> Self {
        I::drop_targets(self.targets.view_mut().into_dyn(), self.mask.view().into_dyn(), ignored);
        self
    }
}

/// Causal shift: moves targets and mask to the positions whose logits predict them, sequence by sequence.
///
/// ```math
/// y'_{it} = y_{i,t+1} \text{ where } m'_{it}, \text{ else ignored}, \qquad m'_{it} = m_{i,t+1}, \qquad m'_{i,T_i-1} = 0
/// ```
///
/// `targets` are the tokens of the model's own input, of the mask's shape. Both move together, so that numerator and
/// denominator cannot differ by a token; the first token of a sequence is predicted by nothing and never counts,
/// even where the mask is true.
/// Shapes do not change: logits, `[B, T, V]` or `[N, V]`, stay where they are, whole and contiguous, and their gradient
/// has the same shape, with zeros at each last position.
///
/// What takes a mask reads no target that the mask drops. What takes none ([`CrossEntropy`](crate::logits::CrossEntropy),
/// [`LinearCrossEntropy`](crate::logits::LinearCrossEntropy), [`TokenStats`](crate::diagnostics::TokenStats)) finds the
/// ignored index there and counts the same tokens. It is -100 for `i32` and `i64`, as these objectives expect;
/// [`Shifted::ignored_as`] writes another. For `u32` and `usize` it is the largest number, which they refuse unless their
/// `ignore_index` names it: a forgotten mask is an error, not a wrong count.
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
/// assert_eq!(shifted.targets, array![12, 13, -100, 22, -100]);
/// assert_eq!(shifted.mask, array![true, true, false, true, false]);
/// assert_eq!(shifted.token_mask().lengths(), array![2, 1]);
/// # Ok::<(), loglik::Error>(())
/// ```
#[doc(alias = "causal shift")]
#[doc(alias = "shift labels")]
#[doc(alias = "next-token prediction")]
pub fn causal_shift<'a, I: Target, D: Dimension>(
    targets: &ArrayRef<I, D>,
    mask: TokenMask<'a, D>,
) -> Result<Shifted<'a, I, D>> {
    let offsets = mask.offsets();
    let (targets, mask) = I::shift(targets.view().into_dyn(), mask.into_dyn())?;
    Ok(Shifted { targets: in_dimension(targets), mask: in_dimension(mask), offsets })
}

/// Targets and mask of a causal shift.
pub(super) fn shift<I: Target>(targets: ArrayViewD<'_, I>, mask: AnyMask<'_>) -> Result<(ArrayD<I>, ArrayD<bool>)> {
    let kept = mask.mask();
    check::shape("targets", targets.shape(), kept.shape())?;
    let shifted = next(&kept, &mask, false);
    let mut targets = next(&targets, &mask, I::IGNORED);
    drop_targets(targets.view_mut(), shifted.view(), I::IGNORED);
    Ok((targets, shifted))
}

/// Each element's successor within its sequence, and `end` in the place of the last.
fn next<A: Copy>(array: &ArrayRef<A, IxDyn>, mask: &AnyMask<'_>, end: A) -> ArrayD<A> {
    let mut moved = array.as_standard_layout().into_owned();
    for sequence in mask.split_mut(moved.as_slice_mut().unwrap_or_default()) {
        let after_first = sequence.len().min(1);
        sequence.copy_within(after_first.., 0);
        sequence.last_mut().into_iter().for_each(|last| *last = end);
    }
    moved
}

/// Leaves no target where the mask is false.
pub(super) fn drop_targets<I: Target>(targets: ArrayViewMutD<'_, I>, mask: ArrayViewD<'_, bool>, ignored: I) {
    Zip::from(targets).and(mask).for_each(|target, &keep| *target = if keep { *target } else { ignored });
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;
    use crate::Reduction;
    use crate::diagnostics::TokenStats;
    use crate::logits::{CrossEntropy, LinearCrossEntropy, LinearHead, TokenObjective};
    use crate::sequence::sum_tokens;

    #[test]
    fn targets_and_mask_move_together() {
        let tokens = array![[7_i64, 8, 9, 0], [5, 6, 0, 0]];
        let mask = array![[false, false, true, false], [false, true, false, false]];
        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        assert_eq!(shifted.targets, array![[-100, 9, -100, -100], [6, -100, -100, -100]]);
        assert_eq!(shifted.mask, array![[false, true, false, false], [true, false, false, false]]);
        let scored: Vec<i64> =
            shifted.targets.iter().zip(&shifted.mask).filter(|(_, m)| **m).map(|(t, _)| *t).collect();
        assert_eq!(scored, [9, 6]);
    }

    #[test]
    fn it_equals_the_slices_that_others_take() {
        let tokens = Array2::from_shape_fn((3, 6), |(i, t)| (10 * i + t) as i32);
        let mask = Array2::from_shape_fn((3, 6), |(i, t)| (i + t) % 2 == 0);
        let shifted = causal_shift(&tokens, TokenMask::padded(mask.view())).unwrap();
        let labels = Array2::from_shape_fn((3, 6), |at| if mask[at] { tokens[at] } else { -100 });
        assert_eq!(shifted.targets.slice(s![.., ..5]), labels.slice(s![.., 1..]));
        assert_eq!(shifted.mask.slice(s![.., ..5]), mask.slice(s![.., 1..]));
        assert!(shifted.mask.column(5).iter().all(|&keep| !keep));
        assert!(shifted.targets.column(5).iter().all(|&target| target == -100));
    }

    #[test]
    fn no_packed_sequence_predicts_the_next_ones_first_token() {
        let tokens = array![1, 2, 3, 4, 5, 6];
        let mask = array![true, true, true, true, true, true];
        let offsets = [0, 2, 2, 3, 6];
        let shifted = causal_shift(&tokens, TokenMask::packed(mask.view(), &offsets).unwrap()).unwrap();
        assert_eq!(shifted.targets, array![2, -100, -100, 5, 6, -100]);
        assert_eq!(shifted.mask, array![true, false, false, true, true, false]);
        assert_eq!(shifted.token_mask().lengths(), array![1, 0, 0, 2]);
        assert_eq!(shifted.token_mask().offsets(), Some(&offsets[..]));
    }

    #[test]
    fn types_without_a_sign_have_an_ignored_index_that_is_no_class() {
        let mask = array![[true, true]];
        let mask = TokenMask::padded(mask.view());
        assert_eq!(causal_shift(&array![[1_u32, 2]], mask).unwrap().targets, array![[2, u32::MAX]]);
        let shifted = causal_shift(&array![[1_usize, 2]], mask).unwrap();
        assert_eq!(shifted.targets, array![[2, usize::MAX]]);
        assert_eq!(shifted.ignored_as(0).targets, array![[2, 0]]);
    }

    #[test]
    fn what_takes_no_mask_counts_the_tokens_that_the_mask_keeps() {
        // A prompt of two tokens, an answer of two: ln p of the answer is that of 5 after place 1 and of 6 after place 2.
        let logits = Array2::from_shape_fn((4, 7), |(t, v)| 2.0 * ((1 + 5 * t + 3 * v) as f64).sin());
        let loss =
            |t: usize, target: usize| logits.row(t).iter().map(|x| x.exp()).sum::<f64>().ln() - logits[[t, target]];
        let exact = (loss(1, 5) + loss(2, 6)) / 2.0;
        for (tokens, offsets) in [(array![-100, -100, 5, 6], &[0, 4]), (array![2, 3, 5, 6], &[0, 4])] {
            let mask = array![false, false, true, true];
            let shifted = causal_shift(&tokens, TokenMask::packed(mask.view(), offsets).unwrap()).unwrap();
            assert_eq!(shifted.targets, array![-100, 5, 6, -100]);
            let parts = CrossEntropy::default().sum_count(&logits, &shifted.targets).unwrap();
            assert_eq!(parts.count, 2.0);
            assert!((parts.mean().unwrap() - exact).abs() < 1e-14);
            let means = TokenStats::default().each(&logits, &shifted.targets).unwrap().means().unwrap();
            assert_eq!(means.count, 2.0);
            assert!((means.nll - exact).abs() < 1e-14);
            let (hidden, identity) = (logits.view(), Array2::<f64>::eye(7));
            let fused = LinearCrossEntropy::default();
            let linear = fused.value(&hidden, LinearHead::new(identity.view()), &shifted.targets, Reduction::Mean);
            assert!((linear.unwrap() - exact).abs() < 1e-14);
        }
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
        assert_eq!(shifted.targets, array![[2, 3, -100], [5, 6, -100]]);
        assert!(shifted.targets.is_standard_layout() && shifted.mask.is_standard_layout());
    }

    #[test]
    fn targets_of_another_shape_are_refused() {
        let mask = Array2::from_elem((2, 3), true);
        let error = causal_shift(&Array2::from_elem((2, 4), 0), TokenMask::padded(mask.view())).unwrap_err();
        assert_eq!(error.to_string(), "`targets` has shape [2, 4], expected [2, 3]");
    }
}
