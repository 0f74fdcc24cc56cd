//! Arguments of a loss of whole samples: arrays that hold a sample in each row, and arrays of one number for each.

/// `N` things for arrays of samples `[B, ..]` and `M` things for arrays of one number for each sample, `[B]`: the
/// arguments of a [`SampleLoss`](super::SampleLoss), its gradients, or the places for them.
pub trait Columns<A, P, const N: usize, const M: usize> {
    /// How the entries are called in messages where results are written to them.
    #[doc(hidden)]
    const OUT: ([&'static str; N], [&'static str; M]);

    /// The entries, in order.
    fn into_columns(self) -> ([A; N], [P; M]);

    /// The bundle of these entries.
    fn from_columns(samples: [A; N], numbers: [P; M]) -> Self;
}

impl<A, P> Columns<A, P, 1, 0> for A {
    const OUT: ([&'static str; 1], [&'static str; 0]) = (["out"], []);

    fn into_columns(self) -> ([A; 1], [P; 0]) {
        ([self], [])
    }

    fn from_columns([sample]: [A; 1], []: [P; 0]) -> Self {
        sample
    }
}

/// Makes [`Columns`] of a struct with fields of its generic types: those of samples first, then those of numbers if it
/// has any.
macro_rules! columns {
    ($bundle:ident<$n:literal> { $($sample:ident),* }) => {
        $crate::energy::samples::columns!(@impl [$bundle<A>] $n, 0 { $($sample),*; });
    };
    ($bundle:ident<$n:literal, $m:literal> { $($sample:ident),*; $($number:ident),* }) => {
        $crate::energy::samples::columns!(@impl [$bundle<A, P>] $n, $m { $($sample),*; $($number),* });
    };
    (@impl [$($of:tt)*] $n:literal, $m:literal { $($sample:ident),*; $($number:ident),* }) => {
        impl<A, P> $crate::energy::Columns<A, P, $n, $m> for $($of)* {
            const OUT: ([&'static str; $n], [&'static str; $m]) =
                ([$(concat!("out.", stringify!($sample))),*], [$(concat!("out.", stringify!($number))),*]);

            fn into_columns(self) -> ([A; $n], [P; $m]) {
                ([$(self.$sample),*], [$(self.$number),*])
            }

            fn from_columns([$($sample),*]: [A; $n], [$($number),*]: [P; $m]) -> Self {
                Self { $($sample,)* $($number),* }
            }
        }
    };
}
pub(in crate::energy) use columns;
