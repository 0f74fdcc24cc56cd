//! Bounds on the cost of optimal transport, each of which anyone can check: a feasible plan from above, a feasible pair
//! of potentials or a relaxed problem from below.

pub(super) mod c_transform;
pub(super) mod couplings;
pub(super) mod dual;
mod held;
pub(super) mod projection;
pub(super) mod rounding;
#[cfg(test)]
mod sides;
#[cfg(test)]
mod tests;
pub(super) mod total_variation;

pub use c_transform::c_transform;
pub(super) use couplings::{Spent, product_cost, rounded_cost};
pub use couplings::{plan_cost, product_coupling_cost};
pub use dual::dual_bound;
pub(super) use dual::dual_value;
pub(super) use held::{Held, chosen};
pub(super) use projection::ProjectedPoints;
pub use projection::{axis_bound, centroid_bound, projection_bound};
pub use rounding::round_plan;
pub(super) use total_variation::leaving;
pub use total_variation::total_variation_bound;
