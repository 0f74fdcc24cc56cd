//! Looks for inputs on which the crate breaks a promise.
//!
//! ```text
//! cargo run --release --example fuzz -- --seconds 60 --seed 1
//! ```
//!
//! Every public function, as the catalogue of the tests lists them, is called with arrays of random shapes (a few elements,
//! lengths around the blocks of kernels, vocabularies), in random layouts, with extreme numbers and hyper-parameters. No call
//! may panic, or return NaN or an infinity without a reason. Results may not depend on layout, on threads, on the method
//! that was called, or on examples that are left out. An error must point to the place of the value that it prints. The
//! program prints how many cases it tried and what it found, one line for each kind of fault with the first case that shows
//! it; `--case` runs such a case again. The exit status is 1 where something was found.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use loglik_catalogue::call::Inputs;
use loglik_catalogue::layout::Layout;
use loglik_catalogue::oracle::{Fault, faults, faults_of_threads};
use loglik_catalogue::random::Random;
use loglik_catalogue::{Entry, Listed, Size, all, strange};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Looks for inputs on which the crate breaks a promise.
#[derive(Debug, Parser)]
struct Options {
    /// How long to look.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Where to begin: the same seed tries the same cases.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only entries whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// Runs this case alone and prints its inputs.
    #[arg(long)]
    case: Option<u64>,
}

/// From so many numbers on, a call is tried with other numbers of threads too.
const LARGE: usize = 20_000;

struct Search {
    options: Options,
    entries: (Vec<Entry<f64>>, Vec<Entry<f32>>),
    pools: [ThreadPool; 2],
}

/// The case of a seed: the entry's place in the list, and what it is called with.
struct Case {
    at: usize,
    is_narrow: bool,
    inputs: Inputs,
    layout: Layout,
}

impl Search {
    /// Nothing where usual arguments of this size do not exist.
    fn case(&self, seed: u64) -> Option<Case> {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let at = random.below(self.entries.0.len());
        if !self.entries.0[at].name.contains(&self.options.only) {
            return None;
        }
        let is_narrow = random.below(2) == 0;
        let (size, turned) = (Size::Any(random.bits()), random.bits());
        let layout = strange::one_of(&mut random, &Layout::ALL);
        let is_turned = random.below(2) == 0;
        let make = || strange::inputs(&self.entries.0[at], &mut random, size);
        let mut inputs = catch_unwind(AssertUnwindSafe(make)).ok()?;
        inputs.knobs = is_turned.then_some(turned);
        Some(Case { at, is_narrow, inputs, layout })
    }

    fn run<T: Listed>(&self, entry: &Entry<T>, case: &Case) -> Vec<Fault> {
        let mut found = faults(entry, &case.inputs, case.layout);
        let is_sound = !found.iter().any(|fault| fault.what.contains("panics"));
        if is_sound && case.inputs.reals.iter().map(|array| array.len()).sum::<usize>() >= LARGE {
            let alone = self.pools[0].install(|| case.inputs.packed(entry.call));
            let together = self.pools[1].install(|| case.inputs.packed(entry.call));
            found.extend(faults_of_threads(entry, &alone, &together));
        }
        found
    }

    fn faults(&self, case: &Case) -> Vec<Fault> {
        match case.is_narrow {
            true => self.run(&self.entries.1[case.at], case),
            false => self.run(&self.entries.0[case.at], case),
        }
    }

    /// Runs cases until the time is over; returns how many, and each fault with the first that shows it.
    fn look(&self) -> (u64, BTreeMap<Fault, u64>) {
        let (start, mut cases, mut found) = (Instant::now(), 0, BTreeMap::new());
        let limit = Duration::from_secs_f64(self.options.seconds.max(0.0));
        for seed in self.options.seed.. {
            if start.elapsed() >= limit {
                break;
            }
            let Some(case) = self.case(seed) else { continue };
            cases += 1;
            for fault in self.faults(&case) {
                found.entry(fault).or_insert(seed);
            }
        }
        (cases, found)
    }
}

fn main() -> ExitCode {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
    let search = Search { options: Options::parse(), entries: (all(), all()), pools: [pool(1), pool(2)] };
    if let Some(seed) = search.options.case {
        let Some(case) = search.case(seed) else {
            println!("no case");
            return ExitCode::SUCCESS;
        };
        println!("{} in {:?}\n{:?}", search.entries.0[case.at].name, case.layout, case.inputs);
        let found = search.faults(&case);
        found.iter().for_each(|fault| println!("{fault}"));
        return if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    std::panic::set_hook(Box::new(|_| {})); // a panic is a finding, and told with the others
    let (cases, found) = search.look();
    let _ = std::panic::take_hook();
    for (fault, seed) in &found {
        println!("{fault} (case {seed})");
    }
    println!("{cases} cases of {} entries, {} findings", search.entries.0.len(), found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
