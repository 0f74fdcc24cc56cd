//! Formulas that several objectives share: one file for each kind, none of them an objective.

pub(super) mod bernoulli;
pub(super) mod logistic;
pub(super) mod odds;
pub(super) mod probability;
mod ties;

pub use ties::TieModel;
