//! A measure against itself: both sides have one potential, and a round goes half the way to its soft c-transform.

use super::gibbs::{Gibbs, Scratch};
use super::side::{Side, Softness};
use super::stages::FixedPointStep;
use crate::transport::reduced_costs::rows_per_job;
use crate::{Real, parallel};

/// The potential of a measure against itself. Without the half, Sinkhorn's iteration would swing; with it the error falls by
/// more than half in each round once it is small (Feydy et al. 2019, section 3).
pub(super) struct Symmetric<'a, T> {
    pub(super) gibbs: Gibbs<'a, T>,
    pub(super) side: Side,
    pub(super) softness: Softness,
    pub(super) log_constant: f64,
    /// The soft c-transform of the potential.
    transform: Vec<f64>,
}

impl<'a, T: Real> Symmetric<'a, T> {
    pub(super) fn new(gibbs: Gibbs<'a, T>, side: Side, softness: Softness, log_constant: f64) -> Self {
        let transform = vec![0.0; side.weights.len()];
        Self { gibbs, side, softness, log_constant, transform }
    }

    /// The soft c-transform.
    fn transform(&mut self) {
        let Self { gibbs, side, log_constant, transform, .. } = self;
        let (n, chunk) = (side.weights.len(), rows_per_job(side.weights.len()));
        let exponents = side.exponents(*log_constant);
        let jobs = transform.chunks_mut(chunk).enumerate().collect();
        parallel::for_each(jobs, n * n * size_of::<f64>(), |(job, transform): (usize, &mut [f64])| {
            let mut scratch = Scratch::new();
            for (k, to) in transform.iter_mut().enumerate() {
                let i = job * chunk + k;
                *to = gibbs.row(i, side.potential[i], &exponents, &mut scratch).potential();
            }
        });
    }

    /// `ln` of the plan's marginal over the weight.
    pub(super) fn log_kept(&self, i: usize) -> f64 {
        self.side.potential[i] - self.transform[i]
    }

    /// Potentials of all places, without offset.
    pub(super) fn spread(&self) -> Vec<f64> {
        let Self { gibbs, side, softness, log_constant, .. } = self;
        let logs = gibbs.row_logs(&side.absent(), &side.exponents(*log_constant));
        side.spread(logs.into_iter().map(|log| softness.damped(-log, side.offset)))
    }
}

impl<T: Real> FixedPointStep for Symmetric<'_, T> {
    fn round(&mut self) -> f64 {
        self.transform();
        self.side.error(self.softness, |i| self.log_kept(i) + self.softness.0 * self.side.whole(i))
    }

    fn advance(&mut self) {
        let (softness, offset) = (self.softness, self.side.offset);
        let potentials = self.side.potential.iter_mut().zip(&self.transform);
        potentials.for_each(|(p, t)| *p = 0.5 * (*p + softness.damped(*t, offset)));
    }

    fn set_regularization(&mut self, factor: f64, regularization: f64) {
        self.gibbs.set_regularization(regularization);
        if self.softness.0 > 0.0 {
            self.log_constant *= factor;
        }
        self.softness.0 /= factor;
        self.side.rescale(factor);
    }
}
