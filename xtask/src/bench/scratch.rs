//! Folders that live as long as one run of a bench.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this process.
pub(super) struct Scratch {
    root: PathBuf,
    made: u32,
}

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn new(folder: &Path) -> Result<Self, String> {
        let root = folder.join("bench-tmp").join(std::process::id().to_string());
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

/// Where a bench of host calls has its files unless it is told otherwise: in memory, where the system has such a folder, so
/// that it is hosts that are measured and not a disk and its file system.
pub(super) fn in_memory(target: &Path) -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { target.to_owned() }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is in the way of nobody.
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("cannot make `{}`: {error}", folder.display()))
}
