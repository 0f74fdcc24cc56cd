//! What the parts of this room compile once that are no losses of log-ratios: estimates, bounds, distances, decisions.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::bound::{Mine, MineStep};
use super::decision::{NeymanPearson, RocCurve};
use super::density::{Kliep, KliepFit, RatioCalibration, RatioCheck, RuLsif};
use super::two_sample::Mmd;
use super::{Samples, bound, decision, density, two_sample};
use crate::compiled::compiled;
use crate::{Reduction, Result};

type Columns<'a, T> = Samples<ArrayView1<'a, T>>;
type Matrices<'a, T> = Samples<ArrayView2<'a, T>>;
type Reductions<'a, T> = Samples<Reduction<'a, T>>;

compiled! {
    pub trait Estimates for f32 f64 {
        fn gaussian_features(
            centers: ArrayView2<'_, Self>,
            width: f64,
            points: ArrayView2<'_, Self>,
            name: &'static str,
        ) -> Result<Array2<Self>> = density::features_of;
        fn linear_ratio(
            features: ArrayView2<'_, Self>,
            coefficients: ArrayView1<'_, Self>,
        ) -> Result<Array1<Self>> = density::linear_ratio;
        fn rulsif_fit(rulsif: &RuLsif, features: Matrices<'_, Self>) -> Result<Array1<Self>> = density::rulsif_fit;
        fn rulsif_leave_one_out(rulsif: &RuLsif, features: Matrices<'_, Self>) -> Result<Self> = density::rulsif_score;
        fn kliep_fit(kliep: &Kliep, features: Matrices<'_, Self>) -> Result<KliepFit<Self>> = density::kliep_fit;
        fn kliep_cross_validate(kliep: &Kliep, features: Matrices<'_, Self>, folds: usize) -> Result<Self>
            = density::kliep_score;
        fn calibrate(log_ratios: Columns<'_, Self>) -> Result<RatioCalibration> = density::calibrate;
        fn ratio_check(log_ratios: Columns<'_, Self>) -> Result<RatioCheck<Self>> = density::check_ratio;

        fn donsker_varadhan(scores: Columns<'_, Self>, reductions: Reductions<'_, Self>) -> Result<Self>
            = bound::donsker_varadhan_value;
        fn donsker_varadhan_grad(
            scores: Columns<'_, Self>,
            reductions: Reductions<'_, Self>,
        ) -> Result<(Self, Samples<Array1<Self>>)> = bound::donsker_varadhan_gradient;
        fn mine_grad(
            mine: &Mine,
            scores: Columns<'_, Self>,
            reductions: Reductions<'_, Self>,
            log_running_mean: Option<Self>,
        ) -> Result<MineStep<Self>> = Mine::step;

        fn mmd_value(mmd: &Mmd, points: Matrices<'_, Self>) -> Result<Self> = Mmd::compute_value;
        fn mmd_grad(mmd: &Mmd, points: Matrices<'_, Self>) -> Result<(Self, Samples<Array2<Self>>)> = Mmd::compute_grad;
        fn energy_distance(points: Matrices<'_, Self>) -> Result<Self> = two_sample::energy_value;
        fn energy_distance_grad(points: Matrices<'_, Self>) -> Result<(Self, Samples<Array2<Self>>)>
            = two_sample::energy_gradient;
        fn median_distance(points: Matrices<'_, Self>) -> Result<Self> = two_sample::median;

        fn log_likelihood_ratio(log_p: ArrayView1<'_, Self>, log_q: ArrayView1<'_, Self>) -> Result<Self>
            = decision::statistic;
        fn neyman_pearson(null: ArrayView1<'_, Self>, rate: f64) -> Result<NeymanPearson> = decision::threshold;
        fn roc_curve(scores: Columns<'_, Self>, reductions: Reductions<'_, Self>) -> Result<RocCurve<Self>>
            = decision::curve;
        fn auc(scores: Columns<'_, Self>, reductions: Reductions<'_, Self>) -> Result<Self> = decision::area;
    }
}
