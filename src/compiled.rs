//! Compiles functions here, once for each element type.
//!
//! A generic function is compiled in every crate that calls it, again and again. What has a loop in it is therefore not
//! called by a caller's crate: a public function turns its arguments into plain types and calls a function of a hidden trait
//! of the element type, which is not generic any more and stands compiled in this crate.

/// A hidden trait of functions of the element type `Self`, each of them compiled for the listed types from the generic
/// function behind `=`.
///
/// `: Element` after the name of the trait lets its functions name `<Self as Element>::Real`, and `with half` adds types of
/// the crate `half` where the feature is on.
macro_rules! compiled {
    ($(#[$doc:meta])* pub trait $name:ident for $($types:ident)+ { $($functions:tt)* }) => {
        compiled!(@trait $(#[$doc])* $name [Sized] { $($functions)* });
        compiled!(@types $name [$($types)+] { $($functions)* });
    };
    (
        $(#[$doc:meta])*
        pub trait $name:ident: $element:ident for $($types:ident)+, with half $($half:ident)+ { $($functions:tt)* }
    ) => {
        compiled!(@trait $(#[$doc])* $name [$element] { $($functions)* });
        compiled!(@types $name [$($types)+] { $($functions)* });
        #[cfg(feature = "half")]
        const _: () = {
            use half::{$($half),+};
            compiled!(@types $name [$($half)+] { $($functions)* });
        };
    };
    // A bound of the functions, since a supertrait of `Element` cannot have it for a supertrait.
    (@trait $(#[$doc:meta])* $name:ident [$bound:ident] { $(
        fn $function:ident $(<$($lifetime:lifetime),+>)? ($($argument:ident: $type:ty),* $(,)?) -> $output:ty = $body:path;
    )* }) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, private_interfaces, clippy::too_many_arguments, clippy::type_complexity)]
        pub trait $name: Sized {$(
            fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output where Self: $bound;
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
        #[allow(private_interfaces)]
        impl $name for $this {$(
            #[inline(never)] // or a short one would be compiled by the caller again
            fn $function $(<$($lifetime),+>)? ($($argument: $type),*) -> $output {
                $body($($argument),*)
            }
        )*}
    };
}
pub(crate) use compiled;
