//! Entropy of rows of whole vocabularies, with its gradient.

use loglik::Real;
use loglik::logits::entropy_grad;
use ndarray::Array2;

use super::definitions::{Side, compare};
use super::rows::{CLASSES, log_softmax, shapes, total};

fn check<T: Real>(row: &[f64], tolerance: f64) -> Option<String> {
    let logs = log_softmax(row);
    let probs: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
    let terms: Vec<f64> = logs.iter().zip(&probs).map(|(log, p)| if *p > 0.0 { -p * log } else { 0.0 }).collect();
    let value = total(terms.iter().copied());
    let (each, got) =
        entropy_grad(&Array2::from_shape_fn((1, row.len()), |(_, class)| T::from_f64(row[class]))).unwrap();
    let got: Vec<f64> = got.iter().map(|x| x.as_f64()).collect();
    let here = each[0].as_f64();
    let is_close = (here - value).abs() <= tolerance * value;
    let fault = compare(&got, &Side::new(value, &terms, probs), 1.0, tolerance);
    if is_close { fault } else { Some(format!("{here} for {value}")) }
}

#[test]
fn entropy_and_its_gradient_are_those_of_a_plain_loop() {
    for classes in CLASSES {
        for shape in shapes(classes) {
            let row = shape.logits(classes, 1);
            let faults = [check::<f64>(&row, 1e-9), check::<f32>(&row, 1e-5)];
            assert_eq!(faults, [None, None], "{shape:?} of {classes}");
        }
    }
}
