//! What this room compiles once.

use ndarray::{
    Array1, Array2, Array3, ArrayD, ArrayRef1, ArrayView1, ArrayView2, ArrayView3, ArrayViewD, ArrayViewMut3,
};

use super::{
    CandidateGradient, CandidateNll, ContrastArray, ContrastView, Ddo, DirichletSmoothing, FollowUp, GoalContrast,
    GoalStates, Nce, NceBatch, NceGradient, Pull, RatioLoss, RatioOut, Samples, contrast, gan, optimum, pass,
    retrieval,
};
use crate::compiled::compiled;
use crate::{Reduction, Result};

compiled! {
    pub trait Compiled for f32 f64 {
        fn run_ratios(
            loss: &dyn RatioLoss,
            ratios: Samples<ArrayView1<'_, Self>>,
            reductions: Samples<Reduction<'_, Self>>,
            out: Samples<RatioOut<'_, Self>>,
        ) -> Result<Samples<f64>> = pass::run;
        fn run_generator(
            loss: &dyn RatioLoss,
            pull: Pull,
            fake: ArrayView1<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: RatioOut<'_, Self>,
        ) -> Result<f64> = pass::run_generator;
        fn run_relativistic(
            loss: &dyn RatioLoss,
            outputs: Samples<ArrayView1<'_, Self>>,
            reductions: Samples<Reduction<'_, Self>>,
            out: Samples<RatioOut<'_, Self>>,
        ) -> Result<Samples<f64>> = gan::run_relativistic;
        fn ddo_accuracy(this: &Ddo, ratios: Samples<ArrayView1<'_, Self>>) -> Result<Samples<Self>>
            = Ddo::compute_accuracy;
        fn optimal_alpha(data: &ArrayRef1<Self>, reference: &ArrayRef1<Self>, beta: f64) -> Result<f64>
            = optimum::compute_optimal_alpha;
        fn optimal_distribution(data: &ArrayRef1<Self>, reference: &ArrayRef1<Self>, beta: f64) -> Result<Array1<Self>>
            = optimum::compute_optimal_distribution;
        fn run_nce(
            nce: &Nce,
            batch: &NceBatch<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: Option<&mut NceGradient<Self>>,
        ) -> Result<Self> = contrast::run_nce;
        fn nce_each(nce: &Nce, batch: &NceBatch<'_, Self>) -> Result<Array1<Self>> = contrast::nce_each;
        fn run_ranking(
            scores: ContrastView<'_, Self>,
            log_noise: ContrastView<'_, Self>,
            reduction: Reduction<'_, Self>,
            out: Option<&mut ContrastArray<Self>>,
        ) -> Result<Self> = contrast::run_ranking;
        fn ranking_losses(
            scores: ContrastView<'_, Self>,
            log_noise: ContrastView<'_, Self>,
        ) -> Result<Array1<Self>> = contrast::ranking_losses;
        fn pairwise_scores(
            embeddings: ArrayView3<'_, Self>,
            weights: ArrayView1<'_, Self>,
        ) -> Result<Array1<Self>> = contrast::pairwise_scores;
        fn pull_pairwise_score(
            embeddings: ArrayView3<'_, Self>,
            weights: ArrayView1<'_, Self>,
            cotangent: ArrayView1<'_, Self>,
            out: ArrayViewMut3<'_, Self>,
        ) -> Result<Array1<Self>> = contrast::pull_pairwise_score;
        fn smoothed_log_probs(
            smoothing: &DirichletSmoothing,
            counts: ArrayViewD<'_, Self>,
            length: f64,
            background: ArrayViewD<'_, Self>,
        ) -> Result<ArrayD<Self>> = retrieval::smoothed_log_probs;
        fn query_log_likelihood(
            smoothing: &DirichletSmoothing,
            counts: ArrayViewD<'_, Self>,
            length: f64,
            background: ArrayViewD<'_, Self>,
        ) -> Result<Self> = retrieval::query_log_likelihood;
        fn run_candidates(
            nll: &CandidateNll,
            sides: [ArrayView2<'_, Self>; 2],
            targets: &Array1<i64>,
            reduction: Reduction<'_, Self>,
            out: Option<&mut CandidateGradient<Self>>,
        ) -> Result<Self> = retrieval::run_candidates;
        fn candidate_losses(
            nll: &CandidateNll,
            sides: [ArrayView2<'_, Self>; 2],
            targets: &Array1<i64>,
        ) -> Result<Array1<Self>> = retrieval::candidate_losses;
        fn follow_up_rewards(
            log_probs: ArrayView2<'_, Self>,
            lengths: ArrayView1<'_, Self>,
            follow_ups: &[FollowUp],
        ) -> Result<Array1<Self>> = retrieval::follow_up_rewards;
        fn pull_follow_up(
            lengths: ArrayView1<'_, Self>,
            follow_ups: &[FollowUp],
            cotangent: ArrayView1<'_, Self>,
        ) -> Result<Array2<Self>> = retrieval::pull_follow_up;
        fn run_goals(
            goal: &GoalContrast,
            views: &GoalStates<ArrayView3<'_, Self>>,
            reduction: Reduction<'_, Self>,
            out: Option<&mut GoalStates<Array3<Self>>>,
        ) -> Result<Self> = retrieval::run_goals;
        fn goal_losses(goal: &GoalContrast, views: &GoalStates<ArrayView3<'_, Self>>) -> Result<Array1<Self>>
            = retrieval::goal_losses;
    }
}
