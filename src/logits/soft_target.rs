//! The rows of a cross-entropy whose targets are distributions.

use super::class_weights::ClassWeights;
use super::kernel::{Block, OutputState, Row, RowKernel, RowRequest, Slope, Summed};
use super::scales::Scales;
use crate::rowwise::{BLOCK, Rows};
use crate::{Error, Real, Result, simd};

/// What each row asks for.
pub(super) struct SoftTargets<'a, T> {
    pub(super) targets: &'a Rows<'a, T>,
    pub(super) weights: ClassWeights<'a>,
    pub(super) scales: &'a Scales<T>,
    /// `1 - ε`.
    pub(super) kept: f64,
    /// `ε / V`.
    pub(super) spread: f64,
    /// `ζ`.
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

impl<T: Real> SoftTargets<'_, T> {
    /// Writes `b` of the classes from `first` on, and returns the sum of `w q` over them; NaN for a bad target.
    fn fill(&self, row: usize, first: usize, b: &mut [f64]) -> f64 {
        let weights = self.weights.block(first, b.len());
        let targets = self.targets.row(row).slice_move(ndarray::s![first..first + b.len()]);
        let parts = (self.kept, self.spread);
        match targets.to_slice() {
            Some(targets) => simd::blend(targets, weights, parts, b),
            None => simd::blend(&targets.to_vec(), weights, parts, b),
        }
    }

    fn mass(&self, row: &Row<'_, T>) -> Result<Mass> {
        let (index, max) = (row.summed.index, row.summed.sum.max);
        let mut mass = Mass { drop: 0.0, others: 0.0, top: f64::NAN, class: 0, unsmoothed: 0.0 };
        let mut scratch = vec![0.0; BLOCK.min(self.targets.width())];
        let mut first = 0;
        row.for_each_block(|block| {
            let b = &mut scratch[..block.len()];
            mass.unsmoothed += self.fill(index, first, b);
            if mass.top.is_nan()
                && let Some(at) = block.iter().position(|&x| x == max)
            {
                mass.class = first + at;
                mass.top = std::mem::take(&mut b[at]);
            }
            mass.drop += simd::weighted_sum_below_max(block, b, max.as_f64());
            mass.others += simd::sum(b);
            first += block.len();
        });
        if mass.unsmoothed.is_nan() { Err(self.fault(row)) } else { Ok(mass) }
    }

    /// The first target that is not a probability.
    fn fault(&self, row: &Row<'_, T>) -> Error {
        let targets = self.targets.row(row.summed.index);
        let wrong = targets.iter().position(|q| !(*q >= T::zero() && *q < T::infinity()));
        let value = wrong.map_or(f64::NAN, |class| targets[class].as_f64());
        Error::Value { argument: "targets", position: row.position(wrong), value, allowed: "finite and >= 0" }
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite(&self, row: &Row<'_, T>) -> bool {
        self.targets.row(row.summed.index).iter().enumerate().any(|(class, q)| {
            let asked = self.weights.of(class) * (self.kept * q.as_f64() + self.spread) > 0.0;
            asked && row.logits.at(class) == T::neg_infinity()
        })
    }
}

impl<T: Real> RowKernel<T> for SoftTargets<'_, T> {
    fn request(&self, row: usize) -> RowRequest {
        if self.scales.skips(row) { RowRequest::Nothing } else { RowRequest::Sum }
    }

    fn output_state(&self) -> OutputState {
        OutputState::Logits
    }

    fn loss(&self, row: &Row<'_, T>) -> Result<(f64, Slope)> {
        let mass = self.mass(row)?;
        let total = mass.others + mass.top;
        let (mut loss, z) = (mass.drop + total * row.summed.log, self.z_loss * mass.unsmoothed);
        if z > 0.0 {
            loss += z * row.summed.log_sum_exp().powi(2);
        }
        let (scale, z_pull) = (self.scales.at(row.summed.index), 2.0 * z * row.summed.log_sum_exp());
        // Targets whose sum overflows may meet a zero, as inf · 0.
        row.to_real(loss, || self.is_infinite(row))?;
        if row.has_output && !T::from_f64(scale * (2.0 * total + z_pull.abs())).is_finite() {
            return Err(row.overflow());
        }
        let Mass { class, top, others, .. } = mass;
        Ok((loss, Slope { scale, z_pull, class, of_class: top, of_others: others }))
    }

    /// `scale (pull p - b)`. The entry of the largest logit is made from `1 - p` where that class has most of the mass,
    /// which keeps its digits where it has almost all.
    fn finish(&self, slope: &Slope, row: &Summed<T>, mut block: Block<'_, T>) {
        let &Slope { scale, z_pull, class, of_class, of_others } = slope;
        let total = of_others + of_class;
        simd::scale_exp(block.data, row.sum.max, T::from_f64(scale * (total + z_pull) / row.total()));
        let mut b = [0.0; BLOCK];
        let b = &mut b[..block.data.len()];
        self.fill(row.index, block.first, b);
        simd::subtract_scaled(block.data, b, scale);
        let prob = row.sum.prob(row.sum.max);
        let pulled =
            if prob > 0.5 { of_others - total * row.sum.complement(row.sum.max) } else { total * prob - of_class };
        let entry = block.entry(class);
        entry.into_iter().for_each(|entry| *entry = T::from_f64(scale * (pulled + z_pull * prob)));
    }
}
