//! Class indices, one for each row, read and checked before any logit.

use std::borrow::Cow;

use ndarray::{ArrayRef, ArrayViewD, Dimension};

use crate::error::Position;
use crate::target::{self, Class, Indices, class};
use crate::{Error, Result, Target, check};

/// Targets in row-major order, all of them classes or ignored.
pub(crate) struct Labels<'a> {
    targets: Column<'a>,
    ignore_index: Option<i64>,
    classes: usize,
}

/// Indices in row-major order, of the type that they came in.
enum Column<'a> {
    I32(Cow<'a, [i32]>),
    I64(Cow<'a, [i64]>),
    U32(Cow<'a, [u32]>),
    Usize(Cow<'a, [usize]>),
}

/// Evaluates an expression of a slice of indices, whatever their type.
macro_rules! of_column {
    ($column:expr, $values:ident => $result:expr) => {
        match $column {
            Column::I32($values) => $result,
            Column::I64($values) => $result,
            Column::U32($values) => $result,
            Column::Usize($values) => $result,
        }
    };
}

impl<'a> Labels<'a> {
    /// Checks the targets of the rows that are not `skipped`.
    pub(crate) fn new<I: Target, D: Dimension>(
        targets: &'a ArrayRef<I, D>,
        leading: &[usize],
        classes: usize,
        ignore_index: Option<i64>,
        skipped: impl Fn(usize) -> bool,
    ) -> Result<Self> {
        Self::erased(I::erase(targets.view().into_dyn()), leading, classes, ignore_index, &skipped)
    }

    /// [`Labels::new`] of indices of any type.
    pub(crate) fn erased(
        targets: Indices<'a>,
        leading: &[usize],
        classes: usize,
        ignore_index: Option<i64>,
        skipped: &dyn Fn(usize) -> bool,
    ) -> Result<Self> {
        let targets = match targets {
            Indices::I32(targets) => Column::I32(column(targets, leading)?),
            Indices::I64(targets) => Column::I64(column(targets, leading)?),
            Indices::U32(targets) => Column::U32(column(targets, leading)?),
            Indices::Usize(targets) => Column::Usize(column(targets, leading)?),
        };
        match of_column!(&targets, values => first_invalid(values, classes, ignore_index, skipped)) {
            None => Ok(Self { targets, ignore_index, classes }),
            Some((row, value)) => {
                let position = Position::unravel(row, leading);
                Err(Error::Target { argument: "targets", position, value, classes })
            }
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        of_column!(&self.targets, targets => targets.len())
    }

    /// How many rows are counted.
    pub(crate) fn kept(&self) -> usize {
        let Some(ignored) = self.ignore_index else { return self.len() };
        of_column!(&self.targets, targets => targets.iter().map(|target| usize::from(target.index() != ignored)).sum())
    }

    /// The class of a row, if it is counted.
    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<usize> {
        match of_column!(&self.targets, targets => class(targets[row], self.ignore_index, self.classes)) {
            Class::Is(class) => Some(class),
            Class::Ignored | Class::Invalid => None,
        }
    }
}

/// Indices of this shape as they lie in memory, or a copy in row-major order.
fn column<'a, I: Target>(targets: ArrayViewD<'a, I>, leading: &[usize]) -> Result<Cow<'a, [I]>> {
    check::shape("targets", targets.shape(), leading)?;
    Ok(match targets.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(targets.iter().copied().collect()),
    })
}

/// The first of the targets that is neither a class nor ignored, but for rows that are skipped.
fn first_invalid<I: Target>(
    values: &[I],
    classes: usize,
    ignore_index: Option<i64>,
    skipped: &dyn Fn(usize) -> bool,
) -> Option<(usize, i64)> {
    // All at once first, which is a loop without branches; where there is nothing to find it is the only one.
    if values.iter().fold(true, |sound, target| sound & target::is_known(*target, ignore_index, classes)) {
        return None;
    }
    let invalid = |row: usize, target: I| !skipped(row) && class(target, ignore_index, classes) == Class::Invalid;
    let mut targets = values.iter().enumerate();
    targets.find(|&(row, &target)| invalid(row, target)).map(|(row, target)| (row, target.index()))
}
