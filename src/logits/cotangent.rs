//! What the result of each row is multiplied by in the sum whose gradient is wanted.

use ndarray::ArrayViewD;

use crate::error::Position;
use crate::{Error, Real, Result, check};

/// The cotangents in row-major order, which must have this shape and be finite.
pub(super) fn checked<T: Real>(cotangent: &ArrayViewD<'_, T>, shape: &[usize]) -> Result<Vec<f64>> {
    check::shape("cotangent", cotangent.shape(), shape)?;
    let cotangent: Vec<f64> = cotangent.iter().map(|c| c.as_f64()).collect();
    match cotangent.iter().position(|c| !c.is_finite()) {
        None => Ok(cotangent),
        Some(row) => {
            let (position, value) = (Position::unravel(row, shape), cotangent[row]);
            Err(Error::Value { argument: "cotangent", position, value, allowed: "finite" })
        }
    }
}
