//! What the benches that print tables share: the command line, a clock, and numbers to work on.

use std::hint::black_box;
use std::time::Instant;

use loglik::{Real, Result};
use rayon::ThreadPool;

/// What the command line asks for.
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn parse() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|argument| argument == flag)
    }

    /// Whether a small run is asked for, which only shows that everything works. Without the `--bench` that Cargo adds,
    /// this is a test run, as in criterion.
    pub(crate) fn quick(&self) -> bool {
        self.has("--test") || !self.has("--bench")
    }

    /// Whether the table shall hold the loop of that name: all, or those whose names contain the first plain argument.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.word().is_none_or(|word| name.contains(word.as_str()))
    }

    /// Whether loops are asked for by name.
    #[allow(dead_code)] // not by every bench that shares this file
    pub(crate) fn is_named(&self) -> bool {
        self.word().is_some()
    }

    fn word(&self) -> Option<&String> {
        self.0.iter().find(|argument| !argument.starts_with("--"))
    }
}

/// One pool for each number of threads that is measured.
pub(crate) fn pools() -> [ThreadPool; 2] {
    [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start"))
}

/// Uses a result, so that it is not optimized away.
pub(crate) fn keep<R>(result: Result<R>) {
    let _ = black_box(result.expect("the inputs are sound"));
}

/// How long `f` takes.
pub(crate) fn seconds(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Numbers with a bell-shaped distribution around zero, the same in every run.
pub(crate) fn bell<T: Real>(index: usize) -> T {
    let mut bits = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits ^= bits >> 29;
    bits = bits.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let quarters = [0, 16, 32, 48].map(|shift| ((bits >> shift) & 0xffff) as f64 / 65_536.0 - 0.5);
    T::from_f64(5.0 * quarters.into_iter().sum::<f64>())
}
