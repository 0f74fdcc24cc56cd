//! Batches of 4,096 labeled embeddings, most of which lie close to their class: losses of anchors at the borders of blocks, and
//! the gradients that these anchors have in all embeddings.

use loglik::metric::{
    ArcFace, BatchHardTriplet, Circle, CircleWeights, ClassMargin, EmbeddingObjective, MultiSimilarity, n_pairs_grad,
};
use loglik::{Real, Reduction};
use loglik_catalogue::random::Random;
use ndarray::{Array1, Array2, ArrayView1};

const COUNT: usize = 4_096;
const WIDTH: usize = 64;
const CLASSES: usize = 500;

const ROWS: [usize; 8] = [0, 1, 127, 128, 1_023, 1_024, 2_049, 4_095];

/// Embeddings around the center of their class; every ninth is one in name only. Numbers are those of `f32`.
struct Batch {
    embeddings: Array2<f64>,
    centers: Array2<f64>,
    labels: Array1<i64>,
}

impl Batch {
    fn new() -> Self {
        let mut random = Random(20_200_226);
        let mut number = || f64::from((2.0 * random.unit() - 1.0) as f32);
        let centers = Array2::from_shape_simple_fn((CLASSES, WIDTH), &mut number);
        let labels = Array1::from_shape_fn(COUNT, |i| ((i * 7_919) % CLASSES) as i64);
        let embeddings = Array2::from_shape_fn((COUNT, WIDTH), |(i, k)| {
            let noise = number();
            let center = centers[[labels[i] as usize, k]];
            if i % 9 == 4 { noise } else { f64::from((center + 0.25 * noise) as f32) }
        });
        Self { embeddings, centers, labels }
    }

    /// Weight 1 for the anchors that are looked at, 0 for the others.
    fn weights<T: Real>() -> Array1<T> {
        Array1::from_shape_fn(COUNT, |i| if ROWS.contains(&i) { T::one() } else { T::zero() })
    }
}

fn cosine(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
}

/// Adds what a slope in the cosine of `a` with `b` gives `a`.
fn pull(slope: f64, cosine: f64, a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>, out: &mut [f64]) {
    let (size_a, size_b) = (a.dot(&a).sqrt(), b.dot(&b).sqrt());
    for (k, out) in out.iter_mut().enumerate() {
        *out += slope * (b[k] / size_b - cosine * a[k] / size_a) / size_a;
    }
}

fn near(got: f64, exact: f64, scale: f64, what: &str) {
    assert!((got - exact).abs() <= scale * exact.abs().max(1e-3), "{what}: {got}, not {exact}");
}

/// What a result of numbers in `f64` may be off once it is rounded to the type.
fn tolerance<T: Real>() -> f64 {
    if T::NAME == "f32" { 2e-6 } else { 1e-10 }
}

/// Loss and slopes of an anchor, of its cosines with all embeddings.
type OfCosines = dyn Fn(usize, &[f64], &Array1<i64>) -> (f64, Vec<f64>);

fn check<T: Real>(loss: &impl EmbeddingObjective, plain: &OfCosines, what: &str) {
    let batch = Batch::new();
    let x = batch.embeddings.mapv(T::from_f64);
    let weights = Batch::weights::<T>();
    let (sum, gradient) = loss.grad(&x, &batch.labels, Reduction::Weighted(&weights)).unwrap();
    let (mut total, mut slopes) = (0.0, vec![vec![0.0; WIDTH]; COUNT]);
    for i in ROWS {
        let own = batch.embeddings.row(i);
        let cosines: Vec<f64> = batch.embeddings.outer_iter().map(|other| cosine(own, other)).collect();
        let (value, by) = plain(i, &cosines, &batch.labels);
        total += value;
        for j in (0..COUNT).filter(|j| *j != i) {
            pull(by[j], cosines[j], own, batch.embeddings.row(j), &mut slopes[i]);
            pull(by[j], cosines[j], batch.embeddings.row(j), own, &mut slopes[j]);
        }
    }
    near(sum.as_f64(), total, tolerance::<T>(), what);
    let largest = slopes.iter().flatten().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    for ((i, k), slope) in gradient.indexed_iter() {
        let off = (slope.as_f64() - slopes[i][k]).abs();
        assert!(off <= tolerance::<T>() * largest.max(1e-3), "{what}, {}, [{i}, {k}]: {slope}", T::NAME);
    }
}

