//! A discriminator as an estimate of a density ratio: two normal laws, whose log-ratio is linear.

use loglik::Result;
use loglik::divergence::KlDivergence;
use loglik::ndarray::{Array1, Array2, array};
use loglik::prelude::*;
use loglik::ratio::{FGan, RatioLoss};

use crate::claims::Claim;
use crate::failure::Outcome;
use crate::figure::{Axis, Figure, Line, Panel, Scale, Stroke};
use crate::random::Random;

/// Means of numerator and denominator; deviations are 1.
const MEANS: Samples<[f64; 2]> = Samples { real: [0.75, 0.0], fake: [-0.5, 0.25] };

/// Slope and intercept of `ln(p/q)`.
fn truth() -> Array1<f64> {
    let Samples { real: [a, b], fake: [c, d] } = MEANS;
    array![a - c, b - d, 0.5 * (c * c + d * d - a * a - b * b)]
}

/// Coordinates, and a 1 for the intercept.
fn features(points: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((points.nrows(), 3), |(i, k)| if k < 2 { points[[i, k]] } else { 1.0 })
}

/// Slope and intercept of the best linear discriminator.
fn fit<L: RatioLoss>(loss: &L, features: &Samples<Array2<f64>>, rate: f64) -> Result<(Array1<f64>, f64)> {
    let (mut weights, mut value) = (Array1::zeros(3), f64::NAN);
    for _ in 0..400 {
        let logits = Samples { real: features.real.dot(&weights), fake: features.fake.dot(&weights) };
        let outputs = Samples { real: logits.real.view(), fake: logits.fake.view() };
        let (loss, slopes) = loss.grad(outputs, Samples::both(Reduction::Mean))?;
        weights.scaled_add(-rate, &(slopes.real.dot(&features.real) + slopes.fake.dot(&features.fake)));
        value = loss;
    }
    Ok((weights, value))
}

pub(crate) fn run(n: usize, seed: u64) -> Outcome<(Vec<Claim>, Figure)> {
    let random = &mut Random(seed ^ 0xa710);
    let points = Samples { real: random.points(n, MEANS.real, 1.0), fake: random.points(n, MEANS.fake, 1.0) };
    let features = Samples { real: features(&points.real), fake: features(&points.fake) };
    let (logistic, _) = fit(&Ddo::default(), &features, 1.0)?;
    let (of_kl, bound) = fit(&FGan { generator: KlDivergence }, &features, 0.1)?;
    let truth = truth();
    let divergence = 0.5 * (truth[0] * truth[0] + truth[1] * truth[1]);
    let error = 1.0 / (n as f64).sqrt();
    let claims = vec![
        Claim::all_equal("logistic discriminator: slope and intercept of ln(p/q)", &truth, &logistic, 8.0 * error),
        Claim::all_equal("f-GAN of KL: the same", &truth, &of_kl, 16.0 * error),
        Claim::equal("and minus its loss is KL(p, q)", divergence, -bound, 16.0 * error),
    ];
    Ok((claims, figure(&truth, &[("logistic", &logistic), ("f-GAN of KL", &of_kl)])))
}

/// Along the line `y = 0`.
fn figure(truth: &Array1<f64>, estimates: &[(&str, &Array1<f64>)]) -> Figure {
    let along = |weights: &Array1<f64>| {
        let at = |x: f64| weights[0] * x + weights[2];
        [-3.0, 3.0].map(|x| (x, at(x))).to_vec()
    };
    let mut lines = vec![Line { label: "truth".into(), color: 6, stroke: Stroke::Dashed, points: along(truth) }];
    for (color, (label, weights)) in estimates.iter().enumerate() {
        lines.push(Line { label: (*label).into(), color, stroke: Stroke::Solid, points: along(weights) });
    }
    Figure {
        name: "ratio",
        title: "Log-ratio of two normal densities along the line y = 0",
        panels_by: "problem",
        x: Axis { column: "x", label: "x" },
        y: "ln p - ln q (nats)",
        scale: Scale::Own,
        panels: vec![Panel { title: "two normal laws in the plane".into(), lines }],
    }
}
