//! Bad input: an error that names the argument, the position and the allowed range; never a panic, never a NaN.

#![allow(unreachable_pub)] // private to the test binary as a whole

mod arrays;
mod divergence;
mod exact_transport;
mod messages;
mod missing;
mod samples;

use loglik::{Error, Position, Result};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

#[track_caller]
fn says<R: std::fmt::Debug>(result: Result<R>, message: &str) {
    assert_eq!(result.unwrap_err().to_string(), message);
}

const fn shared_between_threads<T: Send + Sync>() {}

/// Every public type can be sent to and shared between threads.
const _: () = {
    use loglik::Error;
    use loglik::diagnostics::{
        Amd, AmdNormalizer, BestOfN, Mixtures, SampleGaussians, SampleMetrics, SampleScores, TokenColumns, TokenMeans,
        TopK, TopKNormalization, TopKStats,
    };
    use loglik::divergence::{
        Backspaced, Categorical, KlDivergence, Occupancy, RenyiDivergence, SequenceMatch, Sides, SparseDivergence,
        SparseTeacher, Tail, Trajectory,
    };
    use loglik::likelihood::{
        Bernoulli, BernoulliArguments, Gaussian, GaussianArguments, ImleLoss, Poisson, PoissonArguments, QuasiPoisson,
        SharedGaussian, SharedGaussianArguments, WeightedBernoulli, WeightedBernoulliArguments,
    };
    use loglik::logits::{LinearPlan, LogSumExp, MixCe, TaiLr, VocabularyShard, WeightedNll};
    use loglik::metric::{
        Angle, ArcFace, BatchAllTriplet, BatchHardTriplet, Circle, CircleWeights, Contrastive, CosFace, Cosent,
        CosineEmbedding, Distance, GlobalOrthogonal, LiftedStructure, Matryoshka, MultiSimilarity, OnlineContrastive,
        PairScore, ProxyAnchor, SemiHardTriplet, SphereFace, Triplet, TripletShape, TripletSwap, Triplets, VicReg,
        VicRegTerms,
    };
    use loglik::preference::{Against, LabelUse, Margin, Needs, PairMetrics, Row};
    use loglik::preference::{
        ApoDown, Asft, CalDpo, Dpop, JensenShannonLink, LinearPairs, NcaPair, Nll, Placement, ProcessReward, RatingGap,
        ReverseKlLink, RewardMetrics, RewardRegression, RewardTies, RunningMean, SimPer, SppoHard, SppoSoft, TieModel,
        Tpo,
    };
    use loglik::prelude::*;
    use loglik::sequence::{Alignment, Shifted};
    use loglik::transport::{
        CosineCost, CostGradient, EmdBounds, EmdInterval, EmdSolution, Emo, EmoCost, EmoMode, EmoTerms, MaxSlice,
        Measure, MeasureGradient, Plan, SinkhornDivergence, SinkhornDivergenceSolution, SinkhornSolution,
        SlicedWasserstein, TransportGradient,
    };
    use ndarray::{ArrayView1, Ix1, Ix2, Ix3};

    shared_between_threads::<Error>();
    shared_between_threads::<Position>();
    shared_between_threads::<SumCount>();
    shared_between_threads::<Reduction<'_, f64, Ix2>>();
    shared_between_threads::<CrossEntropy>();
    shared_between_threads::<SoftCrossEntropy>();
    shared_between_threads::<LogitTransform>();
    shared_between_threads::<(VocabularyShard, LogSumExp<f64>)>();
    shared_between_threads::<(LinearCrossEntropy, LinearPlan, LinearHead<'_, f64>)>();
    shared_between_threads::<LinearPairs<'_, f64, i64, Ix3>>();
    shared_between_threads::<TokenMask<'_, Ix2>>();
    shared_between_threads::<Sequences<f64>>();
    shared_between_threads::<Shifted<'_, i64, Ix1>>();
    shared_between_threads::<Responses<'_, f64, i64, Ix3>>();
    shared_between_threads::<Alignment>();
    shared_between_threads::<Pairs<ArrayView1<'_, f64>>>();
    shared_between_threads::<PairBatch<'_, f64>>();
    shared_between_threads::<LogitPairs<'_, f64, i64, Ix3>>();
    shared_between_threads::<PairConfig>();
    shared_between_threads::<PairMetrics>();
    shared_between_threads::<(Dpo, Ipo, Orpo, Nll, ReverseKlLink, JensenShannonLink, Linked<Dpo, JensenShannonLink>)>();
    shared_between_threads::<(NcaPair, BcoPair, RunningMean, SppoHard, SppoSoft, ApoZero, ApoDown, CalDpo)>();
    shared_between_threads::<(Dpop, Placement, Asft, SimPer, Tpo)>();
    shared_between_threads::<(
        BradleyTerry,
        RatingGap,
        RewardTies,
        TieModel,
        RewardRegression,
        ProcessReward,
        RewardMetrics,
    )>();
    shared_between_threads::<WeightedSum<Box<dyn PairObjective<f64> + Send + Sync>>>();
    shared_between_threads::<Term<PairConfig>>();
    shared_between_threads::<(Length, Against, Margin, Needs, LabelUse, Row<f64>, Out<'_, f64>)>();
    shared_between_threads::<(KlDivergence, RenyiDivergence, SparseDivergence<KlDivergence>, Tail)>();
    shared_between_threads::<(Categorical<'_, f64, Ix2>, SparseTeacher<'_, f64, i64>, Sides<f64>)>();
    shared_between_threads::<Measure<'_, f64>>();
    shared_between_threads::<(TransportProblem<'_, f64>, Plan<f64>, EmdSolution<f64>, TransportGradient<f64>)>();
    shared_between_threads::<(EmdBounds, EmdInterval<f64>)>();
    shared_between_threads::<(Sinkhorn, SinkhornSolution<'_, f64>)>();
    shared_between_threads::<(SinkhornDivergence, SinkhornDivergenceSolution<'_, f64>, CostGradient<f64>)>();
    shared_between_threads::<(CosineCost<f64>, Emo, EmoCost, EmoMode, EmoTerms<f64>)>();
    shared_between_threads::<(SequenceMatch, Occupancy, Trajectory<'_, f64, i64>, Backspaced<i64>)>();
    shared_between_threads::<(TaiLr, MixCe, WeightedNll<f64, Ix1>)>();
    shared_between_threads::<(ImleLoss<f64>, Amd, Mixtures<'_, f64>, SampleGaussians<f64>)>();
    shared_between_threads::<(SampleMetrics, SampleScores<f64>, BestOfN<f64>, AmdNormalizer)>();
    shared_between_threads::<(Measure<'_, f64, Ix2>, MeasureGradient<f64>, SlicedWasserstein, MaxSlice<f64>)>();
    shared_between_threads::<(Samples<f64>, Ddo)>();
    shared_between_threads::<(Gaussian, SharedGaussian, Bernoulli, WeightedBernoulli, Poisson, QuasiPoisson)>();
    shared_between_threads::<(GaussianArguments<f64>, SharedGaussianArguments<f64, f64>, BernoulliArguments<f64>)>();
    shared_between_threads::<(WeightedBernoulliArguments<f64>, PoissonArguments<f64>)>();
    shared_between_threads::<(Triplet, TripletSwap, TripletShape, Triplets<f64>, Distance, PairScore)>();
    shared_between_threads::<(BatchAllTriplet, BatchHardTriplet, SemiHardTriplet, LiftedStructure, MultiSimilarity)>();
    shared_between_threads::<(Circle, CircleWeights, ArcFace, CosFace, SphereFace, ProxyAnchor)>();
    shared_between_threads::<(Contrastive, OnlineContrastive, CosineEmbedding, Cosent, Angle)>();
    shared_between_threads::<(Matryoshka, VicReg, VicRegTerms<f64>, GlobalOrthogonal)>();
    shared_between_threads::<(TopK, TopKStats<f64>, TopKNormalization)>();
    shared_between_threads::<(TokenStats, TokenColumns<f64, Ix2>, TokenMeans)>();
};

#[test]
fn errors_travel_through_boxes() {
    let boxed: Box<dyn std::error::Error + Send + Sync> = Error::NothingToAverage { argument: "batch" }.into();
    assert_eq!(boxed.to_string(), "`batch` holds nothing to average over");
}

/// Hyper-parameters in files: what is misspelt is refused, and ranges are checked at the call.
mod files {
    use loglik::logits::LinearPlan;
    use loglik::preference::Nll;
    use loglik::prelude::*;
    use loglik::transport::SlicedWasserstein;

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(serde_json::from_str::<Dpo>(r#"{ "beta": 0.1, "label_smooting": 0.1 }"#).is_err());
        assert!(serde_json::from_str::<CrossEntropy>(r#"{ "ignored_index": 3 }"#).is_err());
        assert!(serde_json::from_str::<LinearCrossEntropy>(r#"{ "plan": "chunk" }"#).is_err());
        assert!(serde_json::from_str::<TokenStats>(r#"{ "topk": 3 }"#).is_err());
        assert!(serde_json::from_str::<SlicedWasserstein>(r#"{ "power": 2.0 }"#).is_err());
        assert!(serde_json::from_str::<Ipo>(r#"{ "beta": 0.1 }"#).is_err()); // the length rule is no default
        assert!(serde_json::from_str::<PairConfig>(r#"{ "loss_type": "sigmoidal", "beta": 0.1 }"#).is_err());
    }

    #[test]
    fn a_plan_is_read_by_its_name_or_its_bytes() {
        let read = |text| serde_json::from_str::<LinearCrossEntropy>(text).unwrap().plan;
        assert_eq!(read("{}"), LinearPlan::Budget(64 << 20));
        assert_eq!(read(r#"{ "plan": "recompute" }"#), LinearPlan::Recompute);
        assert_eq!(read(r#"{ "plan": { "budget": 1000 } }"#), LinearPlan::Budget(1000));
    }

    #[test]
    fn a_config_comes_back_as_it_went() {
        let sum = WeightedSum {
            terms: vec![
                Term { weight: 1.0, objective: PairConfig::Sigmoid(Dpo { beta: 0.3, label_smoothing: 0.1 }) },
                Term { weight: 0.5, objective: PairConfig::Ipo(Ipo { beta: 0.2, length: Length::Mean }) },
                Term { weight: 0.1, objective: PairConfig::Nll(Nll { length: Length::Sum }) },
            ],
        };
        let config = PairConfig::WeightedSum(sum);
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<PairConfig>(&text).unwrap(), config, "{text}");
    }
}
