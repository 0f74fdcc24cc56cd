//! Optimal transport: distances between distributions, and bounds on them.
//!
//! [`emd`] is the exact distance between weighted places at any cost, [`EmdBounds`] an interval around it, and
//! [`wasserstein_1d`] the exact distance between two weighted sets of points on a line, [`wasserstein_circle`] on a circle,
//! [`SlicedWasserstein`] its mean along directions through more dimensions; [`wasserstein_1d_distance`] and
//! [`wasserstein_circle_distance`] take the root. [`normalized`] divides weights by their sum. [`Sinkhorn`] is transport
//! with an entropic term, smooth in everything, and [`SinkhornDivergence`] the same less what that term alone costs, so
//! that equal measures are at 0. [`demd`] is the cost of moving a model's next-token distribution onto its target when
//! similar tokens are near each other, [`demd_soft`] the same for whole distributions as targets, and [`Emo`] mixes it with
//! the likelihood; all take a [`CosineCost`], made once from an embedding matrix and used for every batch.

mod any_cost;
mod certificates;
mod compiled;
mod cost;
mod cost_rows;
mod embedding;
mod emd;
mod emd_bounds;
mod gradient;
mod line;
mod mass;
mod outwards;
mod plan;
mod problem;
mod reduced_costs;
mod sinkhorn;
mod twofold;

pub use certificates::{
    axis_bound, c_transform, centroid_bound, dual_bound, plan_cost, product_coupling_cost, projection_bound,
    round_plan, total_variation_bound,
};
#[doc(hidden)]
pub use compiled::{Compiled, CompiledElement};
pub use cost::{Cost, GroundCost};
pub use embedding::{CosineCost, Emo, EmoCost, EmoMode, EmoTerms, demd, demd_grad, demd_soft, demd_soft_grad};
pub use emd::{EmdSolution, emd, emd_grad, emd_plan};
pub use emd_bounds::{EmdBounds, EmdInterval, LowerBound, UpperBound};
pub use gradient::{CostGradient, TransportGradient};
pub use line::{
    MaxSlice, Measure, MeasureGradient, SlicedWasserstein, directions, wasserstein_1d, wasserstein_1d_distance,
    wasserstein_1d_distance_grad, wasserstein_1d_grad, wasserstein_circle, wasserstein_circle_distance,
    wasserstein_circle_distance_grad, wasserstein_circle_grad,
};
pub use mass::normalized;
pub use plan::{Flow, Plan};
pub use problem::TransportProblem;
pub use sinkhorn::{Sinkhorn, SinkhornDivergence, SinkhornDivergenceSolution, SinkhornSolution};
