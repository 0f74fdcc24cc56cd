//! Kernels over logits.

use loglik::diagnostics::TokenStats;
use loglik::logits::{
    CrossEntropy, SoftCrossEntropy, TokenObjective, entropy, entropy_grad, log_softmax, log_sum_exp, log_sum_exp_grad,
    token_log_probs, token_log_probs_backward, token_log_probs_masked,
};
use loglik::{Error, Real, Reduction, SumCount};
use ndarray::{Array2, array};

use super::{INF, assert_narrow, assert_wide};

/// torch and optax: loss 0 in `f32`, the logarithm of a sum that has rounded to 1.
#[test]
fn a_peaked_row_keeps_its_small_loss() {
    let (loss, slope, tail) = (9.357_622_968_835_796e-13, -9.357_622_968_831_418e-13, 9.357_622_968_831_418e-14);
    let mut logits = Array2::from_elem((1, 11), -30.0_f64);
    logits[[0, 0]] = 0.0;
    let (value, gradient) = CrossEntropy::default().grad(&logits, &array![0], Reduction::Sum).unwrap();
    assert_wide("loss", value, loss);
    assert_wide("slope", gradient[[0, 0]], slope);
    assert_wide("tail", gradient[[0, 7]], tail);
    let narrow = logits.mapv(|x| x as f32);
    let (value, gradient) = CrossEntropy::default().grad(&narrow, &array![0], Reduction::Sum).unwrap();
    assert_narrow("loss", value, loss);
    assert_narrow("slope", gradient[[0, 0]], slope);
    assert_narrow("tail", gradient[[0, 7]], tail);
    assert_narrow("log-prob", token_log_probs(&narrow, &array![0]).unwrap()[0], -loss);
    assert_narrow("log-softmax", log_softmax(&narrow).unwrap()[[0, 0]], -loss);
    assert_wide("log-prob of stats", TokenStats::default().each(&logits, &array![0]).unwrap().log_prob[0], -loss);
    assert_narrow("log-prob of stats", TokenStats::default().each(&narrow, &array![0]).unwrap().log_prob[0], -loss);
}

#[test]
fn logits_of_ten_thousand_neither_overflow_nor_vanish() {
    for offset in [1e4, -1e4, 1e30, -1e30] {
        let logits = array![[offset, offset, offset]];
        let (each, gradient) = log_sum_exp_grad(&logits).unwrap();
        assert_wide("log-sum-exp", each[0], offset + 3.0_f64.ln());
        gradient.iter().for_each(|&p| assert_wide("probability", p, 1.0 / 3.0));
        assert_wide("log-prob", token_log_probs(&logits, &array![1]).unwrap()[0], -(3.0_f64.ln()));
    }
    let far = array![[0.0_f64, -1e4]];
    let (value, gradient) = CrossEntropy::default().grad(&far, &array![1], Reduction::Sum).unwrap();
    assert_eq!((value, gradient), (1e4, array![[1.0, -1.0]]));
}

#[test]
fn the_entropy_of_a_peaked_row_is_not_lost() {
    let (each, gradient) = entropy_grad(&array![[0.0_f64, -30.0]]).unwrap();
    assert_wide("entropy", each[0], 2.900_863_120_340_187e-12);
    assert_wide("slope", gradient[[0, 0]], -2.807_286_890_651_527e-12);
    assert_wide("slope", gradient[[0, 1]], 2.807_286_890_651_527e-12);
    assert_wide("entropy", entropy(&array![[0.0_f64, -700.0]]).unwrap()[0], 6.911_633_257_175_6e-302);
    assert_narrow("entropy", entropy(&array![[0.0_f32, -30.0]]).unwrap()[0], 2.900_863_120_340_187e-12);
    let stats = TokenStats::default().each(&array![[0.0_f64, -700.0]], &array![1]).unwrap();
    assert_wide("entropy of stats", stats.entropy[0], 6.911_633_257_175_6e-302);
    assert_eq!(entropy(&array![[0.0_f64, -INF]]).unwrap()[0], 0.0);
}

