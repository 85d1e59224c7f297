//! `turnkey serve` from outside: the binary itself, behind real sockets, with requests as bytes.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod admin;
mod browser;
mod ending;
mod faults;
mod framing;
mod handed_over;
mod limits;
mod memory;
mod middleware;
mod outgoing;
mod patience;
mod reload;
mod tls;
