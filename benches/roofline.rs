//! How near each hot loop comes to the memory bandwidth: achieved, attainable, and their ratio.
//!
//! ```text
//! cargo bench --bench roofline                     a table
//! cargo bench --bench roofline -- --csv            the same as CSV
//! cargo bench --bench roofline -- --check          fails where a ratio is below its floor (FLOORS, below)
//! cargo bench --bench roofline -- log_sum_exp      only names that contain the word
//! ```
//!
//! Attainable is a plain read of the same array by the same number of threads, the best of three ways to unroll it.
//! Loop and reads take turns, and the medians of the turns are compared, so that a busy neighbour slows both. Arrays are
//! at least four times the last-level cache.
//!
//! Bytes are what the loop must move: every argument read once, every result written once. Two costs are real and not
//! counted, so that they cannot flatter the ratio: a store first fetches the line that it fills, and a row that is passed
//! over twice is read again from the cache. Loops that write are therefore compared with a read of as many bytes as they
//! read and write together, which no loop that writes can reach.

use std::hint::black_box;
use std::time::Instant;

use loglik::ndarray::{Array1, Array2};
use loglik::prelude::*;
use rayon::ThreadPool;

/// Lowest ratio that is allowed, for one thread on a machine with AVX-512.
const FLOORS: [(&str, &str, f64); 2] = [("log_sum_exp", "f32", 0.5), ("cross_entropy_value", "f32", 0.5)];

const CLASSES: usize = 32_000;

/// What the command line asks for.
struct Options {
    csv: bool,
    check: bool,
    /// A small run that only shows that everything works.
    quick: bool,
    filter: Option<String>,
}

impl Options {
    /// Cargo adds flags of its own; without its `--bench` this is a test run, as in criterion.
    fn parse() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        let filter = args.iter().find(|arg| !arg.starts_with("--")).cloned();
        Self { csv: has("--csv"), check: has("--check"), quick: has("--test") || !has("--bench"), filter }
    }
}

/// The sizes of all arrays.
struct Sizes {
    classes: usize,
    /// Rows of logits in `f32`; half as many in `f64`.
    rows: usize,
    /// Elements of each of the four columns of a batch of pairs.
    pairs: usize,
    repeats: usize,
}

impl Sizes {
    fn of(options: &Options) -> Self {
        if options.quick {
            return Self { classes: 1000, rows: 64, pairs: 5000, repeats: 1 };
        }
        let least = 4 * last_level_cache();
        let rows = (least / (CLASSES * size_of::<f32>()) + 1).max(4096);
        Self { classes: CLASSES, rows, pairs: (least / (4 * size_of::<f32>())).max(1 << 24), repeats: 9 }
    }
}

/// Bytes of the largest cache, 32 MiB where the system does not say.
fn last_level_cache() -> usize {
    let size = |index| {
        let text = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size")).ok()?;
        let text = text.trim();
        let unit = if text.ends_with('M') { 1 << 20 } else { 1 << 10 };
        text.trim_end_matches(['K', 'M']).parse::<usize>().ok().map(|n| n * unit)
    };
    (0..8).filter_map(size).max().unwrap_or(32 << 20)
}

/// A plain read: `N` chains of additions, side by side.
fn read<T: Real, const N: usize>(values: &[T]) -> T {
    let mut sums = [T::zero(); N];
    for chunk in values.as_chunks::<N>().0 {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += x;
        }
    }
    sums.into_iter().sum()
}

/// A plain read by all threads of the current pool, unrolled in the given way.
fn probe<T: Real>(values: &[T], way: usize) {
    let ways: [fn(&[T]) -> T; 3] = [read::<T, 16>, read::<T, 32>, read::<T, 64>];
    let read = ways[way];
    let share = values.len().div_ceil(rayon::current_num_threads());
    rayon::scope(|scope| values.chunks(share).for_each(|part| scope.spawn(move |_| _ = black_box(read(part)))));
}

