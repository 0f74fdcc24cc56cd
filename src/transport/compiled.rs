//! What this room compiles once.

use ndarray::{Array1, Array2, ArrayRef1, ArrayRef2, Ix2};

use super::any_cost::AnyCost;
use super::embedding::{cosine_cost, demd, demd_soft, emo, logits};
use super::line::{circle, distance, sliced, slopes, wasserstein_1d};
use super::sinkhorn::{divergence, solution, solve};
use super::{
    CosineCost, Cost, EmdBounds, EmdInterval, EmdSolution, Emo, EmoTerms, MaxSlice, Measure, MeasureGradient, Plan,
    Sinkhorn, SinkhornDivergence, SinkhornDivergenceSolution, SinkhornSolution, SlicedWasserstein, TransportGradient,
    TransportProblem, certificates, cost, emd, emd_bounds, mass, plan,
};
use crate::compiled::compiled;
use crate::target::Indices;
use crate::{Element, Reduction, Result, SumCount};

type Logits<'a, T> = logits::Logits<'a, T>;
type MeasureGradients<T> = (T, MeasureGradient<T>, MeasureGradient<T>);
type Cloud<'a, T> = Measure<'a, T, Ix2>;
type CloudGradients<T> = (T, Array2<T>, Array2<T>);

compiled! {
    pub trait Compiled for f32 f64 {
        fn any_cost(cost: Cost<'_, Self>) -> AnyCost<'_> = From::from;
        fn normalized(weights: &ArrayRef1<Self>) -> Result<Array1<Self>> = mass::shares;
        fn cost_matrix(cost: Cost<'_, Self>) -> Result<Array2<Self>> = cost::matrix;
        fn plan_dense(plan: &Plan<Self>) -> Array2<Self> = plan::dense;
        fn plan_marginals(plan: &Plan<Self>) -> (Array1<Self>, Array1<Self>) = plan::marginals;

        fn emd(problem: TransportProblem<'_, Self>) -> Result<Self> = emd::least_cost;
        fn emd_plan(problem: TransportProblem<'_, Self>) -> Result<EmdSolution<Self>> = emd::solution;
        fn emd_grad(problem: TransportProblem<'_, Self>) -> Result<(Self, TransportGradient<Self>)> = emd::value_and_gradient;
        fn emd_bounds(
            bounds: EmdBounds,
            problem: TransportProblem<'_, Self>,
        ) -> Result<EmdInterval<Self>> = emd_bounds::search::solve;

        fn c_transform(cost: Cost<'_, Self>, potential: &ArrayRef1<Self>) -> Result<Array1<Self>>
            = certificates::c_transform::transform;
        fn product_coupling_cost(problem: TransportProblem<'_, Self>) -> Result<Self>
            = certificates::couplings::of_product;
        fn plan_cost(problem: TransportProblem<'_, Self>, plan: &ArrayRef2<Self>) -> Result<Self>
            = certificates::couplings::of_plan;
        fn round_plan(problem: TransportProblem<'_, Self>, plan: &ArrayRef2<Self>) -> Result<Array2<Self>>
            = certificates::rounding::rounded;
        fn dual_bound(
            problem: TransportProblem<'_, Self>,
            u: &ArrayRef1<Self>,
            v: &ArrayRef1<Self>,
        ) -> Result<Self> = certificates::dual::bound;
        fn centroid_bound(problem: TransportProblem<'_, Self>) -> Result<Self>
            = certificates::projection::of_centroids;
        fn projection_bound(problem: TransportProblem<'_, Self>, directions: &ArrayRef2<Self>) -> Result<Self>
            = certificates::projection::along_directions;
        fn axis_bound(problem: TransportProblem<'_, Self>) -> Result<Self> = certificates::projection::along_axes;
        fn total_variation_bound(problem: TransportProblem<'_, Self>) -> Result<Self>
            = certificates::total_variation::bound;

        fn sinkhorn_value(sinkhorn: Sinkhorn, problem: TransportProblem<'_, Self>) -> Result<Self> = solve::value;
        fn sinkhorn_grad(
            sinkhorn: Sinkhorn,
            problem: TransportProblem<'_, Self>,
        ) -> Result<(Self, TransportGradient<Self>)> = solve::value_and_gradient;
        fn sinkhorn_solve<'a>(
            sinkhorn: Sinkhorn,
            problem: TransportProblem<'a, Self>,
            from: Option<&ArrayRef1<Self>>,
        ) -> Result<SinkhornSolution<'a, Self>> = solve::solve;
        fn sinkhorn_plan(solution: &SinkhornSolution<'_, Self>) -> Array2<Self> = solution::plan;
        fn sinkhorn_gradient(solution: &SinkhornSolution<'_, Self>) -> Result<TransportGradient<Self>>
            = solution::gradient;
        fn divergence_value(divergence: SinkhornDivergence, problem: TransportProblem<'_, Self>) -> Result<Self>
            = divergence::value;
        fn divergence_grad(
            divergence: SinkhornDivergence,
            problem: TransportProblem<'_, Self>,
        ) -> Result<(Self, TransportGradient<Self>)> = divergence::value_and_gradient;
        fn divergence_solve<'a>(
            divergence: SinkhornDivergence,
            problem: TransportProblem<'a, Self>,
        ) -> Result<SinkhornDivergenceSolution<'a, Self>> = divergence::solve;
        fn divergence_gradient(
            solution: &SinkhornDivergenceSolution<'_, Self>,
        ) -> Result<TransportGradient<Self>> = divergence::gradient;

        fn wasserstein_1d(x: Measure<'_, Self>, y: Measure<'_, Self>, p: f64) -> Result<Self> = wasserstein_1d::value;
        fn wasserstein_1d_grad(
            x: Measure<'_, Self>,
            y: Measure<'_, Self>,
            p: f64,
        ) -> Result<MeasureGradients<Self>> = slopes::gradient;
        fn wasserstein_1d_distance(x: Measure<'_, Self>, y: Measure<'_, Self>, p: f64) -> Result<Self>
            = distance::value;
        fn wasserstein_1d_distance_grad(
            x: Measure<'_, Self>,
            y: Measure<'_, Self>,
            p: f64,
        ) -> Result<MeasureGradients<Self>> = distance::gradient;
        fn wasserstein_circle(x: Measure<'_, Self>, y: Measure<'_, Self>, p: f64, period: f64) -> Result<Self>
            = circle::wasserstein_circle::value;
        fn wasserstein_circle_grad(
            x: Measure<'_, Self>,
            y: Measure<'_, Self>,
            p: f64,
            period: f64,
        ) -> Result<MeasureGradients<Self>> = circle::wasserstein_circle::gradient;
        fn wasserstein_circle_distance(
            x: Measure<'_, Self>,
            y: Measure<'_, Self>,
            p: f64,
            period: f64,
        ) -> Result<Self> = circle::distance::value;
        fn wasserstein_circle_distance_grad(
            x: Measure<'_, Self>,
            y: Measure<'_, Self>,
            p: f64,
            period: f64,
        ) -> Result<MeasureGradients<Self>> = circle::distance::gradient;

        fn directions(k: usize, d: usize, random: &mut dyn FnMut() -> f64) -> Result<Array2<Self>>
            = sliced::directions::drawn;
        fn sliced_value(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<Self> = sliced::mean::value;
        fn sliced_each(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<Array1<Self>> = sliced::mean::each;
        fn sliced_grad(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<CloudGradients<Self>> = sliced::mean::gradient;
        fn sliced_grad_into(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
            out_x: &mut ArrayRef2<Self>,
            out_y: &mut ArrayRef2<Self>,
        ) -> Result<Self> = sliced::mean::gradient_into;
        fn sliced_distance(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<Self> = sliced::distance::value;
        fn sliced_distances(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<Array1<Self>> = sliced::distance::each;
        fn sliced_distance_grad(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<CloudGradients<Self>> = sliced::distance::gradient;
        fn sliced_max(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            directions: &ArrayRef2<Self>,
        ) -> Result<(usize, MaxSlice<Self>)> = sliced::max::largest;
        fn sliced_ascend(
            sliced: SlicedWasserstein,
            x: Cloud<'_, Self>,
            y: Cloud<'_, Self>,
            direction: &ArrayRef1<Self>,
            steps: usize,
        ) -> Result<MaxSlice<Self>> = sliced::max::ascend;

        fn cosine_cost(embeddings: Logits<'_, Self>) -> Result<CosineCost<Self>> = cosine_cost::normalized;
        fn cosine_cost_between(cost: &CosineCost<Self>, i: usize, j: usize) -> Option<Self> = cosine_cost::between;
        fn demd(
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
        ) -> Result<Array1<Self>> = demd::values;
        fn demd_grad(
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
        ) -> Result<(Array1<Self>, Array2<Self>)> = demd::gradient;
        fn demd_soft(
            logits: Logits<'_, Self>,
            targets: &ArrayRef2<Self>,
            cost: &CosineCost<Self>,
        ) -> Result<Array1<Self>> = demd_soft::values;
        fn demd_soft_grad(
            logits: Logits<'_, Self>,
            targets: &ArrayRef2<Self>,
            cost: &CosineCost<Self>,
        ) -> Result<(Array1<Self>, Array2<Self>)> = demd_soft::gradient;
        fn emo_value(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
            reduction: Reduction<'_, Self>,
        ) -> Result<Self> = emo::value;
        fn emo_each(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
        ) -> Result<Array1<Self>> = emo::each;
        fn emo_terms(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
        ) -> Result<EmoTerms<Self>> = emo::terms;
        fn emo_grad(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
            reduction: Reduction<'_, Self>,
        ) -> Result<(Self, Array2<Self>)> = emo::gradient;
        fn emo_grad_into(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
            reduction: Reduction<'_, Self>,
            out: &mut ArrayRef2<Self>,
        ) -> Result<Self> = emo::gradient_into;
        fn emo_sum_count(
            emo: Emo,
            logits: Logits<'_, Self>,
            targets: Indices<'_>,
            cost: &CosineCost<Self>,
        ) -> Result<SumCount> = emo::sum_count;
    }
}

compiled! {
    pub trait CompiledElement for stored types {
        fn logits(array: &ArrayRef2<Self>) -> Logits<'_, <Self as Element>::Real> = logits::logits;
    }
}
