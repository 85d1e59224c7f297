//! Components, as compilers make them: the programs of `guests/bin/components`, which call Preview 2 by its own interfaces or
//! through the adapter, and programs in Go, Python and JavaScript, which are too large to be kept and are made here.
//!
//! What the command line says of components is in `tests/cli`, the same deeds through every preview in `tests/parity`.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

#[path = "../guests/native.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod native;

mod adapted;
mod files;
mod given;
mod hog;
mod javascript;
mod lookup;
mod peer;
mod python;
mod scripted;
mod streams;
mod tcp;
mod udp;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

/// A program of `guests/bin/components`.
fn component(name: &str) -> PathBuf {
    harness::guest(&format!("components/{name}"))
}

/// `turnkey run FLAGS PROGRAM WORDS`.
fn running<W: AsRef<OsStr>>(flags: &[W], name: &str, words: &[&str]) -> Command {
    let mut command = harness::turnkey();
    command.arg("run").args(flags).arg(component(name)).args(words);
    command
}

/// The same with a directory, `/d`.
fn running_in(folder: &harness::Folder, flag: &str, name: &str, words: &[&str]) -> Command {
    let granted = harness::granted(folder.root(), "/d");
    running(&[OsStr::new(flag), &granted], name, words)
}
