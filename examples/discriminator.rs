//! What a discriminator learns: where DDO comes to rest, when noise-contrastive estimation is maximum likelihood, and how
//! near an estimated density ratio is to the true one.
//!
//! Prints each claim of theory beside a measurement, and draws densities, losses, accuracies and distances.
//!
//! ```text
//! cargo run --release --example discriminator -- --help
//! ```

#![allow(unreachable_pub, reason = "`pub` says in what examples share: for the examples")]

#[path = "discriminator/claims.rs"]
mod claims;
#[path = "common/command_line.rs"]
mod command_line;
#[path = "common/failure.rs"]
mod failure;
#[path = "common/figure.rs"]
mod figure;
#[path = "discriminator/gaussians.rs"]
mod gaussians;
#[path = "discriminator/mixture.rs"]
mod mixture;
#[path = "discriminator/noise.rs"]
mod noise;
#[path = "common/output.rs"]
mod output;
#[path = "discriminator/random.rs"]
mod random;
#[path = "discriminator/rounds.rs"]
mod rounds;
#[path = "common/svg.rs"]
mod svg;
#[path = "discriminator/tabular.rs"]
mod tabular;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use claims::Claim;
use failure::{Failure, Outcome};
use output::Folder;
use svg::svg;

/// Fixed points, self-play and stability of DDO, noise-contrastive estimation, and density ratios, against theory.
///
/// Prints one line for each claim, and writes one CSV and one SVG file for each figure into the output folder. All is the
/// same for the same seed.
///
/// Exit codes: 0, every claim holds; 1, one does not, or the run failed; 2, an option or the output folder cannot be used.
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
struct Options {
    /// Samples of each side [default: 40000, with --quick 4000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    samples: Option<u32>,

    /// Seed of the samples
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Folder for the CSV and SVG files; it is made where it is missing
    #[arg(long, value_name = "DIR", default_value = "curves")]
    out: PathBuf,

    /// Fewer samples: a second or two
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    command_line::main(command_line::read(), run)
}

fn run(options: &Options) -> Outcome<()> {
    let folder = Folder::open(&options.out)?;
    let n = options.samples.unwrap_or(if options.quick { 4_000 } else { 40_000 }) as usize;
    let mut claims = tabular::claims()?;
    let (of_rounds, rounds) = rounds::run()?;
    let (of_mixture, mut figures) = mixture::run(n, options.seed)?;
    let (of_noise, noise) = noise::run(n / 100, 20, options.seed)?;
    let (of_ratio, ratio) = gaussians::run(n, options.seed)?;
    claims.extend(of_rounds.into_iter().chain(of_mixture).chain(mixture::rounds(n, options.seed)?));
    claims.extend(of_noise.into_iter().chain(of_ratio));
    figures.extend([rounds, noise, ratio]);
    let mut files = Vec::new();
    for figure in &figures {
        files.push((format!("{}.svg", figure.name), svg(figure)?));
        files.push((format!("{}.csv", figure.name), figure.csv()));
    }
    folder.write(&files)?;
    let mut out = std::io::stdout();
    // A reader who has closed the pipe does not make the run a failure.
    for claim in &claims {
        let _ = writeln!(out, "{}", claim.line());
    }
    let _ = writeln!(out, "CSV and SVG files are in {}", options.out.display());
    let failed = claims.iter().filter(|claim| !claim.holds()).count();
    match claims.iter().find(|claim| !claim.holds()).map(Claim::line) {
        None => Ok(()),
        Some(line) => Err(Failure::Run(format!("{failed} of {} claims fail: {line}", claims.len()))),
    }
}
