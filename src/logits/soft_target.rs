//! Loss and gradient of one row whose target is a distribution.

use ndarray::ArrayView1;

use super::class_weights::ClassWeights;
use super::walk::Row;
use crate::error::Position;
use crate::rows::BLOCK;
use crate::simd::{self, RowSum};
use crate::{Element, Error, Real, Result};

/// What one row asks for.
pub(super) struct SoftTarget<'a, T> {
    pub(super) targets: ArrayView1<'a, T>,
    /// `1 - ε`.
    pub(super) kept: f64,
    /// `ε / V`.
    pub(super) spread: f64,
    pub(super) weights: ClassWeights<'a>,
    pub(super) z_loss: f64,
}

/// Sums over the classes of a row; the first class of the largest logit is told apart from the others.
struct Mass {
    /// `Σ b (max - x)`.
    drop: f64,
    /// `Σ b` without that class.
    others: f64,
    /// `b` of that class.
    top: f64,
    /// That class.
    class: usize,
    /// `Σ w q`.
    unsmoothed: f64,
}

impl<T: Real> SoftTarget<'_, T> {
    /// The loss of the row; where it has an output, `scale` times the gradient goes there.
    pub(super) fn row<E: Element<Real = T>>(&self, mut row: Row<'_, E>, scale: f64) -> Result<f64> {
        let sum = row.sum()?;
        let mass = self.mass(&row, sum.max)?;
        let total = mass.others + mass.top;
        let mut loss = mass.drop + total * sum.others.ln_1p();
        let z = self.z_loss * mass.unsmoothed;
        if z > 0.0 {
            loss += z * sum.log_sum_exp().powi(2);
        }
        let extra = 2.0 * z * sum.log_sum_exp();
        // Targets whose sum overflows may meet a zero, as inf · 0.
        let lost = loss.is_nan() || (T::of(loss).is_infinite() && !self.is_infinite(&row));
        let bound = scale * (2.0 * total + extra.abs());
        if lost || (row.out.is_some() && !T::of(bound).is_finite()) {
            return Err(row.overflow());
        }
        if let Some(out) = row.out {
            self.gradient(out, &sum, &mass, extra, scale);
        }
        Ok(loss)
    }

    /// Writes `b` of the classes from `first` on, and returns the sum of `w q` over them; NaN for a bad target.
    fn fill(&self, first: usize, b: &mut [f64]) -> f64 {
        let weights = self.weights.block(first, b.len());
        let targets = self.targets.slice(ndarray::s![first..first + b.len()]);
        let parts = (self.kept, self.spread);
        match targets.to_slice() {
            Some(targets) => simd::blend(targets, weights, parts, b),
            None => simd::blend(&targets.to_vec(), weights, parts, b),
        }
    }

    fn mass<E: Element<Real = T>>(&self, row: &Row<'_, E>, max: T) -> Result<Mass> {
        let mut mass = Mass { drop: 0.0, others: 0.0, top: f64::NAN, class: 0, unsmoothed: 0.0 };
        let mut scratch = vec![0.0; BLOCK.min(self.targets.len())];
        let mut first = 0;
        row.for_each_block(|block| {
            let b = &mut scratch[..block.len()];
            mass.unsmoothed += self.fill(first, b);
            if mass.top.is_nan()
                && let Some(at) = block.iter().position(|&x| x == max)
            {
                mass.class = first + at;
                mass.top = std::mem::take(&mut b[at]);
            }
            mass.drop += simd::weighted_drop(block, b, max.wide());
            mass.others += simd::sum(b);
            first += block.len();
        });
        if mass.unsmoothed.is_nan() { Err(self.fault(row)) } else { Ok(mass) }
    }

    /// The first target that is not a probability.
    fn fault<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> Error {
        let wrong = self.targets.iter().position(|q| !(*q >= T::zero() && *q < T::infinity()));
        let value = wrong.map_or(f64::NAN, |class| self.targets[class].wide());
        let position: Position = row.position(wrong);
        Error::Value { argument: "targets", position, value, allowed: "finite and >= 0" }
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> bool {
        self.targets.iter().enumerate().any(|(class, q)| {
            let asked = self.weights.of(class) * (self.kept * q.wide() + self.spread) > 0.0;
            asked && row.logit(class) == T::neg_infinity()
        })
    }

    /// `scale (pull p - b)`. The entry of the largest logit is made from `1 - p` where that class has most of the mass,
    /// which keeps its digits where it has almost all.
    fn gradient(&self, out: &mut [T], sum: &RowSum<T>, mass: &Mass, extra: f64, scale: f64) {
        let total = mass.others + mass.top;
        simd::scale_exp(out, sum.max, T::of(scale * (total + extra) / (1.0 + sum.others)));
        let mut scratch = vec![0.0; BLOCK.min(out.len())];
        for (i, block) in out.chunks_mut(BLOCK).enumerate() {
            let b = &mut scratch[..block.len()];
            self.fill(i * BLOCK, b);
            simd::subtract_scaled(block, b, scale);
        }
        let prob = sum.prob(sum.max);
        let pulled = if prob > 0.5 { mass.others - total * sum.complement(sum.max) } else { total * prob - mass.top };
        out[mass.class] = T::of(scale * (pulled + extra * prob));
    }
}
