//! A progress bar on stderr, invisible where stderr is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `steps` steps of all optimizers together.
pub fn progress(steps: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:28} [{bar:40}] {pos}/{len} steps, {eta} left");
    ProgressBar::new(steps).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
