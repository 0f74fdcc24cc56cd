//! How near losses over embeddings come to their own products of matrices: GFLOP/s executed, beside the same products alone.
//!
//! ```text
//! cargo bench --bench contrastive                  a table: one and two threads
//! cargo bench --bench contrastive -- --check       fails where a ratio is below FLOOR
//! cargo bench --bench contrastive -- "symmetric, 2 threads"   only lines that contain the words
//! ```
//!
//! Flops are those of the products: `2 N² d` for each, one for a value and three for a gradient; four for a gradient of both
//! directions, which forms the similarities twice, and six where each direction goes by itself, as in parts of a batch. The products
//! alone have the shapes of the blocks, by the faster backend of the crate; the two take turns, and medians of the turns are
//! compared.

use std::hint::black_box;
use std::time::Instant;

use loglik::contrastive::{Directions, EmbeddingBatch, InfoNce, SigLip, SupervisedContrastive};
use loglik::internal::{Backend, product_by};
use loglik::ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use loglik::prelude::*;

/// Lowest ratio that is allowed of a gradient.
const FLOOR: f64 = 0.9;

/// Anchors of a block.
const BLOCK: usize = 256;

/// Embeddings of both sides, their gradients, and a block of similarities.
struct Data {
    first: Array2<f32>,
    second: Array2<f32>,
    labels: Array1<usize>,
    out: [Array2<f32>; 2],
    tile: Array2<f32>,
}

impl Data {
    fn new((pairs, width): (usize, usize)) -> Self {
        let number = |i: usize, k: usize| ((i * 7919 + k * 104_729 + i * k * 31) % 257) as f32 / 128.0 - 1.0;
        let side = |shift: usize| Array2::from_shape_fn((pairs, width), |(i, k)| number(i, k + shift));
        let (first, second) = (side(0), side(5));
        let out = [first.clone(), second.clone()];
        let labels = Array1::from_shape_fn(pairs, |i| i % (pairs / 2));
        Self { first, second, labels, out, tile: Array2::ones((BLOCK.min(pairs), pairs)) }
    }

    fn info_nce(&mut self, directions: Directions) {
        let [first, second] = &mut self.out;
        let batch = EmbeddingBatch::new(&self.first, &self.second);
        let loss = InfoNce { directions, ..InfoNce::default() };
        assert!(black_box(loss.grad_into(batch, Reduction::Mean, first, second)).is_ok());
    }

    fn value(&mut self, directions: Directions) {
        let batch = EmbeddingBatch::new(&self.first, &self.second);
        let loss = InfoNce { directions, ..InfoNce::default() };
        assert!(black_box(loss.value(batch, Reduction::Mean)).is_ok());
    }

    /// Both directions of halves of the pairs, one after the other.
    fn by_parts(&mut self) {
        let [first, second] = &mut self.out;
        let loss = InfoNce { directions: Directions::Symmetric, ..InfoNce::default() };
        let pairs = self.first.nrows();
        for part in [0..pairs / 2, pairs / 2..pairs] {
            let batch = EmbeddingBatch::new(&self.first, &self.second).anchors(part);
            assert!(black_box(loss.grad_into(batch, Reduction::Mean, first, second)).is_ok());
        }
    }

    fn sig_lip(&mut self) {
        let batch = EmbeddingBatch::new(&self.first, &self.second);
        assert!(black_box(SigLip::default().grad(batch, Reduction::Mean)).is_ok());
    }

    fn supervised(&mut self) {
        let loss = SupervisedContrastive::default();
        assert!(black_box(loss.grad(&self.first, &self.labels, Reduction::Mean)).is_ok());
    }

    /// The products of each block.
    fn products(&mut self, products: Products) {
        let [first_out, second_out] = &mut self.out;
        for start in (0..self.first.nrows()).step_by(BLOCK) {
            let rows = start..self.first.nrows().min(start + BLOCK);
            let anchors = self.first.slice_axis(Axis(0), rows.clone().into());
            let mut tile = self.tile.slice_mut(s![..rows.len(), ..]);
            for _ in 0..products.similarities {
                product(anchors, self.second.t(), 0.0, tile.view_mut());
            }
            for _ in 0..products.gradients {
                product(tile.view(), self.second.view(), 0.0, first_out.slice_mut(s![rows.clone(), ..]));
                product(tile.t(), anchors, 1.0, second_out.view_mut());
            }
            tile.fill(1e-6); // or the sums would leave the range
        }
    }
}

/// How often similarities are formed, and slopes in both sides from theirs.
#[derive(Clone, Copy)]
struct Products {
    similarities: usize,
    gradients: usize,
}

impl Products {
    fn count(self) -> usize {
        self.similarities + 2 * self.gradients
    }
}

fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta: f32, c: ArrayViewMut2<'_, f32>) {
    product_by(Backend::best(), 1.0, a, b, beta, c);
}

/// Median seconds of the loss and of its products, which take turns.
fn measure(data: &mut Data, loss: fn(&mut Data), products: Products, turns: usize) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..=turns {
        for (which, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            if which == 0 {
                loss(data)
            } else {
                data.products(products)
            }
            if turn > 0 {
                times.push(start.elapsed().as_secs_f64()); // the first turn warms up
            }
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    let wants = |line: &str| args.iter().all(|arg| arg.starts_with("--") || line.contains(arg.as_str()));
    let quick = has("--test") || !has("--bench");
    let (pairs, width) = if quick { (300, 16) } else { (8192, 512) };
    println!("{:<44} {:>7} {:>12} {:>12} {:>6}", "pairs x width", "threads", "GFLOP/s", "products", "ratio");
    type Task = (&'static str, fn(&mut Data), [usize; 2]);
    let tasks: [Task; 7] = [
        ("InfoNce value", |data| data.value(Directions::Forward), [1, 0]),
        ("InfoNce value, symmetric", |data| data.value(Directions::Symmetric), [1, 0]),
        ("InfoNce gradient", |data| data.info_nce(Directions::Forward), [1, 1]),
        ("InfoNce gradient, symmetric", |data| data.info_nce(Directions::Symmetric), [2, 1]),
        ("InfoNce gradient, symmetric, parts", Data::by_parts, [2, 2]),
        ("SigLip gradient", Data::sig_lip, [1, 1]),
        ("SupervisedContrastive gradient", Data::supervised, [1, 1]),
    ];
    let mut lowest = f64::INFINITY;
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut data = Data::new((pairs, width));
        for (name, loss, [similarities, gradients]) in tasks {
            if !wants(&format!("{name}, {threads} threads")) {
                continue;
            }
            let products = Products { similarities, gradients };
            let [loss, alone] = pool.install(|| measure(&mut data, loss, products, if quick { 1 } else { 3 }));
            let (name, flops) =
                (format!("{name} {pairs}x{width}"), (2 * products.count() * pairs * pairs * width) as f64 / 1e9);
            println!("{name:<44} {threads:>7} {:>12.1} {:>12.1} {:>6.2}", flops / loss, flops / alone, alone / loss);
            lowest = lowest.min(if gradients > 0 { alone / loss } else { f64::INFINITY });
        }
    }
    if has("--check") && !quick && lowest < FLOOR {
        eprintln!("the lowest ratio of a gradient is {lowest:.2}, expected at least {FLOOR}");
        std::process::exit(1);
    }
}
