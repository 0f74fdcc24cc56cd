use loglik::logits::*;
use ndarray::*;
use std::time::Instant;
fn time(name: &str, bytes: usize, mut f: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..40 {
        let t = Instant::now();
        for _ in 0..8 {
            f();
        }
        best = best.min(t.elapsed().as_secs_f64() / 8.0);
    }
    println!("{name:30} {:8.2} GB/s", bytes as f64 / best / 1e9);
}
fn main() {
    let (n, v) = (4, 32000);
    let x = Array2::from_shape_fn((n, v), |(i, j)| ((i * 7919 + j * 104729) % 9973) as f32 / 1500.0 - 3.0);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        time("read", n * v * 4, || {
            let s: f32 = x.sum();
            std::hint::black_box(s);
        });
        time("lse f32", n * v * 4, || {
            std::hint::black_box(log_sum_exp(&x).unwrap());
        });
        let d = x.mapv(f64::from);
        time("lse f64", n * v * 8, || {
            std::hint::black_box(log_sum_exp(&d).unwrap());
        });
        let mut out = x.clone();
        time("log_softmax_into", n * v * 8, || {
            log_softmax_into(&x, &mut out).unwrap();
        });
        let targets = Array1::from_shape_fn(n, |i| i * 31);
        let ce = CrossEntropy::default();
        time("grad_into", n * v * 8, || {
            ce.grad_into(&x, &targets, loglik::Reduction::Mean, &mut out).unwrap();
        });
        let ls = CrossEntropy { label_smoothing: 0.1, ..CrossEntropy::default() };
        time("grad_into smooth", n * v * 8, || {
            ls.grad_into(&x, &targets, loglik::Reduction::Mean, &mut out).unwrap();
        });
        time("entropy", n * v * 4, || {
            std::hint::black_box(entropy(&x).unwrap());
        });
        #[cfg(feature = "half")]
        {
            let h = x.mapv(half::bf16::from_f32);
            time("lse bf16", n * v * 2, || {
                std::hint::black_box(log_sum_exp(&h).unwrap());
            });
        }
        let t = Array2::from_shape_fn((12800, 10), |(i, j)| ((i * 7919 + j * 104729) % 9973) as f32 / 1500.0 - 3.0);
        let tt = Array1::from_shape_fn(12800, |i| i % 10);
        time("ce ten", 12800 * 40, || {
            std::hint::black_box(ce.value(&t, &tt, loglik::Reduction::Mean).unwrap());
        });
        let mut o = t.clone();
        time("ce grad ten", 12800 * 80, || {
            std::hint::black_box(ce.grad_into(&t, &tt, loglik::Reduction::Mean, &mut o).unwrap());
        });
    });
}
