//! Sinkhorn's iteration: each side in turn gets the potential that is best beside the other's.

use super::anderson::Anderson;
use super::gibbs::{self, Gibbs, Scratch};
use super::lanes::LogRatios;
use super::side::{Side, Softness};
use super::stages::Rounds;
use crate::simd::dispatch;
use crate::{Real, parallel};

/// Potentials of two sides. A round updates the rows and finds, from the same exponentials, the column sums of the plan: each
/// cost is looked at once.
pub(super) struct Alternating<'a, T> {
    pub(super) gibbs: Gibbs<'a, T>,
    pub(super) a: Side,
    pub(super) b: Side,
    pub(super) softness: Softness,
    /// Logarithm of the constant beside `a ⊗ b`.
    pub(super) log_reference: f64,
    parts: Vec<Part<T>>,
    /// `ln` of each column's sum over its weight, after the last round.
    logs: Vec<f64>,
    error: f64,
    anderson: Anderson,
}

/// Rows that are updated one after the other.
struct Job<'t, T> {
    first: usize,
    potential: &'t mut [f64],
    part: &'t mut Part<T>,
}

/// What a job collects.
struct Part<T> {
    columns: Vec<f64>,
    scratch: Scratch<T>,
}

impl<'a, T: Real> Alternating<'a, T> {
    pub(super) fn new(gibbs: Gibbs<'a, T>, a: Side, b: Side, softness: Softness, log_reference: f64) -> Self {
        let count = a.weights.len().div_ceil(gibbs::rows_per_job(a.weights.len()));
        let part = || Part { columns: vec![0.0; b.weights.len()], scratch: Scratch::new() };
        let (parts, logs) = ((0..count).map(|_| part()).collect(), vec![0.0; b.weights.len()]);
        let anderson = Anderson::new(b.weights.iter().map(|weight| weight / b.total).collect());
        Self { gibbs, a, b, softness, log_reference, parts, logs, error: f64::INFINITY, anderson }
    }

    /// Updates the rows; the sums of the plan's columns then.
    fn rows(&mut self) -> Vec<f64> {
        let Self { gibbs, a, b, softness, log_reference, parts, .. } = self;
        let (chunk, exponents) = (gibbs::rows_per_job(a.weights.len()), b.exponents(*log_reference));
        let bytes = a.weights.len() * b.weights.len() * size_of::<f64>();
        let Side { potential, weights, offset, .. } = a;
        let jobs = potential.chunks_mut(chunk).zip(parts.iter_mut()).enumerate();
        let jobs = jobs.map(|(job, (potential, part))| Job { first: job * chunk, potential, part }).collect();
        parallel::for_each(jobs, bytes, |Job { first, potential, part }| {
            part.columns.fill(0.0);
            for (i, p) in (first..).zip(potential).filter(|(i, _)| weights[*i] > 0.0) {
                let sum = gibbs.row(i, *p, &exponents, &mut part.scratch);
                *p = softness.damped(sum.potential(), *offset);
                part.scratch.deposit(weights[i] * sum.factor(*p), &mut part.columns);
            }
        });
        let mut sums = vec![0.0; b.weights.len()];
        for part in parts {
            sums.iter_mut().zip(&part.columns).for_each(|(sum, column)| *sum += column);
        }
        sums
    }

    /// Logarithms of column sums over weights. Where a sum may have lost terms, or does not fit, it is formed anew.
    fn compare(&mut self, sums: &[f64]) {
        dispatch(LogRatios { sums, wanted: &self.b.weights, logs: &mut self.logs });
        let (low, high) = (self.a.total * vanishing::<T>(), f64::MAX);
        let is_lost = |j: &usize| self.b.weights[*j] > 0.0 && !(low..high).contains(&sums[*j]);
        let lost: Vec<usize> = (0..sums.len()).filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        let exact = self.gibbs.column_logs(&lost, &self.a.exponents(self.log_reference));
        for (j, log) in lost.into_iter().zip(exact) {
            self.logs[j] = self.b.potential[j] + log;
        }
    }

    /// Moves weight between the potentials to where the dual value is largest, which changes no plan: without it the
    /// totals would settle no faster than `(1 + ε/ρ)^-2` in each round.
    fn translate(&mut self) {
        if self.softness.0 > 0.0 {
            let difference = self.a.log_kept(self.softness) - self.b.log_kept(self.softness);
            let by = difference / (2.0 * self.softness.0);
            self.a.offset += by;
            self.b.offset -= by;
        }
    }

    /// Potentials of what has no weight, from those of the other side.
    pub(super) fn complete(&mut self) {
        let without =
            |side: &Side| -> Vec<usize> { (0..side.weights.len()).filter(|&i| side.weights[i] == 0.0).collect() };
        let (rows, columns) = (without(&self.a), without(&self.b));
        let (exponents, mut scratch) = (self.b.exponents(self.log_reference), Scratch::new());
        for i in rows {
            let sum = self.gibbs.row(i, 0.0, &exponents, &mut scratch);
            self.a.potential[i] = self.softness.damped(sum.potential(), self.a.offset);
        }
        if !columns.is_empty() {
            let logs = self.gibbs.column_logs(&columns, &self.a.exponents(self.log_reference));
            for (j, log) in columns.into_iter().zip(logs) {
                self.b.potential[j] = self.softness.damped(-log, self.b.offset);
            }
        }
    }
}

impl<T: Real> Rounds for Alternating<'_, T> {
    fn round(&mut self) -> f64 {
        let sums = self.rows();
        self.compare(&sums);
        self.error = if self.softness.0 == 0.0 {
            self.b.weighted(|j| (sums[j] / self.b.weights[j] - 1.0).abs()) / self.b.total
        } else {
            self.b.error(self.softness, |j| self.logs[j] + self.softness.0 * self.b.whole(j))
        };
        self.error
    }

    fn advance(&mut self) {
        let (softness, offset) = (self.softness, self.b.offset);
        let columns = self.b.potential.iter().zip(&self.b.weights).zip(&self.logs);
        let residual = columns.map(|((p, w), log)| if *w > 0.0 { softness.damped(*p - log, offset) - p } else { 0.0 });
        let residual = residual.collect();
        self.anderson.advance(&mut self.b.potential, residual, self.error);
        self.translate();
    }

    fn set_regularization(&mut self, factor: f64, regularization: f64) {
        self.gibbs.set_regularization(regularization);
        self.softness.0 /= factor;
        self.a.rescale(factor);
        self.b.rescale(factor);
        self.anderson.clear();
    }
}

/// Sums of columns that are smaller, beside the whole, may lack terms that the element type could not hold.
fn vanishing<T: Real>() -> f64 {
    if size_of::<T>() < size_of::<f64>() { 1e-44 } else { 1e-280 }
}
