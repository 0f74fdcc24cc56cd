//! Plans and values of peers and of exact arithmetic; primal and dual.

use ndarray::{Array1, Array2, Axis};

use super::{GROUNDS, Small, cloud, sharp};
use crate::testing::{all_close, close};
use crate::transport::sinkhorn::{Sinkhorn, SinkhornDivergence};
use crate::transport::{Cost, GroundCost, TransportProblem};

/// `POT.sinkhorn(method="sinkhorn_log")` and values from 30 digits.
#[test]
fn balanced_problems_have_the_peers_plan_and_the_exact_value() {
    let small = Small::new();
    let solution = sharp(0.5).solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let plan = [
        0.028_767_769_536_165_354,
        1.854_553_536_278_111e-5,
        0.071_213_684_928_471_88,
        0.230_619_394_829_255_7,
        0.163_038_580_494_093_84,
        0.006_342_024_676_650_544_5,
        0.234_193_815_342_58,
        0.036_942_667_946_224_78,
        0.028_863_516_711_195_18,
        0.006_419_020_291_999_142,
        2.060_243_187_982_616_5e-7,
        0.193_580_773_683_682_12,
    ];
    all_close(solution.plan(), plan, 1e-11);
    close(solution.transport_cost, 1.480_861_803_939_668_6, 1e-13);
    let values = [1.700_127_630_502_904_3, 1.274_940_020_059_750_6, 1.571_213_094_947_939_4];
    for (ground, value) in GROUNDS.into_iter().zip(values) {
        close(sharp(0.5).value(small.points(ground)).unwrap(), value, 1e-14);
    }
}

/// `POT.sinkhorn_unbalanced(reg_type="kl")` and a value from 30 digits.
#[test]
fn unbalanced_problems_have_the_peers_plan_and_the_exact_value() {
    let small = Small::unequal();
    let sinkhorn = Sinkhorn { marginal_penalty: Some(2.5), ..sharp(0.3) };
    let solution = sinkhorn.solve(small.points(GroundCost::SquaredEuclidean)).unwrap();
    let plan = [
        0.020_887_919_224_134_04,
        7.045_776_908_857_078e-8,
        0.106_833_767_825_417_9,
        0.341_530_671_932_576_36,
        0.134_348_362_278_061_43,
        0.000_966_127_545_021_051_4,
        0.155_936_392_309_103_67,
        0.005_035_167_723_893_107,
        0.005_373_885_871_943_482,
        0.000_443_384_153_567_031_9,
        1.007_723_686_069_852_6e-11,
        0.146_269_532_999_755_18,
    ];
    assert!(solution.converged);
    all_close(solution.plan(), plan, 1e-10);
    close(solution.value, 2.306_586_003_644_007, 1e-14);
    let equal = Sinkhorn { marginal_penalty: Some(1.0), ..sharp(0.5) };
    close(equal.value(Small::new().points(GroundCost::SquaredEuclidean)).unwrap(), 1.034_267_267_097_307_4, 1e-14);
}

#[test]
fn divergences_have_the_values_of_exact_arithmetic() {
    let (small, divergence) = (Small::new(), SinkhornDivergence { sinkhorn: sharp(0.5) });
    let values = [1.157_335_082_168_765_9, 0.755_662_888_372_582_5, 1.024_058_418_915_764_4];
    for (ground, value) in GROUNDS.into_iter().zip(values) {
        close(divergence.value(small.points(ground)).unwrap(), value, 1e-13);
    }
    let divergence = SinkhornDivergence { sinkhorn: Sinkhorn { marginal_penalty: Some(2.5), ..sharp(0.3) } };
    let unequal = Small::unequal();
    close(divergence.value(unequal.points(GroundCost::SquaredEuclidean)).unwrap(), 1.984_576_835_341_404_8, 1e-13);
}

/// `⟨P, C⟩ + ρ KL + ρ KL + ε KL` of the plan.
fn primal(plan: &Array2<f64>, cost: &Array2<f64>, a: &Array1<f64>, b: &Array1<f64>, sinkhorn: Sinkhorn) -> f64 {
    let kl = |p: f64, q: f64| if p == 0.0 { q } else { p * (p / q).ln() - p + q };
    let total = if sinkhorn.marginal_penalty.is_some() { 1.0 } else { a.sum() };
    let entropy: f64 = plan.indexed_iter().map(|((i, j), &p)| kl(p, a[i] * b[j] / total)).sum();
    let side = |sums: Array1<f64>, mass: &Array1<f64>| sums.iter().zip(mass).map(|(&p, &q)| kl(p, q)).sum::<f64>();
    let penalty = side(plan.sum_axis(Axis(1)), a) + side(plan.sum_axis(Axis(0)), b);
    (plan * cost).sum() + sinkhorn.regularization * entropy + sinkhorn.marginal_penalty.unwrap_or(0.0) * penalty
}

#[test]
fn the_dual_value_is_that_of_the_plan() {
    let ((a, x), (b, y)) = (cloud(30, 3, 1), cloud(40, 3, 2));
    for (ground, penalty) in GROUNDS.into_iter().flat_map(|ground| [None, Some(0.3), Some(50.0)].map(|p| (ground, p))) {
        let cost = Cost::points(x.view(), y.view(), ground);
        let mass = if penalty.is_some() { 0.6 } else { 3.0 };
        let (a, b) = (&a * 3.0, &b * mass);
        let sinkhorn = Sinkhorn { marginal_penalty: penalty, ..sharp(0.05) };
        let solution = sinkhorn.solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
        let (plan, costs) = (solution.plan(), cost.to_matrix().unwrap());
        close(solution.value, primal(&plan, &costs, &a, &b, sinkhorn), 1e-12);
        close(solution.transport_cost, (&plan * &costs).sum(), 1e-13);
        if penalty.is_none() {
            close(solution.value, solution.f.dot(&a) + solution.g.dot(&b), 1e-13);
            all_close(plan.sum_axis(Axis(1)), a, 1e-13);
            assert!((plan.sum_axis(Axis(0)) - b).mapv(f64::abs).sum() < 1e-13);
        }
    }
}

#[test]
fn an_unfinished_plan_is_told_and_its_value_is_no_larger() {
    let ((a, x), (b, y)) = (cloud(30, 2, 3), cloud(20, 2, 4));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let problem = TransportProblem::new(a.view(), b.view(), cost);
    let best = sharp(0.003).value(problem).unwrap();
    for max_iterations in [1, 2, 5, 12, 40] {
        let solution = Sinkhorn { max_iterations, ..sharp(0.003) }.solve(problem).unwrap();
        assert!(solution.iterations <= max_iterations && !solution.converged);
        assert!(solution.value <= best, "{} above {best}", solution.value);
        let plan = solution.plan();
        let error = (plan.sum_axis(Axis(0)) - &b).mapv(f64::abs).sum();
        assert!((error - solution.marginal_error).abs() < 1e-12);
        all_close(plan.sum_axis(Axis(1)), a.clone(), 1e-12);
    }
}

#[test]
fn extrapolation_takes_few_rounds() {
    let ((a, x), (b, y)) = (cloud(100, 2, 5), cloud(100, 2, 6));
    let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
    let solution = sharp(0.01).solve(TransportProblem::new(a.view(), b.view(), cost)).unwrap();
    assert!(solution.converged && solution.iterations < 150, "{}", solution.iterations); // plain: more than a thousand
}
