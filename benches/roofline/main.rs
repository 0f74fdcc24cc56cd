//! How near each hot loop comes to the memory bandwidth: achieved, attainable, and their ratio.
//!
//! ```text
//! cargo bench --bench roofline                     a table of one loop of each kind, in three minutes
//! cargo bench --bench roofline -- --all            of all loops, in half an hour
//! cargo bench --bench roofline -- --csv            the same as CSV
//! cargo bench --bench roofline -- --check          fails where a ratio is below its floor (table::FLOORS)
//! cargo bench --bench roofline -- log_sum_exp      only names that contain the word
//! cargo bench --bench roofline --features half     half-precision logits, too
//! ```
//!
//! Attainable is what a plain loop by the same number of threads reaches on the same memory in the same run: a read for
//! loops that only read, a read and write in place for those that replace what they read, and a copy that passes the caches
//! by for those that write elsewhere. Loop and plain loops take turns, and the medians of the turns are compared, so that a
//! busy neighbor slows both. Arrays are at least four times the last-level cache.
//!
//! Bytes are what the loop must move: every argument read once, every result written once. Losses over embeddings (InfoNCE,
//! SigLIP) are bound by products of matrices instead: the bench `contrastive` compares them with these.

mod columns;
#[path = "../common/mod.rs"]
mod common;
mod divergences;
mod pairs;
mod probe;
mod rows;
mod samples;
mod table;

use table::Roofline;

fn main() {
    let mut roofline = Roofline::new();
    rows::run(&mut roofline);
    divergences::run(&mut roofline);
    columns::run(&mut roofline);
    samples::run(&mut roofline);
    pairs::run::<f32>(&mut roofline);
    pairs::run::<f64>(&mut roofline);
    if roofline.is_to_fail() {
        std::process::exit(1);
    }
}
