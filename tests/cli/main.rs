//! What a user types and what comes back: statuses, messages, streams, limits; through the binary, without a mock.
//! What the words mean is docs of the command line; which status belongs to which end is `exit.rs` of turnkey-cli.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod async_components;
mod calling;
mod check;
mod compile;
mod components;
mod deterministic;
mod explain;
mod grants;
mod hostile_text;
mod limits;
mod not_programs;
mod streams;
mod terminal;
mod traps;
mod usage;
