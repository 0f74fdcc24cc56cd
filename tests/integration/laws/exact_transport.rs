//! Exact transport between discrete measures, and the bounds around it.

use loglik::logits::log_softmax;
use loglik::transport::{
    CosineCost, Cost, EmdBounds, GroundCost, Measure, TransportProblem, axis_bound, c_transform, centroid_bound, demd,
    dual_bound, emd, emd_plan, plan_cost, product_coupling_cost, projection_bound, round_plan, total_variation_bound,
    wasserstein_1d,
};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const GROUNDS: [GroundCost; 3] = [GroundCost::SquaredEuclidean, GroundCost::Euclidean, GroundCost::Manhattan];

/// Weights that sum to one.
fn weights(n: usize) -> impl Strategy<Value = Array1<f64>> {
    numbers(n, 0.01, 1.0).prop_map(|weights| &weights / weights.sum())
}

/// Weights that sum to one, of which many are equal and some are zero.
fn coarse(n: usize) -> impl Strategy<Value = Array1<f64>> {
    numbers(n, 0.0, 3.0).prop_map(|weights| {
        let mut weights = weights.mapv(f64::floor);
        weights[0] += 1.0;
        &weights / weights.sum()
    })
}

fn by_matrix<'a>(a: &'a Array1<f64>, b: &'a Array1<f64>, cost: &'a Array2<f64>) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))
}

