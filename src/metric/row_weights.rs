//! From one loss for each row to one number.

use crate::error::Position;
use crate::{Error, Real, Reduction, Result, SumCount, reduction};

/// What a row has given: the sum of its losses, how many of them a mean counts, and whether it had any to give.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RowLoss {
    pub(super) sum: f64,
    pub(super) count: f64,
    pub(super) is_valid: bool,
}

impl RowLoss {
    /// One loss.
    pub(super) fn one(loss: f64) -> Self {
        Self { sum: loss, count: 1.0, is_valid: true }
    }
}

/// A [`Reduction`] without the type of its weights.
#[derive(Clone, Debug)]
pub struct RowWeights {
    weights: Option<Vec<f64>>,
    is_mean: bool,
}

impl RowWeights {
    /// No weights and no denominator.
    pub(super) const SUM: Self = Self { weights: None, is_mean: false };

    /// Checks the weights of so many rows.
    pub(super) fn new<T: Real>(reduction: Reduction<'_, T>, rows: usize) -> Result<Self> {
        reduction.check(&[rows])?;
        let weights = reduction.weights().map(|weights| weights.into_iter().map(|w| w.as_f64()).collect());
        Ok(Self { weights, is_mean: matches!(reduction, Reduction::Mean) })
    }

    /// What the loss of a row counts, before a mean divides; 1 beyond the last.
    pub(super) fn of(&self, row: usize) -> f64 {
        self.weights.as_ref().and_then(|weights| weights.get(row)).map_or(1.0, |weight| *weight)
    }

    /// The reduced loss, and what the gradient of the weighted sum is multiplied by. `argument` is named where a mean has
    /// nothing to divide by, or a sum does not fit.
    pub(super) fn reduce(&self, losses: &[RowLoss], argument: &'static str) -> Result<(f64, f64)> {
        let weighted = |(row, loss): (usize, &RowLoss)| if self.of(row) == 0.0 { 0.0 } else { self.of(row) * loss.sum };
        let sums: Vec<f64> = losses.iter().enumerate().map(weighted).collect();
        let sum = reduction::pairwise(&sums);
        let factor = if self.is_mean { mean_factor(losses, argument)? } else { 1.0 };
        Ok((reduction::to_finite(sum * factor, argument, Position::default())?, factor))
    }
}

/// One over the number of losses that a mean counts; where there are losses and none of them counts, all are 0.
fn mean_factor(losses: &[RowLoss], argument: &'static str) -> Result<f64> {
    if !losses.iter().any(|loss| loss.is_valid) {
        return Err(Error::NothingToAverage { argument });
    }
    let count: f64 = losses.iter().map(|loss| loss.count).sum();
    Ok(count.max(1.0).recip())
}

/// The sum of the losses, and how many of them a mean counts.
pub(super) fn sum_count(losses: &[RowLoss]) -> SumCount {
    let sums: Vec<f64> = losses.iter().map(|loss| loss.sum).collect();
    SumCount { sum: reduction::pairwise(&sums), count: losses.iter().map(|loss| loss.count).sum() }
}
