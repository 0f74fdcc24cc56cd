//! Expected costs of classes over real vocabularies: DEMD, its soft form and EMO, with their gradients.

use loglik::transport::{CosineCost, Emo, EmoMode, demd, demd_grad, demd_soft_grad};
use loglik::{Real, Reduction};
use ndarray::{Array1, Array2, array};

use super::rows::{CLASSES, Shape, log_softmax, shapes};

const WIDTH: usize = 5;

/// Embeddings whose numbers are ones of `f32`.
fn embeddings(classes: usize) -> Array2<f64> {
    let number = |(class, k): (usize, usize)| ((class * 7_919 + k * 104_729) % 8_191) as f64 / 4_096.0 - 1.0;
    Array2::from_shape_fn((classes, WIDTH), number)
}

/// `1 - cos` between a class and every other.
fn costs_to(embeddings: &Array2<f64>, class: usize) -> Vec<f64> {
    let length = |k: usize| embeddings.row(k).dot(&embeddings.row(k)).sqrt();
    let to = embeddings.row(class).mapv(|x| x / length(class));
    let of = |k: usize| 1.0 - embeddings.row(k).dot(&to) / length(k);
    (0..embeddings.nrows()).map(|k| if k == class { 0.0 } else { of(k) }).collect()
}

/// `D`, and its slope `q_k (C_k - D)` as a sum over the other classes, in which nothing cancels.
fn expected(q: &[f64], costs: &[f64]) -> (f64, Vec<f64>) {
    let value = q.iter().zip(costs).map(|(q, c)| q * c).sum();
    let largest = (0..q.len()).fold(0, |best, k| if q[k] > q[best] { k } else { best });
    let slope = |k: usize| match k == largest {
        true => q[k] * q.iter().zip(costs).map(|(q, c)| q * (costs[k] - c)).sum::<f64>(),
        false => q[k] * (costs[k] - value),
    };
    (value, (0..q.len()).map(slope).collect())
}

/// How far a number may be from another: relative, where the plain loop's own sums count in `f64`, and beside what costs
/// themselves are off by.
fn near<T: Real>(got: T, expected: f64, unit: f64, told: &dyn Fn() -> String) {
    let epsilon = T::epsilon().as_f64();
    let relative = if epsilon < 1e-10 { 2_048.0 } else { 128.0 };
    let (got, allowed) = (got.as_f64(), relative * epsilon * (expected.abs() + unit));
    assert!((got - expected).abs() <= allowed, "{}: {got}, not {expected}", told());
}

/// Every shape of row, and targets on the peak and beside it.
fn check<T: Real>(classes: usize) {
    let embeddings = embeddings(classes);
    let cost = CosineCost::new(&embeddings.mapv(T::from_f64)).unwrap();
    for shape in shapes(classes) {
        let logits = shape.logits(classes, 3);
        let q: Vec<f64> = log_softmax(&logits).into_iter().map(f64::exp).collect();
        let narrow = Array2::from_shape_fn((1, classes), |(_, k)| T::from_f64(logits[k]));
        let peak = (0..classes).fold(0, |best, k| if logits[k] > logits[best] { k } else { best });
        for target in [peak, (peak + 2_048) % classes, classes - 1 - peak] {
            let (value, slopes) = expected(&q, &costs_to(&embeddings, target));
            let targets = array![target as i64];
            let told = || format!("{shape:?} of {classes}, target {target}");
            near(demd(&narrow, &targets, &cost).unwrap()[0], value, 1.0 - q[target], &told);
            let (_, gradient) = demd_grad(&narrow, &targets, &cost).unwrap();
            let mut onehot = Array2::zeros((1, classes));
            onehot[[0, target]] = T::one();
            let (soft, soft_gradient) = demd_soft_grad(&narrow, &onehot, &cost).unwrap();
            near(soft[0], value, 1.0 - q[target], &told);
            for (k, slope) in slopes.into_iter().enumerate() {
                // Costs are off by an epsilon each: of the class itself by that of all others.
                let unit = q[k] * (1.0 - q[k]);
                near(gradient[[0, k]], slope, unit, &|| format!("{}, class {k}", told()));
                near(soft_gradient[[0, k]], slope, unit, &|| format!("{}, class {k}, soft", told()));
            }
        }
    }
}

