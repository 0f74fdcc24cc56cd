//! How time grows with the number of elements: the slope of its logarithm, which is 1 where twice the work takes twice
//! as long.
//!
//! ```text
//! cargo bench --bench scaling                     a table
//! cargo bench --bench scaling -- --check          fails where a slope lies outside of the range beside it
//! cargo bench --bench scaling -- log_sum_exp      only names that contain the word
//! ```
//!
//! Elements are the numbers that a loop reads, from 1e6 to 1e8 in steps of a factor of about 3.2. The slope is that of the
//! straight line with the least squares through the logarithms of the medians. Sizes take turns, so that a busy neighbor
//! slows all of them, and each turn takes another part of one large array, so that all sizes come from memory and none
//! from a cache.

mod common;

use std::ops::{Range, RangeInclusive};

use common::{Arguments, bell, keep, median, pools, seconds};
use loglik::logits::log_softmax_into;
use loglik::ndarray::{ArrayView1, ArrayView2, ArrayViewMut2};
use loglik::prelude::*;
use loglik::transport::{Measure, wasserstein_1d};
use rayon::ThreadPool;

const CLASSES: usize = 1000;

/// How a loop may grow, and how often it is timed.
struct Law {
    slopes: RangeInclusive<f64>,
    turns: usize,
}

/// Time in proportion to the elements.
const LINEAR: Law = Law { slopes: 0.9..=1.1, turns: 9 };

/// `n ln n`, which has the slope `1 + 1 / ln n`, 1.06 here; and sorting misses the caches ever more often.
const SORTING: Law = Law { slopes: 0.9..=1.25, turns: 3 };

/// Everything that the measurements share.
struct Scaling {
    arguments: Arguments,
    pools: [ThreadPool; 2],
    /// Numbers of elements, ascending, each a number of whole rows.
    sizes: [usize; 5],
    passes: bool,
}

impl Scaling {
    fn new() -> Self {
        let arguments = Arguments::parse();
        let rows = if arguments.quick() { 1.0 } else { 1000.0 };
        let sizes = [0.0, 0.5, 1.0, 1.5, 2.0].map(|power| (rows * 10_f64.powf(power)) as usize * CLASSES);
        print!("{:28}", "ns per element, of elements");
        sizes.iter().for_each(|&size| print!(" {:>8.1e}", size as f64));
        println!(" {:>7} {:>7}   allowed", "threads", "slope");
        Self { arguments, pools: pools(), sizes, passes: true }
    }

    /// Elements of the largest size.
    fn most(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// Times `run` over parts of all sizes: ranges of elements, each a number of whole rows.
    fn measure(&mut self, name: &str, law: Law, mut run: impl FnMut(Range<usize>) + Send) {
        if !self.arguments.wants(name) {
            return;
        }
        let most = self.most();
        for pool in &self.pools {
            let mut times = [const { Vec::new() }; 5];
            for turn in 0..if self.arguments.quick() { 1 } else { law.turns } {
                for (&size, times) in self.sizes.iter().zip(&mut times) {
                    let start = turn % (most / size) * size;
                    times.push(pool.install(|| seconds(|| run(start..start + size))));
                }
            }
            let points: Vec<_> = self.sizes.iter().map(|&size| size as f64).zip(times.map(median)).collect();
            let slope = slope(&points);
            print!("{name:28}");
            points.iter().for_each(|(size, time)| print!(" {:>8.3}", time / size * 1e9));
            println!(" {:>7} {slope:>7.3}   {:?}", pool.current_num_threads(), law.slopes);
            self.passes &= law.slopes.contains(&slope);
        }
    }
}

/// Slope of the line of least squares through the logarithms of the points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<_> = points.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let mean = (logs.iter().map(|p| p.0).sum::<f64>() / n, logs.iter().map(|p| p.1).sum::<f64>() / n);
    let together: f64 = logs.iter().map(|p| (p.0 - mean.0) * (p.1 - mean.1)).sum();
    together / logs.iter().map(|p| (p.0 - mean.0).powi(2)).sum::<f64>()
}

fn logits(values: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((values.len() / CLASSES, CLASSES), values).expect("whole rows")
}

fn logits_mut(values: &mut [f32]) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((values.len() / CLASSES, CLASSES), values).expect("whole rows")
}

/// Loops over rows of logits.
fn rows(scaling: &mut Scaling, values: &[f32]) {
    let targets: Vec<i64> = (0..values.len() / CLASSES).map(|i| (i * 7919 % CLASSES) as i64).collect();
    let targets = |elements: usize| ArrayView1::from(&targets[..elements / CLASSES]);
    let mut out = values.to_vec(); // its pages are touched
    let loss = CrossEntropy::default();
    scaling.measure("log_sum_exp", LINEAR, |part| keep(log_sum_exp(&logits(&values[part]))));
    scaling.measure("cross_entropy_value", LINEAR, |part| {
        keep(loss.value(&logits(&values[part.clone()]), &targets(part.len()), Reduction::Mean));
    });
    scaling.measure("log_softmax_into", LINEAR, |part| {
        keep(log_softmax_into(&logits(&values[part.clone()]), &mut logits_mut(&mut out[part])));
    });
    // Where parts come again they hold the gradient of before: logits like any others.
    scaling.measure("cross_entropy_grad_in_place", LINEAR, |part| {
        let targets = targets(part.len());
        keep(loss.grad_in_place(&mut logits_mut(&mut out[part]), &targets, Reduction::Sum));
    });
}

/// Losses over columns of numbers.
fn columns(scaling: &mut Scaling, values: &[f32]) {
    scaling.measure("dpo_value", LINEAR, |part| {
        let mut columns = values[part.clone()].chunks(part.len() / 4).map(ArrayView1::from);
        let mut sides = || Some(Pairs { chosen: columns.next()?, rejected: columns.next()? });
        if let (Some(policy), Some(reference)) = (sides(), sides()) {
            keep(Dpo::default().value(PairBatch::new(policy).reference(reference), Reduction::Mean));
        }
    });
    scaling.measure("wasserstein_1d", SORTING, |part| {
        let (x, y) = values[part.clone()].split_at(part.len() / 2);
        keep(wasserstein_1d(Measure::uniform(ArrayView1::from(x)), Measure::uniform(ArrayView1::from(y)), 1.0));
    });
}

fn main() {
    let mut scaling = Scaling::new();
    let values: Vec<f32> = (0..scaling.most()).map(bell).collect();
    rows(&mut scaling, &values);
    columns(&mut scaling, &values);
    if scaling.arguments.has("--check") && !scaling.arguments.quick() && !scaling.passes {
        std::process::exit(1);
    }
}
