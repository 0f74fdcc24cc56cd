//! Distances of two samples, bounds by critics, areas and fits of density ratios.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use loglik::ratio::bound::{donsker_varadhan, donsker_varadhan_grad};
use loglik::ratio::decision::auc;
use loglik::ratio::density::RuLsif;
use loglik::ratio::two_sample::{Mmd, energy_distance, energy_distance_grad};

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

criterion_group!(benches, two_samples, estimates);
criterion_main!(benches);
