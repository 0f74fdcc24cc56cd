//! Objectives of log-ratios, beside a scalar loop on the standard library's functions.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use loglik::ratio::bound::{donsker_varadhan, donsker_varadhan_grad};
use loglik::ratio::decision::auc;
use loglik::ratio::density::RuLsif;
use loglik::ratio::two_sample::{Mmd, energy_distance, energy_distance_grad};

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

/// All pairs of two clouds, value and gradient of both sides.
fn two_samples(c: &mut Criterion) {
    let mut group = c.benchmark_group("two_samples");
    for (n, d) in [(64, 2), (1_024, 2), (1_024, 64)] {
        let points = |shift: f32| Array2::from_shape_fn((n, d), |(i, k)| ((i * d + k) as f32 * 0.7 + shift).sin());
        let (x, y) = (points(0.0), points(0.5));
        let both = Samples { real: x.view(), fake: y.view() };
        let size = format!("{n}x{d}");
        group.throughput(Throughput::Elements(4 * (n * n) as u64));
        group.bench_function(BenchmarkId::new("mmd_grad", &size), |b| b.iter(|| Mmd::default().grad(black_box(both))));
        group.bench_function(BenchmarkId::new("energy_distance_grad", &size), |b| {
            b.iter(|| energy_distance_grad(black_box(both)));
        });
        group.bench_function(BenchmarkId::new("energy_distance", &size), |b| {
            b.iter(|| energy_distance(black_box(both)))
        });
        group.bench_function(BenchmarkId::new("baseline_scalar_mmd_value", &size), |b| {
            b.iter(|| [(&x, &x), (&y, &y), (&x, &y)].map(|(x, y)| scalar_kernel_mean(black_box(x), y)));
        });
    }
    group.finish();
}

/// The mean Gaussian kernel of all pairs, as one would write it.
fn scalar_kernel_mean(x: &Array2<f32>, y: &Array2<f32>) -> f32 {
    let mut sum = 0.0;
    for a in x.rows() {
        for b in y.rows() {
            sum += (-0.5 * a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()).exp();
        }
    }
    sum / (x.nrows() * y.nrows()) as f32
}

/// A bound, an area and a fit, beside the sizes that they are used at.
fn estimates(c: &mut Criterion) {
    let mut group = c.benchmark_group("estimates");
    for n in [4_096, 65_536] {
        group.throughput(Throughput::Elements(2 * n as u64));
        let scores = |shift: f32| Array1::from_shape_fn(n, |i| 3.0 * (i as f32 * 0.37 + shift).sin());
        let (real, fake) = (scores(0.4), scores(0.0));
        let (both, mean) = (Samples { real: real.view(), fake: fake.view() }, Samples::both(Reduction::Mean));
        group.bench_function(BenchmarkId::new("donsker_varadhan_grad", n), |b| {
            b.iter(|| donsker_varadhan_grad(black_box(both), mean));
        });
        group.bench_function(BenchmarkId::new("donsker_varadhan", n), |b| {
            b.iter(|| donsker_varadhan(black_box(both), mean));
        });
        group.bench_function(BenchmarkId::new("auc", n), |b| b.iter(|| auc(black_box(both), mean)));
    }
    let features =
        |rows: usize| Array2::from_shape_fn((rows, 100), |(i, l)| ((i * 13 + l * 7) as f32 * 0.1).cos().exp());
    let (real, fake) = (features(2_000), features(3_000));
    let both = Samples { real: real.view(), fake: fake.view() };
    group.throughput(Throughput::Elements(5_000));
    group.bench_function("rulsif_leave_one_out", |b| b.iter(|| RuLsif::default().leave_one_out(black_box(both))));
    group.finish();
}

criterion_group!(benches, ddo, two_samples, estimates);
criterion_main!(benches);
