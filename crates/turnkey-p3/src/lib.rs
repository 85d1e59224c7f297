//! WASI Preview 3 (0.3.0 to 0.3.2), by hand, on the capabilities of [`turnkey_core`].
//!
//! Here `async`, `stream` and `future` are the component model's. Each interface of the standard is a function that names its
//! functions once, in the standard's order ([`table`] has the interfaces), as in `turnkey-p2`; what a function means is in the
//! core, and what is here is the ABI. A function that cannot wait answers at once, though the standard calls it `async`; one
//! that can is a task of the guest's, and so is every stream: it reads and writes where the guest's bytes are, as soon as its
//! descriptor lets it (`stream.rs`).
//!
//! A store that holds this is entered asynchronously, in an executor with I/O and time.
//!
//! Source of truth: the WIT packages `wasi:clocks`, `wasi:random`, `wasi:filesystem`, `wasi:sockets`, `wasi:cli` and
//! `wasi:http`, version 0.3.2; `wit/` in this repository has their definitions.

mod call;
mod cli;
mod clocks;
mod error;
mod fault;
mod filesystem;
pub mod http;
mod interface;
mod random;
mod sockets;
mod state;
mod stream;
pub mod table;

pub use fault::BrokenRule;
pub use interface::State;
pub use state::Preview3;
pub use table::link;
