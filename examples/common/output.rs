//! Files that appear all together or not at all.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::failure::{Failure, Outcome};

/// An output folder that has been written to, so that no training ends at a closed door.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder where it is missing and tries to write in it.
    pub fn open(path: &Path) -> Outcome<Self> {
        let folder = Self { path: path.to_path_buf() };
        let trial = folder.staged("trial");
        fs::create_dir_all(path)
            .and_then(|()| fs::write(&trial, b""))
            .and_then(|()| fs::remove_file(&trial))
            .map_err(|error| Failure::Input(format!("cannot write to folder {}: {error}", path.display())))?;
        Ok(folder)
    }

    /// Writes all files under temporary names first, then renames them.
    pub fn write(&self, files: &[(String, String)]) -> Outcome<()> {
        let paths = || files.iter().map(|(name, _)| (self.staged(name), self.path.join(name)));
        let write = || -> io::Result<()> {
            for ((staged, path), (_, text)) in paths().zip(files) {
                if path.is_dir() {
                    return Err(io::Error::other(format!("{} is a folder", path.display())));
                }
                fs::write(staged, text)?;
            }
            paths().try_for_each(|(staged, path)| fs::rename(staged, path))
        };
        write().map_err(|error| {
            paths().for_each(|(staged, _)| drop(fs::remove_file(staged)));
            Failure::Input(format!("cannot write to folder {}: {error}", self.path.display()))
        })
    }

    fn staged(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}.{}", std::process::id()))
    }
}
