//! Both directions from one matrix against each by itself.

use ndarray::{Array1, Array2, array, s};

use super::{close, rows};
use crate::Reduction;
use crate::contrastive::*;

/// Rows and columns of one matrix against two walks, which parts of a batch take.
#[test]
fn both_ways_at_once_give_the_loss_and_the_gradient_of_each_way_by_itself() {
    for (n, m) in [(1, 1), (2, 2), (300, 1_100)] {
        let (a, b) = (rows(24, n, 4), rows(25, m, 4));
        for denominator in [Denominator::All, Denominator::Negatives, Denominator::Debiased { prior: 0.1 }] {
            let directions = Directions::Symmetric;
            let loss = InfoNce { directions, denominator, temperature: 0.05, ..InfoNce::default() };
            let weights = Array1::from_shape_fn(n, |i| ((i + 1) % 3) as f64);
            let batch = || EmbeddingBatch::new(&a, &b);
            let Ok((value, whole)) = loss.grad(batch(), Reduction::Weighted(&weights)) else {
                assert!(n == 1 && denominator == Denominator::Negatives);
                continue;
            };
            let (mut total, mut first, mut second, mut temperature) = (0.0, 0.0 * &a, 0.0 * &b, 0.0);
            for part in [0..n / 2, n / 2..n] {
                let weights = weights.slice(s![part.clone()]).to_owned();
                let part = loss.grad(batch().anchors(part), Reduction::Weighted(&weights)).unwrap();
                total += part.0;
                first += &part.1.first;
                second += &part.1.second;
                temperature += part.1.temperature;
            }
            close(value, total, 1e-12, "value");
            close(whole.temperature, temperature, 1e-10, "temperature");
            whole.first.iter().chain(&whole.second).zip(first.iter().chain(&second)).for_each(|(&x, &y)| {
                close(x, y, 1e-11, "slope");
            });
        }
    }
}

/// What does not fit is named by its pair, whichever way it is met, and only where the pair counts.
#[test]
fn both_ways_at_once_name_the_pair_that_overflows() {
    let (a, mut b) = (Array2::<f64>::ones((4, 2)), Array2::ones((4, 2)));
    b.row_mut(2).fill(1e200);
    let mut far = a.clone();
    far.row_mut(2).fill(1e200);
    let loss = InfoNce { directions: Directions::Symmetric, similarity: Similarity::Dot, ..InfoNce::default() };
    let grad = |a: &Array2<f64>, b: &Array2<f64>, weights: &Array1<f64>| {
        loss.grad(EmbeddingBatch::new(a, b), Reduction::Weighted(weights))
    };
    assert!(grad(&a, &b, &array![1.0, 1.0, 1.0, 1.0]).is_ok());
    let error = grad(&far, &b, &array![1.0, 1.0, 1.0, 1.0]).unwrap_err();
    assert_eq!(error.to_string(), "the result at `first`[2] overflows f64");
    let (value, slopes) = grad(&far, &b, &array![1.0, 1.0, 0.0, 1.0]).unwrap();
    assert!(value.is_finite() && slopes.first.iter().chain(&slopes.second).all(|slope| slope.is_finite()));
}
