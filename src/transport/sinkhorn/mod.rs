//! Entropic transport: [`Sinkhorn`], balanced or unbalanced, and [`SinkhornDivergence`], which is zero between equal
//! measures.

mod alternating;
mod anderson;
mod config;
mod converged_plan;
pub(super) mod divergence;
mod flat;
mod gibbs;
mod gradient;
mod lanes;
mod side;
mod slope;
pub(super) mod solution;
pub(super) mod solve;
mod stages;
mod symmetric;
#[cfg(test)]
mod tests;

pub use config::Sinkhorn;
pub use divergence::{SinkhornDivergence, SinkhornDivergenceSolution};
pub use solution::SinkhornSolution;
