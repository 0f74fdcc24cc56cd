//! Thousands of embeddings, most of which are sure of their partner, and a few that are not: losses and slopes around the
//! borders of blocks.

use loglik::contrastive::{Directions, EmbeddingBatch, InfoNce};
use loglik::{Real, Reduction};
use loglik_catalogue::random::Random;
use ndarray::{Array2, ArrayView1};

const PAIRS: usize = 2_500;
const WIDTH: usize = 64;
const TEMPERATURE: f64 = 0.02;

/// Both sides; every seventh pair is one in name only. Numbers are those of `f32`.
fn sides() -> [Array2<f64>; 2] {
    let mut random = Random(20_210_226);
    let mut number = || f64::from((2.0 * random.unit() - 1.0) as f32);
    let first = Array2::from_shape_simple_fn((PAIRS, WIDTH), &mut number);
    let second = Array2::from_shape_fn((PAIRS + 700, WIDTH), |(i, k)| {
        let noise = number();
        if i < PAIRS && i % 7 != 0 { f64::from((first[[i, k]] + 0.3 * noise) as f32) } else { noise }
    });
    [first, second]
}

fn cosine(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
}

/// Logits of one anchor, the logarithm of the sum of their exponentials, and the loss, which keeps its digits near 0.
fn row(anchor: ArrayView1<'_, f64>, candidates: &Array2<f64>, positive: usize) -> (Vec<f64>, f64, f64) {
    let logits: Vec<f64> = candidates.outer_iter().map(|b| cosine(anchor, b) / TEMPERATURE).collect();
    let others = logits.iter().enumerate().filter(|(j, _)| *j != positive);
    let loss = others.map(|(_, x)| (x - logits[positive]).exp()).sum::<f64>().ln_1p();
    let total = logits[positive] + loss;
    (logits, total, loss)
}

const ROWS: [usize; 8] = [0, 1, 7, 255, 256, 1_000, 2_303, 2_499];

fn check<T: Real>() {
    let [first, second] = sides();
    let (a, b) = (first.mapv(T::from_f64), second.mapv(T::from_f64));
    let loss = InfoNce { temperature: TEMPERATURE, ..InfoNce::default() };
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    let (sum, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Sum).unwrap();
    // A cosine is good to a few roundings, which the temperature enlarges.
    let tolerance = 16.0 * T::epsilon().as_f64() / TEMPERATURE;
    let mut sure = 0;
    for i in ROWS {
        let (logits, total, exact) = row(first.row(i), &second, i);
        let got = each[i].as_f64();
        assert!((got - exact).abs() <= tolerance * exact.max(1e-3), "{}, pair {i}: {got}, {exact}", T::NAME);
        sure += u32::from(exact < 0.01);
        // The slope: that in the normalized anchor, less its part along the anchor, over the norm.
        let norm = first.row(i).dot(&first.row(i)).sqrt();
        let mut slope = vec![0.0; WIDTH];
        for (j, logit) in logits.iter().enumerate() {
            let weight = (logit - total).exp() - if i == j { 1.0 } else { 0.0 };
            let b = second.row(j);
            let (scale, along) = (weight / TEMPERATURE / norm, logits[j] * TEMPERATURE / norm);
            let size = b.dot(&b).sqrt();
            (0..WIDTH).for_each(|k| slope[k] += scale * (b[k] / size - along * first[[i, k]]));
        }
        for (k, exact) in slope.into_iter().enumerate() {
            let got = slopes.first[[i, k]].as_f64();
            assert!((got - exact).abs() <= tolerance / TEMPERATURE, "{}, pair {i}, {k}: {got}, {exact}", T::NAME);
        }
    }
    assert!(sure >= 4, "most pairs are sure of one another");
    let total: f64 = each.iter().map(|loss| loss.as_f64()).sum();
    assert!((sum.as_f64() - total).abs() <= 1e-6 * total);
    let symmetric = InfoNce { directions: Directions::Symmetric, ..loss };
    let (there, back) = (EmbeddingBatch::new(&a, &b), loss.each(EmbeddingBatch::new(&a, &b)).unwrap());
    let both = symmetric.each(there).unwrap();
    for i in ROWS {
        let (.., of_column) = row(second.row(i), &first, i);
        let exact = 0.5 * (back[i].as_f64() + of_column);
        assert!((both[i].as_f64() - exact).abs() <= tolerance * exact.max(1e-3), "{}, pair {i}", T::NAME);
    }
}

#[test]
fn pairs_of_embeddings_are_told_apart_in_f32() {
    check::<f32>();
}

#[test]
fn pairs_of_embeddings_are_told_apart_in_f64() {
    check::<f64>();
}
