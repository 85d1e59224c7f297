//! Host calls of Preview 1 without a guest toolchain: for each function what it gives, which bytes of memory it writes and
//! which it leaves alone, and how it fails. A file a group of functions, and some for what goes through all of them.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod args;
mod clock;
mod environ;
mod escapes;
mod fd_io;
mod fd_state;
mod first_use;
mod limits;
mod modules;
mod names;
mod path;
mod poll;
mod proc;
mod random;
mod readdir;
mod readonly;
mod recording;
mod sched;
mod sock;
mod unstable;
