//! Optimal transport: distances between distributions, and bounds on them.
//!
//! [`wasserstein_1d`] is the exact distance between two weighted sets of points on a line. [`demd`] is the cost of
//! moving a model's next-token distribution onto its target when similar tokens are near each other, and [`Emo`] mixes
//! it with the likelihood; both take a [`CosineCost`], made once from an embedding matrix and used for every batch.

mod cosine_cost;
mod cost;
mod demd;
mod emo;
mod expected_cost;
mod lanes;
mod mass;
mod measure;
mod plan;
mod problem;
#[cfg(test)]
mod testing;
mod wasserstein_1d;

pub use cosine_cost::CosineCost;
pub use cost::{Cost, GroundCost};
pub use demd::{demd, demd_grad};
pub use emo::{Emo, EmoMode, EmoTerms};
pub use measure::Measure;
pub use plan::{Flow, Plan};
pub use problem::TransportProblem;
pub use wasserstein_1d::wasserstein_1d;
