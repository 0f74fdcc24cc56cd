//! Transport: the distance on a line beside the two sorts that it cannot do without, and EMO beside its matrix product.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::linalg::general_mat_mul;
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use loglik::transport::{
    CosineCost, Emo, GroundCost, Measure, SlicedWasserstein, demd, demd_soft, wasserstein_1d, wasserstein_1d_grad,
    wasserstein_circle,
};

/// Scattered over `[0, 1)`, the same in every run.
fn noise(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_749_895).fract() * ((i as f64 * 12.9898).sin() * 43_758.545).fract().abs()
}

fn line(c: &mut Criterion) {
    let mut group = c.benchmark_group("wasserstein_1d");
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(2 * n as u64));
        let x = Array1::from_shape_fn(n, noise);
        let y = Array1::from_shape_fn(n, |i| noise(i + 7 * n));
        let mass = |points: &Array1<f64>| {
            let mass = points.mapv(|x| 0.1 + x);
            let total = mass.sum();
            mass / total
        };
        let (a, b) = (mass(&x), mass(&y));
        for p in [1.0, 2.0, 1.5] {
            group.bench_function(BenchmarkId::new(format!("uniform_p{p}"), n), |bench| {
                bench.iter(|| wasserstein_1d(Measure::uniform(x.view()), Measure::uniform(y.view()), p));
            });
        }
        group.bench_function(BenchmarkId::new("weighted_p1", n), |bench| {
            let (x, y) = (Measure::weighted(x.view(), a.view()), Measure::weighted(y.view(), b.view()));
            bench.iter(|| wasserstein_1d(x, y, 1.0));
        });
        group.bench_function(BenchmarkId::new("baseline_two_sorts", n), |bench| {
            bench.iter(|| {
                let (mut x, mut y) = (x.to_vec(), y.to_vec());
                x.sort_unstable_by(f64::total_cmp);
                y.sort_unstable_by(f64::total_cmp);
                black_box((x, y));
            });
        });
    }
    group.finish();
}

/// A million points: what the plan, the gradient and the circle cost beyond the sorts.
fn long_lines(c: &mut Criterion) {
    let n = 1_000_000;
    let mut group = c.benchmark_group("long_lines");
    group.sample_size(10);
    group.throughput(Throughput::Elements(2 * n as u64));
    let (x, y) = (Array1::from_shape_fn(n, noise), Array1::from_shape_fn(n, |i| noise(i + 7 * n)));
    let mass = x.mapv(|x| 0.1 + x);
    let mass = &mass / mass.sum();
    let (left, right) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
    let weighted = Measure::weighted(y.view(), mass.view());
    let fewer = Measure::uniform(y.slice(loglik::ndarray::s![..n - 1]));
    let line = [("uniform_p1", left, 1.0), ("uniform_p1.5", left, 1.5), ("weighted_p1", weighted, 1.0)];
    for (name, x, p) in line {
        group.bench_function(name, |bench| bench.iter(|| wasserstein_1d(x, right, p)));
    }
    group.bench_function("one_point_less_p1", |bench| bench.iter(|| wasserstein_1d(left, fewer, 1.0)));
    group.bench_function("grad_uniform_p2", |bench| bench.iter(|| wasserstein_1d_grad(left, right, 2.0)));
    group.bench_function("grad_weighted_p2", |bench| bench.iter(|| wasserstein_1d_grad(weighted, right, 2.0)));
    for (name, x, p) in [("circle_p1", left, 1.0), ("circle_p2", left, 2.0), ("circle_weighted_p2", weighted, 2.0)] {
        group.bench_function(name, |bench| bench.iter(|| wasserstein_circle(x, right, p, 1.0)));
    }
    group.bench_function("baseline_two_sorts", |bench| {
        bench.iter(|| {
            let (mut x, mut y) = (x.to_vec(), y.to_vec());
            x.sort_unstable_by(f64::total_cmp);
            y.sort_unstable_by(f64::total_cmp);
            black_box((x, y));
        });
    });
    group.finish();
}

fn sliced(c: &mut Criterion) {
    let mut group = c.benchmark_group("sliced");
    group.sample_size(10);
    for (n, d, k) in [(1_000, 3, 64), (10_000, 64, 128)] {
        let size = format!("{n}x{d}x{k}");
        group.throughput(Throughput::Elements((2 * n * k) as u64));
        let points = |by: usize| Array2::from_shape_fn((n, d), |(i, j)| noise(i * d + j + by));
        let (x, y, directions) =
            (points(0), points(n * d), Array2::from_shape_fn((k, d), |(i, j)| noise(i * d + j) - 0.5));
        let (from, to) = (Measure::uniform(x.view()), Measure::uniform(y.view()));
        let objective = SlicedWasserstein::default();
        group.bench_function(BenchmarkId::new("value", &size), |bench| {
            bench.iter(|| objective.value(from, to, &directions));
        });
        group.bench_function(BenchmarkId::new("grad", &size), |bench| {
            bench.iter(|| objective.grad(from, to, &directions));
        });
        group.bench_function(BenchmarkId::new("max", &size), |bench| {
            bench.iter(|| objective.max(from, to, &directions))
        });
        group.bench_function(BenchmarkId::new("baseline_projections_and_sorts", &size), |bench| {
            bench.iter(|| {
                for points in [&x, &y] {
                    let mut projections = directions.dot(&points.t());
                    let rows = projections.rows_mut().into_iter().filter_map(|row| row.into_slice());
                    rows.for_each(|row| row.sort_unstable_by(f64::total_cmp));
                    black_box(projections);
                }
            });
        });
    }
    group.finish();
}

