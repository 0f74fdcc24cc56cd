//! The earth mover's distance between two bounds that close in on it until they are near enough.

mod config;
mod interval;
pub(super) mod search;
#[cfg(test)]
mod tests;

pub use config::EmdBounds;
pub use interval::{EmdInterval, LowerBound, UpperBound};
