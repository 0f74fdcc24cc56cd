//! Compiles functions here, once for each element type.
//!
//! A generic function is compiled in every crate that calls it, again and again. What has a loop in it is therefore not
//! called by a caller's crate: a public function turns its arguments into plain types and calls a function of a hidden trait
//! of the element type, which is not generic any more and stands compiled in this crate.

/// A hidden trait of functions of the element type `Self`, each of them compiled for the listed types from the generic
/// function behind `=`.
macro_rules! compiled {
    ($(#[$doc:meta])* pub trait $name:ident for $($types:ident)+ { $($functions:tt)* }) => {
        compiled!(@trait $(#[$doc])* $name { $($functions)* });
        compiled!(@types $name [$($types)+] { $($functions)* });
    };
    (@trait $(#[$doc:meta])* $name:ident { $(
        fn $function:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:path;
    )* }) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
        pub trait $name: Sized {$(
            fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output;
        )*}
    };
    (@types $name:ident [$first:ident $($rest:ident)*] { $($functions:tt)* }) => {
        compiled!(@impl $name for $first { $($functions)* });
        compiled!(@types $name [$($rest)*] { $($functions)* });
    };
    (@types $name:ident [] { $($functions:tt)* }) => {};
    (@impl $name:ident for $this:ident { $(
        fn $function:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:path;
    )* }) => {
        impl $name for $this {$(
            #[inline(never)] // or a short one would be compiled by the caller again
            fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output {
                $body($($argument),*)
            }
        )*}
    };
}
pub(crate) use compiled;
