//! A measure against itself: both sides have one potential, and a round goes half the way to its soft c-transform.

use super::gibbs::{self, Gibbs, Scratch};
use super::side::{Side, Softness};
use super::stages::Rounds;
use crate::{Real, parallel};

/// The potential of a measure against itself. Without the half, Sinkhorn's iteration would swing; with it the error falls by
/// more than half in each round once it is small (Feydy et al. 2019, section 3).
pub(super) struct Symmetric<'a, T> {
    pub(super) gibbs: Gibbs<'a, T>,
    pub(super) side: Side,
    pub(super) softness: Softness,
    pub(super) log_reference: f64,
    /// The soft c-transform of the potential.
    transform: Vec<f64>,
}

impl<'a, T: Real> Symmetric<'a, T> {
    pub(super) fn new(gibbs: Gibbs<'a, T>, side: Side, softness: Softness, log_reference: f64) -> Self {
        let transform = vec![0.0; side.weights.len()];
        Self { gibbs, side, softness, log_reference, transform }
    }

    /// Soft c-transforms of all rows, or only of those without weight.
    fn transform(&mut self, wanted: impl Fn(f64) -> bool + Sync + Send) {
        let Self { gibbs, side, log_reference, transform, .. } = self;
        let (n, chunk) = (side.weights.len(), gibbs::rows_per_job(side.weights.len()));
        let exponents = side.exponents(*log_reference);
        let jobs = transform.chunks_mut(chunk).enumerate().collect();
        parallel::for_each(jobs, n * n * size_of::<f64>(), |(job, transform): (usize, &mut [f64])| {
            let mut scratch = Scratch::new();
            for (k, to) in transform.iter_mut().enumerate() {
                let i = job * chunk + k;
                if wanted(side.weights[i]) {
                    *to = gibbs.row(i, side.potential[i], &exponents, &mut scratch).potential();
                }
            }
        });
    }

    /// `ln` of the plan's marginal over the weight.
    pub(super) fn log_kept(&self, i: usize) -> f64 {
        self.side.potential[i] - self.transform[i]
    }

    /// Potentials of what has no weight.
    pub(super) fn complete(&mut self) {
        self.transform(|weight| weight == 0.0);
        let (softness, offset) = (self.softness, self.side.offset);
        let without = self.side.potential.iter_mut().zip(&self.side.weights).zip(&self.transform);
        without.filter(|((_, w), _)| **w == 0.0).for_each(|((p, _), t)| *p = softness.damped(*t, offset));
    }
}

impl<T: Real> Rounds for Symmetric<'_, T> {
    fn round(&mut self) -> f64 {
        self.transform(|weight| weight > 0.0);
        self.side.error(self.softness, |i| self.log_kept(i) + self.softness.0 * self.side.whole(i))
    }

    fn advance(&mut self) {
        let (softness, offset) = (self.softness, self.side.offset);
        let weighted = self.side.potential.iter_mut().zip(&self.side.weights).zip(&self.transform);
        weighted.filter(|((_, w), _)| **w > 0.0).for_each(|((p, _), t)| *p = 0.5 * (*p + softness.damped(*t, offset)));
    }

    fn set_regularization(&mut self, factor: f64, regularization: f64) {
        self.gibbs.set_regularization(regularization);
        self.softness.0 /= factor;
        self.side.rescale(factor);
    }
}
