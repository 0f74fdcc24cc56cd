//! A teacher that gives some classes of each position.

use std::f64::consts::LN_2;

use ndarray::ArrayView2;

use crate::error::Position;
use crate::math::log1mexp;
use crate::rowwise::WideReader;
use crate::simd::RowSum;
use crate::target::{self, Class, Indices};
use crate::{Error, Result, check};

/// The classes of each row that a teacher gives, usually its most probable ones, and their log-probabilities among all, of
/// any element type.
#[derive(Clone, Copy, Debug)]
pub struct SparseTeacher<'a, T, I> {
    /// Classes, `[N, K]`, of any order, none twice in a row.
    pub indices: ArrayView2<'a, I>,
    /// Logarithms of their probabilities, `[N, K]`, at most 0 or -inf; of a row not all -inf, and together at most 1 (0.001
    /// above it, 0.01 in half precision, and 6e-8 for each class, is taken for rounding, and divided out).
    pub log_probs: ArrayView2<'a, T>,
}

/// How the classes count that a [`SparseTeacher`] does not give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Tail {
    /// They are one more class of both sides, of the probability that is left. The divergence is that of merged classes, so
    /// never above the one of the whole distributions, and the share of each of them in the gradient is as its probability.
    ///
    /// Where the classes that are given already hold all mass, as those of a confident teacher in `f32` do, what is left is
    /// unknown: from nothing up to the rounding of the teacher's type (2^-24 for `f32`, 2^-53 for `f64`, 2^-9 in half
    /// precision). It is taken to be the student's own share, up to that: nothing is said against a student whose tail the
    /// rounding could hide, and the reverse divergence of any other is finite.
    #[default]
    Bucket,
    /// The teacher has none of them: what it gives is divided by its sum. The student has, and is drawn away from them;
    /// divergences that punish that without bound, such as the reverse one, are +inf.
    Cut,
    /// Neither side has any: both are divided by their sums over the teacher's classes. Nothing is said of the student's
    /// mass elsewhere, and over a single class everything is 0.
    Conditional,
    /// They are left out of the usual formula and nothing is divided, as in `Σ_k p ln(p/q)`. No divergence: it may be
    /// negative, and equal distributions need not be its minimum.
    Ignored,
}

/// A row of a teacher: classes in increasing order with their log-probabilities, and what is left.
#[derive(Debug, Default)]
pub(super) struct TeacherRow {
    /// As they came.
    indices: Vec<i64>,
    logs: Vec<f64>,
    pub(super) classes: Vec<(usize, f64)>,
    /// Logarithm of the probability of all other classes.
    pub(super) log_rest: f64,
    /// Logarithm of the most that it may be instead, where the given ones hold all mass up to their rounding.
    pub(super) log_hidden: Option<f64>,
}

impl TeacherRow {
    /// Logarithm of the probability of all other classes, beside a student that has this share there.
    pub(super) fn log_rest_beside(&self, log_share: f64) -> f64 {
        self.log_hidden.map_or(self.log_rest, |hidden| hidden.min(log_share))
    }
}

/// A [`SparseTeacher`] of any types.
pub(crate) struct Teacher<'a> {
    pub(super) indices: Indices<'a>,
    pub(super) log_probs: Result<Box<dyn WideReader + 'a>>,
    pub(super) log_probs_shape: [usize; 2],
}

/// The same, checked.
pub(super) struct TeacherRows<'a> {
    pub(super) indices: Indices<'a>,
    log_probs: Box<dyn WideReader + 'a>,
}

impl<'a> Teacher<'a> {
    /// Checks the shapes beside logits of so many rows.
    pub(super) fn check(self, rows: usize) -> Result<TeacherRows<'a>> {
        let given = self.indices.shape()[1];
        check::shape("indices", self.indices.shape(), &[rows, given])?;
        check::shape("log_probs", &self.log_probs_shape, &[rows, given])?;
        if given == 0 {
            return Err(Error::Empty { argument: "indices" });
        }
        Ok(TeacherRows { indices: self.indices, log_probs: self.log_probs? })
    }
}

impl TeacherRows<'_> {
    /// Reads a row, in place of the one that is there.
    pub(super) fn read(&self, row: usize, classes: usize, tail: Tail, to: &mut TeacherRow) -> Result<()> {
        let TeacherRow { indices, logs, .. } = to;
        self.indices.read(row, indices);
        self.log_probs.read(row, logs);
        to.classes.clear();
        let mut sum = RowSum::new();
        let size = self.log_probs.stored_size();
        let tolerance = check::share_tolerance(size, classes);
        let hidden: f64 = match size {
            2 => 9.0,
            4 => 24.0,
            _ => 53.0,
        };
        for (k, (&index, &log)) in to.indices.iter().zip(&to.logs).enumerate() {
            let Class::Is(class) = target::class(index, None, classes) else {
                let (argument, position) = ("indices", Position(vec![row, k]));
                return Err(Error::Target { argument, position, value: index, classes });
            };
            if log.is_nan() || log > tolerance {
                return Err(value("log_probs", vec![row, k], log, "at most 0"));
            }
            sum.push(&[log]);
            to.classes.push((class, log));
        }
        if !sum.is_proper() {
            return Err(value("log_probs", vec![row], f64::NEG_INFINITY, "a row with at least one above -inf"));
        }
        let total = sum.log_sum_exp();
        if total > tolerance {
            return Err(value("log_probs", vec![row], total.exp(), "probabilities that sum to at most 1"));
        }
        to.classes.sort_unstable_by_key(|(class, _)| *class);
        if let Some(twice) = to.classes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(value("indices", vec![row], twice[0].0 as f64, "each class once in a row"));
        }
        let is_all = to.classes.len() == classes;
        let is_divided = total >= 0.0 || is_all || matches!(tail, Tail::Cut | Tail::Conditional);
        to.log_hidden = (tail == Tail::Bucket && total >= 0.0 && !is_all).then_some(-hidden * LN_2);
        to.log_rest = if is_divided { f64::NEG_INFINITY } else { log1mexp::<f64, false>(total) };
        if is_divided && tail != Tail::Ignored {
            to.classes.iter_mut().for_each(|(_, log)| *log = (*log - sum.max) - sum.others.ln_1p());
        }
        Ok(())
    }
}

fn value(argument: &'static str, position: Vec<usize>, value: f64, allowed: &'static str) -> Error {
    Error::Value { argument, position: Position(position), value, allowed }
}
