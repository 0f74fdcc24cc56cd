//! The rows of a cross-entropy whose target is a class.

use num_traits::Float;

use super::class_weights::ClassWeights;
use super::kernel::{self, Ask, Asked, Block, Keep, Row, RowKernel, Summed};
use super::labels::Labels;
use super::scales::Scales;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::{Element, Real, Result, Target};

/// What each row asks for: the kept share of its target, and the rest spread over all classes.
pub(super) struct HardTargets<'a, I: Target, T> {
    pub(super) labels: &'a Labels<'a, I>,
    pub(super) weights: ClassWeights<'a>,
    pub(super) scales: &'a Scales<T>,
    /// `ε`.
    pub(super) smoothing: f64,
    /// `ε / V`.
    pub(super) spread: f64,
    /// `ζ`.
    pub(super) z_loss: f64,
}

/// A row as the second pass needs it.
pub(super) struct Slope {
    target: usize,
    /// What the gradient is multiplied by.
    scale: f64,
    /// `2 ζ w lse`, the pull of the z-loss.
    z_pull: f64,
}

impl<I: Target, T: Real> HardTargets<'_, I, T> {
    /// Whether each row asks for its target alone, by the same weight.
    fn is_plain(&self) -> bool {
        self.smoothing == 0.0 && self.z_loss == 0.0 && self.weights.are_ones()
    }

    /// `(1 - ε) w` of the target.
    fn kept(&self, target: usize) -> f64 {
        (1.0 - self.smoothing) * self.weights.of(target)
    }

    /// `W`, the sum of all that is asked for.
    fn mass(&self, target: usize) -> f64 {
        self.kept(target) + self.spread * self.weights.total
    }

    /// `Σ w (lse - x)` over all classes.
    fn spread_loss<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> f64 {
        let (mut drop, mut first) = (0.0, 0);
        row.for_each_block(|block| {
            drop += self.weights.drop(first, block, row.summed.sum.max.as_f64());
            first += block.len();
        });
        drop + self.weights.total * row.summed.log
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite<E: Element<Real = T>>(&self, row: &Row<'_, E>, target: usize) -> bool {
        let mut found = self.kept(target) > 0.0 && row.summed.logit == T::neg_infinity();
        if self.spread > 0.0 {
            let mut class = 0;
            row.for_each_block(|block| {
                for x in block {
                    found |= self.spread * self.weights.of(class) > 0.0 && *x == T::neg_infinity();
                    class += 1;
                }
            });
        }
        found
    }

    /// The entry of the target, made from `1 - p` where it has most of the mass, and from `p` elsewhere: each keeps its
    /// digits where the other cancels.
    fn entry(&self, slope: &Slope, row: &Summed<T>) -> T {
        let (prob, weight, mass) = (row.sum.prob(row.logit), self.weights.of(slope.target), self.mass(slope.target));
        let pulled = if prob > 0.5 || self.spread == 0.0 {
            self.spread * (self.weights.total - weight) - mass * row.sum.complement(row.logit)
        } else {
            mass * prob - (self.kept(slope.target) + self.spread * weight)
        };
        T::from_f64(slope.scale * (pulled + slope.z_pull * prob))
    }
}

impl<E: Element, I: Target> RowKernel<E> for HardTargets<'_, I, E::Real> {
    type Slope = Slope;

    #[inline]
    fn asks(&self, row: usize) -> Ask {
        match self.labels.get(row) {
            Some(target) if !self.scales.skips(row) && (self.weights.are_ones() || self.mass(target) > 0.0) => {
                Ask::Class(target)
            }
            _ => Ask::Nothing,
        }
    }

    fn keeps(&self) -> Keep {
        if self.spread > 0.0 { Keep::Logits } else { Keep::Exponentials }
    }

    fn numbers(
        &self,
        _: usize,
        sums: &RowTile<'_, E::Real>,
        logits: &[E::Real; ROW_TILE],
        numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        self.is_plain() && kernel::nll(sums, logits, numbers)
    }

    fn finish_tile(
        &self,
        first: usize,
        tile: &mut RowTile<'_, E::Real>,
        asked: &Asked<E::Real>,
        numbers: &mut [f64; ROW_TILE],
    ) -> bool {
        let are_known = self.is_plain() && kernel::nll(tile, &asked.logits, numbers);
        if are_known {
            kernel::subtract_targets(tile, asked, |r| self.scales.at(first + r));
        }
        are_known
    }

    fn value(&self, row: &Row<'_, E>) -> Result<(f64, Slope)> {
        let summed = &row.summed;
        let target = self.labels.get(summed.index).unwrap_or_default();
        let (kept, z) = (self.kept(target), self.z_loss * self.weights.of(target));
        let mut loss = if kept == 0.0 { 0.0 } else { kept * summed.nll() };
        if self.spread > 0.0 {
            loss += self.spread * self.spread_loss(row);
        }
        if z > 0.0 {
            loss += z * summed.log_sum_exp().powi(2);
        }
        // A weight of the z-loss that overflows may meet a zero, as inf · 0.
        row.to_real(loss, || self.is_infinite(row, target))?;
        let slope = Slope { target, scale: self.scales.at(summed.index), z_pull: 2.0 * (z * summed.log_sum_exp()) };
        let bound = slope.scale * ((self.mass(target) + slope.z_pull).abs() + self.spread * self.weights.total);
        if row.has_output && !E::Real::from_f64(bound).is_finite() {
            return Err(row.overflow());
        }
        Ok((loss, slope))
    }

    /// `scale ((mass + z_pull) p - kept [v = target] - spread w)`.
    fn finish(&self, slope: &Slope, row: &Summed<E::Real>, mut block: Block<'_, E::Real>) {
        let pull = slope.scale * (self.mass(slope.target) + slope.z_pull) / row.total();
        if self.spread > 0.0 {
            simd::scale_exp(block.data, row.sum.max, E::Real::from_f64(pull));
            self.weights.subtract(block.first, block.data, slope.scale * self.spread);
        } else {
            simd::scale(block.data, E::Real::from_f64(pull * block.factor));
        }
        block.entry(slope.target).into_iter().for_each(|entry| *entry = self.entry(slope, row));
    }
}
