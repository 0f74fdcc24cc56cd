//! Products of the shapes that a linear layer over a vocabulary needs, in GFLOP/s: all ways take turns in one run.
//!
//! ```text
//! cargo bench --bench gemm                      ndarray (on matrixmultiply) as it comes, and this crate's two ways
//! cargo bench --bench gemm --features gemm      the same with the crate gemm instead of matrixmultiply as the library
//! cargo bench --bench gemm -- dW                only names that contain the word
//! ```
//!
//! `peak` is a loop of independent fused multiply-adds in vectors of 512 bits.
//! Figures are those of the fastest of many short turns; `-` is what does not apply: ndarray alone has one thread.

use std::hint::black_box;
use std::time::Instant;

use loglik::Real;
use loglik::internal::{Backend, product_by};
use loglik::ndarray::linalg::general_mat_mul;
use loglik::ndarray::{Array2, ArrayView2};
use rayon::ThreadPool;
use rayon::prelude::*;

/// A product: its name, the rows of the result, the length of the inner axis, the columns, and which factor is transposed.
struct Shape(&'static str, [usize; 3], Transposed);

enum Transposed {
    Left,
    Right,
    Neither,
}

/// Logits of a tile of tokens, gradient with respect to hidden states, gradient with respect to weights.
const SHAPES: [Shape; 13] = [
    Shape("P", [64, 1024, 512], Transposed::Right),
    Shape("P", [256, 1024, 512], Transposed::Right),
    Shape("P", [1024, 1024, 512], Transposed::Right),
    Shape("P", [2048, 2048, 512], Transposed::Right),
    Shape("P", [256, 1024, 32_000], Transposed::Right),
    Shape("dH", [64, 512, 1024], Transposed::Neither),
    Shape("dH", [256, 512, 1024], Transposed::Neither),
    Shape("dH", [1024, 512, 1024], Transposed::Neither),
    Shape("dH", [256, 32_000, 1024], Transposed::Neither),
    Shape("dW", [512, 64, 1024], Transposed::Left),
    Shape("dW", [512, 256, 1024], Transposed::Left),
    Shape("dW", [512, 1024, 1024], Transposed::Left),
    Shape("dW", [32_000, 256, 1024], Transposed::Left),
];

/// Ways to compute a product, of which the first knows one thread only.
const WAYS: [&str; 3] = ["ndarray", "library", "tiles"];

struct Bench {
    pools: [ThreadPool; 2],
    /// What every extent is divided by: 1, or more in a run that only shows that everything works.
    divisor: usize,
    turns: usize,
    /// Operations of one timing.
    operations: f64,
    filter: Option<String>,
}

impl Bench {
    /// Cargo adds flags of its own; without its `--bench` this is a test run, as in criterion.
    fn new() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let quick = args.iter().any(|arg| arg == "--test") || !args.iter().any(|arg| arg == "--bench");
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        Self {
            pools: [1, 2].map(pool),
            divisor: if quick { 8 } else { 1 },
            turns: if quick { 1 } else { 25 },
            operations: if quick { 1.0 } else { 5e8 },
            filter: args.into_iter().find(|arg| !arg.starts_with("--")),
        }
    }

    /// One shape, with one line per number of threads.
    fn shape<T: Real>(&self, Shape(name, extents, transposed): &Shape) {
        let [rows, inner, columns] = extents.map(|extent| extent / self.divisor);
        let name = format!("{name} {} {rows}x{inner}x{columns}", T::NAME);
        if self.filter.as_ref().is_some_and(|word| !name.contains(word.as_str())) {
            return;
        }
        let (a, b) = match transposed {
            Transposed::Left => (matrix::<T>(inner, rows).reversed_axes(), matrix(inner, columns)),
            Transposed::Right => (matrix(rows, inner), matrix(columns, inner).reversed_axes()),
            Transposed::Neither => (matrix(rows, inner), matrix(inner, columns)),
        };
        let mut c = Array2::zeros((rows, columns));
        let operations = 2.0 * (rows * inner * columns) as f64;
        let repeats = (self.operations / operations).ceil();
        for pool in &self.pools {
            let threads = pool.current_num_threads();
            let mut rates = [const { Vec::new() }; WAYS.len()];
            let mut peaks = Vec::new();
            for _ in 0..self.turns {
                peaks.push(peak(pool, self.operations / 5.0));
                for (way, rates) in rates.iter_mut().enumerate().skip(threads - 1) {
                    let seconds = pool.install(|| {
                        seconds(|| (0..repeats as usize).for_each(|_| run(way, a.view(), b.view(), black_box(&mut c))))
                    });
                    rates.push(repeats * operations / seconds);
                }
            }
            let rates = rates.map(best).map(show);
            println!("{name:24} {threads:>7} {} {:>9} {:>9} {:>9}", show(best(peaks)), rates[0], rates[1], rates[2]);
        }
    }
}

