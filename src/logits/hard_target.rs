//! The rows of a cross-entropy whose target is a class.

use super::class_weights::ClassWeights;
use super::kernel::{self, Block, OutputState, Requested, Row, RowKernel, RowRequest, Slope, Summed};
use super::labels::Labels;
use super::scales::Scales;
use crate::simd::{self, ROW_TILE, RowTile};
use crate::{Real, Result};

/// What each row asks for: the kept share of its target, and the rest spread over all classes.
pub(super) struct HardTargets<'a, T> {
    pub(super) labels: &'a Labels<'a>,
    pub(super) weights: ClassWeights<'a>,
    pub(super) scales: &'a Scales<T>,
    /// `ε`.
    pub(super) smoothing: f64,
    /// `ε / V`.
    pub(super) spread: f64,
    /// `ζ`.
    pub(super) z_loss: f64,
}

impl<T: Real> HardTargets<'_, T> {
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
    fn spread_loss(&self, row: &Row<'_, T>) -> f64 {
        let (mut drop, mut first) = (0.0, 0);
        row.for_each_block(|block| {
            drop += self.weights.drop(first, block, row.summed.sum.max.as_f64());
            first += block.len();
        });
        drop + self.weights.total * row.summed.log
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite(&self, row: &Row<'_, T>, target: usize) -> bool {
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
        let (prob, weight, mass) = (row.sum.prob(row.logit), self.weights.of(slope.class), self.mass(slope.class));
        let pulled = if prob > 0.5 || self.spread == 0.0 {
            self.spread * (self.weights.total - weight) - mass * row.sum.complement(row.logit)
        } else {
            mass * prob - (self.kept(slope.class) + self.spread * weight)
        };
        T::from_f64(slope.scale * (pulled + slope.z_pull * prob))
    }
}

impl<T: Real> RowKernel<T> for HardTargets<'_, T> {
    #[inline]
    fn request(&self, row: usize) -> RowRequest {
        match self.labels.get(row) {
            Some(target) if !self.scales.skips(row) && (self.weights.are_ones() || self.mass(target) > 0.0) => {
                RowRequest::Class(target)
            }
            _ => RowRequest::Nothing,
        }
    }

    fn output_state(&self) -> OutputState {
        if self.spread > 0.0 { OutputState::Logits } else { OutputState::Exponentials }
    }

    fn losses(&self, _: usize, sums: &RowTile<'_, T>, logits: &[T; ROW_TILE], losses: &mut [f64; ROW_TILE]) -> bool {
        self.is_plain() && kernel::nll(sums, logits, losses)
    }

    fn finish_tile(
        &self,
        first: usize,
        tile: &mut RowTile<'_, T>,
        requested: &Requested<T>,
        losses: &mut [f64; ROW_TILE],
    ) -> bool {
        let are_known = self.is_plain() && kernel::nll(tile, &requested.logits, losses);
        if are_known {
            kernel::subtract_targets(tile, requested, |r| self.scales.at(first + r));
        }
        are_known
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
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
        let slope = Slope {
            class: target,
            scale: self.scales.at(summed.index),
            z_pull: 2.0 * (z * summed.log_sum_exp()),
            ..Slope::default()
        };
        let bound = slope.scale * ((self.mass(target) + slope.z_pull).abs() + self.spread * self.weights.total);
        if row.has_output && !T::from_f64(bound).is_finite() {
            return Err(row.overflow());
        }
        Ok((loss, slope))
    }

    /// `scale ((mass + z_pull) p - kept [v = target] - spread w)`.
    fn finish(&self, slope: &Slope, row: &Summed<T>, mut block: Block<'_, T>) {
        let pull = slope.scale * (self.mass(slope.class) + slope.z_pull) / row.total();
        if self.spread > 0.0 {
            simd::scale_exp(block.data, row.sum.max, T::from_f64(pull));
            self.weights.subtract(block.first, block.data, slope.scale * self.spread);
        } else {
            simd::scale(block.data, T::from_f64(pull * block.factor));
        }
        block.entry(slope.class).into_iter().for_each(|entry| *entry = self.entry(slope, row));
    }
}
