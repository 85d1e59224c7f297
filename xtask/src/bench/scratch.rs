//! Folders that live as long as one run of a bench.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this process under the target folder, which is on the same file system as what was built: a `/tmp` in
/// memory would measure another file system than the one that guests are given.
pub(super) struct Scratch {
    root: PathBuf,
    made: u32,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(target: &Path) -> Result<Self, String> {
        let root = target
            .join("bench-tmp")
            .join(std::process::id().to_string());
        make(&root)?;
        Ok(Self { root, made: 0 })
    }

    /// An empty folder that no run has used before.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn fresh(&mut self) -> Result<PathBuf, String> {
        self.made += 1;
        let folder = self.root.join(self.made.to_string());
        make(&folder)?;
        Ok(folder)
    }

    /// A place for a file of the bench's own, which no guest sees.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is under target/, so what cannot be removed now goes with `cargo clean`.
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder)
        .map_err(|error| format!("cannot make `{}`: {error}", folder.display()))
}
