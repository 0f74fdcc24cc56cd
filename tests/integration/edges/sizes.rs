//! Nothing, one, and many.

use loglik::likelihood::{Density, Gaussian, GaussianArguments};
use loglik::logits::{
    CrossEntropy, TokenObjective, entropy, log_softmax, log_sum_exp, token_log_probs, token_log_probs_backward,
};
use loglik::preference::{Dpo, PairBatch, PairObjective, Pairs};
use loglik::ratio::{Ddo, RatioObjective, Samples};
use loglik::sequence::{TokenMask, sum_tokens, sum_tokens_backward};
use loglik::{Error, Reduction, SumCount};
use ndarray::{Array1, Array2, Array3, array};

use super::assert_wide;

#[test]
fn no_rows_give_no_results() {
    let (logits, targets) = (Array3::<f32>::zeros((2, 0, 5)), Array2::<u32>::zeros((2, 0)));
    assert_eq!(log_sum_exp(&logits).unwrap().shape(), [2, 0]);
    assert_eq!(log_softmax(&logits).unwrap().shape(), [2, 0, 5]);
    assert_eq!(entropy(&logits).unwrap().shape(), [2, 0]);
    assert_eq!(token_log_probs(&logits, &targets).unwrap().shape(), [2, 0]);
    assert_eq!(token_log_probs_backward(&logits, &targets, &Array2::zeros((2, 0))).unwrap().shape(), [2, 0, 5]);
}

#[test]
fn sums_over_nothing_are_zero_and_means_are_errors() {
    let (logits, targets) = (Array2::<f64>::zeros((0, 5)), Array1::<i64>::zeros(0));
    let loss = CrossEntropy::default();
    assert_eq!(loss.grad(&logits, &targets, Reduction::Sum).unwrap(), (0.0, logits.clone()));
    assert_eq!(loss.sum_count(&logits, &targets).unwrap(), SumCount::default());
    assert!(matches!(loss.value(&logits, &targets, Reduction::Mean), Err(Error::NothingToAverage { .. })));

    let none = Array1::<f64>::zeros(0);
    let both = Pairs { chosen: none.view(), rejected: none.view() };
    let batch = PairBatch::new(both).reference(both);
    assert_eq!(Dpo::default().value(batch, Reduction::Sum).unwrap(), 0.0);
    assert_eq!(Dpo::default().sum_count(batch).unwrap(), SumCount::default());
    assert!(matches!(Dpo::default().grad(batch, Reduction::Mean), Err(Error::NothingToAverage { .. })));

    let sum = Samples { real: Reduction::Sum, fake: Reduction::Sum };
    let mean = Samples { real: Reduction::Mean, fake: Reduction::Mean };
    let samples = Samples { real: none.view(), fake: none.view() };
    let ddo = Ddo { alpha: 1.0, beta: 0.1 };
    assert_eq!(ddo.value(samples, sum).unwrap(), 0.0);
    assert!(matches!(ddo.value(samples, mean), Err(Error::NothingToAverage { .. })));

    let normal = GaussianArguments { mean: &*none, log_variance: &*none, x: &*none };
    assert_eq!(Gaussian.sum_count(normal).unwrap(), SumCount::default());
    assert_eq!(Gaussian.grad(normal, Reduction::Sum).unwrap().1.mean, none);
    assert!(matches!(Gaussian.value(normal, Reduction::Mean), Err(Error::NothingToAverage { .. })));
}

#[test]
fn rows_without_classes_are_an_error() {
    let logits = Array2::<f64>::zeros((3, 0));
    for error in [
        log_sum_exp(&logits).unwrap_err(),
        log_softmax(&logits).unwrap_err(),
        entropy(&logits).unwrap_err(),
        token_log_probs(&logits, &array![0, 0, 0]).unwrap_err(),
        CrossEntropy::default().value(&logits, &array![0, 0, 0], Reduction::Sum).unwrap_err(),
    ] {
        assert_eq!(error, Error::Empty { argument: "logits" });
    }
}

#[test]
fn a_masked_infinity_never_poisons_a_sequence() {
    let tokens = array![[-1.0, f64::NEG_INFINITY, f64::NAN], [f64::INFINITY, f64::NAN, f64::NAN]];
    let mask = array![[true, false, false], [false, false, false]];
    let sequences = sum_tokens(&tokens, TokenMask::padded(mask.view())).unwrap();
    assert_eq!((sequences.sums, sequences.lengths), (array![-1.0, 0.0], array![1.0, 0.0]));
    let gradient = sum_tokens_backward(TokenMask::padded(mask.view()), &array![2.0, 3.0]).unwrap();
    assert_eq!(gradient, array![[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
}

/// Lengths around the blocks that kernels work in.
#[test]
fn rows_of_every_length_are_summed_whole() {
    for n in (1..130).chain([1023, 1024, 1025, 2047, 2048, 2049, 4097, 131_071]) {
        let row = Array2::<f64>::zeros((1, n));
        assert_wide(&format!("log_sum_exp of {n}"), log_sum_exp(&row).unwrap()[0], (n as f64).ln());
        assert_wide(&format!("entropy of {n}"), entropy(&row).unwrap()[0], (n as f64).ln());
        // The last element alone decides.
        let mut row = row;
        row[[0, n - 1]] = 800.0;
        assert_wide(&format!("log_sum_exp with a peak at the end of {n}"), log_sum_exp(&row).unwrap()[0], 800.0);
    }
}

/// A mean of `f32` over a million examples is as good as one of a thousand.
#[test]
fn sums_of_a_million_keep_the_digits_of_their_type() {
    let n = 1_000_003;
    let margins = Array1::from_elem(n, -0.7_f32);
    let zeros = Array1::zeros(n);
    let batch = PairBatch::new(Pairs { chosen: margins.view(), rejected: zeros.view() })
        .reference(Pairs { chosen: zeros.view(), rejected: zeros.view() });
    let loss = Dpo { beta: 1.0, label_smoothing: 0.0 }.value(batch, Reduction::Mean).unwrap();
    assert!((f64::from(loss) - 1.103_186_048_885_458).abs() < 4e-7, "{loss}");
}
