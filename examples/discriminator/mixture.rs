//! DDO from samples: a mixture in the plane whose weights are learned.

use loglik::Result;
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use loglik::ratio::{optimal_alpha, optimal_distribution};

use crate::claims::Claim;
use crate::failure::Outcome;
use crate::figure::{Axis, Figure, Line, Panel, Scale, Stroke};
use crate::random::Random;
use crate::tabular::{softmax, states};

/// Means of the components, far enough apart that each is a state of its own; deviations are 1.
const MEANS: [[f64; 2]; 3] = [[-6.0, 0.0], [0.0, 4.0], [6.0, 0.0]];

/// Steps of each training.
const STEPS: usize = 400;

/// What is drawn of a training: the step, then loss and accuracies.
struct Look {
    step: usize,
    loss: f64,
    accuracy: Samples<f64>,
}

struct Course {
    ddo: Ddo,
    weights: Array1<f64>,
    looks: Vec<Look>,
}

/// `n` points of the mixture with these weights, as log-densities of each component, `[n, 3]`.
fn draw(random: &mut Random, n: usize, weights: &Array1<f64>) -> Array2<f64> {
    let mut log_densities = Array2::zeros((n, MEANS.len()));
    for mut row in log_densities.rows_mut() {
        let mut left = random.unit();
        let component = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let [x, y] = random.normals();
        let [center_x, center_y] = MEANS[component.unwrap_or(0)];
        row.assign(&log_density([center_x + x, center_y + y]));
    }
    log_densities
}

/// Of each component at a point.
fn log_density([x, y]: [f64; 2]) -> Array1<f64> {
    let level = -(2.0 * std::f64::consts::PI).ln();
    MEANS.iter().map(|[a, b]| level - 0.5 * ((x - a).powi(2) + (y - b).powi(2))).collect()
}

/// Log-density of the mixture at each point, and how much of it is each component's.
fn mixture(log_densities: &Array2<f64>, weights: &Array1<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let logits = log_densities + &weights.ln();
    let (values, shares) = log_sum_exp_grad(&logits)?;
    Ok((values, shares))
}

/// Descent on the logits of the weights, from the reference, with samples of data and reference.
fn train(
    ddo: Ddo,
    points: &Samples<Array2<f64>>,
    reference: &Array1<f64>,
    (steps, rate): (usize, f64),
) -> Result<Course> {
    let before = Samples { real: mixture(&points.real, reference)?.0, fake: mixture(&points.fake, reference)?.0 };
    let (mut logits, mut looks) = (reference.ln(), Vec::new());
    for step in 0..=steps {
        let weights = softmax(&logits);
        let (real, fake) = (mixture(&points.real, &weights)?, mixture(&points.fake, &weights)?);
        let ratios = Samples { real: &real.0 - &before.real, fake: &fake.0 - &before.fake };
        let ratios = Samples { real: ratios.real.view(), fake: ratios.fake.view() };
        let (loss, slopes) = ddo.grad(ratios, Samples::both(Reduction::Mean))?;
        if step % steps.div_ceil(40) == 0 {
            looks.push(Look { step, loss, accuracy: ddo.accuracy(ratios)? });
        }
        // ∂ ln p / ∂ logits = shares - weights
        let total = slopes.real.sum() + slopes.fake.sum();
        let by_logits = slopes.real.dot(&real.1) + slopes.fake.dot(&fake.1) - &weights * total;
        logits.scaled_add(-rate, &by_logits);
    }
    Ok(Course { ddo, weights: softmax(&logits), looks })
}

pub(crate) fn run(n: usize, seed: u64) -> Outcome<(Vec<Claim>, Vec<Figure>)> {
    let (data, reference) = states();
    let random = &mut Random(seed);
    let points = Samples { real: draw(random, n, &data), fake: draw(random, n, &reference) };
    let alpha = optimal_alpha(&data, &reference, 0.5)?;
    let pure = train(Ddo::default(), &points, &reference, (STEPS, 4.0))?;
    let soft = train(Ddo { alpha, beta: 0.5 }, &points, &reference, (STEPS, 16.0))?;
    // Four deviations of a share of one half.
    let tolerance = 4.0 * 0.5 / (n as f64).sqrt();
    let beyond = optimal_distribution(&data, &reference, 0.5)?;
    let last = |course: &Course| course.looks.last().map_or(f64::NAN, |look| look.loss);
    // It is right where the data has more of a component than the reference, or less; the middle one is a tie.
    let accuracy = pure.looks.last().map_or(Samples::default(), |look| look.accuracy);
    let claims = vec![
        Claim::all_equal(
            format!("mixture, {n} samples: α = β = 1 learns the weights"),
            &data,
            &pure.weights,
            tolerance,
        ),
        Claim::equal("its loss ends at 2 ln 2 - 2 JSD", 1.253_465_732, last(&pure), tolerance),
        Claim::below(
            "its discriminator is wrong on real samples, of a tie always",
            1.0 - data[0] + tolerance,
            1.0 - accuracy.real,
        ),
        Claim::below("and on fake samples", 1.0 - reference[2] + tolerance, 1.0 - accuracy.fake),
        Claim::all_equal("β = 0.5 goes beyond the data", &beyond, &soft.weights, 4.0 * tolerance),
    ];
    Ok((
        claims,
        vec![curves(&[&pure, &soft]), accuracies(&[&pure, &soft]), density(&data, &reference, &[&pure, &soft])],
    ))
}

