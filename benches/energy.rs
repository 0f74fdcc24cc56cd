//! Losses of whole samples, beside a scalar loop, and of plain numbers.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::energy::{
    Edm, EdmArguments, Interpolant, InterpolantArguments, SampleLoss, SelfConsistency, SelfConsistencyArguments,
};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

/// Samples, and the numbers of each.
const SHAPES: [(usize, usize); 3] = [(16_384, 4), (256, 256), (256, 3_072)];

/// Numbers in (-1, 1) without a pattern that a branch predictor could learn.
fn noise(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
    let number = |i: usize| ((i * 7919 + seed * 104_729) % 65_521) as f32 / 32_760.5 - 1.0;
    Array2::from_shape_fn((rows, columns), |(i, j)| number(i * columns + j))
}

fn edm(c: &mut Criterion) {
    let mut group = c.benchmark_group("edm");
    for (n, d) in SHAPES {
        let (denoised, clean) = (noise(n, d, 1), noise(n, d, 2));
        let sigma = Array1::from_shape_fn(n, |i| 0.1 + (i % 7) as f32);
        let arguments = EdmArguments { denoised: &*denoised, clean: &*clean, sigma: &*sigma };
        let mut out = noise(n, d, 0);
        group.throughput(Throughput::Elements((n * d) as u64));
        let name = format!("{n}x{d}");
        group.bench_function(BenchmarkId::new("value", &name), |b| {
            b.iter(|| Edm::default().value(black_box(arguments), Reduction::Mean));
        });
        group.bench_function(BenchmarkId::new("grad_into", &name), |b| {
            b.iter(|| Edm::default().grad_into(black_box(arguments), Reduction::Mean, &mut out));
        });
        group.bench_function(BenchmarkId::new("scalar_grad", &name), |b| {
            b.iter(|| {
                let mut total = 0.0;
                for (i, s) in black_box(&sigma).iter().enumerate() {
                    let weight = (s * s + 0.25) / (0.5 * s).powi(2);
                    for j in 0..d {
                        let error = denoised[[i, j]] - clean[[i, j]];
                        out[[i, j]] = 2.0 * weight / n as f32 * error;
                        total += weight * error * error;
                    }
                }
                total / n as f32
            });
        });
    }
    group.finish();
}

fn interpolant(c: &mut Criterion) {
    let mut group = c.benchmark_group("interpolant");
    for (n, d) in SHAPES {
        let [prediction, x0, x1, z] = [1, 2, 3, 4].map(|seed| noise(n, d, seed));
        let t = Array1::from_shape_fn(n, |i| 0.05 + 0.9 * (i % 11) as f32 / 11.0);
        let arguments = InterpolantArguments { prediction: &*prediction, x0: &*x0, x1: &*x1, noise: &*z, t: &*t };
        let mut out = noise(n, d, 0);
        group.throughput(Throughput::Elements((n * d) as u64));
        group.bench_function(BenchmarkId::new("grad_into", format!("{n}x{d}")), |b| {
            b.iter(|| Interpolant::default().grad_into(black_box(arguments), Reduction::Mean, &mut out));
        });
    }
    group.finish();
}

fn self_consistency(c: &mut Criterion) {
    let mut group = c.benchmark_group("self_consistency");
    for n in [64, 4_096, 65_536] {
        let [previous, conditional, current] = [1, 2, 3].map(|seed| noise(1, n, seed));
        let arguments =
            SelfConsistencyArguments { previous: &*previous, conditional: &*conditional, current: &*current };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("grad", n), |b| {
            b.iter(|| SelfConsistency::default().grad(black_box(arguments), Reduction::Mean));
        });
    }
    group.finish();
}

criterion_group!(benches, edm, interpolant, self_consistency);
criterion_main!(benches);
