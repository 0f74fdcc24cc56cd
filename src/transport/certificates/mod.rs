//! Bounds on the cost of optimal transport, each of which anyone can check: a feasible plan from above, a feasible pair
//! of potentials or a relaxed problem from below.

pub(super) mod c_transform;
pub(super) mod couplings;
pub(super) mod dual;
mod held;
pub(super) mod projection;
pub(super) mod rounding;
#[cfg(test)]
mod tests;
pub(super) mod total_variation;

use crate::error::Position;
use crate::{Error, Real, Result};

pub use c_transform::c_transform;
pub(super) use c_transform::{below, to_columns, to_rows};
pub(super) use couplings::{Spent, product_cost, rounded_cost};
pub use couplings::{plan_cost, product_coupling_cost};
pub use dual::dual_bound;
pub(super) use dual::worth;
pub(super) use held::{Held, chosen};
pub(super) use projection::Seen;
pub use projection::{axis_bound, centroid_bound, projection_bound};
pub use rounding::round_plan;
pub(super) use total_variation::leaving;
pub use total_variation::total_variation_bound;

/// A lower bound in the type of the caller, rounded downwards; it must fit.
fn lower<T: Real>(wide: f64, argument: &'static str) -> Result<T> {
    let bound = below::<T>(wide);
    if bound.is_finite() { Ok(bound) } else { Err(Error::overflow::<T>(argument, Position::default())) }
}

/// An upper bound, rounded upwards.
fn upper<T: Real>(wide: f64, argument: &'static str) -> Result<T> {
    Ok(T::zero() - lower::<T>(-wide, argument)?)
}
