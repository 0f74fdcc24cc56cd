//! Transport of a hundred thousand points, and sequences over vocabularies in use.

use loglik::Real;
use loglik::divergence::{Occupancy, SequenceMatch, Trajectory, TrajectoryEnd, TrajectorySource};
use loglik::transport::{
    Measure, wasserstein_1d, wasserstein_1d_distance, wasserstein_1d_distance_grad, wasserstein_circle,
    wasserstein_circle_distance,
};
use ndarray::{Array1, Array2};

use super::rows::{Shape, log_softmax, shapes};

const POINTS: usize = 100_000;

/// Points of the caller's type, and the same in `f64`, sorted.
fn points<T: Real>(factor: usize, offset: f64) -> (Array1<T>, Vec<f64>) {
    let points = Array1::from_shape_fn(POINTS, |i| T::from_f64(((i * factor) % 99_991) as f64 / 99_991.0 + offset));
    let mut sorted: Vec<f64> = points.iter().map(|x| x.as_f64()).collect();
    sorted.sort_by(f64::total_cmp);
    (points, sorted)
}

fn near<T: Real>(got: T, expected: f64, what: &str) {
    let tolerance = if T::NAME == "f32" { 2e-6 } else { 1e-11 }; // what a plain sum of so many loses
    assert!(
        (got.as_f64() - expected).abs() <= tolerance * expected.abs(),
        "{what}, {}: {got}, not {expected}",
        T::NAME
    );
}

fn a_hundred_thousand_points<T: Real>() {
    let ((x, from), (y, to)) = (points::<T>(7_919, 0.0), points::<T>(104_729, 0.37));
    let (x, y) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    let mean = |p: f64| from.iter().zip(&to).map(|(x, y)| (x - y).abs().powf(p)).sum::<f64>() / POINTS as f64;
    for p in [1.0, 2.0, 3.5] {
        near(wasserstein_1d(x, y, p).unwrap(), mean(p), "line");
        // Within half a turn the circle is the line.
        near(wasserstein_circle(x, y, p, 4.0).unwrap(), mean(p), "circle");
        near(wasserstein_1d_distance(x, y, p).unwrap(), mean(p).powf(p.recip()), "root");
    }
    let longest = from.iter().zip(&to).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
    near(wasserstein_1d_distance(x, y, f64::INFINITY).unwrap(), longest, "longest way");
    near(wasserstein_circle_distance(x, y, f64::INFINITY, 4.0).unwrap(), longest, "longest way around");
    let (_, in_x, _) = wasserstein_1d_distance_grad(x, y, 2.0).unwrap();
    let root = mean(2.0).sqrt();
    let slopes: f64 = from.iter().zip(&to).map(|(x, y)| (x - y) / root / POINTS as f64).sum();
    near(T::from_f64(in_x.points.iter().map(|x| x.as_f64()).sum()), slopes, "slopes together");
}

#[test]
fn the_line_and_the_circle_hold_a_hundred_thousand_points() {
    a_hundred_thousand_points::<f32>();
    a_hundred_thousand_points::<f64>();
}

/// The loss `-J` of one trajectory of the data that was cut, by its formula.
fn plain_loss(rows: &[Vec<f64>], actions: &[usize], gamma: f64, alpha: f64, share: f64) -> f64 {
    let value = |row: &[f64]| row[0] - log_softmax(row)[0];
    let discount = |step: usize| gamma.powi(step as i32);
    let gains = actions.iter().enumerate().map(|(step, &action)| {
        let reward = rows[step][action] - gamma * value(&rows[step + 1]);
        discount(step) * (reward - reward * reward / (8.0 * alpha))
    });
    let last = actions.len();
    -(gains.sum::<f64>() - share * (value(&rows[0]) - discount(last) * value(&rows[last])))
}

fn a_sequence<T: Real>(classes: usize, shape: Shape) {
    let rows: Vec<Vec<f64>> = (0..3).map(|seed| shape.logits(classes, seed)).collect();
    if rows.iter().any(|row| row[0] == f64::NEG_INFINITY) {
        return; // the plain loop reads a value off the first class
    }
    let actions = [classes / 2, classes - 1];
    let logits = Array2::from_shape_fn((3, classes), |(i, k)| T::from_f64(rows[i][k]));
    let targets = Array1::from_iter(actions.map(|action| action as i64));
    let (gamma, alpha, data_share) = (0.998, 50.0, 0.5);
    let occupancy = Occupancy::ChiSquareMixture { alpha };
    let matching = SequenceMatch { gamma, occupancy, data_share, ignore_index: None };
    let trajectory = Trajectory {
        logits: logits.view(),
        actions: targets.view(),
        source: TrajectorySource::Data,
        end: TrajectoryEnd::Truncated,
    };
    let (loss, gradient) = matching.grad(&trajectory).unwrap();
    near(loss, plain_loss(&rows, &actions, gamma, alpha, data_share), &format!("{classes}, {shape:?}"));
    // The first state has `φ'(r) [k = a] - κ π` of J.
    let log_probs = log_softmax(&rows[0]);
    let next = rows[1][0] - log_softmax(&rows[1])[0];
    let reward = rows[0][actions[0]] - gamma * next;
    let slope = 1.0 - reward / (4.0 * alpha);
    for k in [0, 1, classes / 2, classes - 1] {
        let expected = data_share * log_probs[k].exp() - if k == actions[0] { slope } else { 0.0 };
        near(gradient[[0, k]], expected, &format!("slope {k} of {classes}, {shape:?}"));
    }
}

#[test]
fn sequences_are_matched_over_whole_vocabularies() {
    for classes in [2_049, 32_000, 128_256] {
        for shape in shapes(classes) {
            a_sequence::<f32>(classes, shape);
            a_sequence::<f64>(classes, shape);
        }
    }
}
