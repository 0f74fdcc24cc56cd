//! Objectives of hidden states.

use loglik::Reduction::Sum;
use loglik::logits::{
    CrossEntropy, LinearCrossEntropy, LinearHead, LinearPlan, TokenObjective, linear_token_log_probs,
    linear_token_log_probs_backward,
};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;

use super::{assert_all_near, assert_near, config, matrix, numbers};

const TOKENS: usize = 4;
const WIDTH: usize = 3;
const CLASSES: usize = 7;

fn hidden() -> impl Strategy<Value = Array2<f64>> {
    matrix(TOKENS, WIDTH, -3.0, 3.0)
}

fn weight() -> impl Strategy<Value = Array2<f64>> {
    matrix(CLASSES, WIDTH, -3.0, 3.0)
}

fn targets() -> impl Strategy<Value = Array1<usize>> {
    prop::collection::vec(0..CLASSES, TOKENS).prop_map(Array1::from_vec)
}

fn losses() -> impl Strategy<Value = LinearCrossEntropy> {
    (0.0..1.0_f64, 0.0..0.1_f64, prop::sample::select(vec![LinearPlan::Chunked, LinearPlan::Recompute])).prop_map(
        |(label_smoothing, z_loss, plan)| LinearCrossEntropy {
            loss: CrossEntropy { label_smoothing, z_loss, ..CrossEntropy::default() },
            plan,
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_identity_for_a_weight_leaves_the_logits(x in matrix(TOKENS, CLASSES, -9.0, 9.0), y in targets(), loss in losses()) {
        let eye = Array2::eye(CLASSES);
        let (value, gradient) = loss.grad(&x, LinearHead::new(eye.view()), &y, Sum).unwrap();
        let (same, g) = loss.loss.grad(&x, &y, Sum).unwrap();
        assert_near(value, same, 1e-13);
        assert_all_near(&gradient.hidden, &g, 1e-13);
    }

    #[test]
    fn a_rotation_of_hidden_states_and_weight_turns_the_gradients_along(
        z in hidden(), w in weight(), y in targets(), loss in losses(), angle in 0.0..6.0_f64,
    ) {
        let (sin, cos) = angle.sin_cos();
        let turn = Array2::from_shape_vec((3, 3), vec![cos, sin, 0.0, -sin, cos, 0.0, 0.0, 0.0, 1.0]).unwrap();
        let (value, gradient) = loss.grad(&z, LinearHead::new(w.view()), &y, Sum).unwrap();
        let turned = w.dot(&turn);
        let (same, other) = loss.grad(&z.dot(&turn), LinearHead::new(turned.view()), &y, Sum).unwrap();
        assert_near(value, same, 1e-12);
        assert_all_near(&gradient.hidden.dot(&turn), &other.hidden, 1e-11);
        assert_all_near(&gradient.weight.dot(&turn), &other.weight, 1e-11);
    }

    #[test]
    fn a_bias_is_the_weight_of_a_feature_that_is_one(
        z in hidden(), w in weight(), b in numbers(CLASSES, -2.0, 2.0), y in targets(), loss in losses(),
    ) {
        let with_one = ndarray::concatenate![Axis(1), z, Array2::ones((TOKENS, 1))];
        let with_bias = ndarray::concatenate![Axis(1), w, b.view().insert_axis(Axis(1))];
        let (value, gradient) = loss.grad(&z, LinearHead::new(w.view()).bias(b.view()), &y, Sum).unwrap();
        let (same, other) = loss.grad(&with_one, LinearHead::new(with_bias.view()), &y, Sum).unwrap();
        assert_near(value, same, 1e-12);
        assert_all_near(&gradient.bias.unwrap(), other.weight.column(WIDTH), 1e-12);
        assert_all_near(&gradient.weight, other.weight.slice(ndarray::s![.., ..WIDTH]), 1e-12);
    }

    #[test]
    fn a_direction_common_to_all_classes_changes_nothing(
        z in hidden(), w in weight(), common in numbers(WIDTH, -2.0, 2.0), y in targets(), c in numbers(TOKENS, -1.0, 1.0),
    ) {
        let moved = &w + &common;
        let (head, other) = (LinearHead::new(w.view()), LinearHead::new(moved.view()));
        assert_all_near(
            &linear_token_log_probs(&z, head, &y).unwrap(), &linear_token_log_probs(&z, other, &y).unwrap(), 1e-12,
        );
        let gradient = linear_token_log_probs_backward(&z, head, &y, &c, LinearPlan::default()).unwrap();
        let same = linear_token_log_probs_backward(&z, other, &y, &c, LinearPlan::default()).unwrap();
        assert_all_near(&gradient.hidden, &same.hidden, 1e-11);
        // The classes share what they gain and lose.
        assert_all_near(&gradient.weight.sum_axis(Axis(0)), &Array1::zeros(WIDTH), 1e-12);
    }
}
