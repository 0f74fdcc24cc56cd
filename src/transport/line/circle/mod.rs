//! The Wasserstein distance on a circle: the line's, from the best place to cut it open.

mod cuts;
pub(in crate::transport) mod distance;
mod longest;
mod median;
mod ring;
mod search;
#[cfg(test)]
mod tests;
mod turned;
pub(in crate::transport) mod wasserstein_circle;

pub use distance::{wasserstein_circle_distance, wasserstein_circle_distance_grad};
pub use wasserstein_circle::{wasserstein_circle, wasserstein_circle_grad};
