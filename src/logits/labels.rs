//! Class indices, one for each row, read and checked before any logit.

use std::borrow::Cow;

use ndarray::{ArrayRef, Dimension};

use crate::error::Position;
use crate::target::{self, Class, class};
use crate::{Error, Result, Target, check};

/// Targets in row-major order, all of them classes or ignored.
pub(crate) struct Labels<'a, I: Target> {
    targets: Cow<'a, [I]>,
    ignore_index: Option<i64>,
    classes: usize,
}

impl<'a, I: Target> Labels<'a, I> {
    /// Checks the targets of the rows that are not `skipped`.
    pub(crate) fn new<D: Dimension>(
        targets: &'a ArrayRef<I, D>,
        leading: &[usize],
        classes: usize,
        ignore_index: Option<i64>,
        skipped: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        check::shape("targets", targets.shape(), leading)?;
        let values = match targets.as_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(targets.iter().copied().collect()),
        };
        let invalid =
            |(row, &target): (usize, &I)| !skipped(row) && class(target, ignore_index, classes) == Class::Invalid;
        // All at once first, which is a loop without branches; where there is nothing to find it is the only one.
        let is_sound = |target: &I| target::is_known(*target, ignore_index, classes);
        let is_any = !values.iter().fold(true, |sound, target| sound & is_sound(target));
        let found = if is_any { values.iter().enumerate().find(|&entry| invalid(entry)) } else { None };
        match found {
            None => Ok(Self { targets: values, ignore_index, classes }),
            Some((row, target)) => Err(Error::Target {
                argument: "targets",
                position: Position::unravel(row, leading),
                value: target.index(),
                classes,
            }),
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// How many rows take part.
    pub(crate) fn kept(&self) -> usize {
        match self.ignore_index {
            None => self.len(),
            Some(ignored) => self.targets.iter().map(|target| usize::from(target.index() != ignored)).sum(),
        }
    }

    /// The class of a row, if it takes part.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<usize> {
        match class(self.targets[row], self.ignore_index, self.classes) {
            Class::Is(class) => Some(class),
            Class::Ignored | Class::Invalid => None,
        }
    }
}