/// The others with the anchor's label, and those with another one.
fn sides(i: usize, labels: &Array1<i64>) -> [Vec<usize>; 2] {
    (0..COUNT).filter(|j| *j != i).partition(|j| labels[*j] == labels[i]).into()
}

fn multi_similarity(i: usize, cosines: &[f64], labels: &Array1<i64>) -> (f64, Vec<f64>) {
    let ([own, others], mut slopes) = (sides(i, labels), vec![0.0; COUNT]);
    let mut loss = 0.0;
    for (side, rate) in [(own, -2.0), (others, 50.0)] {
        let term = |j: usize| (rate * (cosines[j] - 0.5_f64)).exp();
        let sum: f64 = side.iter().map(|&j| term(j)).sum();
        loss += sum.ln_1p() / f64::abs(rate);
        side.iter().for_each(|&j| slopes[j] = rate.signum() * term(j) / (1.0 + sum));
    }
    (loss, slopes)
}

fn circle(i: usize, cosines: &[f64], labels: &Array1<i64>) -> (f64, Vec<f64>) {
    const M: f64 = 0.4;
    let ([own, others], mut slopes) = (sides(i, labels), vec![0.0; COUNT]);
    // γ (c² - m²) of others, γ ((1 - c)² - m²) of the own class, where the weights are above 0.
    let exponent = |j: usize| match labels[j] == labels[i] {
        true => (80.0 * ((1.0 - cosines[j]).powi(2) - M * M), -160.0 * (1.0 - cosines[j])),
        false if cosines[j] + M > 0.0 => (80.0 * (cosines[j].powi(2) - M * M), 160.0 * cosines[j]),
        false => (0.0, 0.0),
    };
    let sums = [&own, &others].map(|side| side.iter().map(|&j| exponent(j).0.exp()).sum::<f64>());
    let product = sums[0] * sums[1];
    for (side, sum) in [(own, sums[0]), (others, sums[1])] {
        side.iter().for_each(|&j| {
            let (exponent, slope) = exponent(j);
            slopes[j] = product / (1.0 + product) * exponent.exp() / sum * slope;
        });
    }
    (product.ln_1p(), slopes)
}

#[test]
fn similarities_of_four_thousand_embeddings_weigh_as_they_should_in_f32() {
    check::<f32>(&MultiSimilarity::default(), &multi_similarity, "multi-similarity");
}

#[test]
fn similarities_of_four_thousand_embeddings_weigh_as_they_should_in_f64() {
    check::<f64>(&MultiSimilarity::default(), &multi_similarity, "multi-similarity");
}

#[test]
fn circles_over_four_thousand_embeddings_are_those_of_the_formula() {
    let loss = Circle { weights: CircleWeights::Differentiated, ..Circle::default() };
    check::<f64>(&loss, &circle, "circle");
}

#[test]
fn the_hardest_triplets_of_four_thousand_embeddings_are_found() {
    let batch = Batch::new();
    let loss = BatchHardTriplet { margin: 0.5, ..BatchHardTriplet::default() };
    let each = loss.each(&batch.embeddings, &batch.labels).unwrap();
    let narrow = loss.each(&batch.embeddings.mapv(|x| x as f32), &batch.labels).unwrap();
    for i in ROWS {
        let distance = |j: &usize| {
            let apart = &batch.embeddings.row(i) - &batch.embeddings.row(*j);
            apart.dot(&apart).sqrt()
        };
        let [own, others] = sides(i, &batch.labels);
        let farthest = own.iter().map(distance).fold(0.0, f64::max);
        let nearest = others.iter().map(distance).fold(f64::INFINITY, f64::min);
        let exact = (farthest - nearest + 0.5).max(0.0);
        near(each[i], exact, 1e-12, "batch-hard");
        near(f64::from(narrow[i]), exact, 1e-6, "batch-hard, f32");
    }
}

