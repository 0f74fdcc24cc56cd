//! Which token the logits at a position predict.

use ndarray::{ArrayD, ArrayRef, ArrayViewD, Dimension};

#[cfg(any(test, doc))]
use super::causal_shift;
use super::mask::AnyMask;
use super::shift::shift;
use super::{Shifted, TokenMask};
use crate::compiled::in_dimension;
use crate::{Result, Target, check};

/// Which token of a sequence the logits at position `t` predict. There is no default: an error of one position
/// would train on the wrong tokens without any message.
#[doc(alias = "causal shift")]
#[doc(alias = "shift labels")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Alignment {
    /// Token `t + 1`: the outputs of a causal model beside its own input. Targets and mask are shifted here, by
    /// [`causal_shift`].
    Next,
    /// Token `t`: targets and mask have been shifted already, or the model predicts in place.
    Same,
}

impl Alignment {
    /// Targets and mask at the positions of the logits that predict them, in row-major order.
    pub(crate) fn align<'a, I: Target, D: Dimension>(
        self,
        targets: &ArrayRef<I, D>,
        mask: TokenMask<'a, D>,
    ) -> Result<Shifted<'a, I, D>> {
        let offsets = mask.offsets();
        let (targets, mask) = I::align(self, targets.view().into_dyn(), mask.into_dyn())?;
        Ok(Shifted { targets: in_dimension(targets), mask: in_dimension(mask), offsets })
    }

    /// How far after its logits a target stands.
    pub(crate) fn distance(self) -> usize {
        match self {
            Self::Next => 1,
            Self::Same => 0,
        }
    }
}

/// [`Alignment::align`] of any layout.
pub(super) fn align<I: Target>(
    alignment: Alignment,
    targets: ArrayViewD<'_, I>,
    mask: AnyMask<'_>,
) -> Result<(ArrayD<I>, ArrayD<bool>)> {
    if alignment == Alignment::Next {
        return shift(targets, mask);
    }
    let kept = mask.mask();
    check::shape("targets", targets.shape(), kept.shape())?;
    Ok((targets.as_standard_layout().into_owned(), kept.as_standard_layout().into_owned()))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_same_alignment_moves_nothing() {
        let (targets, mask) = (array![[1, 2], [3, 4]], array![[true, false], [false, true]]);
        let aligned = Alignment::Same.align(&targets.t(), TokenMask::padded(mask.view())).unwrap();
        assert_eq!((aligned.targets, aligned.mask), (array![[1, 3], [2, 4]], mask.clone()));
        let error = Alignment::Same.align(&array![[1, 2]], TokenMask::padded(mask.view())).unwrap_err();
        assert_eq!(error.to_string(), "`targets` has shape [1, 2], expected [2, 2]");
    }

    #[test]
    fn the_next_alignment_is_the_causal_shift() {
        let (targets, mask) = (array![[1, 2, 3]], array![[true, true, false]]);
        let mask = TokenMask::padded(mask.view());
        assert_eq!(Alignment::Next.align(&targets, mask), causal_shift(&targets, mask));
    }
}
