//! The guest programs of `guests/bin`, each doing what its header says; and where the same source also runs natively, then
//! what it prints there is what it must print here. `climber` and `racer` are in `tests/security`.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod files;
mod native;
mod sockets;
mod streams;
mod time;