fn emo(c: &mut Criterion) {
    let mut group = c.benchmark_group("emo");
    group.sample_size(10);
    for (rows, classes, width) in [(64, 256, 64), (64, 4_096, 128), (512, 32_000, 1_024)] {
        let size = format!("{rows}x{classes}x{width}");
        group.throughput(Throughput::Elements((rows * classes) as u64));
        let embeddings = Array2::from_shape_fn((classes, width), |(i, j)| noise(i * width + j) as f32 - 0.5);
        let logits = Array2::from_shape_fn((rows, classes), |(n, k)| 4.0 * noise(n * classes + k) as f32);
        let targets = Array1::from_shape_fn(rows, |n| (n * 37 % classes) as i64);
        let cost = CosineCost::new(&embeddings).unwrap_or_else(|error| panic!("{error}"));
        let mut out = Array2::zeros((rows, classes));
        group.bench_function(BenchmarkId::new("cosine_cost", &size), |bench| {
            bench.iter(|| CosineCost::new(&embeddings));
        });
        group.bench_function(BenchmarkId::new("demd", &size), |bench| bench.iter(|| demd(&logits, &targets, &cost)));
        let probs = Array2::from_elem((rows, classes), 1.0 / classes as f32);
        group.bench_function(BenchmarkId::new("demd_soft", &size), |bench| {
            bench.iter(|| demd_soft(&logits, &probs, &cost));
        });
        group.bench_function(BenchmarkId::new("value", &size), |bench| {
            bench.iter(|| Emo::default().value(&logits, &targets, &cost, Reduction::Mean));
        });
        group.bench_function(BenchmarkId::new("grad_into", &size), |bench| {
            bench.iter(|| Emo::default().grad_into(&logits, &targets, &cost, Reduction::Mean, &mut out));
        });
        let directions = Array2::from_shape_fn((rows, width), |(n, j)| noise(n * width + j) as f32);
        group.bench_function(BenchmarkId::new("baseline_matrix_product", &size), |bench| {
            bench.iter(|| general_mat_mul(1.0, &directions, &embeddings.t(), 0.0, &mut out));
        });
    }
    group.finish();
}

fn exact(c: &mut Criterion) {
    let mut group = c.benchmark_group("emd");
    group.sample_size(10);
    for n in [256, 512, 1_000] {
        group.throughput(Throughput::Elements((n * n) as u64));
        let even = Array1::from_elem(n, 1.0 / n as f64);
        let mass = Array1::from_shape_fn(n, |i| 0.1 + noise(i + 3 * n));
        let mass = &mass / mass.sum();
        let points = |by: usize| Array2::from_shape_fn((n, 2), |(i, k)| noise(2 * i + k + by));
        let (x, y) = (points(0), points(11 * n));
        let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
        let costs = cost.to_matrix().unwrap_or_else(|error| panic!("{error}"));
        let matrix = Cost::matrix(costs.view());
        for (name, a, cost) in
            [("even_matrix", &even, matrix), ("weighted_matrix", &mass, matrix), ("weighted_points", &mass, cost)]
        {
            let problem = TransportProblem::new(a.view(), even.view(), cost);
            group.bench_function(BenchmarkId::new(name, n), |bench| bench.iter(|| emd(problem)));
        }
    }
    group.finish();
}

/// Ten rounds of Sinkhorn's iteration beside ten plain reads of the costs.
fn entropic(c: &mut Criterion) {
    const ROUNDS: usize = 10;
    let mut group = c.benchmark_group("sinkhorn");
    group.sample_size(10);
    for n in [100, 1_000] {
        group.throughput(Throughput::Elements((ROUNDS * n * n) as u64));
        let points = |by: usize| Array2::from_shape_fn((n, 2), |(i, k)| noise(2 * i + k + by));
        let (x, y, even) = (points(0), points(11 * n), Array1::from_elem(n, 1.0 / n as f64));
        let cost = Cost::points(x.view(), y.view(), GroundCost::SquaredEuclidean);
        let costs = cost.to_matrix().unwrap_or_else(|error| panic!("{error}"));
        let (costs32, even32) = (costs.mapv(|cost| cost as f32), even.mapv(|weight| weight as f32));
        let sinkhorn = Sinkhorn { regularization: 0.05, tolerance: 0.0, max_iterations: ROUNDS, ..Sinkhorn::default() };
        let matrix = TransportProblem::new(even.view(), even.view(), Cost::matrix(costs.view()));
        group.bench_function(BenchmarkId::new("matrix_f64", n), |bench| bench.iter(|| sinkhorn.solve(matrix)));
        let single = TransportProblem::new(even32.view(), even32.view(), Cost::matrix(costs32.view()));
        group.bench_function(BenchmarkId::new("matrix_f32", n), |bench| bench.iter(|| sinkhorn.solve(single)));
        let plane = TransportProblem::new(even.view(), even.view(), cost);
        group.bench_function(BenchmarkId::new("points_f64", n), |bench| bench.iter(|| sinkhorn.solve(plane)));
        group.bench_function(BenchmarkId::new("baseline_reads_f64", n), |bench| {
            bench.iter(|| (0..ROUNDS).map(|_| black_box(&costs).sum()).sum::<f64>());
        });
    }
    group.finish();
}

criterion_group!(benches, line, long_lines, sliced, emo, exact, entropic);
criterion_main!(benches);
