//! Why an example stops: what the caller can mend, and what the run itself found.

use std::process::ExitCode;

/// The two ways to stop early, told apart by their exit codes.
#[derive(Debug)]
pub enum Failure {
    /// The input cannot be used: a file, a folder, an option. Exit code 2, as for options that do not parse.
    Input(String),
    /// The run went wrong, or did not show what it has to show. Exit code 1.
    Run(String),
}

/// What every step of an example returns.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Prints the reason as one line on stderr and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (Self::Input(reason) | Self::Run(reason)) = self;
        eprintln!("error: {reason}");
        ExitCode::from(match self {
            Self::Input(_) => 2,
            Self::Run(_) => 1,
        })
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Run(error.to_string())
    }
}
