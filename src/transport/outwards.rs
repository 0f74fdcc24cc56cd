//! Bounds in the type of the caller, rounded away from what they bound.

use crate::error::Position;
use crate::{Error, Real, Result};

/// A number of the type that is not above, and at most two roundings below; not finite where it does not fit.
pub(super) fn below<T: Real>(wide: f64) -> T {
    let near = T::from_f64(wide);
    if near.as_f64() > wide { near - near.abs().max(T::min_positive_value()) * T::epsilon() } else { near }
}

/// A lower bound, rounded downwards; it must fit.
pub(super) fn lower<T: Real>(wide: f64, argument: &'static str) -> Result<T> {
    let bound = below::<T>(wide);
    if bound.is_finite() { Ok(bound) } else { Err(Error::overflow::<T>(argument, Position::default())) }
}

/// An upper bound, rounded upwards.
pub(super) fn upper<T: Real>(wide: f64, argument: &'static str) -> Result<T> {
    Ok(T::zero() - lower::<T>(-wide, argument)?)
}
