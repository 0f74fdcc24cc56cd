//! From one number for each row to what was asked for.

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use crate::error::Position;
use crate::reduction::{self, AnyReduction, to_real};
use crate::{Real, Reduction, Result, SumCount, check};

/// Weights that are 1 where the mask keeps a row of this shape and 0 elsewhere.
pub(super) fn weights_of<T: Real>(mask: ArrayViewD<'_, bool>, leading: &[usize]) -> Result<ArrayD<T>> {
    check::shape("mask", mask.shape(), leading)?;
    Ok(mask.map(|keep| if *keep { T::one() } else { T::zero() }))
}

/// The values of rows in the shape that they have.
pub(super) fn by_row<T: Real>(values: Vec<f64>, leading: &[usize]) -> ArrayD<T> {
    let mut values = values.into_iter();
    ArrayD::from_shape_simple_fn(IxDyn(leading), || T::from_f64(values.next().unwrap_or_default()))
}

/// The sum of so many values.
pub(super) fn sum_count(values: &[f64], count: usize, argument: &'static str) -> Result<SumCount> {
    Ok(SumCount { sum: reduction::total_of(values, reduction::sum(values), argument)?, count: count as f64 })
}

/// The sum of the values that the mask keeps, of which all others are 0, and their number.
pub(super) fn kept_sum_count(values: &[f64], mask: ArrayViewD<'_, bool>, argument: &'static str) -> Result<SumCount> {
    sum_count(values, mask.iter().filter(|keep| **keep).count(), argument)
}

/// The values of rows as one number.
pub(super) fn reduced<T: Real>(mut values: Vec<f64>, reduction: AnyReduction<'_, T>) -> Result<T> {
    let reduction = reduction.get();
    let scale = if let Reduction::Mean = reduction { (values.len() as f64).recip() } else { 1.0 };
    let are_finite = values.iter().all(|value| value.is_finite()); // before a weight takes them out of the type
    if let Reduction::Weighted(weights) = reduction {
        values.iter_mut().zip(weights).filter(|(_, w)| **w != T::zero()).for_each(|(value, w)| *value *= w.as_f64());
    }
    let total = reduction::finite_total(reduction::sum(&values) * scale, || are_finite, "p")?;
    to_real(total, "p", Position::default())
}
