//! Noise-contrastive estimation against maximum likelihood, as the noise grows.

use loglik::Result;
use loglik::ndarray::{Array1, Array2, Axis};
use loglik::prelude::*;
use loglik::ratio::{Contrast, Nce, NceBatch};

use crate::claims::Claim;
use crate::failure::Outcome;
use crate::figure::{Axis as Horizontal, Figure, Line, Panel, Scale, Stroke};
use crate::random::Random;

/// Samples of the noise for each of the data.
const RATIOS: [usize; 4] = [1, 4, 16, 64];

/// Deviation of the noise, whose mean is 0; the data has deviation 1.
const WIDTH: f64 = 2.0;

/// The mean of the data.
const MEAN: [f64; 2] = [1.0, -0.5];

/// Distance of the estimate to the sample mean, and the log-normalizer.
struct Fit {
    off: f64,
    log_normalizer: f64,
}

fn square(point: [f64; 2], center: [f64; 2]) -> f64 {
    (point[0] - center[0]).powi(2) + (point[1] - center[1]).powi(2)
}

/// Of a normal law in the plane.
fn log_density(point: [f64; 2], center: [f64; 2], deviation: f64) -> f64 {
    -(2.0 * std::f64::consts::PI * deviation * deviation).ln() - 0.5 * square(point, center) / (deviation * deviation)
}

/// Learns mean and normalizer of `s(x) = -½ |x - m|²`, from `n` points and `n k` of the noise.
fn fit(random: &mut Random, n: usize, k: usize) -> Result<Fit> {
    let (data, noise) = (random.points(n, MEAN, 1.0), random.points(n * k, [0.0; 2], WIDTH));
    let likeliest = data.mean_axis(Axis(0)).unwrap_or_default();
    let of = |points: &Array2<f64>, f: &dyn Fn([f64; 2]) -> f64| -> Array1<f64> {
        points.rows().into_iter().map(|row| f([row[0], row[1]])).collect()
    };
    let wide = |flat: Array1<f64>| Array2::from_shape_fn((n, k), |(i, j)| flat[i * k + j]);
    let density = |point| log_density(point, [0.0; 2], WIDTH);
    let log_noise = Contrast { positive: of(&data, &density), negatives: wide(of(&noise, &density)) };
    let (mut mean, mut log_normalizer) = ([0.0, 0.0], 0.0);
    for _ in 0..100 {
        let score = |point| -0.5 * square(point, mean);
        let scores = Contrast { positive: of(&data, &score), negatives: wide(of(&noise, &score)) };
        let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer };
        let (_, gradient) = Nce::default().grad(&batch, Reduction::Mean)?;
        log_normalizer -= gradient.log_normalizer;
        for (axis, mean) in mean.iter_mut().enumerate() {
            // ∂ s / ∂ m = x - m
            let of_data = &data.column(axis) - *mean;
            let of_noise = &noise.column(axis) - *mean;
            let slopes = gradient.scores.negatives.iter().zip(&of_noise).map(|(slope, x)| slope * x).sum::<f64>();
            *mean -= gradient.scores.positive.dot(&of_data) + slopes;
        }
    }
    Ok(Fit { off: square(mean, [likeliest[0], likeliest[1]]).sqrt(), log_normalizer })
}

pub(crate) fn run(n: usize, trials: usize, seed: u64) -> Outcome<(Vec<Claim>, Figure)> {
    let (random, mut claims, mut points) = (&mut Random(seed ^ 0x0ce), Vec::new(), Vec::new());
    let mut before = f64::INFINITY;
    for k in RATIOS {
        let fits: Vec<Fit> = (0..trials).map(|_| fit(random, n, k)).collect::<Result<_>>()?;
        let off = (fits.iter().map(|fit| fit.off * fit.off).sum::<f64>() / trials as f64).sqrt();
        if before.is_finite() {
            let what = format!("NCE, k = {k}: distance to maximum likelihood, less than at a quarter of k");
            claims.push(Claim::below(what, before, off));
        }
        let normalizer = fits.iter().map(|fit| fit.log_normalizer).sum::<f64>() / trials as f64;
        let spread = 8.0 / ((n * trials) as f64).sqrt();
        let what = format!("and its learned log-normalizer is ln 2π, k = {k}");
        claims.push(Claim::equal(what, (2.0 * std::f64::consts::PI).ln(), normalizer, spread));
        points.push(((k as f64).log2(), off.log2()));
        before = off;
    }
    let figure = Figure {
        name: "nce",
        title: "Distance of the NCE estimate to that of maximum likelihood",
        panels_by: "problem",
        x: Horizontal { column: "log2_k", label: "samples of the noise for each of the data (log2)" },
        y: "root mean squared distance (log2)",
        scale: Scale::Own,
        panels: vec![Panel {
            title: "mean of a normal law in the plane".into(),
            lines: vec![Line { label: "NCE".into(), color: 0, stroke: Stroke::Solid, points }],
        }],
    };
    Ok((claims, figure))
}
