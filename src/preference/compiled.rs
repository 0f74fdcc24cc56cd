//! What this room compiles once.

use ndarray::{Array1, ArrayViewMut1};

use super::weighted_sum::{self, Terms};
use super::{
    AlphaDpo, BetaDpo, DiffusionMetrics, KtoPair, Length, MarginMoments, Out, PairBatch, PairLoss, PairMetrics, Pairs,
    RewardMetrics, Tpo, batchwise, diffusion_metrics, metrics, pass, reward,
};
use crate::compiled::compiled;
use crate::{Reduction, Result, SumCount};

compiled! {
    pub trait Compiled for f32 f64 {
        fn validate_pairs(loss: &dyn PairLoss, batch: &PairBatch<'_, Self>) -> Result<()> = pass::validate;
        fn run_pairs(
            loss: &dyn PairLoss,
            batch: &PairBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            scale: Self,
            out: Out<'_, Self>,
        ) -> Result<Self> = pass::run;
        fn sum_count_of_pairs(loss: &dyn PairLoss, batch: PairBatch<'_, Self>) -> Result<SumCount> = pass::sum_count;
        fn dr_dpo_weights(loss: &dyn PairLoss, beta_prime: f64, batch: PairBatch<'_, Self>) -> Result<Array1<Self>>
            = batchwise::dr_dpo_weights;
        fn validate_sum(terms: &Terms<'_, Self>, batch: &PairBatch<'_, Self>) -> Result<()> = weighted_sum::validate;
        fn run_sum(
            terms: &Terms<'_, Self>,
            batch: &PairBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            scale: Self,
            out: Out<'_, Self>,
        ) -> Result<Self> = weighted_sum::run;
        fn sum_count_of_sum(terms: &Terms<'_, Self>, batch: PairBatch<'_, Self>) -> Result<SumCount>
            = weighted_sum::sum_count;
        fn beta_of(this: &BetaDpo, batch: PairBatch<'_, Self>, reduction: Reduction<'_, Self>) -> Result<f64>
            = BetaDpo::compute_beta_of;
        fn offsets_of(this: &AlphaDpo, batch: PairBatch<'_, Self>) -> Result<Array1<Self>> = AlphaDpo::compute_offsets_of;
        fn baselines_of(this: &KtoPair, batch: PairBatch<'_, Self>, reduction: Reduction<'_, Self>) -> Result<Pairs<f64>>
            = KtoPair::compute_baselines_of;
        fn gold_grad(this: &Tpo, batch: PairBatch<'_, Self>, reduction: Reduction<'_, Self>) -> Result<Array1<Self>>
            = Tpo::compute_gold_grad;
        fn gold_grad_into(
            this: &Tpo,
            batch: PairBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: ArrayViewMut1<'_, Self>,
        ) -> Result<()> = Tpo::compute_gold_grad_into;
        fn margin_moments(batch: PairBatch<'_, Self>, length: Length) -> Result<MarginMoments>
            = MarginMoments::compute_new;
        fn pair_metrics(batch: PairBatch<'_, Self>, beta: f64) -> Result<PairMetrics> = metrics::compute_pair_metrics;
        fn diffusion_metrics(batch: PairBatch<'_, Self>, beta: f64) -> Result<DiffusionMetrics>
            = diffusion_metrics::compute_diffusion_metrics;
        fn reward_metrics(batch: PairBatch<'_, Self>) -> Result<RewardMetrics> = reward::compute_reward_metrics;
        fn process_accuracy(batch: PairBatch<'_, Self>) -> Result<SumCount> = reward::compute_process_accuracy;
    }
}