/// Uses a result, so that it is not optimised away.
fn keep<R>(result: Result<R>) {
    let _ = black_box(result.expect("the inputs are sound"));
}

fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// One line of the table.
struct Line {
    name: &'static str,
    dtype: &'static str,
    size: String,
    threads: usize,
    /// GB/s achieved.
    gbps: f64,
    /// GB/s of the plain read.
    probe: f64,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.gbps / self.probe
    }

    fn floor(&self) -> Option<f64> {
        let floor = FLOORS.into_iter().find(|&(name, dtype, _)| (name, dtype) == (self.name, self.dtype));
        floor.filter(|_| self.threads == 1).map(|(_, _, floor)| floor)
    }

    fn print(&self, csv: bool) {
        let Self { name, dtype, size, threads, gbps, probe } = self;
        let ratio = self.ratio();
        if csv {
            println!("{name},{dtype},{size},{threads},{gbps:.2},{probe:.2},{ratio:.3}");
        } else {
            println!("{name:30} {dtype:5} {size:>12} {threads:>7} {gbps:>9.2} {probe:>9.2} {ratio:>7.3}");
        }
    }
}

/// Everything that the measurements share.
struct Roofline {
    options: Options,
    sizes: Sizes,
    pools: Vec<ThreadPool>,
    lines: Vec<Line>,
}

/// A loop to measure: its name, the array of the plain read, and what it must move.
struct Loop<'a, T> {
    name: &'static str,
    input: &'a [T],
    size: String,
    bytes: usize,
}

impl Roofline {
    fn new() -> Self {
        let options = Options::parse();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let roofline = Self { sizes: Sizes::of(&options), pools: [1, 2].map(pool).into(), lines: Vec::new(), options };
        if roofline.options.csv {
            println!("name,dtype,size,threads,gbps,probe_gbps,ratio");
        } else {
            let [a, b, c, d, e, f, g] = ["name", "dtype", "size", "threads", "GB/s", "read GB/s", "ratio"];
            println!("{a:30} {b:5} {c:>12} {d:>7} {e:>9} {f:>9} {g:>7}");
        }
        roofline
    }

    /// Times `run` and the plain reads in turns.
    fn measure<T: Real>(&mut self, what: Loop<'_, T>, mut run: impl FnMut() + Send) {
        self.measure_prepared(what, &mut (), |_| (), |_| run());
    }

    /// The same for a loop that spoils its input: `prepare` goes before each run and is not timed.
    fn measure_prepared<T: Real, S: Send>(
        &mut self,
        what: Loop<'_, T>,
        state: &mut S,
        prepare: impl Fn(&mut S),
        mut run: impl FnMut(&mut S) + Send,
    ) {
        if self.options.filter.as_ref().is_some_and(|word| !what.name.contains(word.as_str())) {
            return;
        }
        for pool in &self.pools {
            let (mut times, mut reads) = (Vec::new(), [const { Vec::new() }; 3]);
            for repeat in 0..=self.sizes.repeats {
                for (way, reads) in reads.iter_mut().enumerate() {
                    reads.push(pool.install(|| seconds(|| probe(what.input, way))));
                }
                prepare(state);
                times.push(pool.install(|| seconds(|| run(state))));
                if repeat == 0 && self.sizes.repeats > 1 {
                    times.clear(); // the first turn touches pages and wakes threads
                    reads = [const { Vec::new() }; 3];
                }
            }
            let fastest = reads.into_iter().map(median).fold(f64::INFINITY, f64::min);
            let line = Line {
                name: what.name,
                dtype: T::NAME,
                size: what.size.clone(),
                threads: pool.current_num_threads(),
                gbps: what.bytes as f64 / median(times) * 1e-9,
                probe: size_of_val(what.input) as f64 / fastest * 1e-9,
            };
            line.print(self.options.csv);
            self.lines.push(line);
        }
    }

