//! What it costs to take one class for another, where similar classes lie near each other in an embedding.

pub(super) mod cosine_cost;
pub(super) mod demd;
pub(super) mod demd_soft;
pub(super) mod emo;
mod expected_cost;
mod lanes;
pub(super) mod logits;
mod row_targets;
#[cfg(test)]
mod testing;

pub use cosine_cost::CosineCost;
pub use demd::{demd, demd_grad};
pub use demd_soft::{demd_soft, demd_soft_grad};
pub use emo::{Emo, EmoCost, EmoMode, EmoTerms};
