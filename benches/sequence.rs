//! Sums over sequences, their backward, the causal shift, and the whole chain from the logits of pairs to a gradient.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::{Array1, Array2, Array3};
use loglik::prelude::*;
use loglik::sequence::Alignment;

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

/// Pairs, tokens and classes: a toy model, and a vocabulary of common size.
const LOGITS: [(usize, usize, usize); 2] = [(4, 64, 256), (2, 128, 32_000)];

fn logit_pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("logit_pairs");
    for (rows, width, classes) in LOGITS {
        let logits =
            Array3::from_shape_fn((rows, width, classes), |(i, t, v)| ((i + 3 * t + 7 * v) % 101) as f32 / 25.0);
        let targets = Array2::from_shape_fn((rows, width), |(i, t)| (i + 5 * t) % classes);
        let (_, mask) = batch(rows, width);
        let responses = Responses {
            logits: logits.view(),
            targets: targets.view(),
            mask: TokenMask::padded(mask.view()),
            alignment: Alignment::Next,
        };
        let reference = Array1::from_elem(rows, -100.0_f32);
        let pairs = LogitPairs::new(Pairs { chosen: responses, rejected: responses })
            .reference(Pairs { chosen: reference.view(), rejected: reference.view() });
        let size = format!("{rows}x{width}x{classes}");
        group.throughput(Throughput::Bytes(2 * size_of_val(logits.as_slice().unwrap_or_default()) as u64));
        group.bench_function(BenchmarkId::new("value", &size), |bencher| {
            bencher.iter(|| black_box(&pairs).value(&Dpo::default(), Reduction::Mean))
        });
        let mut out = Pairs { chosen: logits.clone(), rejected: logits.clone() };
        group.bench_function(BenchmarkId::new("grad_into", &size), |bencher| {
            bencher.iter(|| black_box(&pairs).grad_into(&Dpo::default(), Reduction::Mean, out.view_mut()))
        });
    }
}

criterion_group!(benches, sums, backward, shift, logit_pairs);
criterion_main!(benches);
