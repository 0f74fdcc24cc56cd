//! The options of the command line, and how much work they ask for.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::command_line;
use super::model::Shape;

/// Trains a small byte-level language model on text, continues it with seven objectives and draws the curves.
///
/// Writes one CSV and one SVG file for each curve, and summary.csv, into the output folder. The same seed gives the
/// same CSV files for any number of threads (set RAYON_NUM_THREADS to choose it).
///
/// Exit codes: 0, the model learnt; 1, it did not get below the order-0 entropy of the text, or the run failed; 2, an
/// option, the corpus or the output folder cannot be used.
#[derive(Clone, Debug, Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Options {
    /// Text to learn from, at least 10,000 bytes, in any encoding [default: this crate's own sources and docs]
    #[arg(long, value_name = "FILE")]
    pub corpus: Option<PathBuf>,

    /// Steps of the first training; each objective continues for a fifteenth of them [default: 3000, with --quick 600]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub steps: Option<u32>,

    /// Seed of everything that is drawn at random
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    pub seed: u64,

    /// Folder for the CSV and SVG files; it is made where it is missing
    #[arg(long, value_name = "DIR", default_value = "curves")]
    pub out: PathBuf,

    /// A smaller model, fewer steps and fewer pairs: seconds instead of the better part of a minute
    #[arg(long)]
    pub quick: bool,
}

/// How much work a run is.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Size of the model.
    pub shape: Shape,
    /// Steps of the first training.
    pub training_steps: u32,
    /// Pairs from the training text that the objectives learn from.
    pub training_pairs: usize,
    /// Pairs from the held-out text.
    pub held_out_pairs: usize,
    /// Pairs of each kind that are scored for the curves.
    pub probe_pairs: usize,
    /// Bytes of each text that are scored for the curves.
    pub probe_bytes: usize,
}

impl Work {
    /// Steps of each objective after the first training: a fifteenth of them.
    pub fn tuning_steps(&self) -> u32 {
        self.training_steps.div_ceil(15)
    }
}

impl Options {
    /// Reads the command line, or answers it: help on stdout, one line on stderr where an option is wrong.
    pub fn read() -> Result<Self, ExitCode> {
        command_line::read()
    }

    /// The sizes that go with the options.
    pub fn work(&self) -> Work {
        let work = if self.quick {
            Work {
                shape: Shape { context: 8, embedding: 12, hidden: 96 },
                training_steps: 600,
                training_pairs: 192,
                held_out_pairs: 96,
                probe_pairs: 48,
                probe_bytes: 512,
            }
        } else {
            Work {
                shape: Shape { context: 10, embedding: 16, hidden: 128 },
                training_steps: 3000,
                training_pairs: 768,
                held_out_pairs: 512,
                probe_pairs: 96,
                probe_bytes: 1024,
            }
        };
        Work { training_steps: self.steps.unwrap_or(work.training_steps), ..work }
    }
}
