//! From hidden states to losses, over whole vocabularies whose logits are never held.

use loglik::Reduction;
use loglik::logits::{
    LinearCrossEntropy, LinearHead, LinearPlan, linear_token_log_probs, linear_token_log_probs_backward,
};
use ndarray::{Array2, array};

use super::logits::Exact;
use super::rows::{CLASSES, shapes};

/// A head whose first feature gives the row its shape; the second, which is zero in the hidden state, must not show.
#[test]
fn a_head_of_a_whole_vocabulary_agrees_with_a_plain_loop() {
    for (classes, shape) in CLASSES.into_iter().flat_map(|v| shapes(v).into_iter().map(move |shape| (v, shape))) {
        // Products of matrices have no use for -inf.
        let logits: Vec<f64> = shape.logits(classes, 1).into_iter().map(|x| x.max(-1e4)).collect();
        let exact = Exact::new(format!("{shape:?} of {classes}"), logits.clone(), 1e-12);
        let weight = Array2::from_shape_fn((classes, 2), |(v, h)| if h == 0 { 0.5 * logits[v] } else { 3.0 });
        let (hidden, head) = (array![[2.0, 0.0]], LinearHead::new(weight.view()));
        for target in [0, 7, 2_046, classes - 1] {
            let nll = exact.nll(target);
            let log_probs = linear_token_log_probs(&hidden, head, &array![target]).unwrap();
            exact.holds("log-probability", log_probs[0], -nll, nll);
            let loss = LinearCrossEntropy::default();
            let (value, gradient) = loss.grad(&hidden, head, &array![target], Reduction::Mean).unwrap();
            exact.holds("LinearCrossEntropy", value, nll, nll);
            let in_weight = gradient.weight.column(0).to_owned();
            exact.holds_row("gradient in the weight", in_weight, |v| {
                let slope = 2.0 * exact.residual(v, target);
                (slope, slope.abs())
            });
            let back =
                linear_token_log_probs_backward(&hidden, head, &array![target], &array![1.0], LinearPlan::Recompute)
                    .unwrap();
            let terms = |v: usize| 0.5 * logits[v] * exact.residual(v, target);
            let (slope, scale) = (0..classes).fold((0.0, 0.0), |(sum, all), v| (sum + terms(v), all + terms(v).abs()));
            exact.holds("gradient in the hidden state", gradient.hidden[[0, 0]], slope, scale);
            exact.holds("the way back", back.hidden[[0, 0]], -slope, scale);
        }
    }
}