    /// Whether every floor is met.
    fn passes(&self) -> bool {
        let missed = |line: &&Line| line.floor().is_some_and(|floor| line.ratio() < floor);
        let mut passes = true;
        for line in self.lines.iter().filter(missed) {
            let (name, dtype, ratio, floor) = (line.name, line.dtype, line.ratio(), line.floor().unwrap_or(0.0));
            eprintln!("{name} {dtype}, {} thread: ratio {ratio:.3} is below {floor}", line.threads);
            passes = false;
        }
        passes
    }
}

/// Numbers with a bell-shaped distribution around zero, the same in every run.
fn bell<T: Real>(index: usize) -> T {
    let mut bits = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits ^= bits >> 29;
    bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let quarters = [0, 16, 32, 48].map(|shift| ((bits >> shift) & 0xffff) as f64 / 65_536.0 - 0.5);
    T::of(5.0 * quarters.into_iter().sum::<f64>())
}

fn rows_of_logits<T: Real>(rows: usize, classes: usize) -> Array2<T> {
    Array2::from_shape_fn((rows, classes), |(i, j)| bell(i * classes + j))
}

/// Loops that read the logits once: a number for each row.
fn reductions<T: Real>(roofline: &mut Roofline, logits: &Array2<T>, all: bool) {
    let (rows, classes) = logits.dim();
    let targets = Array1::from_shape_fn(rows, |i| (i * 7919) as i64 % classes as i64);
    let (size, input) = (format!("{rows}x{classes}"), logits.as_slice().unwrap_or_default());
    let of = |name, bytes| Loop { name, input, size: size.clone(), bytes: size_of_val(input) + bytes };
    let (results, labels) = (rows * size_of::<T>(), rows * size_of::<i64>());
    roofline.measure(of("log_sum_exp", results), || keep(log_sum_exp(logits)));
    if !all {
        return;
    }
    let loss = CrossEntropy::default();
    let value = || keep(loss.value(logits, &targets, Reduction::Mean));
    roofline.measure(of("cross_entropy_value", labels), value);
    let log_probs = || keep(token_log_probs(logits, &targets));
    roofline.measure(of("token_log_probs", labels + results), log_probs);
    roofline.measure(of("entropy", results), || keep(entropy(logits)));
    roofline.measure(of("top_k", 2 * results), || keep(TopK::default().of(logits)));
}

/// Loops that write an array as large as the logits.
fn transformations<T: Real>(roofline: &mut Roofline, logits: &Array2<T>) {
    let (rows, classes) = logits.dim();
    let targets = Array1::from_shape_fn(rows, |i| (i * 7919) as i64 % classes as i64);
    let (size, input) = (format!("{rows}x{classes}"), logits.as_slice().unwrap_or_default());
    let of = |name, bytes| Loop { name, input, size: size.clone(), bytes: 2 * size_of_val(input) + bytes };
    let mut out = logits.clone();
    roofline.measure(of("log_softmax_into", 0), || keep(log_softmax_into(logits, &mut out)));
    let loss = CrossEntropy::default();
    let restore = |out: &mut Array2<T>| out.assign(logits);
    let grad = |out: &mut Array2<T>| keep(loss.grad_in_place(out, &targets, Reduction::Mean));
    let labels = rows * size_of::<i64>();
    roofline.measure_prepared(of("cross_entropy_grad_in_place", labels), &mut out, restore, grad);
    let cotangent = Array1::from_elem(rows, T::one());
    let backward = || keep(token_log_probs_backward_into(logits, &targets, &cotangent, &mut out));
    roofline.measure(of("token_log_probs_backward_into", labels + size_of::<T>() * rows), backward);
}

