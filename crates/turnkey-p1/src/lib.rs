//! WASI Preview 1 (`wasi_snapshot_preview1`) and preview 0 (`wasi_unstable`), by hand, on the capabilities of
//! [`turnkey_core`].
//!
//! Every call is a plain synchronous call: no executor, no task, no lock. A function first checks every pointer that it was
//! given (one beyond the memory is a trap, and nothing has happened yet), then its flags, then its descriptor, and then
//! makes one call of the core. The functions are named as in the standard, one file a group; [`table`] has them all.
//!
//! Source of truth: the witx files `typenames.witx` and `wasi_snapshot_preview1.witx` of WASI's `phases/snapshot`, and those
//! of `phases/old/snapshot_0`.

mod args;
mod call;
mod clock;
mod environ;
mod errno;
mod fault;
mod fd_io;
mod fd_state;
mod fds;
mod layout;
mod memory;
mod path;
mod poll;
mod proc;
mod random;
mod rights;
mod sched;
mod sock;
pub mod table;
mod unstable;

pub use call::Preview1;
pub use errno::errno;
pub use fault::{Exit, OutOfBounds, Stopped};
pub use table::{FUNCTIONS, Function, Generation, link};
