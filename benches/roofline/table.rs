//! Loop against plain loop: the clock, the table, the floors.

use rayon::ThreadPool;

use super::common::{Arguments, median, pools, seconds};
use super::probe::{self, Probe};
use loglik::Element;

/// Lowest ratio that is allowed on a machine with AVX-512, elsewhere none is: name, type, number of threads, ratio.
const FLOORS: &[(&str, &str, usize, f64)] = &[
    ("log_sum_exp", "f32", 1, 0.85),
    ("log_sum_exp", "f32", 2, 0.65),
    ("cross_entropy_value", "f32", 1, 0.80),
    ("cross_entropy_value", "f32", 2, 0.65),
    ("token_log_probs", "f32", 1, 0.85),
    ("token_log_probs", "f32", 2, 0.65),
    ("cross_entropy_grad_in_place", "f32", 1, 0.45),
    ("cross_entropy_grad_in_place", "f32", 2, 0.6),
    ("log_softmax_into", "f32", 1, 0.45),
    ("log_softmax_into", "f32", 2, 0.55),
    ("log_sum_exp", "bf16", 1, 0.4),
    ("log_sum_exp", "bf16", 2, 0.45),
    ("log_sum_exp", "f64", 1, 0.60),
    ("log_sum_exp", "f64", 2, 0.70),
    ("cross_entropy_value_of_ten", "f32", 1, 0.09),
];

/// The loops that are measured where neither `--all` nor a name is given: one of each kind.
const DAILY: &[&str] = &[
    "log_sum_exp",
    "cross_entropy_value",
    "cross_entropy_grad_in_place",
    "cross_entropy_value_of_ten",
    "token_log_probs",
    "log_softmax_into",
    "entropy",
    "kl_value",
    "kl_grad_into",
    "gaussian_nll",
    "ddo_grad_into",
    "ddo_value_of_a_million",
    "ddo_grad_into_of_a_million",
    "generator_grad_into",
    "nce_grad",
    "info_nce_value_of",
    "edm_grad_into",
    "dpo_value",
    "dpo_grad_into",
    "orpo_grad_into",
    "sim_po_grad_into",
    "dpo_jensen_shannon_grad_into",
];

/// The sizes of all arrays.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Numbers of 32 bits in an array of logits.
    pub(crate) logits: usize,
    /// Lengths of its rows.
    pub(crate) classes: [usize; 2],
    /// Elements of each of the four columns of a batch of pairs.
    pub(crate) pairs: usize,
    repeats: usize,
}

impl Sizes {
    fn of(arguments: &Arguments) -> Self {
        if arguments.quick() {
            return Self { logits: 1 << 16, classes: [1000, 4000], pairs: 5000, repeats: 1 };
        }
        let least = 4 * last_level_cache();
        let logits = (least / size_of::<f32>()).max(1 << 27);
        Self { logits, classes: [32_000, 128_256], pairs: (least / (4 * size_of::<f32>())).max(1 << 24), repeats: 9 }
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

/// A loop to measure.
pub(crate) struct Loop<'a, E> {
    pub(crate) name: &'static str,
    /// The name of the type.
    pub(crate) dtype: &'static str,
    pub(crate) size: String,
    /// The array of the plain loop.
    pub(crate) input: &'a [E],
    /// What the loop must move.
    pub(crate) bytes: usize,
    pub(crate) probe: Probe,
}

/// One line of the table.
struct Line {
    name: &'static str,
    dtype: &'static str,
    size: String,
    threads: usize,
    /// GB/s achieved.
    gbps: f64,
    /// GB/s of the plain loop.
    attainable: f64,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.gbps / self.attainable
    }

    fn floor(&self) -> Option<f64> {
        if !has_avx512() {
            return None;
        }
        let key = (self.name, self.dtype, self.threads);
        FLOORS.iter().find(|&&(name, dtype, threads, _)| (name, dtype, threads) == key).map(|floor| floor.3)
    }

    fn print(&self, csv: bool) {
        let Self { name, dtype, size, threads, gbps, attainable } = self;
        let ratio = self.ratio();
        if csv {
            println!("{name},{dtype},{size},{threads},{gbps:.2},{attainable:.2},{ratio:.3}");
        } else {
            let floor = self.floor().map_or(String::new(), |floor| format!("{floor:.2}"));
            println!(
                "{name:30} {dtype:5} {size:>12} {threads:>7} {gbps:>9.2} {attainable:>10.2} {ratio:>7.3} {floor:>6}"
            );
        }
    }
}

fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512vbmi2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Everything that the measurements share.
pub(crate) struct Roofline {
    arguments: Arguments,
    pub(crate) sizes: Sizes,
    pools: [ThreadPool; 2],
    lines: Vec<Line>,
    /// What plain loops write to.
    out: Vec<f32>,
}

impl Roofline {
    pub(crate) fn new() -> Self {
        let arguments = Arguments::parse();
        if arguments.has("--csv") {
            println!("name,dtype,size,threads,gbps,probe_gbps,ratio");
        } else {
            let [a, b, c, d, e, f, g, h] = ["name", "dtype", "size", "threads", "GB/s", "attainable", "ratio", "floor"];
            println!("{a:30} {b:5} {c:>12} {d:>7} {e:>9} {f:>10} {g:>7} {h:>6}");
        }
        Self { sizes: Sizes::of(&arguments), pools: pools(), lines: Vec::new(), out: Vec::new(), arguments }
    }

    /// Times `run` and the plain loops in turns.
    pub(crate) fn measure<E: Element>(&mut self, what: Loop<'_, E>, mut run: impl FnMut() + Send) {
        self.measure_prepared(what, &mut (), |()| (), |()| run());
    }

    /// The same for a loop that spoils its input: `prepare` goes before each run and is not timed.
    pub(crate) fn measure_prepared<E: Element, S: Send>(
        &mut self,
        what: Loop<'_, E>,
        state: &mut S,
        prepare: impl Fn(&mut S),
        mut run: impl FnMut(&mut S) + Send,
    ) {
        let is_daily = DAILY.contains(&what.name) && what.dtype != "f64";
        let is_asked = self.arguments.has("--all") || self.arguments.is_named() || self.arguments.quick();
        if !self.arguments.wants(what.name) || !(is_daily || is_asked) {
            return;
        }
        let words = size_of_val(what.input) / size_of::<f32>();
        if what.probe != Probe::Read && self.out.len() < words {
            self.out.resize(words, 1.0);
        }
        let out = &mut self.out[..if what.probe == Probe::Read { 0 } else { words }];
        for pool in &self.pools {
            let (mut times, mut plain) = (Vec::new(), vec![Vec::new(); what.probe.ways()]);
            for repeat in 0..=self.sizes.repeats {
                for (way, times) in plain.iter_mut().enumerate() {
                    times.push(pool.install(|| seconds(|| probe::run(what.probe, way, what.input, out))));
                }
                prepare(state);
                times.push(pool.install(|| seconds(|| run(state))));
                if repeat == 0 && self.sizes.repeats > 1 {
                    times.clear(); // the first turn touches pages and wakes threads
                    plain.iter_mut().for_each(Vec::clear);
                }
            }
            let fastest = plain.into_iter().map(median).fold(f64::INFINITY, f64::min);
            let moved = what.probe.bytes_per_byte() * size_of_val(what.input);
            let line = Line {
                name: what.name,
                dtype: what.dtype,
                size: what.size.clone(),
                threads: pool.current_num_threads(),
                gbps: what.bytes as f64 / median(times) * 1e-9,
                attainable: moved as f64 / fastest * 1e-9,
            };
            line.print(self.arguments.has("--csv"));
            self.lines.push(line);
        }
    }

    /// Whether floors were asked for and one is missed.
    pub(crate) fn is_to_fail(&self) -> bool {
        if !self.arguments.has("--check") || self.arguments.quick() {
            return false;
        }
        let missed = |line: &&Line| line.floor().is_some_and(|floor| line.ratio() < floor);
        let mut fails = false;
        for line in self.lines.iter().filter(missed) {
            let (name, dtype, threads, size) = (line.name, line.dtype, line.threads, &line.size);
            let (ratio, floor) = (line.ratio(), line.floor().unwrap_or_default());
            eprintln!("{name} {dtype} {size}, {threads} threads: ratio {ratio:.3} is below {floor}");
            fails = true;
        }
        fails
    }
}
