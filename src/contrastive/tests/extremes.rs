//! Alike, huge, cold and wrong input.

use ndarray::{Array2, array};

use super::{close, cosines, rows};
use crate::Reduction;
use crate::contrastive::*;

#[test]
fn alike_similarities_cost_the_logarithm_of_their_number_and_scaling_changes_nothing() {
    let a = Array2::from_shape_fn((6, 3), |(i, _)| 1.0 + i as f64);
    let loss = InfoNce::default();
    close(loss.value(EmbeddingBatch::new(&a, &a), Reduction::Mean).unwrap(), 6.0_f64.ln(), 1e-13, "alike");
    let (a, b) = (rows(11, 6, 4), rows(12, 9, 4));
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    assert!(each.iter().all(|loss| *loss >= 0.0));
    for factor in [1e-150, 1e-30, 1e30, 1e150] {
        let scaled = loss.each(EmbeddingBatch::new(&(&a * factor), &(&b / factor))).unwrap();
        scaled.iter().zip(&each).for_each(|(&x, &y)| close(x, y, 1e-12, "scaled"));
    }
    let lonely = loss.grad(EmbeddingBatch::new(&rows(1, 1, 3), &rows(2, 1, 3)), Reduction::Mean).unwrap();
    assert_eq!((lonely.0, lonely.1.first), (0.0, Array2::zeros((1, 3))));
}

/// Slopes are those of the plain embeddings over the factor, also where its square is no number of the type.
#[test]
fn slopes_shrink_as_embeddings_grow() {
    let (a, b) = (rows(24, 6, 4), rows(25, 9, 4));
    let loss = InfoNce { directions: Directions::All, ..InfoNce::default() };
    let (_, plain) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Mean).unwrap();
    let near = |found: &Array2<f64>, expected: &Array2<f64>, tolerance: f64| {
        found.iter().zip(expected).for_each(|(&x, &y)| close(x, y, tolerance, "slope"));
    };
    for factor in [1e-290, 1e-200, 1e200, 1e290, 1e305] {
        let scaled = &b * factor;
        let (_, slopes) = loss.grad(EmbeddingBatch::new(&a, &scaled), Reduction::Mean).unwrap();
        near(&slopes.first, &plain.first, 1e-12);
        near(&(slopes.second * factor), &plain.second, 1e-12);
    }
    for factor in [1e-30, 1e-20, 1e20, 1e30, 1e36] {
        let (narrow, scaled) = (a.mapv(|x| x as f32), b.mapv(|x| (x * factor) as f32));
        let (_, slopes) = loss.grad(EmbeddingBatch::new(&narrow, &scaled), Reduction::Mean).unwrap();
        near(&slopes.first.mapv(f64::from), &plain.first, 1e-5);
        near(&(slopes.second.mapv(f64::from) * factor), &plain.second, 1e-5);
    }
}

#[test]
fn a_cold_temperature_keeps_the_digits_of_a_sure_pair() {
    let sims = array![[1.0, 0.9], [-1.0, 1.0]];
    let loss = InfoNce { temperature: 1e-3, ..InfoNce::default() };
    let (sum, slopes, _) = loss.grad_of(&sims, Reduction::Sum).unwrap();
    assert!((sum / (-100.0_f64).exp() - 1.0).abs() < 1e-12, "{sum}"); // that of the other row, e^-2000, is 0
    assert!((slopes[[0, 1]] / (1e3 * (-100.0_f64).exp()) - 1.0).abs() < 1e-12);
    assert!((slopes[[0, 0]] / (-1e3 * (-100.0_f64).exp()) - 1.0).abs() < 1e-12);
}

#[test]
fn equal_similarities_have_equal_logits_at_any_temperature() {
    let sims = Array2::from_elem((3, 5), 0.7_f32);
    for temperature in [0.05, 1e-3, 7.7e-5, 1e-6] {
        let value = InfoNce { temperature, ..InfoNce::default() }.value_of(&sims, Reduction::Mean).unwrap();
        assert!((value - 5.0_f32.ln()).abs() < 1e-6, "{temperature}: {value}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (a, b) = (rows(22, 3, 2), rows(23, 3, 2));
    let loss = InfoNce::default();
    let message = |loss: InfoNce, a: &Array2<f64>, b: &Array2<f64>| {
        loss.value(EmbeddingBatch::new(a, b), Reduction::Mean).unwrap_err().to_string()
    };
    let mut bad = b.clone();
    bad[[1, 1]] = f64::NAN;
    assert_eq!(message(loss, &a, &bad), "`second`[1, 1] is NaN, allowed is finite");
    bad.row_mut(1).fill(0.0);
    assert_eq!(message(loss, &a, &bad), "`second`[1] is 0, allowed is a row that is not zero");
    assert!(
        InfoNce { similarity: Similarity::Dot, ..loss }.value(EmbeddingBatch::new(&a, &bad), Reduction::Mean).is_ok()
    );
    assert_eq!(message(loss, &a, &rows(1, 2, 2)), "`second` has shape [2, 2], expected [3, 2]");
    assert_eq!(message(loss, &a, &rows(1, 3, 3)), "`second` has shape [3, 3], expected [3, 2]");
    let cold = InfoNce { temperature: 0.0, ..loss };
    assert_eq!(message(cold, &a, &b), "`temperature` is 0, allowed is finite and >= 1e-30");
    assert_eq!(message(loss, &rows(1, 0, 2), &rows(1, 0, 2)), "`first` holds nothing to average over");
    let lonely = InfoNce { denominator: Denominator::Negatives, ..loss };
    assert_eq!(message(lonely, &rows(1, 1, 2), &rows(2, 1, 2)), "`negatives` is empty, needed is at least one element");
    let biased = InfoNce { denominator: Denominator::Debiased { prior: 1.0 }, ..loss };
    assert_eq!(message(biased, &a, &b), "`prior` is 1, allowed is [0, 1)");
    let large = InfoNce { similarity: Similarity::Dot, ..loss };
    assert_eq!(message(large, &(&a * 1e200), &(&b * 1e200)), "the result at `first`[0] overflows f64");
    let all = InfoNce { directions: Directions::All, ..loss }.value_of(&cosines(&a, &b), Reduction::Mean);
    assert_eq!(all.unwrap_err().to_string(), "InfoNce needs `similarities within a side`");
}
