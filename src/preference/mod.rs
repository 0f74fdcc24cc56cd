//! Preference objectives: which of two responses should be the likelier one.
//!
//! A [`PairBatch`] borrows log-probabilities of whole responses, chosen and rejected; a [`PairObjective`] turns it into a
//! loss, a loss for each pair, or a gradient. Objectives are small structs of hyper-parameters, one file each.
//!
//! | to do this | use |
//! |---|---|
//! | compute a loss of pairs | [`Dpo`], [`RobustDpo`], [`Hinge`], [`Ipo`], [`ExoPair`], [`DiscoPop`], [`SigmoidNorm`], [`RDpo`], [`FlexDpo`], [`ChiPo`] |
//! | do so without a reference | [`Cpo`], [`CpoHinge`], [`CpoIpo`], [`Slic`], [`SimPo`], [`AlphaPo`], [`SoftmaxHinge`], [`Orpo`], [`Nll`] |
//! | use labels, ties or rewards | [`SoftDpo`], [`RaoKupper`], [`Davidson`], [`Odpo`], [`Rebel`], [`RewardAwareRpo`] |
//! | compare with other models, or train diffusion models | [`Poft`], [`DiffusionDpo`], [`Pso`] |
//! | look at both sides, not at their margin | [`NcaPair`], [`BcoPair`], [`SppoHard`], [`SppoSoft`], [`ApoZero`], [`ApoDown`], [`CalDpo`], [`Dpop`], [`Asft`], [`SimPer`], [`Tpo`] |
//! | train a reward model | [`BradleyTerry`], [`RewardTies`], [`RewardRegression`], [`ProcessReward`] |
//! | go from logits to a loss, and back | [`LogitPairs`] |
//! | go from hidden states to a loss, and back, without the logits | [`LinearPairs`] |
//! | add several, each with a weight | [`WeightedSum`] |
//! | read the choice from a file | [`PairConfig`] |
//! | watch rewards, margin and accuracy | [`pair_metrics`], [`reward_metrics`], [`process_accuracy`]; of denoising errors [`diffusion_metrics`]; [`RunningMean`] |
//! | compare whole batches | [`Aot`], [`AotUnpaired`], [`DrDpo`], [`BetaDpo`], [`AlphaDpo`], [`KtoPair`], [`Sft`] |
//! | add a likelihood term as a peer does | [`NllAddOn`] |
//! | treat lengths otherwise, or weigh pairs | [`LengthDesensitized`], [`down_sample`], [`Wpo`], [`MarginFilter`] |
//! | exchange the divergence | [`Linked`] with a [`RatioLink`]: [`ReverseKlLink`], [`ForwardKlLink`], [`JensenShannonLink`], [`AlphaLink`]; by name [`Link`] |
//! | write a new loss | [`MarginLoss`], for one number; [`LabeledLoss`], for it and labels; [`PairLoss`], for anything of one pair |
//!
//! [`PairConfig`] lists all of them. A new objective is one file in `pairwise/`: the struct, its `check`, and loss and
//! slope at one margin. Everything else (blocks, vector instructions, weights, reductions, threads, errors that name the
//! pair) is the driver's.

#[doc(hidden)]
pub mod batch_objective;
mod batchwise;
mod columns;
mod compiled;
mod config;
mod context;
mod diffusion_metrics;
mod formulas;
mod label;
mod linear_pairs;
mod link;
mod logit_pairs;
#[doc(hidden)]
pub mod loops;
mod loss;
mod margin;
mod metrics;
mod modifiers;
mod objective;
mod pairs;
mod pairwise;
mod pass;
mod reward;
mod row;
#[cfg(test)]
mod testing;
mod weighted_sum;

pub use batch_objective::InType;
pub use batchwise::*;
pub use compiled::Compiled;
pub use config::PairConfig;
pub use diffusion_metrics::{DiffusionMetrics, diffusion_metrics};
pub use formulas::TieModel;
use formulas::{bernoulli, logistic, odds, probability};
pub use label::{Label, LabelUse};
pub use linear_pairs::LinearPairs;
pub use link::{AlphaLink, ForwardKlLink, JensenShannonLink, Link, LinkableConfig, Linked, RatioLink, ReverseKlLink};
pub use logit_pairs::LogitPairs;
pub use loss::{Against, LabeledLoss, Length, Margin, MarginLoss, Needs, PairLoss};
pub use metrics::{PairMetrics, pair_metrics};
pub use modifiers::*;
pub use objective::{Out, PairObjective};
pub use pairs::{PairBatch, Pairs, PairsMut, PairsView};
pub use pairwise::*;
pub use reward::{
    BradleyTerry, ProcessReward, RatingGap, RewardMetrics, RewardRegression, RewardTies, process_accuracy,
    reward_metrics,
};
pub use row::Row;
pub use weighted_sum::{Term, WeightedSum};
