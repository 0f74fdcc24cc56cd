//! What it costs to take one class for another, where similar classes lie near each other in an embedding.

mod cosine_cost;
mod demd;
mod demd_soft;
mod emo;
mod expected_cost;
mod goal;
mod lanes;
#[cfg(test)]
mod testing;

pub use cosine_cost::CosineCost;
pub use demd::{demd, demd_grad};
pub use demd_soft::{demd_soft, demd_soft_grad};
pub use emo::{Emo, EmoCost, EmoMode, EmoTerms};
