//! Several positives of each anchor.

use ndarray::{Array1, Array2, array};

use super::{are_slopes, close, cosines, is_slope, log_sum, rows};
use crate::Reduction;
use crate::contrastive::*;

#[test]
fn classes_of_positives_are_the_plain_formula() {
    let z = rows(17, 8, 4);
    let labels = array![0, 1, 0, 2, 1, 0, -7, 2];
    let loss = SupervisedContrastive { temperature: 0.4, ..SupervisedContrastive::default() };
    let sims = cosines(&z, &z) / 0.4;
    let each = loss.each(&z, &labels).unwrap();
    for i in 0..8 {
        let total = log_sum((0..8).filter(|&j| j != i).map(|j| sims[[i, j]]));
        let positives: Vec<usize> = (0..8).filter(|&j| j != i && labels[j] == labels[i]).collect();
        let sum: f64 = positives.iter().map(|&p| total - sims[[i, p]]).sum();
        close(each[i], if positives.is_empty() { 0.0 } else { sum / positives.len() as f64 }, 1e-13, "each");
    }
    let (mean, slopes, temperature) = loss.grad(&z, &labels, Reduction::Mean).unwrap();
    close(mean, each.sum() / 7.0, 1e-14, "mean of those that have a positive");
    let value = |loss: SupervisedContrastive, z: &Array2<f64>| loss.value(z, &labels, Reduction::Mean).unwrap();
    are_slopes(&z, &slopes, |z| value(loss, z), "slope");
    let moved = |by: f64| value(SupervisedContrastive { temperature: 0.4 + by, ..loss }, &z);
    is_slope(temperature, moved, "temperature");
    let alone = loss.value(&z, &Array1::from_iter(0..8), Reduction::Mean).unwrap_err();
    assert_eq!(alone.to_string(), "`labels` holds nothing to average over");
}

#[test]
fn classes_that_are_sure_of_themselves_keep_the_digits_of_their_slopes() {
    let temperature = 0.02; // logits of 50 and 0
    let loss = SupervisedContrastive { temperature, ..SupervisedContrastive::default() };
    for size in [2, 3, 4] {
        let z = Array2::from_shape_fn((2 * size, 2), |(i, k)| if i / size == k { 1.5 } else { 0.0 });
        let labels = Array1::from_shape_fn(2 * size, |i| i / size);
        let (own, others) = (size as f64 - 1.0, size as f64);
        let (value, _, slope) = loss.grad(&z, &labels, Reduction::Mean).unwrap();
        let share = others * (-50.0_f64).exp() / own;
        close(value, own.ln(), 1e-15, "value");
        assert!((slope * temperature * temperature / share - 1.0).abs() < 1e-12, "{size}: {slope:e}");
        let (_, _, slope) = loss.grad(&z.mapv(|x| x as f32), &labels, Reduction::Mean).unwrap();
        let slope = f64::from(slope) * temperature * temperature;
        assert!((slope / share - 1.0).abs() < 1e-4, "{size}, f32: {slope:e}");
    }
}
