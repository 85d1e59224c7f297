//! What tests use of the tasks: components, made of modules and of sources in Python and JavaScript.

#![allow(clippy::disallowed_methods, reason = "a task works on the developer's files and starts programs")]

use std::path::{Path, PathBuf};

pub mod componentize;
pub mod scripts;

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Where things that can be made again are put.
fn target() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = chosen.unwrap_or_else(|| root().join("target"));
    std::path::absolute(&target).unwrap_or(target)
}