fn angular<T: Real>() {
    let batch = Batch::new();
    let (x, centers) = (batch.embeddings.mapv(T::from_f64), batch.centers.mapv(T::from_f64));
    let (loss, weights) = (ArcFace::default(), Batch::weights::<T>());
    let each = loss.each(&x, &centers, &batch.labels).unwrap();
    let (_, (by_x, by_centers)) = loss.grad(&x, &centers, &batch.labels, Reduction::Weighted(&weights)).unwrap();
    let (mut slopes, mut of_centers, mut sure) = (vec![0.0; WIDTH], vec![vec![0.0; WIDTH]; CLASSES], 0);
    for i in ROWS {
        let (own, target) = (batch.embeddings.row(i), batch.labels[i] as usize);
        let cosines: Vec<f64> = batch.centers.outer_iter().map(|center| cosine(own, center)).collect();
        let angle = cosines[target].acos();
        let logit = |k: usize| 64.0 * if k == target { (angle + 0.5).cos() } else { cosines[k] };
        let others: f64 = (0..CLASSES).filter(|k| *k != target).map(|k| (logit(k) - logit(target)).exp()).sum();
        // Digits that the arc cosine and the gap of the logits lose are those of the plain formula.
        near(each[i].as_f64(), others.ln_1p(), 10.0 * tolerance::<T>(), &format!("angular, {}, {i}", T::NAME));
        sure += u32::from(others < 0.01);
        slopes.fill(0.0);
        for k in 0..CLASSES {
            let by_logit = match k == target {
                true => -others / (1.0 + others) * (angle + 0.5).sin() / angle.sin(),
                false => (logit(k) - logit(target)).exp() / (1.0 + others),
            };
            pull(64.0 * by_logit, cosines[k], own, batch.centers.row(k), &mut slopes);
            pull(64.0 * by_logit, cosines[k], batch.centers.row(k), own, &mut of_centers[k]);
        }
        for (k, exact) in slopes.iter().enumerate() {
            let got = by_x[[i, k]].as_f64();
            assert!((got - exact).abs() <= 10.0 * tolerance::<T>() * exact.abs().max(1e-2), "{i}, {k}: {got}, {exact}");
        }
    }
    assert!(sure >= 4, "most are sure of their class");
    for ((class, k), slope) in by_centers.indexed_iter() {
        let exact = of_centers[class][k];
        assert!((slope.as_f64() - exact).abs() <= 10.0 * tolerance::<T>() * exact.abs().max(1e-2), "{class}, {k}");
    }
}

#[test]
fn angles_with_the_centers_of_many_classes_are_those_of_the_formula() {
    angular::<f32>();
    angular::<f64>();
}

#[test]
fn four_thousand_pairs_are_each_against_all_others() {
    let batch = Batch::new();
    let anchors = &batch.embeddings * 0.5;
    // Each looks like its anchor, but for every ninth.
    let noise = |i: usize, k: usize| batch.embeddings[[(i + 4) % COUNT, k]];
    let positives = Array2::from_shape_fn((COUNT, WIDTH), |(i, k)| {
        if i % 9 == 0 { noise(i, k) } else { batch.embeddings[[i, k]] + 0.1 * noise(i, k) }
    });
    let weights = Batch::weights::<f64>();
    let (sum, (by_anchors, by_positives)) = n_pairs_grad(&anchors, &positives, Reduction::Weighted(&weights)).unwrap();
    let (mut total, mut slopes) = (0.0, Array2::<f64>::zeros((COUNT, WIDTH)));
    for i in ROWS {
        let products = positives.dot(&anchors.row(i));
        let others = (0..COUNT).filter(|j| *j != i).map(|j| (products[j] - products[i]).exp()).sum::<f64>();
        total += others.ln_1p();
        let share = |j: usize| match j == i {
            true => -others / (1.0 + others),
            false => (products[j] - products[i]).exp() / (1.0 + others),
        };
        let by: Array1<f64> = (0..COUNT).map(share).collect();
        let own = positives.t().dot(&by);
        own.iter().zip(by_anchors.row(i)).for_each(|(exact, got)| near(*got, *exact, 1e-10, "anchor"));
        slopes.outer_iter_mut().zip(&by).for_each(|(mut to, by)| to.scaled_add(*by, &anchors.row(i)));
    }
    near(sum, total, 1e-12, "pairs");
    slopes.iter().zip(&by_positives).for_each(|(exact, got)| near(*got, *exact, 1e-10, "positive"));
}
