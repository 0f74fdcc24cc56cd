//! A [`Reduction`] as seen by the rows: what each loss is multiplied by, and how all of them become one number.

use ndarray::Dimension;

use crate::error::Position;
use crate::{Error, Parts, Real, Reduction, Result, reduction};

/// The factors of the rows.
pub(super) struct Scales<T> {
    weights: Option<Vec<T>>,
    count: f64,
}

impl<T: Real> Scales<T> {
    /// Checks the weights. A mean divides by the count, which must not be zero.
    pub(super) fn new<D: Dimension>(reduction: Reduction<'_, T, D>, leading: &[usize]) -> Result<Self> {
        reduction.check(leading)?;
        Ok(Self { weights: reduction.weights(), count: 1.0 })
    }

    /// Divides all by this count where the reduction is a mean.
    pub(super) fn over<D: Dimension>(
        self,
        reduction: Reduction<'_, T, D>,
        count: impl FnOnce() -> f64,
    ) -> Result<Self> {
        if !matches!(reduction, Reduction::Mean) {
            return Ok(self);
        }
        let count = count();
        match count {
            0.0 => Err(Error::Empty { argument: "targets" }),
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
        self.weights.as_ref().map_or(1.0 / self.count, |weights| weights[row].wide())
    }

    /// The reduced loss. +inf only where the loss of some row is.
    pub(super) fn reduce(&self, mut values: Vec<f64>, leading: &[usize]) -> Result<T> {
        let is_exact = values.iter().any(|value| value.is_infinite());
        if let Some(weights) = &self.weights {
            for (value, weight) in values.iter_mut().zip(weights) {
                *value = if *weight == T::zero() { 0.0 } else { *value * weight.wide() };
            }
        }
        let result = T::of(reduction::sum(&values) / self.count);
        if result.is_infinite() && !is_exact { Err(overflow::<T>(&values, leading)) } else { Ok(result) }
    }
}

/// Sum and count of the losses. The sum is +inf only where the loss of some row is.
pub(super) fn parts(values: &[f64], count: f64, leading: &[usize]) -> Result<Parts> {
    let sum = reduction::sum(values);
    if sum.is_infinite() && values.iter().all(|value| value.is_finite()) {
        return Err(overflow::<f64>(values, leading));
    }
    Ok(Parts { sum, count: finite(count)? })
}

/// The total weight of the rows, unless it does not fit.
fn finite(count: f64) -> Result<f64> {
    if count.is_finite() { Ok(count) } else { Err(Error::overflow::<f64>("class_weights", Position::default())) }
}

/// The sum of finite losses does not fit; it is told at the largest.
fn overflow<T: Real>(values: &[f64], leading: &[usize]) -> Error {
    let largest = values.iter().enumerate().fold((0, 0.0), |top, (row, &x)| if x > top.1 { (row, x) } else { top });
    Error::overflow::<T>("logits", Position::unravel(largest.0, leading))
}
