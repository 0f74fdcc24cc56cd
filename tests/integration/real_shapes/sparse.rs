//! Divergences from a teacher that gives twenty classes of a whole vocabulary.

use loglik::divergence::{
    JensenShannonDivergence, KlDivergence, ReverseKlDivergence, SparseDivergence, SparseTeacher, Tail,
};
use loglik::{Error, Real, Reduction, Result};
use ndarray::{Array2, ArrayView2};

use super::definitions::{Definition, Side, compare};
use super::rows::{Shape, log_softmax, shapes, total};

const GIVEN: usize = 20;

/// The definition over a row: classes that the teacher gives with their log-probabilities, and the student's logarithms.
fn definition(divergence: Definition, tail: Tail, given: &[(usize, f64)], log_q: &[f64]) -> Side {
    let sum = |logs: &mut dyn Iterator<Item = f64>| total(logs.map(f64::exp));
    let is_given = |class: usize| given.iter().any(|(other, _)| *other == class);
    let mass = sum(&mut given.iter().map(|(_, log)| *log));
    let inside = sum(&mut given.iter().map(|(class, _)| log_q[*class]));
    let by = if matches!(tail, Tail::Cut | Tail::Conditional) { mass.ln() } else { 0.0 };
    let by_q = if tail == Tail::Conditional { inside.ln() } else { 0.0 };
    let probs: Vec<f64> = (0..log_q.len())
        .map(|class| if tail == Tail::Conditional && !is_given(class) { 0.0 } else { (log_q[class] - by_q).exp() })
        .collect();
    let (mut value, mut slopes) = (0.0, vec![0.0; log_q.len()]);
    for &(class, log_p) in given {
        let [term, _, slope] = divergence.term(log_p - by, log_q[class] - by_q);
        value += term;
        slopes[class] = slope;
    }
    let outside: Vec<usize> = (0..log_q.len()).filter(|class| !is_given(*class)).collect();
    if matches!(tail, Tail::Bucket | Tail::Cut) {
        let share = sum(&mut outside.iter().map(|class| log_q[*class]));
        let rest = if tail == Tail::Bucket { 1.0 - mass } else { 0.0 };
        let [term, _, slope] = divergence.term(rest.ln(), share.ln());
        value += term;
        outside
            .iter()
            .for_each(|&class| slopes[class] = if share > 0.0 { slope * (probs[class] / share) } else { 0.0 });
    }
    // The rest of the teacher's mass is a difference to 1, and each class outside has its part of it.
    let parts: Vec<_> =
        if tail == Tail::Bucket { outside.iter().map(|&class| (class, probs[class])).collect() } else { vec![] };
    let all: f64 = parts.iter().map(|(_, q)| q).sum();
    parts.into_iter().fold(Side::new(value, &slopes, probs), |side, (class, q)| side.beside(class, q / all))
}

fn ours<T: Real>(
    definition: Definition,
    tail: Tail,
    (indices, log_probs): (ArrayView2<'_, usize>, ArrayView2<'_, T>),
    logits: &Array2<T>,
) -> Result<(T, Array2<T>)> {
    let teacher = SparseTeacher { indices, log_probs };
    let reduction = Reduction::Sum;
    match definition {
        Definition::Kl => {
            SparseDivergence { divergence: KlDivergence, tail, ..Default::default() }.grad(teacher, logits, reduction)
        }
        Definition::ReverseKl => SparseDivergence { divergence: ReverseKlDivergence, tail, ..Default::default() }
            .grad(teacher, logits, reduction),
        _ => SparseDivergence { divergence: JensenShannonDivergence, tail, ..Default::default() }
            .grad(teacher, logits, reduction),
    }
}

fn check<T: Real>(classes: usize, tolerance: f64) {
    for (teacher, student) in shapes(classes).into_iter().flat_map(|shape| {
        [(Shape::Confident(2_048), shape), (Shape::TwoPeaks(1, classes - 2), shape), (Shape::Flat, shape)]
    }) {
        let (log_p, row) = (log_softmax(&teacher.logits(classes, 1)), student.logits(classes, 2));
        let mut order: Vec<usize> = (0..classes).collect();
        order.sort_by(|&a, &b| log_p[b].total_cmp(&log_p[a]));
        let indices = Array2::from_shape_fn((1, GIVEN), |(_, k)| order[k]);
        let log_probs = indices.mapv(|class| T::from_f64(log_p[class]));
        let given: Vec<_> = indices.iter().zip(&log_probs).map(|(&class, log)| (class, log.as_f64())).collect();
        let logits = Array2::from_shape_fn((1, classes), |(_, class)| T::from_f64(row[class]));
        let log_q = log_softmax(&row);
        for tail in [Tail::Bucket, Tail::Cut, Tail::Conditional, Tail::Ignored] {
            if tail == Tail::Conditional && student == Shape::MostlyForbidden {
                continue; // which may have none of the teacher's classes
            }
            for divergence in [Definition::Kl, Definition::ReverseKl, Definition::mixture(0.5, 0.5)] {
                let expected = definition(divergence, tail, &given, &log_q).rounded(T::epsilon().as_f64());
                let what = || format!("{divergence:?}, {tail:?}, {teacher:?} and {student:?} of {classes}");
                let (value, gradient) = match ours(divergence, tail, (indices.view(), log_probs.view()), &logits) {
                    Ok(outcome) => outcome,
                    Err(error) => {
                        let is_meant =
                            !expected.is_finite() && matches!(error, Error::Value { argument: "logits", .. });
                        assert!(is_meant, "{}: {error}", what());
                        continue;
                    }
                };
                let (value, exact) = (value.as_f64(), expected.value);
                let is_close = value == exact || (value - exact).abs() <= tolerance * exact.abs().max(1e-3);
                assert!(is_close, "{}: {value} for {exact}", what());
                let gradient: Vec<f64> = gradient.iter().map(|x| x.as_f64()).collect();
                let fault = compare(&gradient, &expected, 1.0, tolerance);
                assert!(fault.is_none(), "{}: {fault:?}", what());
            }
        }
    }
}

#[test]
fn teachers_of_twenty_classes_are_their_definitions() {
    for classes in [2_049, 32_000] {
        check::<f64>(classes, 1e-7);
        check::<f32>(classes, 4e-5);
    }
}