/// Losses of one number out of several columns: pairs, log-ratios, densities, and sums over tokens.
fn columns(roofline: &mut Roofline) {
    let n = roofline.sizes.pairs;
    let data = Array2::<f32>::from_shape_fn((4, n), |(column, i)| bell(column * n + i));
    let columns = data.as_slice().unwrap_or_default();
    let of = |name, read: usize, written: usize| {
        let bytes = (read + written) * n * size_of::<f32>();
        Loop { name, input: &columns[..read * n], size: n.to_string(), bytes }
    };
    let [a, b, c, d] = [0, 1, 2, 3].map(|column| data.row(column));
    let batch = PairBatch::new(Pairs { chosen: a, rejected: b }).reference(Pairs { chosen: c, rejected: d });
    let loss = Dpo::default();
    roofline.measure(of("dpo_value", 4, 0), || keep(loss.value(batch, Reduction::Mean)));
    let mut out = Pairs { chosen: Array1::zeros(n), rejected: Array1::zeros(n) };
    roofline.measure(of("dpo_grad_into", 4, 2), || keep(loss.grad_into(batch, Reduction::Mean, out.view_mut())));
    let ipo = Ipo { beta: 0.1, length: Length::Sum };
    roofline.measure(of("ipo_value", 4, 0), || keep(ipo.value(batch, Reduction::Mean)));
    let scored = Scored { loss, score: JensenShannon };
    roofline.measure(of("dpo_jensen_shannon_value", 4, 0), || keep(scored.value(batch, Reduction::Mean)));

    let (ddo, ratios, both) = (Ddo::default(), Samples { real: a, fake: b }, Samples::both(Reduction::Mean));
    roofline.measure(of("ddo_value", 2, 0), || keep(ddo.value(ratios, both)));
    let mut out = Samples { real: Array1::zeros(n), fake: Array1::zeros(n) };
    let grad = || {
        let out = Samples { real: out.real.view_mut(), fake: out.fake.view_mut() };
        keep(ddo.grad_into(ratios, both, out));
    };
    roofline.measure(of("ddo_grad_into", 2, 2), grad);

    roofline.measure(of("gaussian_nll", 3, 0), || keep(gaussian_nll(&a, &b, &c, Reduction::Mean)));
    let outcomes = b.mapv(|x| f32::from(u8::from(x > 0.0)));
    roofline.measure(of("bernoulli_nll", 2, 0), || keep(bernoulli_nll(&a, &outcomes, Reduction::Mean)));
    let counts = b.mapv(|x| x.abs().floor());
    roofline.measure(of("poisson_nll", 2, 0), || keep(poisson_nll(&a, &counts, Reduction::Mean)));

    let below_zero = [a, b].map(|column| column.mapv(|x| -x.abs() - 0.01));
    let pairs = PairBatch::new(Pairs { chosen: below_zero[0].view(), rejected: below_zero[1].view() });
    let orpo = Orpo { length: Length::Sum, ..Orpo::default() };
    roofline.measure(of("orpo_value", 2, 0), || keep(orpo.value(pairs, Reduction::Mean)));
}

/// Log-probabilities of tokens, half of them masked, summed over responses of 500.
fn tokens(roofline: &mut Roofline) {
    const LENGTH: usize = 500;
    let responses = roofline.sizes.pairs * 2 / LENGTH;
    let log_probs = Array2::<f32>::from_shape_fn((responses, LENGTH), |(i, j)| bell(i * LENGTH + j));
    let mask = log_probs.mapv(|x| x > 0.0);
    let input = log_probs.as_slice().unwrap_or_default();
    let bytes = size_of_val(input) + mask.len();
    let what = Loop { name: "sum_tokens", input, size: format!("{responses}x{LENGTH}"), bytes };
    roofline.measure(what, || keep(sum_tokens(&log_probs, TokenMask::padded(mask.view()))));
}

fn main() {
    let mut roofline = Roofline::new();
    let Sizes { rows, classes, .. } = roofline.sizes;
    let logits = rows_of_logits::<f32>(rows, classes);
    reductions(&mut roofline, &logits, true);
    transformations(&mut roofline, &logits);
    drop(logits);
    columns(&mut roofline);
    tokens(&mut roofline);
    reductions(&mut roofline, &rows_of_logits::<f64>(rows / 2, classes), false);
    if roofline.options.check && !roofline.options.quick && !roofline.passes() {
        std::process::exit(1);
    }
}
