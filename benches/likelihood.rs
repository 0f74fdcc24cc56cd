//! Densities against a scalar loop over the standard library, in elements per second.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::likelihood::{Bernoulli, BernoulliArguments, Gaussian, GaussianArguments, Poisson, PoissonArguments};
use loglik::ndarray::Array1;
use loglik::prelude::*;

const SIZES: [usize; 4] = [64, 4096, 65_536, 1 << 20];

/// Numbers in (-1, 1) without a pattern that a branch predictor could learn.
fn noise(n: usize, seed: usize) -> Array1<f32> {
    Array1::from_shape_fn(n, |i| ((i * 7919 + seed * 104_729) % 65_521) as f32 / 32_760.5 - 1.0)
}

fn gaussian(c: &mut Criterion) {
    let mut group = c.benchmark_group("gaussian_nll");
    for n in SIZES {
        let (mean, log_variance, x) = (noise(n, 1), noise(n, 2), noise(n, 3));
        let mut out = GaussianArguments { mean: noise(n, 0), log_variance: noise(n, 0), x: noise(n, 0) };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("value", n), |b| {
            b.iter(|| {
                Gaussian.value(
                    GaussianArguments { mean: black_box(&mean), log_variance: &log_variance, x: &x },
                    Reduction::Mean,
                )
            })
        });
        group.bench_function(BenchmarkId::new("grad_into", n), |b| {
            b.iter(|| {
                let GaussianArguments { mean: m, log_variance: v, x: y } = &mut out;
                let out = GaussianArguments { mean: &mut **m, log_variance: &mut **v, x: &mut **y };
                Gaussian.grad_into(
                    GaussianArguments { mean: black_box(&mean), log_variance: &log_variance, x: &x },
                    Reduction::Mean,
                    out,
                )
            })
        });
        group.bench_function(BenchmarkId::new("scalar_value", n), |b| {
            b.iter(|| {
                let terms = black_box(&mean).iter().zip(&log_variance).zip(&x);
                terms.map(|((m, s), x)| 0.5 * (1.837_877_f32 + s + (x - m).powi(2) * (-s).exp())).sum::<f32>()
            })
        });
    }
    group.finish();
}

fn bernoulli(c: &mut Criterion) {
    let mut group = c.benchmark_group("bernoulli_nll");
    for n in SIZES {
        let (logits, x) = (noise(n, 1) * 8.0, noise(n, 2).mapv(|u| if u > 0.0 { 1.0 } else { 0.0 }));
        let mut out = Array1::zeros(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("value", n), |b| {
            b.iter(|| Bernoulli.value(BernoulliArguments { logits: black_box(&logits), x: &x }, Reduction::Mean))
        });
        group.bench_function(BenchmarkId::new("grad_into", n), |b| {
            b.iter(|| {
                Bernoulli.grad_into(BernoulliArguments { logits: black_box(&logits), x: &x }, Reduction::Mean, &mut out)
            })
        });
        group.bench_function(BenchmarkId::new("scalar_value", n), |b| {
            b.iter(|| {
                let terms = black_box(&logits).iter().zip(&x);
                terms.map(|(l, x)| l.max(0.0) - x * l + (-l.abs()).exp().ln_1p()).sum::<f32>()
            })
        });
    }
    group.finish();
}

fn poisson(c: &mut Criterion) {
    let mut group = c.benchmark_group("poisson_nll");
    for n in SIZES {
        let (log_rate, x) = (noise(n, 1) * 3.0, noise(n, 2).mapv(|u| (10.0 * u + 10.0).floor()));
        let mut out = Array1::zeros(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("value", n), |b| {
            b.iter(|| Poisson.value(PoissonArguments { log_rate: black_box(&log_rate), x: &x }, Reduction::Mean))
        });
        group.bench_function(BenchmarkId::new("grad_into", n), |b| {
            b.iter(|| {
                Poisson.grad_into(PoissonArguments { log_rate: black_box(&log_rate), x: &x }, Reduction::Mean, &mut out)
            })
        });
        group.bench_function(BenchmarkId::new("scalar_value", n), |b| {
            b.iter(|| {
                let terms = black_box(&log_rate).iter().zip(&x);
                terms.map(|(l, x)| l.exp() - x * l + libm::lgammaf(x + 1.0)).sum::<f32>()
            })
        });
    }
    group.finish();
}

criterion_group!(benches, gaussian, bernoulli, poisson);
criterion_main!(benches);
