//! Kernels over logits `[.., V]`: the last axis holds the classes, the others are any rows.
//!
//! | function | result | gradient |
//! |---|---|---|
//! | [`log_sum_exp`] | `ln Σ e^x` of each row | [`log_sum_exp_grad`], the softmax |
//! | [`log_sum_exp_or_empty`] | the same, -inf over no class at all | [`log_sum_exp_or_empty_grad`] |
//! | [`weighted_log_sum_exp`] | `ln abs(Σ b e^x)` and its sign | [`weighted_log_sum_exp_grad`] |
//! | [`log_softmax`] | log-probability of every class | of one class: below |
//! | [`token_log_probs`] | log-probability of the target | [`token_log_probs_backward`], from any cotangent |
//! | [`class_log_probs`] | log-probabilities of several classes | [`class_log_probs_backward`] |
//! | [`entropy`] | entropy of the softmax, nats | [`entropy_grad`] |
//! | [`CrossEntropy`] | NLL of class indices | [`TokenObjective`]'s `grad`, `grad_into`, `grad_in_place` |
//! | [`SoftCrossEntropy`] | cross-entropy of target probabilities | the same |
//! | [`TaiLr`], [`MixCe`] | NLL with a detached weight of the target's probability | the same |
//! | [`LogitTransform`] | all of these behind a temperature and a soft cap | its methods, of the same names |
//! | [`VocabularyShard`] | mergeable [`LogSumExp`] of each row over a part of the classes | its method `backward` |
//!
//! Rows are read once, in blocks that stay in the first-level cache: lanes of the element type add within a block, `f64`
//! across blocks, and the largest logit is kept out of the sum, so that a loss of 1e-12 keeps its digits in `f32`. Strided
//! logits are copied block by block and give the same bits as contiguous ones. With the feature `half`, logits may be
//! `bf16` or `f16`; results are `f32`. Behind a transform, and for rows of fewer than 64 classes, `value` has the bits of the
//! value that comes with a gradient; over longer plain rows the two may differ in the last one, since a gradient keeps the
//! exponentials that it sums.

#![allow(clippy::type_complexity)] // a pair of arrays in associated types is not complex to read

mod class_log_probs;
mod class_weights;
mod collision;
mod compiled;
mod cotangent;
mod cross_entropy;
mod detached;
mod entropy;
mod hard_target;
mod kernel;
mod labels;
pub(crate) mod linear;
mod log_softmax;
mod log_sum_exp;
mod logit_rows;
#[cfg(test)]
mod loss_error;
mod mix_ce;
mod row_passes;
mod scales;
mod shard;
mod soft_cross_entropy;
mod soft_target;
mod tailr;
#[cfg(test)]
mod testing;
mod tiles;
mod token_log_probs;
mod token_objective;
mod transform;
mod transformed;
mod weighted_sum;

pub use class_log_probs::{class_log_probs, class_log_probs_backward};
pub use collision::log_collision;
pub(crate) use compiled::{Compiled, CompiledReal};
pub use cross_entropy::CrossEntropy;
pub use detached::WeightedNll;
pub use entropy::{entropy, entropy_grad};
pub(crate) use labels::Labels;
pub use linear::{
    LinearCrossEntropy, LinearGradient, LinearGradientMut, LinearHead, LinearPlan, linear_token_log_probs,
    linear_token_log_probs_backward, linear_token_log_probs_backward_into, linear_token_log_probs_masked,
};
pub use log_softmax::{log_softmax, log_softmax_in_place, log_softmax_into};
pub use log_sum_exp::{log_sum_exp, log_sum_exp_grad, log_sum_exp_or_empty, log_sum_exp_or_empty_grad};
pub use mix_ce::MixCe;
pub use shard::{LogSumExp, VocabularyShard};
pub use soft_cross_entropy::SoftCrossEntropy;
pub use tailr::TaiLr;
pub use token_log_probs::{
    token_log_probs, token_log_probs_backward, token_log_probs_backward_into, token_log_probs_masked,
};
pub use token_objective::{Accepts, ClassIndices, ClassProbabilities, TargetAxes, TargetKind, TokenObjective};
pub use transform::LogitTransform;
pub(crate) use transform::Map;
pub use weighted_sum::{SignedLog, weighted_log_sum_exp, weighted_log_sum_exp_grad};
