//! Divergences between rows of whole vocabularies: values, and the gradients of both sides, against plain loops over the
//! definitions.

use loglik::divergence::{
    AmariDivergence, Categorical::Logits, CategoricalDivergence, FDivergence, GeneralizedJsd, InterpolatedJsd,
    JensenShannonDivergence, KlDivergence, MixtureChiSquare, NeymanChiSquare, PearsonChiSquare, RenyiDivergence,
    ReverseKlDivergence, SquaredHellinger, TotalVariation,
};
use loglik::{Element, Error, Real, Reduction};
use ndarray::{Array2, Ix2};

use super::definitions::{Definition, Side, compare};
use super::rows::{CLASSES, Shape, log_softmax, shapes};

type Divergence<E> = Box<dyn CategoricalDivergence<E, Ix2>>;

/// The divergences with their definitions; both are made anew for each element type.
fn all<E: Element>() -> Vec<(&'static str, Definition, Divergence<E>)> {
    use Definition as D;
    vec![
        ("KL", D::Kl, Box::new(KlDivergence)),
        ("reverse KL", D::ReverseKl, Box::new(ReverseKlDivergence)),
        ("Jensen-Shannon", D::mixture(0.5, 0.5), Box::new(JensenShannonDivergence)),
        ("GKD", D::mixture(0.3, 0.3), Box::new(GeneralizedJsd { beta: 0.3 })),
        ("interpolated", D::mixture(0.3, 0.7), Box::new(InterpolatedJsd { beta: 0.3 })),
        ("Amari", D::Amari(0.3), Box::new(AmariDivergence { alpha: 0.3 })),
        ("Amari beyond 1", D::Amari(1.25), Box::new(AmariDivergence { alpha: 1.25 })),
        ("Renyi", D::Renyi(0.7), Box::new(RenyiDivergence { alpha: 0.7 })),
        ("Renyi beyond 1", D::Renyi(1.5), Box::new(RenyiDivergence { alpha: 1.5 })),
        ("Pearson", D::Amari(2.0), Box::new(PearsonChiSquare)),
        ("Neyman", D::Amari(-1.0), Box::new(NeymanChiSquare)),
        ("mixture chi-square", D::MixtureChiSquare, Box::new(MixtureChiSquare)),
        ("Hellinger", D::Hellinger, Box::new(SquaredHellinger)),
        ("total variation", D::TotalVariation, Box::new(TotalVariation)),
        ("generated", D::Kl, Box::new(FDivergence { generator: KlDivergence })),
    ]
}

/// How far the value may be off, relatively, and an entry of a gradient, relatively to the parts that it is made of.
struct Tolerance {
    value: f64,
    entry: f64,
}

const WIDE: Tolerance = Tolerance { value: 1e-12, entry: 1e-8 };
const NARROW: Tolerance = Tolerance { value: 1e-5, entry: 4e-5 };

/// One pair of rows in one element type; what is wrong goes to `faults`.
fn check<E: Element>(
    rows: [&[f64]; 2],
    expected: &[[Side; 2]],
    of: impl Fn(f64) -> E,
    tolerance: &Tolerance,
    faults: &mut Vec<String>,
) {
    let [x, y] = rows.map(|row| Array2::from_shape_fn((1, row.len()), |(_, class)| of(row[class])));
    for ((name, definition, divergence), expected) in all::<E>().into_iter().zip(expected) {
        let factor = definition.factor(name);
        let outcome = divergence.grad(Logits(&x), Logits(&y), Reduction::Sum);
        let (value, gradients) = match outcome {
            Ok((value, gradients)) => (value.as_f64(), [gradients.p, gradients.q]),
            Err(error) => {
                let is_meant = expected.iter().any(|side| !side.is_finite()) && matches!(error, Error::Value { .. });
                if !is_meant {
                    faults.push(format!("{name}: {error}"));
                }
                continue;
            }
        };
        let exact = factor * expected[0].value;
        if (value - exact).abs() > tolerance.value * exact.abs().max(1e-3) {
            faults.push(format!("{name}: {value} for {exact}"));
        }
        for (side, (expected, got)) in expected.iter().zip(&gradients).enumerate() {
            let got: Vec<f64> = got.iter().map(|x| x.as_f64()).collect();
            if let Some(fault) = compare(&got, expected, factor, tolerance.entry) {
                faults.push(format!("{name}, side {side}: {fault}"));
            }
        }
    }
}