#[test]
fn demd_is_that_of_a_plain_loop_at_the_borders_of_blocks() {
    for classes in &CLASSES[..3] {
        check::<f64>(*classes);
        check::<f32>(*classes);
    }
}

#[test]
fn demd_is_that_of_a_plain_loop_over_real_vocabularies() {
    for classes in &CLASSES[4..] {
        check::<f64>(*classes);
        check::<f32>(*classes);
    }
}

/// `L₁ = ½ (M + w D)` and `L₂ = w M + D`, whose factor `w` the gradient holds.
fn check_emo<T: Real>(classes: usize) {
    let embeddings = embeddings(classes);
    let cost = CosineCost::new(&embeddings.mapv(T::from_f64)).unwrap();
    let places = [0, classes / 2, classes - 1];
    let rows: Vec<(usize, usize)> =
        places.into_iter().flat_map(|peak| [(peak, peak), (peak, (peak + 1_024) % classes)]).collect();
    let logits: Vec<Vec<f64>> = rows.iter().map(|&(peak, _)| Shape::Confident(peak).logits(classes, 4)).collect();
    let narrow = Array2::from_shape_fn((rows.len(), classes), |(n, k)| T::from_f64(logits[n][k]));
    let targets = Array1::from_iter(rows.iter().map(|&(_, target)| target as u32));
    for mode in [EmoMode::ScaleDemd, EmoMode::ScaleMle] {
        let emo = Emo { mode, ..Emo::default() };
        let (_, gradient) = emo.grad(&narrow, &targets, &cost, Reduction::Sum).unwrap();
        let terms = emo.terms(&narrow, &targets, &cost).unwrap();
        for (n, &(peak, target)) in rows.iter().enumerate() {
            let logs = log_softmax(&logits[n]);
            let q: Vec<f64> = logs.iter().map(|x| x.exp()).collect();
            let (demd, slopes) = expected(&q, &costs_to(&embeddings, target));
            let others: f64 = (0..classes).filter(|&k| k != target).map(|k| q[k]).sum();
            let mle = if peak == target { -(-others).ln_1p() } else { -logs[target] };
            let told = |what: &str| format!("{what} of {mode:?}, peak {peak} of {classes}, target {target}");
            near(terms.mle[n], mle, 0.0, &|| told("M"));
            near(terms.demd[n], demd, 1.0 - q[target], &|| told("D"));
            let (weight, of_mle, of_demd) = match mode {
                EmoMode::ScaleDemd => (mle / (demd + 1e-10), 0.5, 0.5 * mle / (demd + 1e-10)),
                EmoMode::ScaleMle => (demd / (mle + 1e-10), demd / (mle + 1e-10), 1.0),
            };
            // A cost near zero is off by as much as any, and its inverse by so much more.
            let doubt = 1.0 + (1.0 - q[target]) / demd;
            near(terms.weight[n], weight, doubt * weight, &|| told("factor"));
            for (k, slope) in slopes.into_iter().enumerate() {
                let likelihood = if k == target { -others } else { q[k] };
                let expected = of_mle * likelihood + of_demd * slope;
                let unit = doubt * (of_mle * likelihood.abs() + of_demd * (slope.abs() + q[k] * (1.0 - q[k])));
                near(gradient[[n, k]], expected, unit, &|| told(&format!("slope at {k}")));
            }
        }
    }
}

#[test]
fn emo_of_confident_rows_is_that_of_a_plain_loop() {
    for classes in [2_047, 2_048, 2_049, 32_000, 128_256] {
        check_emo::<f64>(classes);
        check_emo::<f32>(classes);
    }
}
