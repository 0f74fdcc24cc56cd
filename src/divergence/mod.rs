//! Divergences between distributions over classes: value, and gradient in the logits of either side or both.
//!
//! | divergence | `D(p ‖ q)` | largest |
//! |---|---|---|
//! | [`KlDivergence`] | `Σ p ln(p/q)` | |
//! | [`ReverseKlDivergence`] | `Σ q ln(q/p)` | |
//! | [`JensenShannonDivergence`] | from the even mixture | `ln 2` |
//! | [`GeneralizedJsd`] | from a mixture, with the ends of TRL | |
//! | [`InterpolatedJsd`] | the same, continuous from forward to reverse | |
//! | [`AmariDivergence`] | `(Σ p^α q^(1-α) - 1) / (α (α - 1))` | `1 / (α (1 - α))` between 0 and 1 |
//! | [`RenyiDivergence`] | `ln(Σ p^α q^(1-α)) / (α - 1)` | |
//! | [`PearsonChiSquare`] | `Σ (p - q)² / q` | |
//! | [`NeymanChiSquare`] | `Σ (p - q)² / p` | |
//! | [`MixtureChiSquare`] | `½ Σ (p - q)² / (p + q)` | 1 |
//! | [`SquaredHellinger`] | `½ Σ (√p - √q)²` | 1 |
//! | [`TotalVariation`] | `½ Σ abs(p - q)` | 1 |
//! | [`FDivergence`] | `Σ q f(p/q)`, by a [`Generator`] | |
//!
//! [`SparseDivergence`] takes all but Rényi's of a teacher that gives some classes only ([`SparseTeacher`]).
//!
//! [`SequenceMatch`] is a divergence of another kind, between what a model and the data do in whole sequences
//! ([`Occupancy`]).
//!
//! All others take two [`Categorical`]s and have the methods of [`CategoricalDivergence`]. One of your own is a
//! [`ClassDivergence`], its term at one class; or a [`Generator`], which also has a bound from samples by a
//! critic: [`VariationalBound`](crate::ratio::bound::VariationalBound), [`FGan`](crate::ratio::FGan).

#![allow(clippy::type_complexity)] // a pair of arrays in associated types is not complex to read

mod amari;
mod categorical;
mod chi_square;
mod class_divergence;
mod class_loops;
mod class_pair;
mod compiled;
mod driver;
mod f_divergence;
mod generalized_jsd;
mod generator;
mod generators;
mod gradient;
mod hellinger;
mod jensen_shannon;
mod kl;
mod lanes;
mod mixture;
mod normalizers;
mod objective;
mod per_row;
mod renyi;
mod row_divergence;
mod sequence_match;
mod side;
mod sides;
mod sparse_divergence;
mod sparse_row;
mod sparse_rows;
mod sparse_teacher;
mod total_variation;

pub use amari::AmariDivergence;
pub use categorical::Categorical;
pub use chi_square::{MixtureChiSquare, NeymanChiSquare, PearsonChiSquare};
pub use class_divergence::ClassDivergence;
#[doc(hidden)]
pub use class_loops::{ClassLoops, HasLoops, Loops};
pub use class_pair::{ClassPair, ClassTerm};
#[doc(hidden)]
pub use compiled::{Compiled, TargetCompiled};
pub use f_divergence::FDivergence;
pub use generalized_jsd::{GeneralizedJsd, InterpolatedJsd};
pub use generator::Generator;
pub use hellinger::SquaredHellinger;
pub use jensen_shannon::JensenShannonDivergence;
pub use kl::{KlDivergence, ReverseKlDivergence};
pub use objective::CategoricalDivergence;
pub use renyi::RenyiDivergence;
pub use sequence_match::{
    Backspaced, Occupancy, SequenceMatch, SequenceMatchTerms, Trajectory, TrajectoryEnd, TrajectorySource,
    apply_backspaces,
};
pub use sides::Sides;
pub use sparse_divergence::SparseDivergence;
pub use sparse_teacher::{SparseTeacher, Tail};
pub use total_variation::TotalVariation;
