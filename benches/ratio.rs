//! Objectives of log-ratios, beside a scalar loop on the standard library's functions.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::{Array1, Array2, Array3};
use loglik::prelude::*;
use loglik::ratio::{
    Contrast, GoalContrast, GoalStates, Nbpo, NbpoArguments, Nce, NceBatch, Relativistic, pairwise_score,
    pairwise_score_backward,
};

/// Loss and gradient of both sides, as one would write them.
fn scalar(ddo: Ddo, ratios: Samples<&[f32]>, out: Samples<&mut [f32]>) -> f32 {
    let (alpha, beta) = (ddo.alpha as f32, ddo.beta as f32);
    let side = |ratios: &[f32], out: &mut [f32], sign: f32, weight: f32| {
        let mut sum = 0.0;
        for (slope, ratio) in out.iter_mut().zip(ratios) {
            let logit = sign * beta * ratio;
            sum += weight * (logit.max(0.0) + (-logit.abs()).exp().ln_1p());
            *slope = weight * sign * beta / (1.0 + (-logit).exp()) / ratios.len() as f32;
        }
        sum / ratios.len() as f32
    };
    side(ratios.real, out.real, -1.0, 1.0) + side(ratios.fake, out.fake, 1.0, alpha)
}

fn ddo(c: &mut Criterion) {
    let mut group = c.benchmark_group("ddo");
    let (ddo, mean) = (Ddo { alpha: 6.0, beta: 0.1 }, Samples::both(Reduction::Mean));
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(2 * n as u64));
        let real = Array1::from_shape_fn(n, |i| 20.0 * (i as f32).sin());
        let fake = Array1::from_shape_fn(n, |i| 20.0 * (i as f32).cos());
        let ratios = Samples { real: real.view(), fake: fake.view() };
        let (mut real_slope, mut fake_slope) = (Array1::zeros(n), Array1::zeros(n));
        group.bench_function(BenchmarkId::new("value", n), |bench| bench.iter(|| ddo.value(ratios, mean)));
        group.bench_function(BenchmarkId::new("grad_into", n), |bench| {
            bench.iter(|| {
                let out = Samples { real: real_slope.view_mut(), fake: fake_slope.view_mut() };
                ddo.grad_into(ratios, mean, out)
            });
        });
        group.bench_function(BenchmarkId::new("baseline_scalar_grad", n), |bench| {
            let (real, fake) = (real.to_vec(), fake.to_vec());
            let (mut real_slope, mut fake_slope) = (vec![0.0; n], vec![0.0; n]);
            bench.iter(|| {
                let out = Samples { real: &mut real_slope[..], fake: &mut fake_slope[..] };
                black_box(scalar(ddo, Samples { real: &real[..], fake: &fake[..] }, out))
            });
        });
    }
    group.finish();
}

/// The same losses of differences to the means of the other side.
fn relativistic(c: &mut Criterion) {
    let mut group = c.benchmark_group("relativistic");
    let (loss, mean) = (Relativistic { loss: Ddo::default() }, Samples::both(Reduction::Mean));
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(2 * n as u64));
        let (real, fake) = (wave(n, 4.0), wave(n, 3.0));
        let outputs = Samples { real: real.view(), fake: fake.view() };
        group.bench_function(BenchmarkId::new("grad", n), |bench| bench.iter(|| loss.grad(outputs, mean)));
    }
    group.finish();
}

/// Sixteen negatives for each example.
fn nce(c: &mut Criterion) {
    let mut group = c.benchmark_group("nce");
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(17 * n as u64));
        let of = |size: f32| Contrast {
            positive: wave(n, size),
            negatives: Array2::from_shape_fn((n, 16), |(i, j)| size * ((16 * i + j) as f32).cos()),
        };
        let (scores, log_noise) = (of(4.0), of(1.0));
        let batch = NceBatch { scores: scores.view(), log_noise: log_noise.view(), log_normalizer: 0.5 };
        let nce = Nce::default();
        group.bench_function(BenchmarkId::new("value", n), |bench| bench.iter(|| nce.value(&batch, Reduction::Mean)));
        group.bench_function(BenchmarkId::new("grad", n), |bench| bench.iter(|| nce.grad(&batch, Reduction::Mean)));
    }
    group.finish();
}

fn nbpo(c: &mut Criterion) {
    let mut group = c.benchmark_group("nbpo");
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(n as u64));
        let (scores, flips) = (wave(n, 4.0), wave(n, 5.0) - 4.0);
        let x = Array1::from_shape_fn(n, |i| (i % 2) as f32);
        let arguments = NbpoArguments { scores: &*scores, flips: &*flips, x: &*x };
        group.bench_function(BenchmarkId::new("grad", n), |bench| bench.iter(|| Nbpo.grad(arguments, Reduction::Mean)));
    }
    group.finish();
}

/// Events of four entities, and states of a hidden width.
fn vectors(c: &mut Criterion) {
    let mut group = c.benchmark_group("vectors");
    let (events, states) = (waves([4_096, 4, 64]), waves([64, 16, 512]));
    let (weights, cotangent) = (Array1::ones(6), Array1::ones(4_096));
    group.throughput(Throughput::Elements(events.len() as u64));
    group.bench_function("pairwise_score", |bench| bench.iter(|| pairwise_score(&events, &weights)));
    group.bench_function("pairwise_score_backward", |bench| {
        bench.iter(|| pairwise_score_backward(&events, &weights, &cotangent));
    });
    group.throughput(Throughput::Elements(3 * states.len() as u64));
    let states = GoalStates { source: states.view(), goal: states.view(), negative: states.view() };
    group
        .bench_function("goal_contrast", |bench| bench.iter(|| GoalContrast::default().grad(&states, Reduction::Mean)));
    group.finish();
}

fn wave(n: usize, size: f32) -> Array1<f32> {
    Array1::from_shape_fn(n, |i| size * (i as f32).sin())
}

fn waves(shape: [usize; 3]) -> Array3<f32> {
    let [_, m, d] = shape;
    Array3::from_shape_fn(shape, |(b, i, k)| (((b * m + i) * d + k) as f32).sin())
}

criterion_group!(benches, ddo, relativistic, nce, nbpo, vectors);
criterion_main!(benches);
