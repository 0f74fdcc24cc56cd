//! Sliced Wasserstein distances: those of projections on lines, which are exact and cheap in any dimension.

mod cloud;
mod config;
pub(in crate::transport) mod directions;
pub(in crate::transport) mod distance;
pub(in crate::transport) mod max;
pub(in crate::transport) mod mean;
mod slices;
#[cfg(test)]
mod tests;

pub use config::SlicedWasserstein;
pub use directions::directions;
pub use max::MaxSlice;
