//! What objectives of pairs do to responses that share features: four of them, scored by two parameters.

use loglik::preference::PairObjective;
use loglik::preference::{FlexDpo, NllAddOn};
use loglik::prelude::*;
use ndarray::{Array2, array};

/// The probabilities of the four responses, of which the first is chosen and the second rejected, after 2,000 steps of
/// gradient descent from the uniform distribution, which is the reference too.
fn descend(objective: &dyn PairObjective<f64>) -> [f64; 4] {
    let features = array![[1.0_f64, 0.0], [1.0, 1.0], [0.0, -2.0], [0.3, -1.5]];
    let (mut parameters, uniform) = (array![0.0, 0.0], array![-(4.0_f64.ln())]);
    for _ in 0..2_000 {
        let logits = features.dot(&parameters);
        let both = Array2::from_shape_fn((2, 4), |(_, k)| logits[k]);
        let log_probs = token_log_probs(&both, &array![0_i64, 1]).unwrap();
        let policy = Pairs { chosen: array![log_probs[0]], rejected: array![log_probs[1]] };
        let batch = PairBatch::new(policy.view()).reference(Pairs { chosen: uniform.view(), rejected: uniform.view() });
        let (_, slopes) = objective.grad(batch, Reduction::Mean).unwrap();
        let cotangents = array![slopes.chosen[0], slopes.rejected[0]];
        let gradient = token_log_probs_backward(&both, &array![0_i64, 1], &cotangents).unwrap();
        parameters -= &gradient.dot(&features).sum_axis(ndarray::Axis(0));
    }
    let log_probs = log_softmax(&features.dot(&parameters)).unwrap();
    [0, 1, 2, 3].map(|k| log_probs[k].exp())
}

/// The numbers are those of the same descent in plain Python.
#[track_caller]
fn assert_ends(objective: &dyn PairObjective<f64>, expected: [f64; 4]) {
    for (got, expected) in descend(objective).into_iter().zip(expected) {
        assert!((got / expected - 1.0).abs() < 1e-9, "{got} against {expected}");
    }
}

#[test]
fn dpo_ends_on_a_response_that_it_has_never_seen() {
    let expected =
        [6.909_350_649_738_825e-26, 1.816_167_759_673_435_2e-38, 0.999_999_487_304_93, 5.126_950_700_951_626e-7];
    assert_ends(&Dpo::default(), expected);
}

#[test]
fn a_weaker_pull_on_the_rejected_response_keeps_the_chosen_one() {
    let flex = FlexDpo { beta_chosen: 0.1, beta_rejected: 0.02 };
    let expected =
        [0.847_725_669_630_280_5, 0.015_312_358_788_938_154, 0.026_121_613_287_973_88, 0.110_840_358_292_807_5];
    assert_ends(&flex, expected);
}

#[test]
fn so_does_a_little_likelihood() {
    let both = NllAddOn::Rpo { eta: 0.5, beta: 0.1 }.added_to(PairConfig::Sigmoid(Dpo::default()));
    let expected =
        [0.753_195_154_750_475_7, 4.489_911_460_035_965_5e-6, 0.023_743_163_014_274_468, 0.223_057_192_323_789_93];
    assert_ends(&both, expected);
}
