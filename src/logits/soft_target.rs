//! The rows of a cross-entropy whose targets are distributions.

use num_traits::Float;

use super::class_weights::ClassWeights;
use super::kernel::{Ask, Block, Keep, Row, RowKernel, Summed};
use super::scales::Scales;
use crate::rows::{BLOCK, Rows};
use crate::{Element, Error, Real, Result, simd};

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

/// A row as the second pass needs it.
pub(super) struct Slope {
    mass: Mass,
    /// What the gradient is multiplied by.
    scale: f64,
    /// `2 ζ Σ w q lse`, the pull of the z-loss.
    extra: f64,
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

    fn mass<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> Result<Mass> {
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
    fn fault<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> Error {
        let targets = self.targets.row(row.summed.index);
        let wrong = targets.iter().position(|q| !(*q >= T::zero() && *q < T::infinity()));
        let value = wrong.map_or(f64::NAN, |class| targets[class].as_f64());
        Error::Value { argument: "targets", position: row.position(wrong), value, allowed: "finite and >= 0" }
    }

    /// Whether a class that is asked for has a logit of -inf.
    fn is_infinite<E: Element<Real = T>>(&self, row: &Row<'_, E>) -> bool {
        self.targets.row(row.summed.index).iter().enumerate().any(|(class, q)| {
            let asked = self.weights.of(class) * (self.kept * q.as_f64() + self.spread) > 0.0;
            asked && row.logit(class) == T::neg_infinity()
        })
    }
}

impl<E: Element> RowKernel<E> for SoftTargets<'_, E::Real> {
    type Slope = Slope;

    fn asks(&self, row: usize) -> Ask {
        if self.scales.skips(row) { Ask::Nothing } else { Ask::Row }
    }

    fn keeps(&self) -> Keep {
        Keep::Logits
    }

    fn value(&self, row: &Row<'_, E>) -> Result<(f64, Slope)> {
        let mass = self.mass(row)?;
        let total = mass.others + mass.top;
        let (mut loss, z) = (mass.drop + total * row.summed.log, self.z_loss * mass.unsmoothed);
        if z > 0.0 {
            loss += z * row.summed.log_sum_exp().powi(2);
        }
        let (scale, extra) = (self.scales.at(row.summed.index), 2.0 * z * row.summed.log_sum_exp());
        // Targets whose sum overflows may meet a zero, as inf · 0.
        row.to_real(loss, || self.is_infinite(row))?;
        if row.has_output && !E::Real::from_f64(scale * (2.0 * total + extra.abs())).is_finite() {
            return Err(row.overflow());
        }
        Ok((loss, Slope { mass, scale, extra }))
    }

    /// `scale (pull p - b)`. The entry of the largest logit is made from `1 - p` where that class has most of the mass,
    /// which keeps its digits where it has almost all.
    fn finish(&self, slope: &Slope, row: &Summed<E::Real>, mut block: Block<'_, E::Real>) {
        let Slope { mass, scale, extra } = slope;
        let total = mass.others + mass.top;
        simd::scale_exp(block.data, row.sum.max, E::Real::from_f64(scale * (total + extra) / row.total()));
        let mut b = [0.0; BLOCK];
        let b = &mut b[..block.data.len()];
        self.fill(row.index, block.first, b);
        simd::subtract_scaled(block.data, b, *scale);
        let prob = row.sum.prob(row.sum.max);
        let pulled =
            if prob > 0.5 { mass.others - total * row.sum.complement(row.sum.max) } else { total * prob - mass.top };
        let entry = block.entry(mass.class);
        entry.into_iter().for_each(|entry| *entry = E::Real::from_f64(scale * (pulled + extra * prob)));
    }
}
