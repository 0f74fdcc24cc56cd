//! The loops of a loss in both element types, and the line by which its author has them compiled.

use super::Block;

/// The compiled loops of one loss. Made by [`compile_loops`](crate::compile_loops).
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations)] // two addresses of code
pub struct Loops<'a, Of> {
    f32: &'a dyn Block<f32, Of>,
    f64: &'a dyn Block<f64, Of>,
}

impl<'a, Of> Loops<'a, Of> {
    /// The loops of this loss.
    pub fn of<L: Block<f32, Of> + Block<f64, Of>>(loss: &'a L) -> Self {
        Self { f32: loss, f64: loss }
    }

    /// Those of one element type.
    pub(crate) fn get<T: Choose>(self) -> &'a dyn Block<T, Of> {
        T::choose(self)
    }
}

/// Which of two loops belong to the element type.
pub trait Choose: Sized {
    /// Those of this type.
    #[doc(hidden)]
    fn choose<Of>(loops: Loops<'_, Of>) -> &dyn Block<Self, Of>;
}

impl Choose for f32 {
    fn choose<Of>(loops: Loops<'_, Of>) -> &dyn Block<Self, Of> {
        loops.f32
    }
}

impl Choose for f64 {
    fn choose<Of>(loops: Loops<'_, Of>) -> &dyn Block<Self, Of> {
        loops.f64
    }
}

/// Loops over blocks for every loss of a trait: a marker that names them, and the function of plain numbers that they run.
/// The function may speak of the element type `T` and of `FMA`.
macro_rules! loops {
    ($(#[$doc:meta])* $of:ident: $loss:ident, $n:expr, $g:expr, |$this:ident, $x:pat_param| $at:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $of;

        const _: () = {
            struct At<'l, L>(&'l L);

            impl<L: $loss> $crate::pointwise::Pointwise<{ $n }, { $g }> for At<'_, L> {
                #[inline(always)]
                fn at<T: $crate::Real, const FMA: bool>(&self, $x: [T; $n]) -> (T, [T; $g]) {
                    let $this = self.0;
                    $at
                }
            }

            impl<T: $crate::Real, L: $loss> $crate::pointwise::Block<T, $of> for L {
                fn run(&self, columns: &[&[T]], loss: &mut [T], slopes: &mut [&mut [T]], is_steep: bool) {
                    $crate::pointwise::apply::<T, _, { $n }, { $g }>(&At(self), columns, loss, slopes, is_steep);
                }
            }
        };
    };
}
pub(crate) use loops;

/// Compiles the loops of a loss where it is written, once for each element type and instruction set, so that whoever calls it
/// compiles none. The one line that every implementation of the named trait starts with:
///
/// ```
/// use loglik::{Real, Result, preference::MarginLoss};
///
/// struct Squared;
///
/// impl MarginLoss for Squared {
///     loglik::compile_loops!(MarginLoss);
///
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///     fn at<T: Real, const FMA: bool>(&self, margin: T) -> (T, T) {
///         (margin * margin, margin + margin)
///     }
/// }
/// ```
#[macro_export]
macro_rules! compile_loops {
    (MarginLoss) => {
        #[inline(never)] // or the caller would compile the loops again
        fn margin_loops(&self) -> $crate::preference::loops::Loops<'_, $crate::preference::loops::Margins> {
            $crate::preference::loops::Loops::of(self)
        }
    };
    (LabeledLoss) => {
        #[inline(never)] // or the caller would compile the loops again
        fn labeled_loops(&self) -> $crate::preference::loops::Loops<'_, $crate::preference::loops::Margins> {
            $crate::preference::loops::Loops::of(self)
        }
    };
    (PairLoss) => {
        #[inline(never)] // or the caller would compile the loops again
        fn pair_loops(&self) -> $crate::preference::loops::PairLoops<'_> {
            $crate::preference::loops::PairLoops::of_sides($crate::preference::loops::Loops::of(self))
        }
    };
    (RatioLink) => {
        #[inline(never)] // or the caller would compile the loops again
        fn link_loops(&self) -> $crate::preference::loops::LinkLoops<'_> {
            $crate::preference::loops::LinkLoops::of(self)
        }
    };
    (Density) => {
        #[inline(never)] // or the caller would compile the loops again
        fn with_loops(
            &self,
            pass: &mut dyn FnMut($crate::likelihood::loops::Loops<'_, ()>) -> $crate::Result<f64>,
        ) -> $crate::Result<f64> {
            $crate::likelihood::loops::with(self, pass)
        }
    };
    (RatioLoss) => {
        #[inline(never)] // or the caller would compile the loops again
        fn ratio_loops(&self) -> $crate::ratio::loops::RatioLoops<'_> {
            $crate::ratio::loops::RatioLoops::of(self)
        }
    };
}