/// A class of probability zero takes no part; a target there is an infinite loss with a finite gradient.
#[test]
fn logits_of_minus_infinity_are_exact_limits() {
    let logits = array![[0.0_f64, -INF, 0.0]];
    assert_eq!(log_softmax(&logits).unwrap(), array![[-(2.0_f64.ln()), -INF, -(2.0_f64.ln())]]);
    assert_eq!(log_sum_exp_grad(&logits).unwrap().1, array![[0.5, 0.0, 0.5]]);
    let (value, gradient) = CrossEntropy::default().grad(&logits, &array![1], Reduction::Mean).unwrap();
    assert_eq!((value, gradient), (INF, array![[0.5, -1.0, 0.5]]));
    assert_eq!(token_log_probs(&logits, &array![1]).unwrap()[0], -INF);
    let backward = token_log_probs_backward(&logits, &array![1], &array![2.0]).unwrap();
    assert_eq!(backward, array![[-1.0, 2.0, -1.0]]);
    let soft = SoftCrossEntropy::default();
    assert_eq!(soft.value(&logits, &array![[0.5, 0.0, 0.5]], Reduction::Sum).unwrap(), 2.0_f64.ln());
    assert_eq!(soft.value(&logits, &array![[0.5, 0.5, 0.0]], Reduction::Sum).unwrap(), INF);
}

/// torch: NaN.
#[test]
fn a_row_without_a_class_is_named() {
    let logits = array![[0.0_f64, 1.0], [-INF, -INF]];
    let message = CrossEntropy::default().value(&logits, &array![0, 0], Reduction::Mean).unwrap_err().to_string();
    assert!(message.contains("`logits`[1"), "{message}");
    let ignored = CrossEntropy::default().grad(&logits, &array![0, -100], Reduction::Mean).unwrap();
    assert_wide("loss", ignored.0, 1.313_261_687_518_222_8);
    assert_eq!(ignored.1.row(1), array![0.0, 0.0]);
}

/// torch: NaN.
#[test]
fn a_mean_over_ignored_targets_is_an_error_and_their_sum_is_nothing() {
    let (loss, logits, targets) = (CrossEntropy::default(), array![[f64::NAN, 1.0]], array![-100]);
    assert!(matches!(loss.value(&logits, &targets, Reduction::Mean), Err(Error::NothingToAverage { .. })));
    assert_eq!(loss.sum_count(&logits, &targets).unwrap(), SumCount { sum: 0.0, count: 0.0 });
    assert_eq!(loss.grad(&logits, &targets, Reduction::Sum).unwrap(), (0.0, array![[0.0, 0.0]]));
}

#[test]
fn what_is_selected_away_is_never_read() {
    let logits = array![[0.0_f64, 0.0], [f64::NAN, INF]];
    let (targets, mask) = (array![0_i64, 99], array![true, false]);
    assert_eq!(token_log_probs_masked(&logits, &targets, &mask).unwrap(), array![-(2.0_f64.ln()), 0.0]);
    let backward = token_log_probs_backward(&logits, &targets, &array![1.0, 0.0]).unwrap();
    assert_eq!(backward, array![[0.5, -0.5], [0.0, 0.0]]);
    let weights = array![1.0, 0.0];
    let weighted = CrossEntropy::default().grad(&logits, &array![0, 0], Reduction::Weighted(&weights)).unwrap();
    assert_eq!(weighted.1.row(1), array![0.0, 0.0]);
    assert_wide("loss", weighted.0, 2.0_f64.ln());
}

fn one_class_is_certain<T: Real>() {
    let logits = array![[T::from_f64(3.0)], [T::from_f64(-1e30)]];
    let zeros = Array2::<T>::zeros((2, 1));
    assert_eq!(log_softmax(&logits).unwrap(), zeros);
    assert_eq!(log_sum_exp(&logits).unwrap(), logits.column(0));
    assert_eq!(entropy_grad(&logits).unwrap(), (zeros.column(0).to_owned(), zeros.clone()));
    let loss = CrossEntropy { label_smoothing: 0.3, ..CrossEntropy::default() };
    assert_eq!(loss.grad(&logits, &array![0, 0], Reduction::Mean).unwrap(), (T::zero(), zeros));
}

#[test]
fn one_class_is_certain_in_either_type() {
    one_class_is_certain::<f64>();
    one_class_is_certain::<f32>();
}

#[test]
fn the_logarithm_of_a_certain_probability_is_zero_without_a_sign() {
    for rows in [1, 2, 16, 40] {
        let logits = Array2::from_shape_fn((rows, 3), |(_, k)| if k == 1 { 5.0 } else { -INF });
        let targets = ndarray::Array1::from_elem(rows, 1);
        let log_probs = token_log_probs(&logits, &targets).unwrap();
        assert!(log_probs.iter().all(|x| *x == 0.0 && x.is_sign_positive()), "{rows}: {log_probs}");
        let loss = CrossEntropy::default().value(&logits, &targets, Reduction::Mean).unwrap();
        assert!(loss == 0.0 && loss.is_sign_positive());
    }
}
