//! Sums over sequences, their backward and the causal shift, at small to large sizes, beside a plain loop.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

/// Sequences and tokens of each: one short pair, a micro-batch, a long-context batch, one far beyond any cache.
const SIZES: [(usize, usize); 4] = [(2, 64), (16, 1024), (64, 4096), (64, 65_536)];

/// A prompt of a quarter, then the response, then padding that differs by row.
fn batch(rows: usize, width: usize) -> (Array2<f32>, Array2<bool>) {
    let tokens = Array2::from_shape_fn((rows, width), |(i, t)| -(((i * 31 + t * 17) % 97) as f32) / 20.0);
    let mask = Array2::from_shape_fn((rows, width), |(i, t)| t >= width / 4 && t < width - (i * 7) % (width / 4));
    (tokens, mask)
}

fn plain_loop(tokens: &Array2<f32>, mask: &Array2<bool>) -> (Vec<f32>, Vec<f32>) {
    let rows = tokens.rows().into_iter().zip(mask.rows());
    let each = rows.map(|(tokens, mask)| {
        let kept = tokens.iter().zip(mask).filter(|(_, keep)| **keep);
        kept.fold((0.0, 0.0), |(sum, count), (x, _)| (sum + x, count + 1.0))
    });
    each.unzip()
}

fn sums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum_tokens");
    for (rows, width) in SIZES {
        let (tokens, mask) = batch(rows, width);
        let size = format!("{rows}x{width}");
        let offsets: Vec<usize> = (0..=rows).map(|i| i * width).collect();
        let (flat, flat_mask) = (tokens.flatten(), mask.flatten());
        group.throughput(Throughput::Elements((rows * width) as u64));
        group.bench_function(BenchmarkId::new("padded", &size), |bencher| {
            bencher.iter(|| sum_tokens(black_box(&tokens), TokenMask::padded(mask.view())))
        });
        group.bench_function(BenchmarkId::new("packed", &size), |bencher| {
            bencher.iter(|| sum_tokens(black_box(&flat), TokenMask::packed(flat_mask.view(), &offsets)?))
        });
        group.bench_function(BenchmarkId::new("plain_loop", &size), |bencher| {
            bencher.iter(|| plain_loop(black_box(&tokens), &mask))
        });
    }
}

fn backward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sum_tokens_backward");
    for (rows, width) in SIZES {
        let (_, mask) = batch(rows, width);
        let cotangent = Array1::from_elem(rows, 0.5_f32);
        group.throughput(Throughput::Elements((rows * width) as u64));
        group.bench_function(BenchmarkId::new("padded", format!("{rows}x{width}")), |bencher| {
            bencher.iter(|| sum_tokens_backward(TokenMask::padded(mask.view()), black_box(&cotangent)))
        });
    }
}

fn shift(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("causal_shift");
    for (rows, width) in SIZES {
        let (_, mask) = batch(rows, width);
        let tokens = Array2::from_shape_fn((rows, width), |(i, t)| (i + t) as u32);
        group.throughput(Throughput::Elements((rows * width) as u64));
        group.bench_function(BenchmarkId::new("padded", format!("{rows}x{width}")), |bencher| {
            bencher.iter(|| causal_shift(black_box(&tokens), TokenMask::padded(mask.view())))
        });
    }
}

criterion_group!(benches, sums, backward, shift);
criterion_main!(benches);
