//! The scored part of a model's outputs, for outputs of any kind.

use ndarray::{ArrayView, Dimension};

use super::mask::AnyMask;
use super::{Alignment, Shifted, TokenMask};
use crate::{Error, Result, Target};

/// The tokens, which of them count, and where they are predicted.
pub(super) struct Scored<'r, 'a, I, D: Dimension> {
    pub(super) targets: &'r ArrayView<'a, I, D>,
    pub(super) mask: &'r TokenMask<'a, D>,
    pub(super) alignment: Alignment,
}

impl<'a, I: Target, D: Dimension> Scored<'_, 'a, I, D> {
    /// Targets and mask at the outputs that predict them; the mask keeps nothing of responses that are not wanted.
    pub(super) fn align(&self, wanted: impl Fn(usize) -> bool) -> Result<Shifted<'a, I, D>> {
        let mut aligned = self.alignment.align(self.targets, self.mask.clone())?;
        keep_wanted(&self.mask.clone().into_dyn(), aligned.mask.as_slice_mut().unwrap_or_default(), &wanted);
        Ok(aligned)
    }

    /// The error at the place where the caller's own targets stand.
    pub(super) fn unaligned(&self, mut error: Error) -> Error {
        if let Error::Target { position, .. } = &mut error
            && let Some(token) = position.0.last_mut()
        {
            *token += self.alignment.distance();
        }
        error
    }
}

/// Keeps nothing of the responses that are not wanted in a buffer of the mask's shape.
fn keep_wanted(mask: &AnyMask<'_>, kept: &mut [bool], wanted: &dyn Fn(usize) -> bool) {
    for (_, kept) in mask.split_mut(kept).into_iter().enumerate().filter(|(response, _)| !wanted(*response)) {
        kept.fill(false);
    }
}
