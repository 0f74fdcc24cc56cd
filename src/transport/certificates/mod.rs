//! Bounds on the cost of optimal transport, each of which anyone can check: a feasible plan from above, a feasible pair
//! of potentials or a relaxed problem from below.

mod c_transform;
mod couplings;
mod dual;
mod projection;
mod rounding;
mod total_variation;

pub use c_transform::c_transform;
pub(super) use c_transform::{below, to_columns, to_rows};
pub use couplings::{plan_cost, product_coupling_cost};
pub(super) use couplings::{product_cost, rounded_cost};
pub use dual::dual_bound;
pub(super) use projection::Seen;
pub use projection::{axis_bound, centroid_bound, projection_bound};
pub use rounding::round_plan;
pub(super) use total_variation::leaving;
pub use total_variation::total_variation_bound;
