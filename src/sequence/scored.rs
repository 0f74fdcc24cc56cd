//! The scored part of a model's outputs, for outputs of any kind.

use ndarray::{ArrayView, Dimension};

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
        let masks = self.mask.split_mut(aligned.mask.as_slice_mut().unwrap_or_default());
        for (_, mask) in masks.into_iter().enumerate().filter(|(response, _)| !wanted(*response)) {
            mask.fill(false);
        }
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
