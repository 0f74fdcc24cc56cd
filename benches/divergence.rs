//! Divergences between rows of logits, beside a plain loop over the standard library.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::divergence::{
    AmariDivergence, Categorical, FDivergence, InterpolatedJsd, JensenShannonDivergence, KlDivergence,
    PearsonChiSquare, RenyiDivergence, Sides, SparseDivergence, SparseTeacher, SquaredHellinger, Tail,
};
use loglik::ndarray::{Array1, Array2, Ix2};
use loglik::prelude::*;

/// Numbers in (-4, 4), the same in every run.
fn noise(rows: usize, classes: usize, seed: usize) -> Array2<f32> {
    let number = |i: usize| ((i * 7919 + seed * 104_729) % 65_521) as f32 / 8190.125 - 4.0;
    Array2::from_shape_fn((rows, classes), |(i, k)| number(i * classes + k))
}

/// `Σ p ln(p/q)` as one would write it.
fn scalar_kl(x: &Array2<f32>, y: &Array2<f32>) -> f32 {
    let log_softmax = |row: &Array1<f32>| {
        let top = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let sum = row.mapv(|x| (x - top).exp()).sum().ln();
        row.mapv(|x| x - top - sum)
    };
    let of = |(x, y): (Array1<f32>, Array1<f32>)| {
        let (p, q) = (log_softmax(&x), log_softmax(&y));
        p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f32>()
    };
    let rows = x.rows().into_iter().zip(y.rows());
    rows.map(|(x, y)| of((x.to_owned(), y.to_owned()))).sum::<f32>() / x.nrows() as f32
}

fn dense(c: &mut Criterion) {
    let mut group = c.benchmark_group("divergence");
    group.sample_size(10);
    for (rows, classes) in [(4096, 64), (64, 4096), (16, 128_256)] {
        let (x, y) = (noise(rows, classes, 1), noise(rows, classes, 2));
        let (p, q) = (Categorical::Logits(&*x), Categorical::Logits(&*y));
        let mut out = Array2::zeros((rows, classes));
        let size = format!("{rows}x{classes}");
        group.throughput(Throughput::Elements((rows * classes) as u64));
        group.bench_function(BenchmarkId::new("scalar_kl", &size), |b| b.iter(|| scalar_kl(black_box(&x), &y)));
        let divergences: &[(&str, &dyn CategoricalDivergence<f32, Ix2>)] = &[
            ("kl", &KlDivergence),
            ("jensen_shannon", &JensenShannonDivergence),
            ("interpolated_jsd", &InterpolatedJsd { beta: 0.3 }),
            ("amari", &AmariDivergence { alpha: 0.3 }),
            ("renyi", &RenyiDivergence { alpha: 0.3 }),
            ("pearson", &PearsonChiSquare),
            ("f_divergence", &FDivergence { generator: SquaredHellinger }),
        ];
        for &(name, divergence) in divergences {
            group.bench_function(BenchmarkId::new(format!("{name}_value"), &size), |b| {
                b.iter(|| divergence.value(black_box(p), q, Reduction::Mean))
            });
            group.bench_function(BenchmarkId::new(format!("{name}_grad_into"), &size), |b| {
                b.iter(|| {
                    let to = Sides { p: None, q: Some(out.view_mut()) };
                    divergence.grad_into(black_box(p), q, Reduction::Mean, to)
                })
            });
        }
    }
    group.finish();
}

fn sparse(c: &mut Criterion) {
    const GIVEN: usize = 64;
    let mut group = c.benchmark_group("sparse_divergence");
    group.sample_size(10);
    for (rows, classes) in [(64, 4096), (16, 128_256)] {
        let logits = noise(rows, classes, 1);
        let indices = Array2::from_shape_fn((rows, GIVEN), |(i, k)| (i + 37 * k) % classes);
        let log_probs = noise(rows, GIVEN, 2).mapv(|x| x - 10.0);
        let teacher = SparseTeacher { indices: indices.view(), log_probs: log_probs.view() };
        let mut out = Array2::zeros((rows, classes));
        let bucket = SparseDivergence { divergence: KlDivergence, tail: Tail::Bucket, ..Default::default() };
        let size = format!("{rows}x{classes}");
        group.throughput(Throughput::Elements((rows * classes) as u64));
        group.bench_function(BenchmarkId::new("kl_value", &size), |b| {
            b.iter(|| bucket.value(black_box(teacher), &logits, Reduction::Mean))
        });
        group.bench_function(BenchmarkId::new("kl_grad_into", &size), |b| {
            b.iter(|| bucket.grad_into(black_box(teacher), &logits, Reduction::Mean, &mut out))
        });
    }
    group.finish();
}

criterion_group!(benches, dense, sparse);
criterion_main!(benches);
