//! Top-k statistics against a scalar loop that sorts each row, and all statistics of a token against a call for each, in
//! logits per second.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::diagnostics::TopK;
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

/// Entropy in bits and mass of the top `k`, the plain way.
fn scalar(logits: &Array2<f32>, k: usize) -> (f32, f32) {
    let row = |row: loglik::ndarray::ArrayView1<f32>| {
        let mut weights: Vec<f32> = row.to_vec();
        weights.sort_by(|a, b| b.total_cmp(a));
        let max = weights[0];
        weights.iter_mut().for_each(|x| *x = (*x - max).exp());
        let total: f32 = weights.iter().sum();
        let top = weights[..k].iter().map(|w| w / total);
        top.fold((0.0, 0.0), |(h, m), p| (h - p * p.log2(), m + p))
    };
    logits.rows().into_iter().map(row).fold((0.0, 0.0), |(h, m), (entropy, mass)| (h + entropy, m + mass))
}

fn top_k(c: &mut Criterion) {
    let mut group = c.benchmark_group("top_k");
    for (rows, classes) in [(1, 64), (1, 4096), (16, 4096), (2, 32_768), (32, 32_768)] {
        let noise = |(i, j): (usize, usize)| (((i * classes + j) * 7919) % 65_521) as f32 / 8190.0;
        let logits = Array2::from_shape_fn((rows, classes), noise);
        let size = format!("{rows}x{classes}");
        group.throughput(Throughput::Elements((rows * classes) as u64));
        group.bench_function(BenchmarkId::new("of", &size), |b| b.iter(|| TopK::default().each(black_box(&logits))));
        group.bench_function(BenchmarkId::new("scalar", &size), |b| b.iter(|| scalar(black_box(&logits), 10)));
    }
    group.finish();
}

fn token_stats(c: &mut Criterion) {
    let mut group = c.benchmark_group("token_stats");
    for (rows, classes) in [(4096, 10), (16, 4096), (32, 32_768), (8, 128_256)] {
        let noise = |(i, j): (usize, usize)| (((i * classes + j) * 7919) % 65_521) as f32 / 8190.0;
        let logits = Array2::from_shape_fn((rows, classes), noise);
        let targets = Array1::from_shape_fn(rows, |i| i * 31 % classes);
        let size = format!("{rows}x{classes}");
        group.throughput(Throughput::Elements((rows * classes) as u64));
        for (name, top_k) in [("plain", None), ("top_ten", Some(10))] {
            let stats = TokenStats { top_k, ..TokenStats::default() };
            group.bench_function(BenchmarkId::new(name, &size), |b| {
                b.iter(|| stats.each(black_box(&logits), &targets));
            });
        }
        group.bench_function(BenchmarkId::new("one_call_for_each", &size), |b| {
            b.iter(|| {
                let logits = black_box(&logits);
                (token_log_probs(logits, &targets), log_sum_exp(logits), entropy(logits), TopK::default().each(logits))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, top_k, token_stats);
criterion_main!(benches);
