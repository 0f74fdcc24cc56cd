//! Objectives that are functions of the whole batch: they sort it, weigh its pairs against each other or take a mean of it
//! into the loss of each pair.

mod alpha_dpo;
mod aot;
mod aot_unpaired;
mod beta_dpo;
mod dr_dpo;
mod emit;
mod kto_pair;
mod quantity;
mod ranked;
mod sft;

pub use alpha_dpo::AlphaDpo;
pub use aot::Aot;
pub use aot_unpaired::AotUnpaired;
pub use beta_dpo::BetaDpo;
pub use dr_dpo::DrDpo;
pub use kto_pair::{Baseline, KtoPair};
pub(super) use quantity::{Quantity, Which, infinite_at};
pub use sft::Sft;

pub(super) use dr_dpo::weights as dr_dpo_weights;
