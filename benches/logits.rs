//! Every kernel over logits, from small to far beyond the caches, beside a plain loop over the standard `exp`.
//!
//! Throughput counts the logits that are read. Buffers are made once: a fresh array of this size costs more than the work.

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use loglik::logits::{MixCe, TaiLr, log_softmax_into, token_log_probs_backward_into};
use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;

/// Rows and classes: a classifier, a small and a large vocabulary, and many rows of few classes.
const SIZES: [(usize, usize); 4] = [(64, 256), (64, 4096), (256, 32_000), (16_384, 10)];

fn logits<T: Real>(rows: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, classes), |(i, k)| T::from_f64(((i * 7919 + k * 104_729) % 1021) as f64 / 100.0 - 5.0))
}

fn targets(rows: usize, classes: usize) -> Array1<i64> {
    Array1::from_shape_fn(rows, |i| (i * 31 % classes) as i64)
}

/// Runs `f` at each size under the name of the element type.
fn at_sizes<T: Real>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    mut f: impl FnMut(&mut BenchmarkGroup<'_, WallTime>, BenchmarkId, Array2<T>, Array1<i64>),
) {
    for (rows, classes) in SIZES {
        group.throughput(Throughput::Bytes((rows * classes * size_of::<T>()) as u64));
        let id = BenchmarkId::new(T::NAME, format!("{rows}x{classes}"));
        f(group, id, logits(rows, classes), targets(rows, classes));
    }
}

fn reads(criterion: &mut Criterion) {
    fn both<T: Real>(criterion: &mut Criterion) {
        at_sizes::<T>(&mut criterion.benchmark_group("log_sum_exp"), |group, id, x, _| {
            group.bench_function(id, |b| b.iter(|| log_sum_exp(black_box(&x))));
        });
        at_sizes::<T>(&mut criterion.benchmark_group("entropy"), |group, id, x, _| {
            group.bench_function(id, |b| b.iter(|| entropy(black_box(&x))));
        });
        at_sizes::<T>(&mut criterion.benchmark_group("token_log_probs"), |group, id, x, y| {
            group.bench_function(id, |b| b.iter(|| token_log_probs(black_box(&x), &y)));
        });
    }
    both::<f32>(criterion);
    both::<f64>(criterion);
    at_sizes::<f32>(&mut criterion.benchmark_group("log_sum_exp_plain_loop"), |group, id, x, _| {
        group.bench_function(id, |b| b.iter(|| plain_loop(black_box(&x))));
    });
}

/// What one would write with the standard library.
fn plain_loop(logits: &Array2<f32>) -> Vec<f32> {
    let of_row = |row: loglik::ndarray::ArrayView1<'_, f32>| {
        let max = row.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x));
        max + row.iter().map(|x| (x - max).exp()).sum::<f32>().ln()
    };
    logits.rows().into_iter().map(of_row).collect()
}

fn writes(criterion: &mut Criterion) {
    fn both<T: Real>(criterion: &mut Criterion) {
        at_sizes::<T>(&mut criterion.benchmark_group("log_softmax_into"), |group, id, x, _| {
            let mut out = Array2::zeros(x.dim());
            group.bench_function(id, |b| b.iter(|| log_softmax_into(black_box(&x), &mut out)));
        });
        at_sizes::<T>(&mut criterion.benchmark_group("token_log_probs_backward_into"), |group, id, x, y| {
            let (mut out, cotangent) = (Array2::zeros(x.dim()), Array1::from_elem(y.len(), T::from_f64(0.5)));
            group.bench_function(id, |b| {
                b.iter(|| token_log_probs_backward_into(black_box(&x), &y, &cotangent, &mut out))
            });
        });
    }
    both::<f32>(criterion);
    both::<f64>(criterion);
}

