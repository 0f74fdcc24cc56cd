//! A [`Reduction`](crate::Reduction) as seen by the rows: what each loss is multiplied by, and how all of them become one
//! number.

use crate::error::Position;
use crate::reduction::AnyReduction;
use crate::{Error, Real, Result, SumCount, reduction};

/// The factors of the rows.
pub(super) struct Scales<T> {
    weights: Option<Vec<T>>,
    count: f64,
}

impl<T: Real> Scales<T> {
    /// Checks the weights. A mean divides by the count, which must not be zero.
    pub(super) fn new(reduction: &AnyReduction<'_, T>, leading: &[usize]) -> Result<Self> {
        let reduction = reduction.get();
        reduction.check(leading)?;
        Ok(Self { weights: reduction.weights(), count: 1.0 })
    }

    /// Divides all by this count where the reduction is a mean.
    pub(super) fn over(self, reduction: &AnyReduction<'_, T>, count: impl FnOnce() -> f64) -> Result<Self> {
        if !matches!(reduction, AnyReduction::Mean) {
            return Ok(self);
        }
        let count = count();
        match count {
            0.0 => Err(Error::NothingToAverage { argument: "targets" }),
            _ => Ok(Self { count: finite(count)?, ..self }),
        }
    }

    /// No factor: every loss as it is.
    pub(super) fn ones() -> Self {
        Self { weights: None, count: 1.0 }
    }

    /// Whether a weight of zero selects the row away.
    #[inline]
    pub(super) fn skips(&self, row: usize) -> bool {
        self.weights.as_ref().is_some_and(|weights| weights[row] == T::zero())
    }

    /// What the loss of this row, and its gradient, are multiplied by.
    #[inline]
    pub(super) fn at(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0 / self.count, |weights| weights[row].as_f64())
    }

    /// The total of neighboring losses, the first of which belongs to `row`; it changes them.
    pub(super) fn total(&self, row: usize, losses: &mut [f64]) -> Total {
        let is_infinite = losses.iter().fold(false, |found, loss| found | loss.is_infinite());
        if let Some(weights) = &self.weights {
            for (loss, weight) in losses.iter_mut().zip(&weights[row..]) {
                *loss = if *weight == T::zero() { 0.0 } else { *loss * weight.as_f64() };
            }
        }
        let sum = reduction::sum(losses);
        // Only a sum like this can make the whole overflow.
        let largest = if sum.abs() < 1e25 { row } else { row + largest(losses) };
        Total { sum, is_infinite, largest }
    }

    /// The reduced loss of all rows. +inf only where the loss of some row is.
    pub(super) fn reduce_all(&self, mut losses: Vec<f64>, leading: &[usize]) -> Result<T> {
        let total = self.total(0, &mut losses);
        self.reduce(&[total], leading)
    }

    /// The reduced loss out of the totals of neighbors. +inf only where the loss of some row is.
    pub(super) fn reduce(&self, totals: &[Total], leading: &[usize]) -> Result<T> {
        let sums: Vec<f64> = totals.iter().map(|total| total.sum).collect();
        let result = T::from_f64(reduction::pairwise(&sums) / self.count);
        if result.is_infinite() && !totals.iter().any(|total| total.is_infinite) {
            let row = totals.get(largest(&sums)).map_or(0, |total| total.largest);
            return Err(Error::overflow::<T>("logits", Position::unravel(row, leading)));
        }
        Ok(result)
    }
}

/// What becomes of the losses of neighboring rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    sum: f64,
    /// Whether some loss is infinite.
    is_infinite: bool,
    /// The row of the largest loss, where the sum is huge.
    largest: usize,
}

/// Sum and count of the losses. The sum is +inf only where the loss of some row is.
pub(super) fn sum_count(values: &[f64], count: f64, leading: &[usize]) -> Result<SumCount> {
    let sum = reduction::sum(values);
    if sum.is_infinite() && values.iter().all(|value| value.is_finite()) {
        return Err(Error::overflow::<f64>("logits", Position::unravel(largest(values), leading)));
    }
    Ok(SumCount { sum, count: finite(count)? })
}

/// The total weight of the rows, unless it does not fit.
fn finite(count: f64) -> Result<f64> {
    if count.is_finite() { Ok(count) } else { Err(Error::overflow::<f64>("class_weights", Position::default())) }
}

/// The place of the largest.
fn largest(losses: &[f64]) -> usize {
    let larger = |top: (usize, f64), (i, &x): (usize, &f64)| if x > top.1 { (i, x) } else { top };
    losses.iter().enumerate().fold((0, f64::NEG_INFINITY), larger).0
}
