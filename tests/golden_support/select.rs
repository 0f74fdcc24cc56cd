//! Which files are run.

use std::fs;
use std::path::{Path, PathBuf};

use super::Failure;

/// The JSON files of a directory by name, narrowed to the comma-separated `only`: each a file's stem, or an objective's
/// name, which takes its `.edges` file with it. A name that no file has is a failure, and so is a directory without files.
pub fn files(directory: &Path, only: Option<&str>) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort_by_key(|path| stem(path));
    if let Some(only) = only {
        let names: Vec<&str> = only.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
        match names.iter().find(|name| !files.iter().any(|path| is_named(path, name))) {
            Some(name) => return Err(format!("no file of {} is named {name:?}", directory.display()).into()),
            None => files.retain(|path| names.iter().any(|name| is_named(path, name))),
        }
    }
    if files.is_empty() {
        return Err(format!("no golden file in {}", directory.display()).into());
    }
    Ok(files)
}

fn is_named(path: &Path, name: &str) -> bool {
    let stem = stem(path);
    stem == name || stem.strip_suffix(".edges") == Some(name)
}

/// `dpo.edges` of `some/where/dpo.edges.json`.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
