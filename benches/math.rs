//! The elementary functions and `softplus` over slices: the standard library, a plain loop, and the loop compiled with fused
//! multiply-add for the vectors of this machine, as the kernels of the crate are.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use loglik::math;

type Scalar = fn(f32) -> f32;

/// A loop over a slice; where the function is inlined into it, it vectorizes.
#[inline(always)]
fn map(input: &[f32], output: &mut [f32], f: impl Fn(f32) -> f32) {
    for (y, &x) in output.iter_mut().zip(input) {
        *y = f(x);
    }
}

macro_rules! loops {
    ($($name:ident, $vector:ident, $f:expr, $fused:expr;)*) => {$(
        fn $name(input: &[f32], output: &mut [f32]) {
            map(input, output, $f);
        }

        /// The widest vectors that this machine has and the crate would use.
        fn $vector(input: &[f32], output: &mut [f32]) {
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512(input: &[f32], output: &mut [f32]) {
                    map(input, output, $fused);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2(input: &[f32], output: &mut [f32]) {
                    map(input, output, $fused);
                }
                let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                let avx512bw = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
                let avx512vl = is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl");
                if fma && avx512bw && avx512vl {
                    // SAFETY: the machine has been found to have every feature that the function enables.
                    return unsafe { avx512(input, output) };
                }
                if fma {
                    // SAFETY: as above.
                    return unsafe { avx2(input, output) };
                }
            }
            map(input, output, $f);
        }
    )*};
}
loops! {
    exp, exp_vector, math::exp::<f32, false>, math::exp::<f32, true>;
    exp_m1, exp_m1_vector, math::exp_m1::<f32, false>, math::exp_m1::<f32, true>;
    ln, ln_vector, math::ln::<f32, false>, math::ln::<f32, true>;
    ln_1p, ln_1p_vector, math::ln_1p::<f32, false>, math::ln_1p::<f32, true>;
    tanh, tanh_vector, math::tanh::<f32, false>, math::tanh::<f32, true>;
    tanh_slope, tanh_slope_vector, math::tanh_slope::<f32, false>, math::tanh_slope::<f32, true>;
    softplus, softplus_vector, math::softplus::<f32, false>, math::softplus::<f32, true>;
}

type Slices = fn(&[f32], &mut [f32]);

fn bench(c: &mut Criterion, name: &str, std: Scalar, plain: Slices, vector: Slices) {
    let mut group = c.benchmark_group(name);
    for n in [64, 4096, 65_536] {
        let input: Vec<f32> = (0..n).map(|i| 0.01 + (i * 7919 % 10_007) as f32 * 1e-3).collect();
        let mut output = vec![0.0; n];
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("std", n), |b| b.iter(|| map(black_box(&input), &mut output, std)));
        group.bench_function(BenchmarkId::new("plain", n), |b| b.iter(|| plain(black_box(&input), &mut output)));
        group.bench_function(BenchmarkId::new("vector", n), |b| b.iter(|| vector(black_box(&input), &mut output)));
    }
    group.finish();
}

fn benches(c: &mut Criterion) {
    bench(c, "exp", f32::exp, exp, exp_vector);
    bench(c, "exp_m1", f32::exp_m1, exp_m1, exp_m1_vector);
    bench(c, "ln", f32::ln, ln, ln_vector);
    bench(c, "ln_1p", f32::ln_1p, ln_1p, ln_1p_vector);
    bench(c, "tanh", f32::tanh, tanh, tanh_vector);
    bench(c, "tanh_slope", |x| x.cosh().powi(-2), tanh_slope, tanh_slope_vector);
    bench(c, "softplus", |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), softplus, softplus_vector);
}

criterion_group!(math_benches, benches);
criterion_main!(math_benches);
