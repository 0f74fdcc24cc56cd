//! Matching the sequences that a model writes to those of the data, state by state, with a way to take tokens back.
//!
//! [`SequenceMatch`] is the objective of one [`Trajectory`], [`Occupancy`] the divergence that it stands for, and
//! [`apply_backspaces`] turns a stream of actions into what a transformer needs to see of it.

pub(super) mod backspace;
mod driver;
mod objective;
mod occupancy;
#[cfg(test)]
mod tests;
mod trajectory;

pub use backspace::{Backspaced, apply_backspaces};
pub(super) use driver::{terms, value};
pub use objective::{SequenceMatch, SequenceMatchTerms};
pub use occupancy::Occupancy;
pub(super) use trajectory::AnyTrajectory;
pub use trajectory::{Trajectory, TrajectoryEnd, TrajectorySource};
