//! Sinkhorn's iteration: each side in turn gets the potential that is best beside the other's.

use super::anderson::Anderson;
use super::gibbs::{Gibbs, Scratch};
use super::lanes::LogRatios;
use super::side::{self, Side, Softness};
use super::stages::FixedPointStep;
use crate::simd::dispatch;
use crate::transport::reduced_costs::rows_per_job;
use crate::{Real, parallel};

/// Potentials of two sides. A round updates the rows and finds, from the same exponentials, the column sums of the plan: each
/// cost is looked at once.
pub(super) struct Alternating<'a, T> {
    pub(super) gibbs: Gibbs<'a, T>,
    pub(super) a: Side,
    pub(super) b: Side,
    pub(super) softness: Softness,
    /// Logarithm of the constant beside `a ⊗ b`, and what potentials leave of the least cost.
    pub(super) log_constant: f64,
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
    pub(super) fn new(gibbs: Gibbs<'a, T>, a: Side, b: Side, softness: Softness, log_constant: f64) -> Self {
        let count = a.weights.len().div_ceil(rows_per_job(a.weights.len()));
        let part = || Part { columns: vec![0.0; b.weights.len()], scratch: Scratch::new() };
        let (parts, logs) = ((0..count).map(|_| part()).collect(), vec![0.0; b.weights.len()]);
        let anderson = Anderson::new(b.weights.iter().map(|weight| weight / b.total).collect());
        Self { gibbs, a, b, softness, log_constant, parts, logs, error: f64::INFINITY, anderson }
    }

    /// Updates the rows; the sums of the plan's columns then.
    fn rows(&mut self) -> Vec<f64> {
        let Self { gibbs, a, b, softness, log_constant, parts, .. } = self;
        let (chunk, exponents) = (rows_per_job(a.weights.len()), b.exponents(*log_constant));
        let bytes = a.weights.len() * b.weights.len() * size_of::<f64>();
        let Side { potential, weights, offset, .. } = a;
        let jobs = potential.chunks_mut(chunk).zip(parts.iter_mut()).enumerate();
        let jobs = jobs.map(|(job, (potential, part))| Job { first: job * chunk, potential, part }).collect();
        parallel::for_each(jobs, bytes, |Job { first, potential, part }| {
            part.columns.fill(0.0);
            for (i, p) in (first..).zip(potential) {
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

    /// Logarithms of column sums over weights. Where a sum may have lost terms, or does not fit, both are formed anew.
    fn compare(&mut self, sums: &mut [f64]) {
        dispatch(LogRatios { sums, wanted: &self.b.weights, logs: &mut self.logs });
        let (low, high) = ((self.a.total * vanishing::<T>()).max(f64::MIN_POSITIVE), f64::MAX);
        let is_lost = |j: &usize| !(low..high).contains(&sums[*j]);
        let lost: Vec<usize> = (0..sums.len()).filter(is_lost).collect();
        if lost.is_empty() {
            return;
        }
        let places: Vec<usize> = lost.iter().map(|&j| self.b.places[j]).collect();
        let exact = self.gibbs.column_logs(&places, &self.a.exponents(self.log_constant));
        for (j, log) in lost.into_iter().zip(exact) {
            self.logs[j] = self.b.potential[j] + log;
            sums[j] = self.b.weights[j] * self.logs[j].exp();
        }
    }

    /// Potentials of all places, without offsets: where there is no weight, those that mass would find there.
    pub(super) fn spread(&self) -> [Vec<f64>; 2] {
        let Self { gibbs, a, b, softness, log_constant, .. } = self;
        let spread = |gibbs: &Gibbs<'_, T>, side: &Side, other: &Side| {
            let logs = gibbs.row_logs(&side.absent(), &other.exponents(*log_constant));
            side.spread(logs.into_iter().map(|log| softness.damped(-log, side.offset)))
        };
        [spread(gibbs, a, b), spread(&gibbs.transposed(b), b, a)]
    }
}

impl<T: Real> FixedPointStep for Alternating<'_, T> {
    fn round(&mut self) -> f64 {
        let mut sums = self.rows();
        self.compare(&mut sums);
        self.error = if self.softness.0 == 0.0 {
            self.b.weighted(|j| (sums[j] / self.b.weights[j] - 1.0).abs()) / self.b.total
        } else {
            self.b.error(self.softness, |j| self.logs[j] + self.softness.0 * self.b.whole(j))
        };
        self.error
    }

    fn advance(&mut self) {
        let (softness, offset) = (self.softness, self.b.offset);
        let columns = self.b.potential.iter().zip(&self.logs);
        let residual = columns.map(|(p, log)| softness.damped(*p - log, offset) - p).collect();
        self.anderson.advance(&mut self.b.potential, residual, self.error);
        side::translate(&mut self.a, &mut self.b, softness);
    }

    fn set_regularization(&mut self, factor: f64, regularization: f64) {
        self.gibbs.set_regularization(regularization);
        if self.softness.0 > 0.0 {
            self.log_constant *= factor;
        }
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
