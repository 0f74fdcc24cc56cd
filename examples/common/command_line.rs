//! Reading the command line of an example.

use std::process::ExitCode;

use clap::Parser;

use super::failure::{Failure, Outcome};

/// A whole example: its run with these options, and the code that it ends with.
pub fn main<O>(options: Result<O, ExitCode>, run: impl FnOnce(&O) -> Outcome<()>) -> ExitCode {
    match options.map(|options| run(&options)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => failure.report(),
        Err(code) => code,
    }
}

/// The options, or an answer: help on stdout, one line on stderr where an option is wrong.
pub fn read<O: Parser>() -> Result<O, ExitCode> {
    O::try_parse().map_err(|answer| {
        if answer.use_stderr() {
            let text = answer.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            return Failure::Input(format!("{line} (see --help)")).report();
        }
        // A reader who has closed the pipe needs no help.
        let _ = answer.print();
        ExitCode::SUCCESS
    })
}
