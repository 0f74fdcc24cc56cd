//! Objectives of log-ratios, beside a scalar loop on the standard library's functions.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::ndarray::Array1;
use loglik::prelude::*;

/// Loss and gradient of both sides, as one would write them.
fn scalar(ddo: Ddo, ratios: Samples<&[f32]>, out: Samples<&mut [f32]>) -> f32 {
    let (alpha, beta) = (ddo.alpha as f32, ddo.beta as f32);
    let side = |ratios: &[f32], out: &mut [f32], sign: f32, weight: f32| {
        let mut sum = 0.0;
        for (slope, ratio) in out.iter_mut().zip(ratios) {
            let logit = sign * beta * ratio;
            sum += weight * (logit.max(0.0) + (-logit.abs()).exp().ln_1p());
            *slope = weight * sign * beta / (1.0 + (-logit).exp()) / ratios.len() as f32;
        }
        sum / ratios.len() as f32
    };
    side(ratios.real, out.real, -1.0, 1.0) + side(ratios.fake, out.fake, 1.0, alpha)
}

fn ddo(c: &mut Criterion) {
    let mut group = c.benchmark_group("ddo");
    let (ddo, mean) = (Ddo { alpha: 6.0, beta: 0.1 }, Samples::both(Reduction::Mean));
    for n in [64, 4_096, 65_536] {
        group.throughput(Throughput::Elements(2 * n as u64));
        let real = Array1::from_shape_fn(n, |i| 20.0 * (i as f32).sin());
        let fake = Array1::from_shape_fn(n, |i| 20.0 * (i as f32).cos());
        let ratios = Samples { real: real.view(), fake: fake.view() };
        let (mut real_slope, mut fake_slope) = (Array1::zeros(n), Array1::zeros(n));
        group.bench_function(BenchmarkId::new("value", n), |bench| bench.iter(|| ddo.value(ratios, mean)));
        group.bench_function(BenchmarkId::new("grad_into", n), |bench| {
            bench.iter(|| {
                let out = Samples { real: real_slope.view_mut(), fake: fake_slope.view_mut() };
                ddo.grad_into(ratios, mean, out)
            });
        });
        group.bench_function(BenchmarkId::new("baseline_scalar_grad", n), |bench| {
            let (real, fake) = (real.to_vec(), fake.to_vec());
            let (mut real_slope, mut fake_slope) = (vec![0.0; n], vec![0.0; n]);
            bench.iter(|| {
                let out = Samples { real: &mut real_slope[..], fake: &mut fake_slope[..] };
                black_box(scalar(ddo, Samples { real: &real[..], fake: &fake[..] }, out))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ddo);
criterion_main!(benches);
