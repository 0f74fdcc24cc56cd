//! What the author of a density writes: the loss and its derivatives at one point, and the names of its functions.

use super::Domain;
use crate::Real;

/// A density whose negative log-likelihood is a sum over elements: `N` arguments, derivatives by the first `G` of them.
pub(super) trait Density<const N: usize, const G: usize>: Sync {
    /// Name and domain of each argument, in the order of the public functions.
    const ARGUMENTS: [(&'static str, Domain); N];

    /// The loss at one point and its derivatives by the first `G` arguments.
    ///
    /// The point may lie outside the domain: what comes out is then thrown away. An infinite loss is right where an
    /// argument is infinite and counts as overflow where all are finite. Mark it `#[inline(always)]` and keep it free
    /// of branches, so that the driver can vectorize it.
    fn at<T: Real, const FMA: bool>(point: [T; N]) -> (T, [T; G]);
}

/// Writes the public functions of a [`Density`]: reduced value, parts, one value for each element, gradient, and
/// gradient into the caller's arrays.
///
/// The contract of the density stands above the first name; the others say only in what they differ. Gradients by
/// several arguments travel in a struct with their names, a single one is a plain array.
macro_rules! density {
    ($density:ident($($argument:ident),+) -> $bundle:ident { $($field:ident),+ };
        $(#[$docs:meta])* $value:ident, $parts:ident, $each:ident, $grad:ident, $grad_into:ident;) => {
        density!(@values $density($($argument),+); $(#[$docs])* $value, $parts, $each);

        #[doc = density!(@grad $value)]
        pub fn $grad<T: Real, D: Dimension>(
            $($argument: &ArrayRef<T, D>,)+
            reduction: Reduction<T, D>,
        ) -> Result<(T, $bundle<Array<T, D>>)> {
            let (value, [$($field),+]) = driver::grad::<$density, _, _, _, _>([$($argument),+], reduction)?;
            Ok((value, $bundle { $($field),+ }))
        }

        #[doc = density!(@grad_into $grad)]
        pub fn $grad_into<T: Real, D: Dimension>(
            $($argument: &ArrayRef<T, D>,)+
            reduction: Reduction<T, D>,
            out: $bundle<ArrayViewMut<T, D>>,
        ) -> Result<T> {
            let names = [$(concat!("out.", stringify!($field))),+];
            driver::grad_into::<$density, _, _, _, _>([$($argument),+], reduction, names, [$(out.$field),+])
        }
    };

    ($density:ident($($argument:ident),+) -> Array;
        $(#[$docs:meta])* $value:ident, $parts:ident, $each:ident, $grad:ident, $grad_into:ident;) => {
        density!(@values $density($($argument),+); $(#[$docs])* $value, $parts, $each);

        #[doc = density!(@grad $value)]
        pub fn $grad<T: Real, D: Dimension>(
            $($argument: &ArrayRef<T, D>,)+
            reduction: Reduction<T, D>,
        ) -> Result<(T, Array<T, D>)> {
            let (value, [gradient]) = driver::grad::<$density, _, _, _, _>([$($argument),+], reduction)?;
            Ok((value, gradient))
        }

        #[doc = density!(@grad_into $grad)]
        pub fn $grad_into<T: Real, D: Dimension>(
            $($argument: &ArrayRef<T, D>,)+
            reduction: Reduction<T, D>,
            out: &mut ArrayRef<T, D>,
        ) -> Result<T> {
            driver::grad_into::<$density, _, _, _, _>([$($argument),+], reduction, ["out"], [out.view_mut()])
        }
    };

    (@values $density:ident($($argument:ident),+);
        $(#[$docs:meta])* $value:ident, $parts:ident, $each:ident) => {
        $(#[$docs])*
        pub fn $value<T: Real, D: Dimension>(
            $($argument: &ArrayRef<T, D>,)+
            reduction: Reduction<T, D>,
        ) -> Result<T> {
            driver::value::<$density, _, _, _, _>([$($argument),+], reduction)
        }

        #[doc = concat!("Sum and number of the elements of [`", stringify!($value), "`], so that micro-batches combine exactly.")]
        ///
        /// The parts of nothing are `(0, 0)`. Errors are those of the value.
        pub fn $parts<T: Real, D: Dimension>($($argument: &ArrayRef<T, D>),+) -> Result<SumCount> {
            driver::sum_count::<$density, _, _, _, _>([$($argument),+])
        }

        #[doc = concat!("The elements of [`", stringify!($value), "`], not reduced.")]
        ///
        /// Errors are those of the value.
        pub fn $each<T: Real, D: Dimension>($($argument: &ArrayRef<T, D>),+) -> Result<Array<T, D>> {
            driver::each::<$density, _, _, _, _>([$($argument),+])
        }
    };

    (@grad $value:ident) => {
        concat!(
            "[`", stringify!($value), "`] and its exact gradient, in one pass.\n\n",
            "The gradient is that of the reduced value. Errors are those of the value, and [`Error::Overflow`](crate::Error::Overflow) ",
            "where a derivative does not fit the type."
        )
    };

    (@grad_into $grad:ident) => {
        concat!(
            "[`", stringify!($grad), "`] with the gradient written to the caller's memory, of the same shape and any layout.\n\n",
            "Returns the value. Nothing of the length of the data is allocated where all arrays are contiguous. ",
            "After an error in the data what `out` holds is unspecified."
        )
    };
}
pub(super) use density;
