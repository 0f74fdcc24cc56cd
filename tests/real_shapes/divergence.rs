//! Divergences between rows of whole vocabularies, with the gradients of both sides.

use loglik::divergence::{
    AmariDivergence, Categorical::Logits, CategoricalDivergence, FDivergence, GeneralisedJsd, InterpolatedJsd,
    JensenShannonDivergence, KlDivergence, PearsonChiSquare, RenyiDivergence, ReverseKlDivergence, SquaredHellinger,
    TotalVariation,
};
use loglik::{Real, Reduction};
use ndarray::{Array2, Ix2};

use super::rows::{CLASSES, Shape, log_softmax, shapes};

fn all<T: Real>() -> Vec<(&'static str, Box<dyn CategoricalDivergence<T, Ix2>>)> {
    vec![
        ("KL", Box::new(KlDivergence)),
        ("reverse KL", Box::new(ReverseKlDivergence)),
        ("Jensen-Shannon", Box::new(JensenShannonDivergence)),
        ("GKD", Box::new(GeneralisedJsd { beta: 0.3 })),
        ("interpolated", Box::new(InterpolatedJsd { beta: 0.3 })),
        ("Amari", Box::new(AmariDivergence { alpha: 0.3 })),
        ("Renyi", Box::new(RenyiDivergence { alpha: 0.7 })),
        ("chi-square", Box::new(PearsonChiSquare)),
        ("Hellinger", Box::new(SquaredHellinger)),
        ("total variation", Box::new(TotalVariation)),
        ("generated", Box::new(FDivergence { generator: SquaredHellinger })),
    ]
}

/// Both sides have every shape in turn beside a flat one; no gradient of a row adds up to anything but 0.
fn gradients_of_every_shape<T: Real>() {
    let tolerance = if T::epsilon().wide() < 1e-10 { 1e-12 } else { 1e-4 };
    for classes in CLASSES {
        let flat = Shape::Flat.logits(classes, 2);
        for shape in shapes(classes) {
            let peaked = shape.logits(classes, 1);
            for [p, q] in [[&peaked, &flat], [&flat, &peaked], [&peaked, &peaked]] {
                let [x, y] = [p, q].map(|row| Array2::from_shape_fn((1, classes), |(_, class)| T::of(row[class])));
                let is_comparable = q.iter().zip(p).all(|(q, p)| q.is_finite() == p.is_finite());
                for (name, divergence) in all::<T>() {
                    let Ok((value, gradient)) = divergence.grad(Logits(&x), Logits(&y), Reduction::Sum) else {
                        assert!(!is_comparable, "{name}, {shape:?} of {classes}");
                        continue;
                    };
                    let scale = value.wide().max(1.0);
                    for side in [gradient.p, gradient.q] {
                        let sum: f64 = side.iter().map(|x| x.wide()).sum();
                        assert!(sum.abs() <= tolerance * scale, "{name}, {shape:?} of {classes}: {sum}");
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_of_every_shape_add_up_to_nothing() {
    gradients_of_every_shape::<f64>();
    gradients_of_every_shape::<f32>();
}

/// `KL` and its gradients, `p (ln(p/q) - KL)` and `q - p`, by a plain loop.
#[test]
fn kl_is_that_of_a_plain_loop() {
    for (classes, shape) in
        CLASSES.into_iter().flat_map(|classes| shapes(classes).into_iter().map(move |s| (classes, s)))
    {
        let row = shape.logits(classes, 1);
        let other: Vec<f64> = row.iter().zip(Shape::Flat.logits(classes, 2)).map(|(x, y)| 0.5 * x + y).collect();
        let (p, q) = (log_softmax(&row), log_softmax(&other));
        let ratio = |i: usize| if p[i].is_finite() { p[i] - q[i] } else { 0.0 };
        let kl: f64 = (0..classes).map(|i| p[i].exp() * ratio(i)).sum();
        let [x, y] = [row, other].map(|row| Array2::from_shape_fn((1, classes), |(_, class)| row[class]));
        let (value, gradient) = KlDivergence.grad(Logits(&x), Logits(&y), Reduction::Sum).unwrap();
        assert!((value - kl).abs() <= 1e-12 * kl.max(1.0), "{shape:?} of {classes}: {value}, {kl}");
        for i in 0..classes {
            let expected = [p[i].exp() * (ratio(i) - kl), q[i].exp() - p[i].exp()];
            let got = [gradient.p[[0, i]], gradient.q[[0, i]]];
            for (got, expected) in got.into_iter().zip(expected) {
                assert!((got - expected).abs() <= 1e-13, "{i}, {shape:?} of {classes}: {got}, {expected}");
            }
        }
    }
}
