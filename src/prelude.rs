//! Everything that a caller of the objectives needs: `use loglik::prelude::*;`.

pub use crate::diagnostics::{
    Amd, AmdNormalizer, BestOfN, Mixtures, SampleGaussians, SampleMetrics, SampleScores, amv, amv_each, best_of_n,
    kde_nll,
};
pub use crate::diagnostics::{
    Ches, Displacement, PairTrend, TokenColumns, TokenMeans, TokenStats, TopK, TopKNormalization, TopKStats, Trend,
    displacement, log_gradient_ratio,
};
pub use crate::divergence::{
    AmariDivergence, Categorical, CategoricalDivergence, FDivergence, GeneralizedJsd, InterpolatedJsd,
    JensenShannonDivergence, KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare, RenyiDivergence,
    ReverseKlDivergence, Sides, SparseDivergence, SparseTeacher, SquaredHellinger, Tail, TotalVariation,
    VariationalBound,
};
pub use crate::divergence::{
    Backspaced, Occupancy, SequenceMatch, SequenceMatchTerms, Trajectory, TrajectoryEnd, TrajectorySource,
    apply_backspaces,
};
pub use crate::likelihood::{
    Bernoulli, BernoulliArguments, Density, Gaussian, GaussianArguments, ImleLoss, Poisson, PoissonArguments,
    QuasiPoisson, SharedGaussian, SharedGaussianArguments, WeightedBernoulli, WeightedBernoulliArguments, imle,
    imle_grad,
};
pub use crate::logits::{ClassIndices, ClassProbabilities, MixCe, TaiLr, TokenObjective, WeightedNll};
pub use crate::logits::{
    CrossEntropy, LinearCrossEntropy, LinearGradient, LinearGradientMut, LinearHead, LinearPlan, LogitTransform,
    linear_token_log_probs, linear_token_log_probs_backward, linear_token_log_probs_backward_into,
    linear_token_log_probs_masked,
};
pub use crate::logits::{LogSumExp, VocabularyShard};
pub use crate::logits::{
    SignedLog, class_log_probs, class_log_probs_backward, log_sum_exp_or_empty, log_sum_exp_or_empty_grad,
    weighted_log_sum_exp, weighted_log_sum_exp_grad,
};
pub use crate::logits::{
    SoftCrossEntropy, entropy, entropy_grad, log_collision, log_softmax, log_softmax_in_place, log_softmax_into,
    log_sum_exp, log_sum_exp_grad, token_log_probs, token_log_probs_backward, token_log_probs_backward_into,
    token_log_probs_masked,
};
pub use crate::preference::{
    AlphaDpo, AlphaLink, Aot, AotUnpaired, Baseline, BetaDpo, DrDpo, ForwardKlLink, KtoPair, LengthDesensitized, Link,
    LinkableConfig, MarginFilter, MarginMoments, NllAddOn, Sft, WeightCap, Wpo, down_sample,
};
pub use crate::preference::{
    AlphaPo, ChiPo, Cpo, CpoHinge, CpoIpo, Davidson, DiffusionDpo, DiffusionMetrics, DiscoPop, Dpo, ExoPair, FlexDpo,
    Hinge, Ipo, Nll, Odpo, Orpo, Poft, Pso, RDpo, RaoKupper, Rebel, RewardAwareRpo, RewardDistance, RewardGap,
    RobustDpo, SigmoidNorm, SimPo, Slic, SoftDpo, diffusion_metrics,
};
pub use crate::preference::{
    ApoDown, ApoZero, Asft, BcoPair, BradleyTerry, CalDpo, Dpop, NcaPair, Placement, ProcessReward, RatingGap,
    RewardMetrics, RewardRegression, RewardTies, RunningMean, SimPer, SppoHard, SppoSoft, TieModel, Tpo,
    process_accuracy, reward_metrics,
};
pub use crate::preference::{
    JensenShannonLink, Length, LinearPairs, Linked, LogitPairs, Out, PairBatch, PairConfig, PairMetrics, PairObjective,
    Pairs, PairsMut, PairsView, ReverseKlLink, Term, WeightedSum, pair_metrics,
};
pub use crate::ratio::{Ddo, RatioObjective, Samples, optimal_alpha, optimal_distribution};
pub use crate::sequence::{
    Alignment, HiddenResponses, Responses, Sequences, Shifted, TokenMask, causal_shift, sum_tokens, sum_tokens_backward,
};
pub use crate::transport::{
    CosineCost, Emo, EmoCost, EmoMode, EmoTerms, Measure, demd, demd_grad, demd_soft, demd_soft_grad, wasserstein_1d,
};
pub use crate::transport::{Cost, CostGradient, Flow, GroundCost, Plan, TransportGradient, TransportProblem};
pub use crate::transport::{
    EmdBounds, EmdInterval, EmdSolution, LowerBound, UpperBound, axis_bound, c_transform, centroid_bound, dual_bound,
    emd, emd_grad, emd_plan, plan_cost, product_coupling_cost, projection_bound, round_plan, total_variation_bound,
};
pub use crate::transport::{
    MaxSlice, MeasureGradient, SlicedWasserstein, wasserstein_1d_distance, wasserstein_1d_distance_grad,
    wasserstein_1d_grad, wasserstein_circle, wasserstein_circle_distance, wasserstein_circle_distance_grad,
    wasserstein_circle_grad,
};
pub use crate::transport::{Sinkhorn, SinkhornDivergence, SinkhornDivergenceSolution, SinkhornSolution};
pub use crate::{Element, Error, Real, Reduction, Result, SumCount, Target};
