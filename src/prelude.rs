//! What a program that trains a model needs daily: `use loglik::prelude::*;`.
//!
//! The traits with the methods, what batches are made of, reductions, and the objectives that most programs use. All others
//! are in the module of their family, which the [list of modules](crate#modules) names.

pub use crate::contrastive::{EmbeddingBatch, InfoNce};
pub use crate::diagnostics::TokenStats;
pub use crate::divergence::CategoricalDivergence;
pub use crate::energy::SampleLoss;
pub use crate::likelihood::Density;
pub use crate::logits::{
    CrossEntropy, LinearCrossEntropy, LinearHead, LogitTransform, SoftCrossEntropy, TokenObjective, entropy,
    entropy_grad, linear_token_log_probs, linear_token_log_probs_backward, log_softmax, log_softmax_in_place,
    log_sum_exp, log_sum_exp_grad, token_log_probs, token_log_probs_backward, token_log_probs_masked,
};
pub use crate::metric::{ClassMargin, EmbeddingObjective, LabeledPairs};
pub use crate::preference::{
    ApoZero, BcoPair, BradleyTerry, Cpo, Dpo, ExoPair, Hinge, Ipo, KtoPair, Length, Link, Linked, LogitPairs, Orpo,
    Out, PairBatch, PairConfig, PairObjective, Pairs, PairsMut, PairsView, RobustDpo, Sft, SimPo, Term, WeightedSum,
    pair_metrics,
};
pub use crate::ratio::{Ddo, RatioObjective, Samples};
pub use crate::sequence::{Responses, Sequences, TokenMask, causal_shift, sum_tokens, sum_tokens_backward};
pub use crate::transport::{Cost, Sinkhorn, TransportProblem, emd};
pub use crate::{Element, Real, Reduction, SumCount, Target};
