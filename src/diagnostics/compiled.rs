//! What this room compiles once.

use ndarray::{Array1, ArrayD, ArrayRef3, ArrayRef4, ArrayView1, ArrayView2, ArrayViewD, IxDyn};

use super::samples::{amv, best_of_n, kde};
use super::{
    Amd, BestOfN, Displacement, Mixtures, SampleGaussians, SampleMetrics, SampleScores, TokenColumns, TokenMeans, TopK,
    TopKStats, displacement, gradient_ratio, token_stats, top_k,
};
use crate::Result;
use crate::compiled::compiled;
use crate::preference::PairsView;
use crate::rowwise::RowReader;

compiled! {
    pub trait Compiled for f32 f64 {
        fn token_columns(
            rows: &dyn RowReader<Self>,
            leading: &[usize],
            target: &(dyn Fn(usize) -> Option<usize> + Sync),
            top_k: Option<usize>,
        ) -> Result<TokenColumns<Self, IxDyn>> = token_stats::token_columns;
        fn token_means(
            columns: [ArrayViewD<'_, Self>; 4],
            mass: Option<ArrayViewD<'_, Self>>,
            correct: ArrayViewD<'_, bool>,
            kept: ArrayViewD<'_, bool>,
        ) -> Result<TokenMeans> = token_stats::token_means;
        fn top_k(
            stats: &TopK,
            rows: &dyn RowReader<Self>,
            leading: &[usize],
        ) -> Result<TopKStats<ArrayD<Self>>> = TopK::of_rows;
        fn top_k_mean(argument: &'static str, values: ArrayViewD<'_, Self>) -> Result<Self> = top_k::mean;
        fn displacement(
            before: ArrayView1<'_, Self>,
            after: ArrayView1<'_, Self>,
        ) -> Result<Displacement> = displacement::between;
        fn log_gradient_ratio(
            policy: PairsView<'_, Self>,
            gradient: PairsView<'_, Self>,
        ) -> Result<Array1<Self>> = gradient_ratio::of_pairs;
        fn amd(amd: &Amd, mixtures: Mixtures<'_, Self>, truth: ArrayView2<'_, Self>) -> Result<Self> = Amd::mean;
        fn amd_each(
            amd: &Amd,
            mixtures: Mixtures<'_, Self>,
            truth: ArrayView2<'_, Self>,
        ) -> Result<Array1<Self>> = Amd::by_place;
        fn amv(mixtures: Mixtures<'_, Self>) -> Result<Self> = amv::mean_variance;
        fn amv_each(mixtures: Mixtures<'_, Self>) -> Result<Array1<Self>> = amv::variance_by_place;
        fn best_of_n(
            samples: &ArrayRef4<Self>,
            truth: &ArrayRef3<Self>,
        ) -> Result<BestOfN<Array1<Self>>> = best_of_n::by_agent;
        fn mean_of_agents(values: &Array1<Self>) -> Self = best_of_n::mean;
        fn kde_nll(samples: &ArrayRef4<Self>, truth: &ArrayRef3<Self>, floor: f64) -> Result<Self> = kde::nll;
        fn sample_gaussians(
            samples: &ArrayRef4<Self>,
            jitter: f64,
        ) -> Result<SampleGaussians<Self>> = SampleGaussians::of_places;
        fn sample_metrics(
            metrics: &SampleMetrics,
            samples: &ArrayRef4<Self>,
            truth: &ArrayRef3<Self>,
        ) -> Result<SampleScores<Self>> = SampleMetrics::scores;
    }
}
