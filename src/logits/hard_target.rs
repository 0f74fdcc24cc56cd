//! Loss and gradient of one row whose target is a class.

use num_traits::Float;

use super::class_weights::ClassWeights;
use super::walk::Row;
use crate::rows::BLOCK;
use crate::simd::{self, RowSum};
use crate::{Element, Real, Result};

/// What one row asks for: the kept share of its target, and the rest spread over all classes.
pub(super) struct HardTarget<'a> {
    pub(super) target: usize,
    /// `(1 - ε) w` of the target.
    pub(super) kept: f64,
    /// `ε / V`.
    pub(super) spread: f64,
    pub(super) weights: ClassWeights<'a>,
    /// `ζ w` of the target.
    pub(super) z: f64,
}

impl HardTarget<'_> {
    /// `W`, the sum of all that is asked for.
    pub(super) fn mass(&self) -> f64 {
        self.kept + self.spread * self.weights.total
    }

    /// The loss of the row; where it has an output, `scale` times the gradient goes there.
    pub(super) fn row<E: Element>(&self, mut row: Row<'_, E>, scale: f64) -> Result<f64> {
        let sum = row.sum()?;
        let x = row.logit(self.target);
        let mut loss = if self.kept == 0.0 { 0.0 } else { self.kept * sum.nll(x) };
        if self.spread > 0.0 {
            loss += self.spread * self.smoothing(&row, &sum);
        }
        if self.z > 0.0 {
            loss += self.z * sum.log_sum_exp().powi(2);
        }
        let z_pull = 2.0 * (self.z * sum.log_sum_exp());
        let bound = scale * ((self.mass() + z_pull).abs() + self.spread * self.weights.total);
        // A weight of the z-loss that overflows may meet a zero, as inf · 0.
        let lost = loss.is_nan() || (E::Real::of(loss).is_infinite() && !self.is_infinite(&row));
        if lost || (row.out.is_some() && !E::Real::of(bound).is_finite()) {
            return Err(row.overflow());
        }
        if let Some(out) = row.out {
            self.gradient(out, &sum, x, z_pull, scale);
        }
        Ok(loss)
    }

    /// `Σ w (lse - x)` over all classes.
    fn smoothing<E: Element>(&self, row: &Row<'_, E>, sum: &RowSum<E::Real>) -> f64 {
        let (mut drop, mut at) = (0.0, 0);
        row.for_each_block(|block| {
            drop += simd::weighted_drop(block, self.weights.block(at, block.len()), sum.max.wide());
            at += block.len();
        });
        drop + self.weights.total * sum.others.ln_1p()
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite<E: Element>(&self, row: &Row<'_, E>) -> bool {
        let (mut found, mut class) = (false, 0);
        row.for_each_block(|block| {
            for x in block {
                let asked = (class == self.target && self.kept > 0.0) || self.spread * self.weights.of(class) > 0.0;
                found |= asked && *x == E::Real::neg_infinity();
                class += 1;
            }
        });
        found
    }

    /// `scale ((mass + z_pull) p - kept [v = target] - spread w)`. The target's entry is made from `1 - p` where the target
    /// has most of the mass, and from `p` elsewhere: each keeps its digits where the other cancels.
    fn gradient<T: Real>(&self, out: &mut [T], sum: &RowSum<T>, x: T, z_pull: f64, scale: f64) {
        simd::scale_exp(out, sum.max, T::of(scale * (self.mass() + z_pull) / (1.0 + sum.others)));
        if self.spread > 0.0 {
            for (i, block) in out.chunks_mut(BLOCK).enumerate() {
                simd::subtract_scaled(block, self.weights.block(i * BLOCK, block.len()), scale * self.spread);
            }
        }
        let (prob, weight) = (sum.prob(x), self.weights.of(self.target));
        let pulled = if prob > 0.5 || self.spread == 0.0 {
            self.spread * (self.weights.total - weight) - self.mass() * sum.complement(x)
        } else {
            self.mass() * prob - (self.kept + self.spread * weight)
        };
        out[self.target] = T::of(scale * (pulled + z_pull * prob));
    }
}
