//! Class indices: any common integer type.

use ndarray::{ArrayViewD, Axis};

/// The integer types that class indices may come in: `i32`, `i64`, `u32` and `usize`. Sealed.
pub trait Target:
    Copy + Send + Sync + crate::divergence::TargetCompiled + crate::sequence::TargetCompiled + sealed::Sealed + 'static
{
    /// What [`causal_shift`](crate::sequence::causal_shift) writes where nothing is predicted: -100, which objectives ignore
    /// by default (torch), and of types without a sign the largest number, which is no class and must be ignored by name.
    const IGNORED: Self;

    /// The index as `i64`; a `usize` beyond its range becomes `i64::MAX`, which is no class of any array.
    fn index(self) -> i64;

    /// The same indices without their type.
    #[doc(hidden)]
    fn erase(indices: ArrayViewD<'_, Self>) -> Indices<'_>;
}

/// Class indices of one of the types, so that what reads them is compiled once.
#[derive(Debug)]
#[allow(missing_docs)] // hidden
pub enum Indices<'a> {
    I32(ArrayViewD<'a, i32>),
    I64(ArrayViewD<'a, i64>),
    U32(ArrayViewD<'a, u32>),
    Usize(ArrayViewD<'a, usize>),
}

impl Indices<'_> {
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::I32(indices) => indices.shape(),
            Self::I64(indices) => indices.shape(),
            Self::U32(indices) => indices.shape(),
            Self::Usize(indices) => indices.shape(),
        }
    }

    /// Writes those of one place on the first axis in the place of what is there.
    pub(crate) fn read(&self, place: usize, to: &mut Vec<i64>) {
        fn read<I: Target>(indices: &ArrayViewD<'_, I>, place: usize, to: &mut Vec<i64>) {
            to.clear();
            to.extend(indices.index_axis(Axis(0), place).iter().map(|index| index.index()));
        }
        match self {
            Self::I32(indices) => read(indices, place, to),
            Self::I64(indices) => read(indices, place, to),
            Self::U32(indices) => read(indices, place, to),
            Self::Usize(indices) => read(indices, place, to),
        }
    }

    /// All of them in row-major order.
    pub(crate) fn all(&self) -> Vec<i64> {
        fn all<I: Target>(indices: &ArrayViewD<'_, I>) -> Vec<i64> {
            indices.iter().map(|index| index.index()).collect()
        }
        match self {
            Self::I32(indices) => all(indices),
            Self::I64(indices) => all(indices),
            Self::U32(indices) => all(indices),
            Self::Usize(indices) => all(indices),
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! target {
    ($($type:ident: $ignored:expr, $erased:ident;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Target for $type {
            const IGNORED: Self = $ignored;

            #[inline(always)]
            fn index(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }

            fn erase(indices: ArrayViewD<'_, Self>) -> Indices<'_> {
                Indices::$erased(indices)
            }
        }
    )*};
}
target!(i32: -100, I32; i64: -100, I64; u32: u32::MAX, U32; usize: usize::MAX, Usize;);

/// What a target says of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The row belongs to this class.
    Is(usize),
    /// The row is not counted.
    Ignored,
    /// Neither a class nor the ignored index.
    Invalid,
}

/// Reads a target; the ignored index wins even where it is a class.
#[inline]
pub(crate) fn class(target: impl Target, ignore_index: Option<i64>, classes: usize) -> Class {
    let index = target.index();
    match usize::try_from(index) {
        _ if Some(index) == ignore_index => Class::Ignored,
        Ok(class) if class < classes => Class::Is(class),
        _ => Class::Invalid,
    }
}

/// Whether a target is a class or ignored, without a branch.
#[inline]
pub(crate) fn is_known(target: impl Target, ignore_index: Option<i64>, classes: usize) -> bool {
    let index = target.index();
    // Negative indices become larger than any number of classes.
    ((index as u64) < classes as u64) | (ignore_index == Some(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_index_may_be_negative_or_a_class() {
        assert_eq!(class(-100_i64, Some(-100), 5), Class::Ignored);
        assert_eq!(class(0_u32, Some(0), 5), Class::Ignored);
        assert_eq!(class(4_usize, Some(-100), 5), Class::Is(4));
        assert_eq!(class(5_i32, Some(-100), 5), Class::Invalid);
        assert_eq!(class(-1_i32, None, 5), Class::Invalid);
        assert_eq!(class(usize::MAX, None, 5), Class::Invalid);
    }

    #[test]
    fn what_is_known_is_not_invalid() {
        for (target, ignored) in
            [-100_i64, -1, 0, 4, 5, i64::MIN, i64::MAX].into_iter().zip([None, Some(-100), Some(4)])
        {
            assert_eq!(is_known(target, ignored, 5), class(target, ignored, 5) != Class::Invalid, "{target}");
        }
    }
}
