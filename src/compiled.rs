//! Compiles functions here, once for each element type.
//!
//! A generic function is compiled in every crate that calls it, again and again. What has a loop in it is therefore not
//! called by a caller's crate: a public function turns its arguments into plain types and calls a function of a hidden trait
//! of the element type, which is not generic any more and stands compiled in this crate.

use ndarray::{Array, ArrayD, Dimension};

/// A hidden trait of functions of the element type `Self`, each of them compiled for the listed types from the generic
/// function behind `=`. `for stored types` are all [`Element`](crate::Element)s.
macro_rules! compiled {
    ($(#[$doc:meta])* pub trait $name:ident for stored types { $($functions:tt)* }) => {
        compiled!(@trait [where Self: $crate::Element] $(#[$doc])* $name { $($functions)* });
        compiled!(@types $name [f32 f64] { $($functions)* });
        #[cfg(feature = "half")]
        compiled!(@impl $name for half::bf16 { $($functions)* });
        #[cfg(feature = "half")]
        compiled!(@impl $name for half::f16 { $($functions)* });
    };
    ($(#[$doc:meta])* pub trait $name:ident for $($types:ident)+ { $($functions:tt)* }) => {
        compiled!(@trait [] $(#[$doc])* $name { $($functions)* });
        compiled!(@types $name [$($types)+] { $($functions)* });
    };
    (@trait $bound:tt $(#[$doc:meta])* $name:ident { $(
        fn $function:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:path;
    )* }) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
        pub trait $name: Sized {$(
            compiled!(@signature $bound fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output);
        )*}
    };
    (@signature [$($bound:tt)*] $($signature:tt)*) => {
        $($signature)* $($bound)*;
    };
    (@types $name:ident [$first:ident $($rest:ident)*] { $($functions:tt)* }) => {
        compiled!(@impl $name for $first { $($functions)* });
        compiled!(@types $name [$($rest)*] { $($functions)* });
    };
    (@types $name:ident [] { $($functions:tt)* }) => {};
    (@impl $name:ident for $this:ty { $(
        fn $function:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:path;
    )* }) => {
        #[allow(private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
        impl $name for $this {$(
            #[inline(never)] // or a short one would be compiled by the caller again
            fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output {
                $body($($argument),*)
            }
        )*}
    };
}
pub(crate) use compiled;

/// An array that came out of a compiled function, in the caller's dimension, which has as many axes.
pub(crate) fn in_dimension<T, D: Dimension>(array: ArrayD<T>) -> Array<T, D> {
    array.into_dimensionality().unwrap_or_else(|_| unreachable!("results have the axes of the arguments"))
}
