//! Entropic transport and the Sinkhorn divergence.

use loglik::transport::{Cost, GroundCost, Sinkhorn, SinkhornDivergence, TransportProblem, emd, product_coupling_cost};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Weights that sum to one.
fn weights(n: usize) -> impl Strategy<Value = Array1<f64>> {
    numbers(n, 0.01, 1.0).prop_map(|weights| &weights / weights.sum())
}

fn sharp(regularization: f64) -> Sinkhorn {
    Sinkhorn { regularization, tolerance: 1e-12, ..Sinkhorn::default() }
}

fn problem<'a>(a: &'a Array1<f64>, b: &'a Array1<f64>, cost: &'a Array2<f64>) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::matrix(cost.view()))
}

fn between<'a>(
    (a, x): (&'a Array1<f64>, &'a Array2<f64>),
    (b, y): (&'a Array1<f64>, &'a Array2<f64>),
    ground: GroundCost,
) -> TransportProblem<'a, f64> {
    TransportProblem::new(a.view(), b.view(), Cost::points(x.view(), y.view(), ground))
}

fn ground() -> impl Strategy<Value = GroundCost> {
    prop_oneof![Just(GroundCost::SquaredEuclidean), Just(GroundCost::Euclidean), Just(GroundCost::Manhattan)]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn it_lies_between_the_exact_cost_and_the_product_and_grows_with_the_regularization(
        a in weights(6), b in weights(8), cost in matrix(6, 8, -1.0, 3.0), epsilon in 0.05..2.0_f64,
    ) {
        let (exact, product) = (emd(problem(&a, &b, &cost)).unwrap(), product_coupling_cost(problem(&a, &b, &cost)).unwrap());
        let solution = sharp(epsilon).solve(problem(&a, &b, &cost)).unwrap();
        prop_assert!(solution.converged);
        prop_assert!(solution.value >= exact - 1e-12 && solution.value <= product + 1e-12);
        prop_assert!(solution.transport_cost >= exact - 1e-12 && solution.transport_cost <= solution.value + 1e-12);
        let more = sharp(1.5 * epsilon).solve(problem(&a, &b, &cost)).unwrap();
        prop_assert!(more.value >= solution.value - 1e-12 && more.transport_cost >= solution.transport_cost - 1e-11);
    }

    #[test]
    fn plans_have_their_marginals_and_the_form_of_the_potentials(
        a in weights(5), b in weights(7), cost in matrix(5, 7, 0.0, 2.0), epsilon in 0.05..2.0_f64,
    ) {
        let solution = sharp(epsilon).solve(problem(&a, &b, &cost)).unwrap();
        let plan = solution.plan();
        assert_all_near(&plan.sum_axis(Axis(1)), &a, 1e-12);
        assert_all_near(&plan.sum_axis(Axis(0)), &b, 1e-12);
        for ((i, j), mass) in plan.indexed_iter() {
            let exponent = (solution.f[i] + solution.g[j] - cost[[i, j]]) / epsilon;
            prop_assert!((mass.ln() - (a[i] * b[j]).ln() - exponent).abs() < 1e-10);
        }
    }

    #[test]
    fn the_way_back_costs_the_same_and_mass_and_unit_only_scale(
        a in weights(5), b in weights(7), cost in matrix(5, 7, 0.0, 2.0), scale in 0.1..9.0_f64, shift in -5.0..5.0_f64,
    ) {
        let value = sharp(0.3).value(problem(&a, &b, &cost)).unwrap();
        assert_near(sharp(0.3).value(problem(&a, &b, &cost).transposed()).unwrap(), value, 1e-12);
        let (heavy, other) = (&a * scale, &b * scale);
        assert_near(sharp(0.3).value(problem(&heavy, &other, &cost)).unwrap(), scale * value, 1e-12);
        assert_near(sharp(0.3 * scale).value(problem(&a, &b, &(&cost * scale))).unwrap(), scale * value, 1e-12);
        assert_near(sharp(0.3).value(problem(&a, &b, &(&cost + shift))).unwrap(), value + shift, 1e-12);
    }

    #[test]
    fn mass_that_may_be_left_out_costs_no_more(
        a in weights(5), b in weights(7), cost in matrix(5, 7, 0.0, 2.0), penalty in 0.1..5.0_f64,
    ) {
        let free = |penalty| Sinkhorn { marginal_penalty: Some(penalty), ..sharp(0.2) };
        let value = free(penalty).value(problem(&a, &b, &cost)).unwrap();
        prop_assert!(value <= sharp(0.2).value(problem(&a, &b, &cost)).unwrap() + 1e-12);
        prop_assert!(value <= free(2.0 * penalty).value(problem(&a, &b, &cost)).unwrap() + 1e-12);
        prop_assert!(value <= 2.0 * penalty + 0.2 + 1e-12); // nothing moves: both penalties, and the entropy's a ⊗ b
        assert_near(free(penalty).value(problem(&a, &b, &cost).transposed()).unwrap(), value, 1e-11);
    }

    #[test]
    fn a_divergence_is_positive_symmetric_and_zero_at_home(
        a in weights(5), b in weights(7), x in matrix(5, 2, -1.0, 1.0), y in matrix(7, 2, -1.0, 1.0), ground in ground(),
        epsilon in 0.05..2.0_f64, penalty in 0.1..5.0_f64,
    ) {
        for marginal_penalty in [None, Some(penalty)] {
            let divergence = SinkhornDivergence { sinkhorn: Sinkhorn { marginal_penalty, ..sharp(epsilon) } };
            let value = divergence.value(between((&a, &x), (&b, &y), ground)).unwrap();
            prop_assert!(value > 0.0);
            assert_near(divergence.value(between((&b, &y), (&a, &x), ground)).unwrap(), value, 1e-11);
            prop_assert!(divergence.value(between((&a, &x), (&a, &x), ground)).unwrap().abs() < 1e-12);
        }
    }
}