fn named(course: &Course) -> String {
    format!("α = {:.2}, β = {}", course.ddo.alpha, course.ddo.beta)
}

fn curves(courses: &[&Course]) -> Figure {
    let line = |(color, course): (usize, &&Course)| Line {
        label: named(course),
        color,
        stroke: Stroke::Solid,
        points: course.looks.iter().map(|look| (look.step as f64, look.loss)).collect(),
    };
    Figure {
        name: "loss",
        title: "DDO on a mixture: loss",
        panels_by: "problem",
        x: Axis { column: "step", label: "step" },
        y: "loss (nats)",
        scale: Scale::Own,
        panels: vec![Panel {
            title: "mixture in the plane".into(),
            lines: courses.iter().enumerate().map(line).collect(),
        }],
    }
}

fn accuracies(courses: &[&Course]) -> Figure {
    let panel = |course: &&Course| {
        let line = |label: &str, color, of: &dyn Fn(&Look) -> f64| Line {
            label: label.into(),
            color,
            stroke: Stroke::Solid,
            points: course.looks.iter().map(|look| (look.step as f64, of(look))).collect(),
        };
        let lines = vec![line("real", 0, &|look| look.accuracy.real), line("fake", 1, &|look| look.accuracy.fake)];
        Panel { title: named(course), lines }
    };
    Figure {
        name: "accuracy",
        title: "How often the implicit discriminator is right",
        panels_by: "setting",
        x: Axis { column: "step", label: "step" },
        y: "accuracy",
        scale: Scale::Shared,
        panels: courses.iter().map(panel).collect(),
    }
}

/// Along the line through the outer two components.
fn density(data: &Array1<f64>, reference: &Array1<f64>, courses: &[&Course]) -> Figure {
    let along = |weights: &Array1<f64>| {
        let place = |i: i32| 0.1 * f64::from(i) - 9.0;
        let at = |x: f64| (log_density([x, 0.0]).mapv(f64::exp) * weights).sum();
        (0..=180).map(|i| (place(i), at(place(i)))).collect()
    };
    let mut lines = vec![
        Line { label: "data".into(), color: 6, stroke: Stroke::Dashed, points: along(data) },
        Line { label: "reference".into(), color: 7, stroke: Stroke::Dashed, points: along(reference) },
    ];
    for (color, course) in courses.iter().enumerate() {
        lines.push(Line { label: named(course), color, stroke: Stroke::Solid, points: along(&course.weights) });
    }
    Figure {
        name: "density",
        title: "Densities along the line y = 0",
        panels_by: "problem",
        x: Axis { column: "x", label: "x" },
        y: "density",
        scale: Scale::Own,
        panels: vec![Panel { title: "mixture in the plane".into(), lines }],
    }
}

/// Short rounds of self-play at a soft setting: the distance of the weights to the data's after each.
pub(crate) fn rounds(n: usize, seed: u64) -> Outcome<Vec<Claim>> {
    let (data, mut reference) = states();
    let random = &mut Random(seed ^ 0x5e1f);
    let distance = |p: &Array1<f64>| (&data * &(&data / p).ln()).sum();
    let mut claims = Vec::new();
    for round in 1..=3 {
        let points = Samples { real: draw(random, n, &data), fake: draw(random, n, &reference) };
        let model = train(Ddo { alpha: 1.0, beta: 0.1 }, &points, &reference, (10, 4.0))?.weights;
        let what = format!("short round {round} at α = 1, β = 0.1 comes nearer to the data, in KL");
        claims.push(Claim::below(what, distance(&reference), distance(&model)));
        reference = model;
    }
    Ok(claims)
}
