//! WASI Preview 2 (0.2.0 to 0.2.12), by hand, on the capabilities of [`turnkey_core`].
//!
//! Each interface of the standard is a function that names its functions once, in the standard's order ([`table`] has the
//! interfaces). From it come the linker of a guest, with what the guest imports and nothing else, and the list of names.
//! Every call is a plain call. The few that can wait are written once, as steps: a linker for synchronous stores waits in the
//! kernel between them, one for asynchronous stores in an executor.
//!
//! Source of truth: the WIT packages `wasi:io`, `wasi:clocks`, `wasi:random`, `wasi:filesystem`, `wasi:sockets`,
//! `wasi:cli` and `wasi:http`, version 0.2.12; `wit/0.2` in this repository has their definitions.

mod call;
mod cli;
mod clocks;
mod error;
mod fault;
mod filesystem;
pub mod http;
mod interface;
mod io;
mod lower;
mod random;
mod sockets;
mod state;
pub mod table;

pub use fault::BrokenRule;
pub use interface::{State, Waits};
pub use state::Preview2;
pub use table::link;
pub use turnkey_core::ending::{Exit, Stopped};
