//! Factors that count as constants, and expected costs between distributions.

use loglik::Reduction::{Mean, Sum};
use loglik::logits::{CrossEntropy, MixCe, TaiLr, TokenObjective, log_softmax, token_log_probs};
use loglik::transport::{
    CosineCost, Cost, Emo, EmoCost, EmoMode, TransportProblem, demd, demd_soft, demd_soft_grad, emd,
};
use ndarray::{Array1, Array2, Axis, array};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Weights that sum to one.
fn weights(n: usize) -> impl Strategy<Value = Array1<f64>> {
    numbers(n, 0.001, 1.0).prop_map(|weights| &weights / weights.sum())
}

fn targets() -> Array1<i64> {
    array![0, 3, 5]
}

fn tailr(gamma: f64) -> TaiLr {
    TaiLr { gamma, min_weight: 0.0, ignore_index: None }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_expected_cost_is_that_of_a_plan_and_never_below_the_best(
        x in matrix(1, 6, -4.0, 4.0), p in weights(6), e in matrix(6, 4, -1.0, 1.0),
    ) {
        let cosine = CosineCost::new(&e).unwrap();
        let costs = Array2::from_shape_fn((6, 6), |(i, j)| cosine.between(i, j).unwrap());
        let q = log_softmax(&x).unwrap().row(0).mapv(f64::exp);
        let soft = demd_soft(&x, &p.clone().insert_axis(Axis(0)), &cosine).unwrap()[0];
        assert_near(soft, q.dot(&costs).dot(&p), 1e-14);
        let best = emd(TransportProblem::new(q.view(), p.view(), Cost::matrix(costs.view()))).unwrap();
        prop_assert!(soft >= best - 1e-14, "{soft} and {best}");
    }

    #[test]
    fn the_expected_cost_is_linear_in_the_target(
        x in matrix(3, 6, -4.0, 4.0), p in matrix(3, 6, 0.0, 1.0), r in matrix(3, 6, 0.0, 1.0), e in matrix(6, 4, -1.0, 1.0),
        s in 0.0..3.0_f64,
    ) {
        let cost = CosineCost::new(&e).unwrap();
        let of = |p: &Array2<f64>| demd_soft_grad(&x, p, &cost).unwrap();
        let ((a, u), (b, v), (c, w)) = (of(&p), of(&r), of(&(&p + &(&r * s))));
        assert_all_near(&c, &(&a + &(&b * s)), 1e-13);
        assert_all_near(&w, &(&u + &(&v * s)), 1e-13);
        prop_assert!(w.sum_axis(Axis(1)).iter().all(|sum| sum.abs() < 1e-13));
        // And so the mean over classes drawn from it.
        let classes = (0..6_i64).map(|j| demd(&x, &array![j, j, j], &cost).unwrap() * p.column(j as usize));
        assert_all_near(&a, &classes.fold(Array1::zeros(3), |sum, part| sum + part), 1e-13);
    }

    #[test]
    fn without_its_forward_part_mixce_is_dynamic_fine_tuning(x in matrix(3, 6, -20.0, 20.0)) {
        // -sg(p) ln p of the target, as its authors write it.
        let (targets, log_probs) = (targets(), log_softmax(&x).unwrap());
        let dft = MixCe { eta: 0.0, ignore_index: None };
        let (value, gradient) = dft.grad(&x, &targets, Sum).unwrap();
        let p: Array1<f64> = targets.iter().enumerate().map(|(i, &y)| log_probs[[i, y as usize]].exp()).collect();
        assert_near(value, -p.iter().map(|p| p * p.ln()).sum::<f64>(), 1e-12);
        let slope = Array2::from_shape_fn((3, 6), |(i, v)| {
            p[i] * (log_probs[[i, v]].exp() - f64::from(u8::from(targets[i] == v as i64)))
        });
        assert_all_near(&gradient, &slope, 1e-14);
    }

    #[test]
    fn a_detached_factor_scales_the_gradient_of_the_likelihood(
        x in matrix(3, 6, -20.0, 20.0), gamma in 0.0..1.0_f64, eta in 0.0..1.0_f64,
    ) {
        let y = targets();
        let nll = CrossEntropy::default().each(&x, &y).unwrap();
        let (_, slope) = CrossEntropy::default().grad(&x, &y, Sum).unwrap();
        let mixed = MixCe { eta, ignore_index: None };
        let terms = [tailr(gamma).terms(&x, &y).unwrap(), mixed.terms(&x, &y).unwrap()];
        let grads = [tailr(gamma).grad(&x, &y, Sum).unwrap().1, mixed.grad(&x, &y, Sum).unwrap().1];
        for (terms, grad) in terms.into_iter().zip(grads) {
            assert_all_near(&terms.nll, &nll, 1e-14);
            assert_all_near(&terms.loss, &(&nll * &terms.weight), 1e-14);
            prop_assert!(terms.weight.iter().all(|w| (0.0..=1.0).contains(w)));
            assert_all_near(&grad, &(&slope * &terms.weight.insert_axis(Axis(1))), 1e-14);
        }
    }

    #[test]
    fn more_gamma_and_less_eta_hold_unlikely_targets_back(x in matrix(3, 6, -9.0, 9.0), a in 0.0..1.0_f64, b in 0.0..1.0_f64) {
        let (y, low, high) = (targets(), a.min(b), a.max(b));
        let (more, less) = (tailr(low).each(&x, &y).unwrap(), tailr(high).each(&x, &y).unwrap());
        prop_assert!(more.iter().zip(&less).all(|(more, less)| more >= less));
        let mix = |eta| MixCe { eta, ignore_index: None }.each(&x, &y).unwrap();
        assert_all_near(&mix(a), &(mix(1.0) * a + mix(0.0) * (1.0 - a)), 1e-14);
        // The factor of TaiLr never leaves what lies between the probability and 1.
        let q = token_log_probs(&x, &y).unwrap().mapv(f64::exp);
        let weight = tailr(a).terms(&x, &y).unwrap().weight;
        prop_assert!(weight.iter().zip(&q).all(|(w, q)| *w >= q * (1.0 - 1e-14)));
    }

    #[test]
    fn a_shifted_cost_leaves_values_where_they_were_and_bounds_the_factor(
        x in matrix(3, 6, -6.0, 6.0), e in matrix(6, 4, -1.0, 1.0),
    ) {
        let (cost, y) = (CosineCost::new(&e).unwrap(), targets());
        let shifted = Emo { cost: EmoCost::Shifted, ..Emo::default() };
        let nll = -token_log_probs(&x, &y).unwrap();
        assert_near(shifted.value(&x, &y, &cost, Mean).unwrap(), nll.mean().unwrap(), 1e-8);
        let q = nll.mapv(|nll| (-nll).exp());
        let terms = shifted.terms(&x, &y, &cost).unwrap();
        assert_all_near(&terms.cost, &(demd(&x, &y, &cost).unwrap() + &q), 1e-14);
        prop_assert!(terms.weight.iter().zip(&nll).zip(&q).all(|((w, nll), q)| *w <= nll / q));
        let scaled = Emo { mode: EmoMode::ScaleMle, ..shifted }.each(&x, &y, &cost).unwrap();
        assert_all_near(&scaled, &(terms.cost * 2.0), 1e-6);
    }
}
