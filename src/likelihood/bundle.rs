//! Things of one type under the names of a density's arguments.

/// `N` things of one type: the arrays that a density takes, its gradients, or the places for them.
///
/// A struct with one generic field for each argument gets it from [`bundle!`](crate::bundle). A single thing is a bundle of
/// itself, and an array is one without names.
pub trait Bundle<A, const N: usize> {
    /// How its entries are called in messages where results are written to them.
    const OUT: [&'static str; N];

    /// The entries, in order.
    fn into_array(self) -> [A; N];

    /// The bundle of these entries.
    fn from_array(entries: [A; N]) -> Self;
}

impl<A> Bundle<A, 1> for A {
    const OUT: [&'static str; 1] = ["out"];

    fn into_array(self) -> [A; 1] {
        [self]
    }

    fn from_array([entry]: [A; 1]) -> Self {
        entry
    }
}

impl<A, const N: usize> Bundle<A, N> for [A; N] {
    const OUT: [&'static str; N] = ["out"; N];

    fn into_array(self) -> [A; N] {
        self
    }

    fn from_array(entries: [A; N]) -> Self {
        entries
    }
}

/// Makes a [`Bundle`](crate::likelihood::Bundle) of a struct all of whose fields have its one generic type.
///
/// ```
/// struct LaplaceArguments<A> {
///     location: A,
///     x: A,
/// }
/// loglik::bundle!(LaplaceArguments { location, x });
/// ```
#[macro_export]
macro_rules! bundle {
    ($bundle:ident { $($field:ident),+ $(,)? }) => {
        impl<A> $crate::likelihood::Bundle<A, { [$(stringify!($field)),+].len() }> for $bundle<A> {
            const OUT: [&'static str; { [$(stringify!($field)),+].len() }] = [$(concat!("out.", stringify!($field))),+];

            fn into_array(self) -> [A; { [$(stringify!($field)),+].len() }] {
                [$(self.$field),+]
            }

            fn from_array([$($field),+]: [A; { [$(stringify!($field)),+].len() }]) -> Self {
                Self { $($field),+ }
            }
        }
    };
}
