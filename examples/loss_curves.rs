//! From logits to loss curves on real text.
//!
//! Trains a small byte-level language model by likelihood. From that checkpoint, which is also the frozen reference, it
//! goes on separately with DPO, IPO, ORPO, DPO+NLL and DDO, on pairs of a real continuation and one that the model made
//! up, and with EMO and MLE on the text itself. Everything about logits and objectives is the library's; the example adds
//! two matrix products, an optimizer and pictures.
//!
//! ```text
//! cargo run --release --example loss_curves -- --help
//! ```

mod common;

use std::io::Write;
use std::process::ExitCode;

use common::command_line;
use common::experiment::Experiment;
use common::failure::{Failure, Outcome};
use common::options::Options;
use common::output::Folder;
use common::text::Text;

/// The text that is learnt from unless another is given.
const CORPUS: &[u8] = include_bytes!("data/corpus.txt");

fn main() -> ExitCode {
    command_line::main(Options::read(), run)
}

fn run(options: &Options) -> Outcome<()> {
    let (name, bytes) = match &options.corpus {
        None => ("the default corpus".into(), CORPUS.to_vec()),
        Some(path) => {
            let name = format!("corpus {}", path.display());
            let bytes = std::fs::read(path).map_err(|error| Failure::Input(format!("cannot read {name}: {error}")))?;
            (name, bytes)
        }
    };
    let text = Text::new(&bytes, &name)?;
    let folder = Folder::open(&options.out)?;
    let report = Experiment { text, work: options.work(), seed: options.seed }.run()?;
    folder.write(&report.files)?;
    // A reader who has closed the pipe does not make the run a failure.
    let _ = writeln!(std::io::stdout(), "{}CSV and SVG files are in {}", report.text, options.out.display());
    report.verdict()
}
