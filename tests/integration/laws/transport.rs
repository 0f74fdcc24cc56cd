//! Optimal transport and EMO.

use loglik::Reduction::{Mean, Sum};
use loglik::logits::{log_softmax, token_log_probs};
use loglik::transport::{CosineCost, Emo, EmoMode, Measure, demd, demd_grad, wasserstein_1d};
use ndarray::{Array1, Array2, Axis, array, aview1};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

/// Weights that sum to one.
fn weights(n: usize) -> impl Strategy<Value = Array1<f64>> {
    numbers(n, 0.01, 1.0).prop_map(|weights| &weights / weights.sum())
}

fn measure<'a>(points: &'a Array1<f64>, weights: &'a Array1<f64>) -> Measure<'a, f64> {
    Measure::weighted(points.view(), weights.view())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_distance_is_symmetric_and_zero_at_home(
        x in numbers(5, -3.0, 3.0), v in weights(5), y in numbers(7, -3.0, 3.0), w in weights(7), p in 1.0..4.0_f64,
    ) {
        let (there, back) = (measure(&x, &v), measure(&y, &w));
        let distance = wasserstein_1d(there, back, p).unwrap();
        prop_assert_eq!(wasserstein_1d(back, there, p).unwrap(), distance);
        prop_assert_eq!(wasserstein_1d(there, there, p).unwrap(), 0.0);
        prop_assert!(distance > 0.0);
    }

    #[test]
    fn a_shift_moves_all_mass_alike(x in numbers(6, -3.0, 3.0), v in weights(6), shift in -5.0..5.0_f64, p in 1.0..4.0_f64) {
        let moved = &x + shift;
        let distance = wasserstein_1d(measure(&x, &v), measure(&moved, &v), p).unwrap();
        assert_near(distance, shift.abs().powf(p), 1e-12);
    }

    #[test]
    fn scaling_the_line_scales_the_cost_by_its_power(
        x in numbers(4, -3.0, 3.0), y in numbers(6, -3.0, 3.0), w in weights(6), scale in 0.1..5.0_f64, p in 1.0..4.0_f64,
    ) {
        let v = Array1::from_elem(4, 0.25);
        let distance = wasserstein_1d(measure(&x, &v), measure(&y, &w), p).unwrap();
        let (x, y) = (x * -scale, y * -scale);
        let scaled = wasserstein_1d(measure(&x, &v), measure(&y, &w), p).unwrap();
        assert_near(scaled, scale.powf(p) * distance, 1e-12);
    }

    #[test]
    fn equally_many_points_meet_in_order(x in numbers(8, -3.0, 3.0), y in numbers(8, -3.0, 3.0), p in 1.0..4.0_f64) {
        let sorted = |points: &Array1<f64>| {
            let mut points = points.to_vec();
            points.sort_by(f64::total_cmp);
            points
        };
        let costs = sorted(&x).into_iter().zip(sorted(&y)).map(|(x, y)| (x - y).abs().powf(p));
        let distance = wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), p).unwrap();
        assert_near(distance, costs.sum::<f64>() / 8.0, 1e-13);
    }

    #[test]
    fn the_first_power_is_the_area_between_distribution_functions(
        x in numbers(5, -3.0, 3.0), v in weights(5), y in numbers(7, -3.0, 3.0), w in weights(7),
    ) {
        let mut steps: Vec<(f64, f64)> = x.iter().copied().zip(v.iter().copied()).collect();
        steps.extend(y.iter().copied().zip(w.iter().map(|w| -w)));
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut height, mut area) = (0.0_f64, 0.0);
        for pair in steps.windows(2) {
            height += pair[0].1;
            area += height.abs() * (pair[1].0 - pair[0].0);
        }
        assert_near(wasserstein_1d(measure(&x, &v), measure(&y, &w), 1.0).unwrap(), area, 1e-13);
    }

    #[test]
    fn a_detour_is_never_shorter(
        x in numbers(5, -3.0, 3.0), y in numbers(4, -3.0, 3.0), z in numbers(6, -3.0, 3.0), p in 1.0..4.0_f64,
    ) {
        let root = |a: &Array1<f64>, b: &Array1<f64>| {
            wasserstein_1d(Measure::uniform(a.view()), Measure::uniform(b.view()), p).unwrap().powf(p.recip())
        };
        prop_assert!(root(&x, &z) <= root(&x, &y) + root(&y, &z) + 1e-12);
    }

    #[test]
    fn weights_of_one_measure_are_the_uniform_one(x in numbers(5, -3.0, 3.0), y in numbers(3, -3.0, 3.0)) {
        let (v, w) = (Array1::from_elem(5, 0.2), Array1::from_elem(3, 1.0 / 3.0));
        let weighted = wasserstein_1d(measure(&x, &v), measure(&y, &w), 2.0).unwrap();
        let uniform = wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), 2.0).unwrap();
        assert_near(weighted, uniform, 1e-13);
    }

    #[test]
    fn the_expected_cost_is_a_mean_over_the_model(x in matrix(3, 6, -4.0, 4.0), e in matrix(6, 4, -1.0, 1.0)) {
        let (cost, y) = (CosineCost::new(&e).unwrap(), array![0, 3, 5]);
        let (each, gradient) = demd_grad(&x, &y, &cost).unwrap();
        let probs = log_softmax(&x).unwrap().mapv(f64::exp);
        let expected: Array1<f64> = (0..3)
            .map(|n| (0..6).map(|i| probs[[n, i]] * cost.between(i, y[n] as usize).unwrap()).sum::<f64>())
            .collect();
        assert_all_near(&each, &expected, 1e-13);
        prop_assert!(each.iter().all(|d| (0.0..=2.0).contains(d)));
        prop_assert!(gradient.sum_axis(Axis(1)).iter().all(|sum| sum.abs() < 1e-14));
    }

    #[test]
    fn orthogonal_classes_cost_what_the_target_lacks(x in matrix(2, 5, -4.0, 4.0)) {
        let cost = CosineCost::new(&Array2::<f64>::eye(5)).unwrap();
        let y = array![1, 4];
        let missing = token_log_probs(&x, &y).unwrap().mapv(|log_prob| -log_prob.exp_m1());
        assert_all_near(&demd(&x, &y, &cost).unwrap(), &missing, 1e-14);
        let one_way = CosineCost::new(&Array2::from_elem((5, 1), 2.0_f64)).unwrap();
        prop_assert!(demd(&x, &y, &one_way).unwrap().iter().all(|&cost| cost.abs() < 1e-15));
    }

    #[test]
    fn the_value_of_emo_is_that_of_the_term_it_keeps(x in matrix(3, 6, -4.0, 4.0), e in matrix(6, 4, -1.0, 1.0)) {
        let (cost, y) = (CosineCost::new(&e).unwrap(), array![2, 2, 0]);
        let nll = -token_log_probs(&x, &y).unwrap();
        let first = Emo { mode: EmoMode::ScaleDemd, ..Emo::default() }.each(&x, &y, &cost).unwrap();
        assert_all_near(&first, &nll, 1e-7); // the authors' ε keeps it from being exact
        let second = Emo { mode: EmoMode::ScaleMle, ..Emo::default() }.value(&x, &y, &cost, Sum).unwrap();
        assert_near(second, 2.0 * demd(&x, &y, &cost).unwrap().sum(), 1e-7);
    }
}

