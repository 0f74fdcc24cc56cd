//! Objectives of hidden states: exact limits.

use loglik::Reduction;
use loglik::logits::{
    LinearCrossEntropy, LinearHead, LinearPlan, linear_token_log_probs, linear_token_log_probs_backward,
};
use ndarray::{Array1, Array2, array};

use super::{INF, assert_narrow, assert_wide};

const PLANS: [LinearPlan; 2] = [LinearPlan::Chunked, LinearPlan::Recompute];

/// torch: loss 0 in `f32`, the logarithm of a sum that has rounded to 1.
#[test]
fn a_certain_class_among_many_keeps_its_digits() {
    let classes = 50_000;
    let mut weight = Array2::<f32>::zeros((classes, 1));
    weight[[40_000, 0]] = 40.0;
    let (hidden, head, targets) = (array![[1.0_f32]], LinearHead::new(weight.view()), array![40_000]);
    let exact = 2.124_134_644_103_016e-13; // ln(1 + 49999 e^-40)
    for plan in PLANS {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        let (value, gradient) = loss.grad(&hidden, head, &targets, Reduction::Sum).unwrap();
        assert_narrow("loss", value, exact);
        assert_narrow("gradient", gradient.weight[[40_000, 0]], -exact);
    }
    assert_narrow("log-prob", linear_token_log_probs(&hidden, head, &targets).unwrap()[0], -exact);
}

#[test]
fn logits_of_ten_thousand_neither_overflow_nor_vanish() {
    let (hidden, weight) = (array![[1e4_f64], [-1e4]], array![[1.0], [1.0], [-1.0]]);
    let head = LinearHead::new(weight.view());
    let log_probs = linear_token_log_probs(&hidden, head, &array![0, 0]).unwrap();
    assert_wide("log-prob", log_probs[0], -(2.0_f64.ln()));
    assert_wide("log-prob", log_probs[1], -2e4);
    for plan in PLANS {
        let gradient = linear_token_log_probs_backward(&hidden, head, &array![0, 0], &array![0.0, 1.0], plan).unwrap();
        assert_eq!(gradient.hidden, array![[0.0], [2.0]]);
        assert_eq!(gradient.weight, array![[-1e4], [0.0], [1e4]]);
    }
}

/// A class of probability zero takes no part; a target there is an infinite loss with a finite gradient.
#[test]
fn a_bias_of_minus_infinity_is_an_exact_limit() {
    let (hidden, weight, bias) = (array![[1.0_f64]], Array2::ones((3, 1)), array![0.0, -INF, 0.0]);
    let head = LinearHead::new(weight.view()).bias(bias.view());
    for plan in PLANS {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        assert_wide("loss", loss.value(&hidden, head, &array![0], Reduction::Mean).unwrap(), 2.0_f64.ln());
        let (value, gradient) = loss.grad(&hidden, head, &array![1], Reduction::Mean).unwrap();
        assert_eq!((value, gradient.hidden), (INF, array![[0.0]]));
        assert_eq!(gradient.bias.unwrap(), array![0.5, -1.0, 0.5]);
    }
    assert_eq!(linear_token_log_probs(&hidden, head, &array![1]).unwrap()[0], -INF);
}

#[test]
fn one_class_is_certain() {
    let (hidden, weight) = (array![[3.0_f32, 1.0]], array![[2.0, -7.0]]);
    for plan in PLANS {
        let loss = LinearCrossEntropy { plan, ..LinearCrossEntropy::default() };
        let (value, gradient) =
            loss.grad(&hidden, LinearHead::new(weight.view()), &array![0], Reduction::Mean).unwrap();
        assert_eq!((value, gradient.hidden, gradient.weight), (0.0, Array2::zeros((1, 2)), Array2::zeros((1, 2))));
    }
}

/// Sizes around the blocks of classes and the panels of tokens: where all logits are equal the loss is `ln V`.
#[test]
fn every_size_is_summed_whole() {
    for classes in [1, 2, 511, 512, 513, 1025, 8191, 8192, 8193] {
        for tokens in [1, 63, 64, 255, 257, 513] {
            let (hidden, weight) = (Array2::<f64>::ones((tokens, 2)), Array2::ones((classes, 2)));
            let targets = Array1::from_shape_fn(tokens, |i| i % classes);
            let loss = LinearCrossEntropy { plan: PLANS[tokens % 2], ..LinearCrossEntropy::default() };
            let (value, gradient) =
                loss.grad(&hidden, LinearHead::new(weight.view()), &targets, Reduction::Mean).unwrap();
            assert_wide(&format!("{tokens} tokens, {classes} classes"), value, (classes as f64).ln());
            assert!(gradient.hidden.iter().all(|x| x.abs() < 1e-12)); // a gradient in logits sums to zero
            assert!(gradient.weight.sum().abs() < 1e-12);
        }
    }
}
