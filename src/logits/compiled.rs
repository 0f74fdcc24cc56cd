//! What this room compiles once for each type that logits are stored in.

use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, IxDyn};

use super::cross_entropy::{self, CrossEntropy};
use super::detached::{self, Detached, WeightedNll};
use super::logit_rows::{self, LogitArrays};
use super::shard::{self, LogSumExp, Upstream, VocabularyShard};
use super::soft_cross_entropy::{self, SoftCrossEntropy};
use super::transform::LogitTransform;
use super::weighted_sum::{self, SignedLog};
use super::{class_log_probs, collision, entropy, log_softmax, log_sum_exp, token_log_probs};
use crate::compiled::compiled;
use crate::reduction::AnyReduction;
use crate::target::Indices;
use crate::{Element, Result};

/// The type that logits are computed in.
type Wide<E> = <E as Element>::Real;

compiled! {
    pub trait Compiled for stored types {
        fn zeros_of(shape: &[usize]) -> ArrayD<Wide<Self>> = logit_rows::zeros;
        fn by_row(values: &[f64], leading: &[usize]) -> ArrayD<Wide<Self>> = logit_rows::by_row;

        fn log_sum_exp(transform: LogitTransform, logits: LogitArrays<'_, Self>) -> Result<ArrayD<Wide<Self>>>
            = log_sum_exp::sums;
        fn log_sum_exp_or_empty(logits: LogitArrays<'_, Self>) -> Result<ArrayD<Wide<Self>>> = log_sum_exp::or_empty;
        fn weighted_log_sum_exp(
            logits: ArrayViewD<'_, Self>,
            weights: ArrayViewD<'_, Wide<Self>>,
            out: Option<ArrayViewMutD<'_, Wide<Self>>>,
        ) -> Result<SignedLog<Wide<Self>, IxDyn>> = weighted_sum::signed;
        fn log_softmax(transform: LogitTransform, logits: LogitArrays<'_, Self>) -> Result<()>
            = log_softmax::normalize;
        fn entropy(transform: LogitTransform, logits: LogitArrays<'_, Self>) -> Result<ArrayD<Wide<Self>>>
            = entropy::entropies;
        fn log_collision(logits: ArrayViewD<'_, Self>) -> Result<ArrayD<Wide<Self>>> = collision::collisions;

        fn token_log_probs(
            transform: LogitTransform,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
            mask: Option<ArrayViewD<'_, bool>>,
        ) -> Result<ArrayD<Wide<Self>>> = token_log_probs::forward;
        fn token_log_probs_backward(
            transform: LogitTransform,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
            cotangent: ArrayViewD<'_, Wide<Self>>,
        ) -> Result<()> = token_log_probs::backward;
        fn class_log_probs(logits: ArrayViewD<'_, Self>, classes: Indices<'_>) -> Result<ArrayD<Wide<Self>>>
            = class_log_probs::forward;
        fn class_log_probs_backward(
            logits: ArrayViewD<'_, Self>,
            classes: Indices<'_>,
            cotangent: ArrayViewD<'_, Wide<Self>>,
        ) -> Result<ArrayD<Wide<Self>>> = class_log_probs::backward;

        fn cross_entropy(
            loss: &CrossEntropy,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
            reduction: AnyReduction<'_, Wide<Self>>,
        ) -> Result<Wide<Self>> = cross_entropy::reduced;
        fn cross_entropies(
            loss: &CrossEntropy,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
        ) -> Result<(Vec<f64>, f64)> = cross_entropy::losses;
        fn soft_cross_entropy(
            loss: &SoftCrossEntropy,
            logits: LogitArrays<'_, Self>,
            targets: ArrayViewD<'_, Wide<Self>>,
            reduction: AnyReduction<'_, Wide<Self>>,
        ) -> Result<Wide<Self>> = soft_cross_entropy::reduced;
        fn soft_cross_entropies(
            loss: &SoftCrossEntropy,
            logits: LogitArrays<'_, Self>,
            targets: ArrayViewD<'_, Wide<Self>>,
        ) -> Result<(Vec<f64>, f64)> = soft_cross_entropy::losses;
        fn detached(
            loss: Detached<'_>,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
            reduction: AnyReduction<'_, Wide<Self>>,
        ) -> Result<Wide<Self>> = detached::reduced;
        fn detached_losses(
            loss: Detached<'_>,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
        ) -> Result<(Vec<f64>, f64)> = detached::losses;
        fn detached_terms(
            loss: Detached<'_>,
            logits: LogitArrays<'_, Self>,
            targets: Indices<'_>,
        ) -> Result<WeightedNll<Wide<Self>, IxDyn>> = detached::terms;

        fn shard_sums(
            shard: &VocabularyShard,
            logits: ArrayViewD<'_, Self>,
            targets: Indices<'_>,
        ) -> Result<ArrayD<LogSumExp<Wide<Self>>>> = shard::sums;
        fn shard_backward(
            shard: &VocabularyShard,
            logits: ArrayViewD<'_, Self>,
            upstream: Upstream<'_, Wide<Self>>,
            out: ArrayViewMutD<'_, Wide<Self>>,
        ) -> Result<()> = shard::backward;
    }
}

compiled! {
    pub trait CompiledReal for f32 f64 {
        fn merged_rows(
            left: ArrayViewD<'_, LogSumExp<Self>>,
            right: ArrayViewD<'_, LogSumExp<Self>>,
        ) -> Result<ArrayD<LogSumExp<Self>>> = shard::merged_rows;
    }
}
