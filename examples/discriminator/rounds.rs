//! Self-play: each round takes the model as its new reference.

use loglik::Result;
use loglik::divergence::{Categorical, KlDivergence};
use loglik::ndarray::Array1;
use loglik::prelude::*;
use loglik::ratio::optimal_alpha;

use crate::claims::Claim;
use crate::failure::Outcome;
use crate::figure::{Axis, Figure, Line, Panel, Scale, Stroke};
use crate::tabular::{descend, softmax, states};

/// Sharpness of the discriminator of each course, and its rounds.
const COURSES: [(f64, usize); 4] = [(1.0, 6), (0.75, 6), (0.5, 6), (0.4, 3)];

/// References, one after the other.
struct Course {
    beta: f64,
    references: Vec<Array1<f64>>,
}

/// Rounds to the end, each at the optimal α of its reference.
fn play(beta: f64, rounds: usize) -> Result<Course> {
    let (data, mut reference) = states();
    let mut references = vec![reference.clone()];
    for _ in 0..rounds {
        // The round itself: the reference makes the fake samples, and the model starts from it.
        let ddo = Ddo { alpha: optimal_alpha(&data, &reference, beta)?, beta };
        reference = softmax(&descend(ddo, &data, &reference, reference.ln(), 4_000)?);
        references.push(reference.clone());
    }
    Ok(Course { beta, references })
}

impl Course {
    /// By how much the log-odds of the first two states, reference to data, change in the first round.
    fn factor(&self) -> f64 {
        let (data, _) = states();
        let off = |p: &Array1<f64>| (p[0] / data[0]).ln() - (p[1] / data[1]).ln();
        off(&self.references[1]) / off(&self.references[0])
    }

    /// `KL(data ‖ reference)` after each round.
    fn distances(&self) -> Result<Vec<f64>> {
        let (data, _) = states();
        let distance =
            |p: &Array1<f64>| KlDivergence.value(Categorical::Probs(&data), Categorical::Probs(p), Reduction::Sum);
        self.references.iter().map(distance).collect()
    }
}

pub(crate) fn run() -> Outcome<(Vec<Claim>, Figure)> {
    let (mut claims, mut lines) = (Vec::new(), Vec::new());
    for (color, (beta, rounds)) in COURSES.into_iter().enumerate() {
        let course = play(beta, rounds)?;
        let (factor, distances) = (course.factor(), course.distances()?);
        let what = format!("a round at β = {beta} multiplies the log-ratio to the data by 1 - 1/β");
        claims.push(Claim::equal(what, 1.0 - 1.0 / beta, factor, 1e-3));
        let last = distances[distances.len() - 1];
        match beta {
            0.5 => claims.push(Claim::equal("β = 0.5 swings for ever: KL after 6 rounds", distances[0], last, 1e-3)),
            _ if beta > 0.5 => {
                claims.push(Claim::below(format!("β = {beta} converges: KL after 6 rounds"), 1e-3, last))
            }
            _ => claims.push(Claim::below(
                format!("β = {beta} leaves: KL at the start, of that at the end"),
                last,
                distances[0],
            )),
        }
        let points = distances.iter().enumerate().map(|(round, kl)| (round as f64, kl.max(1e-12).log10())).collect();
        let stroke = if beta > 0.5 { Stroke::Solid } else { Stroke::Dashed };
        lines.push(Line { label: format!("β = {}", course.beta), color, stroke, points });
    }
    let figure = Figure {
        name: "rounds",
        title: "Self-play: distance of the reference to the data",
        panels_by: "problem",
        x: Axis { column: "round", label: "round" },
        y: "KL(data, reference) (log10)",
        scale: Scale::Own,
        panels: vec![Panel { title: "three states".into(), lines }],
    };
    Ok((claims, figure))
}