/// `c <- c + a b` in one of the [`WAYS`].
fn run<T: Real>(way: usize, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, c: &mut Array2<T>) {
    match way {
        0 => general_mat_mul(T::one(), &a, &b, T::one(), c),
        1 => product_by(Backend::Library, T::one(), a, b, T::one(), c.view_mut()),
        _ => product_by(Backend::Tiles, T::one(), a, b, T::one(), c.view_mut()),
    }
}

/// Small whole numbers, so that sums stay exact and finite for any number of turns.
fn matrix<T: Real>(rows: usize, columns: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, columns), |(i, j)| T::from_f64(((i * 31 + j * 17) % 23) as f64 / 1024.0 - 0.01))
}

fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

/// The fastest turn: such loops have no luck, only neighbors. NaN of nothing.
fn best(rates: Vec<f64>) -> f64 {
    rates.into_iter().fold(f64::NAN, f64::max)
}

/// In GFLOP/s.
fn show(rate: f64) -> String {
    if rate.is_nan() { format!("{:>9}", "-") } else { format!("{:9.1}", rate * 1e-9) }
}

/// Operations per second in `f32` that all threads together reach without any memory, on vectors of 512 bits; NaN where
/// there are none.
fn peak(pool: &ThreadPool, operations: f64) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        let threads = pool.current_num_threads();
        let turns = (operations / chains::OPERATIONS).ceil() as usize;
        let time = pool.install(|| {
            seconds(|| {
                (0..threads).into_par_iter().for_each(|_| {
                    // SAFETY: the machine has been found to have the feature that the function enables.
                    #[allow(unsafe_code)]
                    black_box(unsafe { chains::run(turns) });
                });
            })
        });
        return (threads * turns) as f64 * chains::OPERATIONS / time;
    }
    let _ = (pool, operations);
    f64::NAN
}

#[cfg(target_arch = "x86_64")]
mod chains {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    /// Fused multiply-adds that do not wait for each other.
    const CHAINS: usize = 12;
    /// Operations of one turn.
    pub(super) const OPERATIONS: f64 = (2 * 16 * CHAINS) as f64;

    #[target_feature(enable = "avx512f")]
    pub(super) fn run(turns: usize) -> f32 {
        let [factor, term] = [_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001))];
        let mut chains = [_mm512_set1_ps(1.0); CHAINS];
        for _ in 0..turns {
            for chain in &mut chains {
                *chain = _mm512_fmadd_ps(*chain, factor, term);
            }
        }
        let mut sum = _mm512_setzero_ps();
        for chain in chains {
            sum = _mm512_add_ps(sum, chain);
        }
        _mm512_reduce_add_ps(sum)
    }
}

fn main() {
    let bench = Bench::new();
    println!("{:24} {:>7} {:>9} {:>9} {:>9} {:>9}", "GFLOP/s", "threads", "peak f32", WAYS[0], WAYS[1], WAYS[2]);
    for shape in &SHAPES {
        bench.shape::<f32>(shape);
    }
    bench.shape::<f64>(&SHAPES[2]);
    bench.shape::<f64>(&SHAPES[7]);
    bench.shape::<f64>(&SHAPES[11]);
}
