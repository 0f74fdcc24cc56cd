//! Thousands of embeddings, most of which are sure of their partner, and a few that are not: losses and slopes around the
//! borders of blocks.

use loglik::contrastive::{Directions, EmbeddingBatch, InfoNce, SigLip, SupervisedContrastive};
use loglik::{Real, Reduction};
use loglik_catalogue::random::Random;
use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::logistic::{sigmoid, softplus};

const PAIRS: usize = 2_500;
const WIDTH: usize = 64;
const TEMPERATURE: f64 = 0.02;

/// Both sides of so many pairs and more candidates; every seventh pair is one in name only. Numbers are those of `f32`.
fn sides(seed: u64, pairs: usize, candidates: usize) -> [Array2<f64>; 2] {
    let mut random = Random(seed);
    let mut number = || f64::from((2.0 * random.unit() - 1.0) as f32);
    let first = Array2::from_shape_simple_fn((pairs, WIDTH), &mut number);
    let second = Array2::from_shape_fn((candidates, WIDTH), |(i, k)| {
        let noise = number();
        if i < pairs && i % 7 != 0 { f64::from((first[[i, k]] + 0.3 * noise) as f32) } else { noise }
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
    let [first, second] = sides(20_210_226, PAIRS, PAIRS + 700);
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

fn unit(rows: &Array2<f64>) -> Array2<f64> {
    rows / &rows.map_axis(Axis(1), |row| row.dot(&row).sqrt()).insert_axis(Axis(1))
}

/// Slopes in the direction of a row as slopes in the row.
fn across(direction: ArrayView1<'_, f64>, row: ArrayView1<'_, f64>, slopes: Array1<f64>) -> Array1<f64> {
    let along = slopes.dot(&direction);
    (slopes - &direction * along) / row.dot(&row).sqrt()
}

/// Pairs of the questions.
const QUESTIONS: usize = 4_096;

const QUESTIONED: [usize; 6] = [0, 1, 1_023, 1_024, 2_049, 4_095];

fn questions<T: Real>() {
    let [first, second] = sides(20_230_327, QUESTIONS, QUESTIONS);
    let (a, b) = (first.mapv(T::from_f64), second.mapv(T::from_f64));
    let (of_first, of_second) = (unit(&first), unit(&second));
    let loss = SigLip { scale: 40.0, bias: -20.0, ..SigLip::default() };
    let each = loss.each(EmbeddingBatch::new(&a, &b)).unwrap();
    let weights = Array1::from_shape_fn(QUESTIONS, |i| if QUESTIONED.contains(&i) { T::one() } else { T::zero() });
    let (sum, slopes) = loss.grad(EmbeddingBatch::new(&a, &b), Reduction::Weighted(&weights)).unwrap();
    // A similarity is good to a few roundings, which the scale enlarges.
    let tolerance = 16.0 * 40.0 * T::epsilon().as_f64();
    let (mut total, mut bias, mut scale) = (0.0, 0.0, 0.0);
    for i in QUESTIONED {
        let similarities = of_second.dot(&of_first.row(i));
        let sign = |j: usize| if i == j { 1.0 } else { -1.0 };
        let logit = |j: usize| 40.0 * similarities[j] - 20.0;
        let exact: f64 = (0..QUESTIONS).map(|j| softplus(-sign(j) * logit(j))).sum();
        assert!((each[i].as_f64() - exact).abs() <= tolerance * exact, "{}, {i}: {}, {exact}", T::NAME, each[i]);
        total += exact;
        let by: Array1<f64> = (0..QUESTIONS).map(|j| -sign(j) * sigmoid(-sign(j) * logit(j))).collect();
        bias += by.sum();
        scale += by.dot(&similarities);
        let exact = across(of_first.row(i), first.row(i), of_second.t().dot(&(40.0 * &by)));
        let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        for (got, exact) in slopes.first.row(i).iter().zip(&exact) {
            assert!((got.as_f64() - exact).abs() <= tolerance * largest, "{}, {i}: {got}, {exact}", T::NAME);
        }
    }
    for (got, exact, what) in [(sum, total, "sum"), (slopes.bias, bias, "bias"), (slopes.scale, scale, "scale")] {
        assert!((got.as_f64() - exact).abs() <= tolerance * exact.abs(), "{what}, {}: {got}, {exact}", T::NAME);
    }
}

#[test]
fn questions_about_four_thousand_pairs_are_answered_in_f32() {
    questions::<f32>();
}

#[test]
fn questions_about_four_thousand_pairs_are_answered_in_f64() {
    questions::<f64>();
}

/// Two views of each sample, which all look alike: slopes are of the size of the little that is left to learn.
#[test]
fn views_that_are_sure_of_one_another_have_slopes_with_digits() {
    let [first, noise] = sides(20_230_327, QUESTIONS, QUESTIONS);
    let count = 512;
    let views =
        Array2::from_shape_fn((2 * count, WIDTH), |(i, k)| f64::from((first[[i / 2, k]] + 0.3 * noise[[i, k]]) as f32));
    let labels = Array1::from_shape_fn(2 * count, |i| (i / 2) as i64);
    let loss = SupervisedContrastive { temperature: 0.03, ..SupervisedContrastive::default() };
    let (wide, exact, _) = loss.grad(&views, &labels, Reduction::Mean).unwrap();
    let (narrow, found, _) = loss.grad(&views.mapv(|x| x as f32), &labels, Reduction::Mean).unwrap();
    assert!(wide < 1e-4 && (f64::from(narrow) / wide - 1.0).abs() < 1e-4, "{wide}, {narrow}");
    let largest = exact.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for (got, exact) in found.iter().zip(&exact) {
        assert!((f64::from(*got) - exact).abs() <= 1e-3 * largest, "{got:e}, {exact:e} of {largest:e}");
    }
}