fn by_points<'a>(
    (a, x): (&'a Array1<f64>, &'a Array2<f64>),
    (b, y): (&'a Array1<f64>, &'a Array2<f64>),
    ground: GroundCost,
) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn on_the_line_it_is_the_distance_of_quantiles(
        x in numbers(9, -3.0, 3.0), v in weights(9), y in numbers(7, -3.0, 3.0), w in weights(7), p in 1.0..4.0_f64,
    ) {
        let cost = Array2::from_shape_fn((9, 7), |(i, j)| (x[i] - y[j]).abs().powf(p));
        let (here, there) = (Measure::weighted(x.view(), v.view()), Measure::weighted(y.view(), w.view()));
        assert_near(emd(by_matrix(&v, &w, &cost)).unwrap(), wasserstein_1d(here, there, p).unwrap(), 1e-13);
    }

    #[test]
    fn it_is_a_metric_where_the_ground_is(
        x in matrix(6, 2, -1.0, 1.0), y in matrix(5, 2, -1.0, 1.0), z in matrix(7, 2, -1.0, 1.0),
        a in coarse(6), b in coarse(5), c in coarse(7),
    ) {
        for ground in [GroundCost::Euclidean, GroundCost::Manhattan] {
            let distance = |from, to| emd(by_points(from, to, ground)).unwrap();
            let (x, y, z) = ((&a, &x), (&b, &y), (&c, &z));
            prop_assert_eq!(distance(x, x), 0.0);
            prop_assert!(distance(x, y) > 0.0);
            assert_near(distance(y, x), distance(x, y), 1e-14);
            prop_assert!(distance(x, z) <= distance(x, y) + distance(y, z) + 1e-14);
        }
    }

    #[test]
    fn against_one_hot_targets_it_is_demd(logits in matrix(1, 8, -4.0, 4.0), e in matrix(8, 3, -1.0, 1.0), y in 0_usize..8) {
        let cosine = CosineCost::new(&e).unwrap();
        let expected = demd(&logits, &array![y as i64], &cosine).unwrap()[0];
        let cost = Array2::from_shape_fn((8, 8), |(i, j)| cosine.between(i, j).unwrap());
        let mut target = Array1::zeros(8);
        target[y] = 1.0;
        let probs = log_softmax(&logits).unwrap().mapv(f64::exp).remove_axis(Axis(0));
        assert_near(emd(by_matrix(&probs, &target, &cost)).unwrap(), expected, 1e-14);
        assert_near(product_coupling_cost(by_matrix(&probs, &target, &cost)).unwrap(), expected, 1e-14);
    }

    #[test]
    fn a_plan_meets_both_sides_and_flows_where_potentials_touch(
        cost in matrix(11, 8, -1.0, 1.0), a in coarse(11), b in coarse(8), whole in any::<bool>(),
    ) {
        // Half of the problems have ties everywhere.
        let cost = if whole { cost.mapv(|c| (2.0 * c).round()) } else { cost };
        let solution = emd_plan(by_matrix(&a, &b, &cost)).unwrap();
        let (rows, columns) = solution.plan.marginals();
        assert_all_near(&rows, &a, 1e-15);
        assert_all_near(&columns, &b, 1e-15);
        for ((i, j), c) in cost.indexed_iter() {
            prop_assert!(solution.u[i] + solution.v[j] <= c + 1e-14);
        }
        for flow in solution.plan.flows() {
            prop_assert!(flow.mass > 0.0);
            assert_near(solution.u[flow.from] + solution.v[flow.to], cost[[flow.from, flow.to]], 1e-13);
        }
        assert_near(a.dot(&solution.u) + b.dot(&solution.v), solution.cost, 1e-13);
        prop_assert!(solution.gap.abs() < 1e-13);
    }

    #[test]
    fn every_bound_is_on_its_side(
        x in matrix(7, 3, -1.0, 1.0), y in matrix(9, 3, 0.0, 2.0), a in coarse(7), b in coarse(9),
        directions in matrix(4, 3, -1.0, 1.0), u in numbers(7, -1.0, 1.0), v in numbers(9, -1.0, 1.0),
        guess in matrix(7, 9, 0.0, 0.1),
    ) {
        for ground in GROUNDS {
            let problem = by_points((&a, &x), (&b, &y), ground);
            let exact = emd(problem).unwrap();
            let rounded = round_plan(problem, &guess).unwrap();
            for above in [product_coupling_cost(problem), plan_cost(problem, &rounded)] {
                prop_assert!(exact <= above.unwrap() + 1e-14);
            }
            let transform = c_transform(problem.cost, &u).unwrap();
            let below = [
                centroid_bound(problem), axis_bound(problem), projection_bound(problem, &directions),
                dual_bound(problem, &u, &v), dual_bound(problem, &u, &transform),
            ];
            for below in below {
                prop_assert!(below.unwrap() <= exact + 1e-14);
            }
            for (gap, budget) in [(0.0, 1), (0.0, 9), (0.3, 2000), (1e-3, 2000), (0.0, 2000)] {
                let interval = EmdBounds { gap, budget }.solve(problem).unwrap();
                prop_assert!(interval.lower <= exact && exact <= interval.upper, "{interval:?} without {exact}");
                prop_assert!(budget < 2000 || interval.upper - interval.lower <= (gap + 1e-11) * interval.upper.max(1e-3));
            }
        }
    }

    #[test]
    fn over_the_same_places_what_cannot_stay_pays(x in matrix(8, 2, -1.0, 1.0), a in coarse(8), b in coarse(8)) {
        for ground in GROUNDS {
            let problem = by_points((&a, &x), (&b, &x), ground);
            let (bound, exact) = (total_variation_bound(problem).unwrap(), emd(problem).unwrap());
            prop_assert!(bound <= exact + 1e-14);
            let costs = problem.cost.to_matrix().unwrap();
            let least = costs.indexed_iter().filter(|((i, j), _)| i != j).fold(f64::INFINITY, |least, (_, &c)| least.min(c));
            prop_assert!(bound + 1e-14 >= least * (&a - &b).mapv(f64::abs).sum() / 2.0);
        }
    }

    #[test]
    fn the_product_is_the_only_plan_to_one_place(cost in matrix(6, 1, -1.0, 1.0), a in weights(6)) {
        let one = array![a.sum()];
        let exact = emd(by_matrix(&a, &one, &cost)).unwrap();
        assert_near(exact, a.dot(&cost.column(0)), 1e-15);
        assert_near(product_coupling_cost(by_matrix(&a, &one, &cost)).unwrap(), exact, 1e-15);
    }
}
