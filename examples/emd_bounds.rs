//! How near bounds on the earth mover's distance come, at what price, as the problem grows.
//!
//! Two clouds of points in the plane, more of them each time. For each size it prints the interval in which the distance
//! lies, how each of its ends was obtained, the exact distance as far as it is asked for, and times; and it draws what a
//! budget of passes over the costs buys.
//!
//! ```text
//! cargo run --release --example emd_bounds -- --help
//! ```

#![allow(unreachable_pub, reason = "`pub` says in what examples share: for the examples")]

#[path = "emd_bounds/clouds.rs"]
mod clouds;
#[path = "common/command_line.rs"]
mod command_line;
#[path = "common/failure.rs"]
mod failure;
#[path = "common/figure.rs"]
mod figure;
#[path = "emd_bounds/figures.rs"]
mod figures;
#[path = "emd_bounds/growth.rs"]
mod growth;
#[path = "common/output.rs"]
mod output;
#[path = "common/svg.rs"]
mod svg;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use failure::{Failure, Outcome};
use output::Folder;
use svg::svg;

/// Bounds on the earth mover's distance between growing clouds of points, and what they cost.
///
/// Prints one line for each size and gap, and writes one CSV and one SVG file for each figure into the output folder. All
/// but the times is the same for the same seed.
///
/// Exit codes: 0, every interval holds the exact value; 1, one does not, or the run failed; 2, an option or the output
/// folder cannot be used.
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Options {
    /// Points on each side at the last size, which doubles from one to the next [default: 1600, with --quick 80]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=100_000))]
    points: Option<u32>,

    /// Up to how many points the exact distance is computed, too
    #[arg(long, value_name = "N", default_value_t = 2000)]
    exact: u32,

    /// Seed of the clouds
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Folder for the CSV and SVG files; it is made where it is missing
    #[arg(long, value_name = "DIR", default_value = "bounds")]
    out: PathBuf,

    /// Small clouds: a second or two
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    command_line::main(command_line::read(), run)
}

fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::open(&options.out)?;
    let largest = options.points.unwrap_or(if options.quick { 80 } else { 1600 }) as usize;
    let mut out = std::io::stdout();
    let mut readings = Vec::new();
    // A reader who has closed the pipe does not make the run a failure.
    let _ = writeln!(out, "{}", growth::HEADER);
    for points in sizes(largest) {
        for reading in growth::read(points, options.seed, points <= options.exact as usize)? {
            let _ = writeln!(out, "{}", reading.line());
            readings.push(reading);
        }
    }
    let spending = growth::spend(largest, options.seed)?;
    let mut files = Vec::new();
    for figure in [figures::distance(&readings), figures::time(&readings), figures::budget(&spending, largest)] {
        files.push((format!("{}.svg", figure.name), svg(&figure)?));
        files.push((format!("{}.csv", figure.name), figure.csv()));
    }
    folder.write(&files)?;
    let _ = writeln!(out, "CSV and SVG files are in {}", options.out.display());
    match readings.iter().find(|reading| !reading.holds()) {
        None => Ok(()),
        Some(reading) => Err(Failure::Run(format!("the interval does not hold the distance: {}", reading.line()))),
    }
}

/// Sizes that double up to the largest, the smallest of them below 40.
fn sizes(largest: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = std::iter::successors(Some(largest), |&n| (n >= 40).then_some(n / 2)).collect();
    sizes.reverse();
    sizes
}
