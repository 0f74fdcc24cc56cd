//! How near the linear forms come to their own products of matrices: GFLOP/s executed, beside the same products alone.
//!
//! ```text
//! cargo bench --bench linear                  a table: one and two threads, both plans, f32 and f64
//! cargo bench --bench linear -- --check       fails where a ratio is below FLOOR
//! cargo bench --bench linear -- recompute     only rows whose name contains the word
//! ```
//!
//! Flops are those of the products that a plan carries out: 2 N V H for a value, 6 N V H in chunks, 8 N V H with the logits
//! recomputed. The products alone, by the faster backend of the crate, have the same shapes, in the same order, on the same
//! number of threads, and write to the same kind of buffers; the two take turns, and medians of the turns are compared.
//! Buffers are made before.

use std::hint::black_box;
use std::time::Instant;

use loglik::internal::{Backend, product_by};
use loglik::logits::{LinearGradientMut, LinearPlan};
use loglik::ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};
use loglik::prelude::*;

/// Lowest ratio that is allowed of a gradient.
const FLOOR: f64 = 0.80;

/// Classes of a tile, and tokens of a chunk.
const BLOCK: usize = 512;
const CHUNK: usize = 256;

/// Tokens, width, classes.
type Shape = (usize, usize, usize);

/// What the command line asks for. Cargo adds flags of its own; without its `--bench` this is a test run.
struct Options {
    check: bool,
    quick: bool,
    filter: Option<String>,
}

impl Options {
    fn parse() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let filter = args.iter().find(|arg| !arg.starts_with("--")).cloned();
        Self { check: has("--check"), quick: has("--test") || !has("--bench"), filter }
    }
}

/// What is computed.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    Value,
    Chunked,
    Recompute,
}

impl Task {
    const ALL: [Self; 3] = [Self::Value, Self::Chunked, Self::Recompute];

    fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Chunked => "gradient, chunked",
            Self::Recompute => "gradient, recompute",
        }
    }

    fn products(self) -> usize {
        match self {
            Self::Value => 1,
            Self::Chunked => 3,
            Self::Recompute => 4,
        }
    }
}

/// Arguments and buffers of a call.
struct Data<T> {
    hidden: Array2<T>,
    weight: Array2<T>,
    targets: Array1<usize>,
    to_hidden: Array2<T>,
    to_weight: Array2<T>,
    /// Logits of a chunk, or of a block of classes.
    tile: Array2<T>,
}

impl<T: Real> Data<T> {
    fn new((tokens, width, classes): Shape) -> Self {
        let number =
            |i: usize, k: usize| T::from_f64(((i * 7919 + k * 104_729 + i * k * 31) % 257) as f64 / 1280.0 - 0.1);
        Self {
            hidden: Array2::from_shape_fn((tokens, width), |(i, k)| number(i, k)),
            weight: Array2::from_shape_fn((classes, width), |(i, k)| number(i, k + 5)),
            targets: Array1::from_shape_fn(tokens, |i| i * 389 % classes),
            to_hidden: Array2::ones((tokens, width)),
            to_weight: Array2::ones((classes, width)),
            tile: Array2::ones((tokens.max(CHUNK), classes.min(BLOCK))),
        }
    }

    fn loss(&mut self, task: Task) {
        let plan = if task == Task::Chunked { LinearPlan::Chunked } else { LinearPlan::Recompute };
        let (loss, head) =
            (LinearCrossEntropy { plan, ..LinearCrossEntropy::default() }, LinearHead::new(self.weight.view()));
        let value = if task == Task::Value {
            loss.value(&self.hidden, head, &self.targets, Reduction::Mean)
        } else {
            let (hidden, weight) = (self.to_hidden.view_mut(), self.to_weight.view_mut());
            let out = LinearGradientMut { hidden, weight, bias: None };
            loss.grad_into(&self.hidden, head, &self.targets, Reduction::Mean, out)
        };
        assert!(black_box(value).is_ok());
    }

    /// The products of the task, and nothing else.
    fn products(&mut self, task: Task) {
        let rows = if task == Task::Chunked { CHUNK } else { self.hidden.nrows() };
        let chunks =
            self.hidden.axis_chunks_iter(Axis(0), rows).zip(self.to_hidden.axis_chunks_iter_mut(Axis(0), rows));
        for (hidden, mut to_hidden) in chunks {
            let blocks = self.weight.axis_chunks_iter(Axis(0), BLOCK);
            for (weight, to_weight) in blocks.zip(self.to_weight.axis_chunks_iter_mut(Axis(0), BLOCK)) {
                let mut tile = self.tile.slice_mut(s![..hidden.nrows(), ..weight.nrows()]);
                for _ in 0..if task == Task::Recompute { 2 } else { 1 } {
                    product(hidden, weight.t(), T::zero(), tile.view_mut());
                }
                if task != Task::Value {
                    product(tile.view(), weight, T::one(), to_hidden.view_mut());
                    product(tile.t(), hidden, T::zero(), to_weight);
                }
            }
            to_hidden.fill(T::zero());
        }
    }
}

fn product<T: Real>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: ArrayViewMut2<'_, T>) {
    product_by(Backend::best(), T::one(), a, b, beta, c);
}

/// Median seconds of the loss and of its products, which take turns.
fn measure<T: Real>(data: &mut Data<T>, task: Task, turns: usize) -> (f64, f64) {
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..=turns {
        for (which, times) in times.iter_mut().enumerate() {
            let start = Instant::now();
            if which == 0 {
                data.loss(task)
            } else {
                data.products(task)
            }
            if turn > 0 {
                times.push(start.elapsed().as_secs_f64()); // the first turn warms up
            }
        }
    }
    let [loss, products] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    (loss, products)
}

/// Prints the rows of one element type; the lowest ratio of a gradient.
fn table<T: Real>(shape: Shape, threads: usize, options: &Options) -> f64 {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let (tokens, width, classes) = shape;
    let (mut data, mut lowest) = (Data::<T>::new(shape), f64::INFINITY);
    for task in Task::ALL {
        let name = format!("{} {} {tokens}x{width}x{classes}", T::NAME, task.name());
        if options.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        let (loss, products) = pool.install(|| measure(&mut data, task, if options.quick { 1 } else { 5 }));
        let flops = (2 * task.products() * tokens * width * classes) as f64 / 1e9;
        let ratio = products / loss;
        println!("{name:<44} {threads:>7} {:>12.1} {:>12.1} {ratio:>6.2}", flops / loss, flops / products);
        if task != Task::Value {
            lowest = lowest.min(ratio);
        }
    }
    lowest
}

fn main() {
    let options = Options::parse();
    println!("{:<44} {:>7} {:>12} {:>12} {:>6}", "tokens x width x classes", "threads", "GFLOP/s", "products", "ratio");
    let shapes: &[Shape] = if options.quick { &[(300, 16, 1100)] } else { &[(512, 1024, 32_000), (2048, 256, 32_000)] };
    let mut lowest = f64::INFINITY;
    for &shape in shapes {
        for threads in [1, 2] {
            lowest = lowest.min(table::<f32>(shape, threads, &options));
        }
    }
    lowest = lowest.min(table::<f64>(shapes[0], 2, &options));
    if options.check && !options.quick && lowest < FLOOR {
        eprintln!("the lowest ratio of a gradient is {lowest:.2}, expected at least {FLOOR}");
        std::process::exit(1);
    }
}
