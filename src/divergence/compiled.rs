//! What this room compiles once.

use ndarray::{ArrayD, ArrayView1, ArrayViewD, ArrayViewMutD};

use super::categorical::Source;
use super::class_loops::HasLoops;
use super::class_loops::Loops;
use super::driver::Outputs;
use super::driver::PairRows;
use super::row_divergence::ClassSum;
use super::sequence_match::{self, AnyTrajectory, Backspaced, SequenceMatch, SequenceMatchTerms, backspace};
use super::sparse_row::SparseSum;
use super::sparse_rows::{self, Student};
use super::sparse_teacher::Teacher;
use super::{ClassDivergence, KlDivergence, RenyiDivergence, Sides, per_row};
use crate::compiled::compiled;
use crate::reduction::AnyReduction;
use crate::{Real, Result, check};

compiled! {
    pub trait Compiled for f32 f64 {
        fn class_divergence(
            parameters: Result<()>,
            loops: &dyn Loops,
            sides: Sides<Source<'_, Self>>,
            reduction: AnyReduction<'_, Self>,
            out: Outputs<'_, Self>,
        ) -> Result<Vec<f64>> = class_divergence;
        fn renyi_divergence(
            divergence: &RenyiDivergence,
            sides: Sides<Source<'_, Self>>,
            reduction: AnyReduction<'_, Self>,
            out: Outputs<'_, Self>,
        ) -> Result<Vec<f64>> = renyi_divergence;
        fn sparse_divergence(
            divergence: SparseSum<'_>,
            teacher: Teacher<'_>,
            student: Student<'_, Self>,
            reduction: AnyReduction<'_, Self>,
            out: Option<ArrayViewMutD<'_, Self>>,
        ) -> Result<Vec<f64>> = sparse_rows::run;
        fn sequence_match(
            objective: &SequenceMatch,
            trajectory: AnyTrajectory<'_, Self>,
            out: Option<ArrayViewMutD<'_, Self>>,
        ) -> Result<Self> = sequence_match::value;
        fn sequence_match_terms(
            objective: &SequenceMatch,
            trajectory: AnyTrajectory<'_, Self>,
        ) -> Result<SequenceMatchTerms<Self>> = sequence_match::terms;
        fn mask_weights(mask: ArrayViewD<'_, bool>, leading: &[usize]) -> Result<ArrayD<Self>> = per_row::weights_of;
        fn by_row(values: Vec<f64>, leading: &[usize]) -> ArrayD<Self> = per_row::by_row;
        fn reduced(values: Vec<f64>, reduction: AnyReduction<'_, Self>) -> Result<Self> = per_row::reduced;
    }
}

compiled! {
    /// The same of integers.
    pub trait TargetCompiled for i32 i64 u32 usize {
        fn backspaces(actions: ArrayView1<'_, Self>, backspace: Self) -> Backspaced<Self> = backspace::backspaces;
    }
}

fn class_divergence<T: Real + HasLoops>(
    parameters: Result<()>,
    loops: &dyn Loops,
    sides: Sides<Source<'_, T>>,
    reduction: AnyReduction<'_, T>,
    out: Outputs<'_, T>,
) -> Result<Vec<f64>> {
    PairRows::new(sides, &reduction)?.run(&ClassSum::new(parameters, loops), out)
}

fn renyi_divergence<T: Real + HasLoops>(
    divergence: &RenyiDivergence,
    sides: Sides<Source<'_, T>>,
    reduction: AnyReduction<'_, T>,
    out: Outputs<'_, T>,
) -> Result<Vec<f64>> {
    check::positive("alpha", divergence.alpha)?;
    if divergence.alpha == 1.0 {
        return class_divergence(Ok(()), &*KlDivergence.loops(), sides, reduction, out);
    }
    PairRows::new(sides, &reduction)?.run(divergence, out)
}