fn allocating(criterion: &mut Criterion) {
    at_sizes::<f32>(&mut criterion.benchmark_group("log_sum_exp_grad"), |group, id, x, _| {
        group.bench_function(id, |b| b.iter(|| log_sum_exp_grad(black_box(&x))));
    });
    at_sizes::<f32>(&mut criterion.benchmark_group("entropy_grad"), |group, id, x, _| {
        group.bench_function(id, |b| b.iter(|| entropy_grad(black_box(&x))));
    });
}

fn cross_entropy(criterion: &mut Criterion) {
    fn both<T: Real>(criterion: &mut Criterion) {
        let plain = CrossEntropy::default();
        let smooth = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
        let capped = CrossEntropy { temperature: 0.8, soft_cap: Some(30.0), ..CrossEntropy::default() };
        let losses = [("cross_entropy", plain), ("cross_entropy_smoothed", smooth), ("cross_entropy_capped", capped)];
        for (name, loss) in losses {
            at_sizes::<T>(&mut criterion.benchmark_group(format!("{name}_value")), |group, id, x, y| {
                group.bench_function(id, |b| b.iter(|| loss.value(black_box(&x), &y, Reduction::Mean)));
            });
            at_sizes::<T>(&mut criterion.benchmark_group(format!("{name}_grad_into")), |group, id, x, y| {
                let mut out = Array2::zeros(x.dim());
                group.bench_function(id, |b| b.iter(|| loss.grad_into(black_box(&x), &y, Reduction::Mean, &mut out)));
            });
            // The gradient is fed back as the next logits: finite, and no copy within the measured time.
            at_sizes::<T>(&mut criterion.benchmark_group(format!("{name}_grad_in_place")), |group, id, mut x, y| {
                group.bench_function(id, |b| b.iter(|| loss.grad_in_place(black_box(&mut x), &y, Reduction::Mean)));
            });
        }
    }
    both::<f32>(criterion);
    both::<f64>(criterion);
}

fn soft_cross_entropy(criterion: &mut Criterion) {
    let loss = SoftCrossEntropy::default();
    at_sizes::<f32>(&mut criterion.benchmark_group("soft_cross_entropy_value"), |group, id, x, _| {
        let q = Array2::from_elem(x.dim(), 1.0 / x.ncols() as f32);
        group.bench_function(id, |b| b.iter(|| loss.value(black_box(&x), &q, Reduction::Mean)));
    });
    at_sizes::<f32>(&mut criterion.benchmark_group("soft_cross_entropy_grad_into"), |group, id, x, _| {
        let (q, mut out) = (Array2::from_elem(x.dim(), 1.0 / x.ncols() as f32), Array2::zeros(x.dim()));
        group.bench_function(id, |b| b.iter(|| loss.grad_into(black_box(&x), &q, Reduction::Mean, &mut out)));
    });
}

/// Beside the cross-entropy: the factor is one exponential for each row more.
fn detached_factors(criterion: &mut Criterion) {
    let tailr = TaiLr { gamma: 0.1, min_weight: 0.2, ignore_index: Some(-100) };
    let mix = MixCe { eta: 0.3, ignore_index: Some(-100) };
    at_sizes::<f32>(&mut criterion.benchmark_group("tailr_value"), |group, id, x, y| {
        group.bench_function(id, |b| b.iter(|| tailr.value(black_box(&x), &y, Reduction::Mean)));
    });
    at_sizes::<f32>(&mut criterion.benchmark_group("tailr_grad_into"), |group, id, x, y| {
        let mut out = Array2::zeros(x.dim());
        group.bench_function(id, |b| b.iter(|| tailr.grad_into(black_box(&x), &y, Reduction::Mean, &mut out)));
    });
    at_sizes::<f32>(&mut criterion.benchmark_group("mix_ce_grad_into"), |group, id, x, y| {
        let mut out = Array2::zeros(x.dim());
        group.bench_function(id, |b| b.iter(|| mix.grad_into(black_box(&x), &y, Reduction::Mean, &mut out)));
    });
}

criterion_group!(benches, reads, writes, allocating, cross_entropy, soft_cross_entropy, detached_factors);
criterion_main!(benches);
