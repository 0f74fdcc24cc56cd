//! Losses of embeddings, beside the products of matrices that they contain.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::metric::{
    ArcFace, BatchHardTriplet, ClassMargin, Cosent, EmbeddingObjective, MultiSimilarity, PairScore, Triplet, Triplets,
    score_matrix,
};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

const DIMS: usize = 128;

fn points(rows: usize, seed: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, DIMS), |(i, k)| ((i * 7919 + k * 104_729 + seed * (i + k)) % 257) as f32 / 64.0 - 2.0)
}

fn batches(c: &mut Criterion) {
    let mut group = c.benchmark_group("metric");
    for n in [128, 1_024] {
        group.throughput(Throughput::Elements((n * n) as u64));
        let (x, labels) = (points(n, 1), Array1::from_shape_fn(n, |i| i % (n / 4)));
        group.bench_function(BenchmarkId::new("multi_similarity", n), |bench| {
            bench.iter(|| MultiSimilarity::default().grad(&x, &labels, Reduction::Mean));
        });
        group.bench_function(BenchmarkId::new("batch_hard_triplet", n), |bench| {
            bench.iter(|| BatchHardTriplet::default().grad(&x, &labels, Reduction::Mean));
        });
        let centers = points(n, 2);
        group.bench_function(BenchmarkId::new("arc_face", n), |bench| {
            bench.iter(|| ArcFace::default().grad(&x, &centers, &labels, Reduction::Mean));
        });
        group.bench_function(BenchmarkId::new("score_matrix", n), |bench| {
            bench.iter(|| score_matrix(&x, &centers, PairScore::CosineSimilarity));
        });
        // As many products as a value and a gradient take, in f64 like these.
        let wide = x.mapv(f64::from);
        group.bench_function(BenchmarkId::new("baseline_products", n), |bench| {
            bench.iter(|| {
                let scores = wide.dot(&wide.t());
                black_box((scores.dot(&wide), scores.t().dot(&wide)))
            });
        });
    }
    group.finish();
}

fn rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("metric_rows");
    for n in [1_024, 65_536] {
        group.throughput(Throughput::Elements(n as u64));
        let scores = Array1::from_shape_fn(n, |i| (i as f32).sin());
        let gold = Array1::from_shape_fn(n, |i| (i % 11) as f32);
        group.bench_function(BenchmarkId::new("cosent", n), |bench| {
            bench.iter(|| Cosent::default().grad(&scores, &gold));
        });
    }
    let [anchors, positives, negatives] = [points(1_024, 3), points(1_024, 4), points(1_024, 5)];
    let triplets = Triplets { anchors: &*anchors, positives: &*positives, negatives: &*negatives };
    group.throughput(Throughput::Elements(1_024));
    group.bench_function("triplet", |bench| bench.iter(|| Triplet::default().grad(triplets, Reduction::Mean)));
    group.finish();
}

criterion_group!(benches, batches, rows);
criterion_main!(benches);