/// Three embeddings at 0°, 36.9° and 90°, `q = (0.5, 0.3, 0.2)`, target 0: worked by hand.
#[test]
fn emo_of_three_classes_has_its_worked_values() {
    let cost = CosineCost::new(&array![[1.0_f64, 0.0], [0.8, 0.6], [0.0, 1.0]]).unwrap();
    let (x, y) = (array![[0.5_f64, 0.3, 0.2]].ln(), array![0]);
    let (each, gradient) = demd_grad(&x, &y, &cost).unwrap();
    assert_near(each[0], 0.26, 1e-15);
    assert_all_near(&gradient, aview1(&[-0.13, -0.018, 0.148]), 1e-15);
    let first = Emo { mode: EmoMode::ScaleDemd, ..Emo::default() }.grad(&x, &y, &cost, Mean).unwrap();
    assert_near(first.0, std::f64::consts::LN_2, 1e-9);
    assert_all_near(&first.1, aview1(&[-0.423_286_79, 0.126_006_44, 0.297_280_35]), 1e-8);
    let second = Emo { mode: EmoMode::ScaleMle, ..Emo::default() }.grad(&x, &y, &cost, Mean).unwrap();
    assert_near(second.0, 0.52, 1e-9);
    assert_all_near(&second.1, aview1(&[-0.317_550_36, 0.094_530_21, 0.223_020_14]), 1e-8);
}
