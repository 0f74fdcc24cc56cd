//! Entropic transport: [`Sinkhorn`], balanced or unbalanced, and [`SinkhornDivergence`], which is zero at home.

mod alternating;
mod anderson;
pub(super) mod config;
pub(super) mod divergence;
mod flat;
mod gibbs;
mod gradient;
mod lanes;
mod settled;
mod side;
mod slope;
pub(super) mod solution;
mod stages;
mod symmetric;
#[cfg(test)]
mod tests;

pub use config::Sinkhorn;
pub use divergence::{SinkhornDivergence, SinkhornDivergenceSolution};
pub use gradient::{CostGradient, SinkhornGradient};
pub use solution::SinkhornSolution;