/// Each shape as `p` beside the next one as `q`, and a flat `p` beside it.
fn pairs(classes: usize) -> Vec<[(Shape, usize); 2]> {
    let mut shapes = shapes(classes);
    if classes > 10_000 {
        shapes.retain(|shape| matches!(shape, Shape::Confident(2_048) | Shape::TwoPeaks(..) | Shape::MostlyForbidden));
    }
    let next = shapes.iter().cycle().skip(1);
    let beside = shapes.iter().zip(next).map(|(&p, &q)| [(p, 1), (q, 2)]);
    beside.chain(shapes.iter().map(|&q| [(Shape::Flat, 3), (q, 1)])).collect()
}

fn every_pair(classes: &[usize], mut each: impl FnMut([&[f64]; 2], &[[Side; 2]], &mut Vec<String>)) {
    let mut faults = Vec::new();
    for &classes in classes {
        for pair in pairs(classes) {
            let rows = pair.map(|(shape, seed)| shape.logits(classes, seed));
            let logs = rows.each_ref().map(|row| log_softmax(row));
            let expected: Vec<_> = all::<f64>().iter().map(|(_, definition, _)| definition.of(&logs)).collect();
            let mut new = Vec::new();
            each([&rows[0], &rows[1]], &expected, &mut new);
            faults.extend(new.into_iter().map(|fault| format!("{pair:?} of {classes}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn values_and_gradients_are_those_of_plain_loops() {
    every_pair(&CLASSES, |rows, expected, faults| {
        check(rows, expected, |x| x, &WIDE, faults);
        check(rows, expected, |x| x as f32, &NARROW, faults);
    });
}

/// Logits of half precision, and a teacher of half precision beside a student of `f32`: every number is one of `bf16`.
#[test]
fn half_precision_is_that_of_plain_loops_over_the_same_numbers() {
    use half::bf16;
    let round = |row: Vec<f64>| row.into_iter().map(|x| f64::from(bf16::from_f64(x))).collect::<Vec<_>>();
    for pair in pairs(4_096) {
        let rows = pair.map(|(shape, seed)| round(shape.logits(4_096, seed)));
        let logs = rows.each_ref().map(|row| log_softmax(row));
        let expected: Vec<_> = all::<bf16>().iter().map(|(_, definition, _)| definition.of(&logs)).collect();
        let mut faults = Vec::new();
        check([&rows[0], &rows[1]], &expected, bf16::from_f64, &NARROW, &mut faults);
        assert!(faults.is_empty(), "{pair:?}: {}", faults.join("\n"));

        let x = Array2::from_shape_fn((1, 4_096), |(_, class)| bf16::from_f64(rows[0][class]));
        let y = Array2::from_shape_fn((1, 4_096), |(_, class)| rows[1][class] as f32);
        let mixed = KlDivergence.grad_q(Logits(&x), Logits(&y), Reduction::Sum);
        let alike = KlDivergence.grad_q(Logits(&x.mapv(f32::from)), Logits(&y), Reduction::Sum);
        if let (Ok((mixed, _)), Ok((alike, _))) = (&mixed, &alike) {
            assert!(mixed == alike || (mixed - alike).abs() <= 1e-5 * alike, "{pair:?}: {mixed}, {alike}");
        }
        assert_eq!(mixed.is_ok(), alike.is_ok());
    }
}
