//! Components of Preview 3, as compilers make them: the programs of `guests/bin/components` that call it by its own
//! interfaces.
//!
//! What the command line says of components is in `tests/cli`, the same deeds through every preview in `tests/parity`.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

#[path = "../components/peer.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod peer;

mod cancelled;
mod lookup;
mod mixed;
mod small_reads;
mod tasks;
mod tcp;
mod timers;
mod udp;

use std::ffi::OsStr;
use std::process::Command;

/// `turnkey run FLAGS PROGRAM WORDS`.
fn running<W: AsRef<OsStr>>(flags: &[W], name: &str, words: &[&str]) -> Command {
    let mut command = harness::turnkey();
    command.arg("run").args(flags).arg(harness::guest(&format!("components/{name}"))).args(words);
    command
}
