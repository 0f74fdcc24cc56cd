//! The element types: [`Real`], what is computed in, and [`Element`], what may be stored.

use std::fmt::{Debug, Display};
use std::iter::Sum;

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::{Float, FloatConst, NumAssign};

/// The floating-point types that objectives are computed in: `f32` and `f64`. Sealed.
///
/// It is the only numeric bound in public signatures.
pub trait Real:
    Element<Real = Self>
    + Float
    + FloatConst
    + NumAssign
    + LinalgScalar
    + ScalarOperand
    + Sum
    + Default
    + Display
    + crate::simd::Lanes
    + crate::simd::Exponentials
    + crate::logits::CompiledReal
    + crate::likelihood::Compiled
    + crate::transport::Compiled
    + crate::pointwise::Choose
    + crate::preference::Compiled
    + crate::preference::InType
    + crate::contrastive::Compiled
    + crate::ratio::Compiled
    + crate::ratio::Estimates
    + crate::divergence::Compiled
    + crate::energy::Compiled
    + crate::diagnostics::Compiled
    + crate::sequence::Compiled
    + crate::metric::Compiled
{
    /// `"f32"` or `"f64"`, for messages.
    const NAME: &'static str;

    /// The nearest value of this type.
    fn from_f64(x: f64) -> Self;

    /// The same value as `f64`, exactly.
    fn as_f64(self) -> f64;
}

/// The types that logits may be stored in: every [`Real`] and, with the feature `half`, `bf16` and `f16`. Sealed.
///
/// Half-precision elements are widened block by block and computed in `f32`; results are `f32`, never rounded back.
pub trait Element:
    Copy
    + Debug
    + Send
    + Sync
    + crate::logits::Compiled
    + crate::logits::linear::Compiled
    + crate::rowwise::Compiled
    + crate::transport::CompiledElement
    + sealed::Sealed
    + 'static
{
    /// The type that the elements are computed in.
    type Real: Real;

    /// This element in the type that is computed in, exactly.
    fn real(self) -> Self::Real;

    /// The slice itself where storage and computation share their type, so that nothing is copied.
    #[doc(hidden)]
    fn as_real(slice: &[Self]) -> Option<&[Self::Real]>;

    /// Copies elements to a slice of the same length.
    #[doc(hidden)]
    fn widen(from: &[Self], to: &mut [Self::Real]);

    /// [`Exponentials::sum_below`](crate::simd::Exponentials::sum_below) of at most [`BLOCK`](crate::simd::BLOCK)
    /// elements.
    #[doc(hidden)]
    fn sum_below(block: &[Self], shift: Self::Real) -> (Self::Real, bool);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    #[cfg(feature = "half")]
    impl Sealed for half::bf16 {}
    #[cfg(feature = "half")]
    impl Sealed for half::f16 {}
}

macro_rules! real {
    ($($type:ident),*) => {$(
        impl Real for $type {
            const NAME: &'static str = stringify!($type);

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                f64::from(self)
            }
        }

        impl Element for $type {
            type Real = $type;

            #[inline(always)]
            fn real(self) -> $type {
                self
            }

            #[inline(always)]
            fn as_real(slice: &[Self]) -> Option<&[$type]> {
                Some(slice)
            }

            #[inline(always)]
            fn widen(from: &[Self], to: &mut [$type]) {
                to.copy_from_slice(from);
            }

            #[inline(always)]
            fn sum_below(block: &[Self], shift: $type) -> ($type, bool) {
                <$type as crate::simd::Exponentials>::sum_below(block, shift)
            }
        }
    )*};
}
real!(f32, f64);

#[cfg(feature = "half")]
macro_rules! half {
    ($($type:ident: $sum_below:ident),*) => {$(
        impl Element for half::$type {
            type Real = f32;

            #[inline(always)]
            fn real(self) -> f32 {
                self.to_f32()
            }

            #[inline(always)]
            fn as_real(_: &[Self]) -> Option<&[f32]> {
                None
            }

            #[inline]
            fn widen(from: &[Self], to: &mut [f32]) {
                crate::simd::widen(from, to);
            }

            #[inline]
            fn sum_below(block: &[Self], shift: f32) -> (f32, bool) {
                crate::simd::$sum_below(block, shift)
            }
        }
    )*};
}
#[cfg(feature = "half")]
half!(bf16: sum_below_bf16, f16: sum_below_f16);
