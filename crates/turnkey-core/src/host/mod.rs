//! The one ambient and unsafe door: every system call that a guest can cause is made in this folder, and nowhere
//! else.
//!
//! What is here knows descriptors, bytes and errnos; it does not know grants. Whether a guest may is decided by the callers,
//! in the folders beside this one; what is decided here is only that a path never leaves its directory ([`resolve`]) and
//! that bytes land where a guest's memory is ([`buffers`]).
#![allow(unsafe_code, reason = "raw buffers of guest memory; every block says why it is sound")]
#![allow(clippy::disallowed_methods, reason = "this is the door that the rule points at")]

pub mod buffers;
pub mod clock;
pub(crate) mod dirents;
pub mod files;
pub(crate) mod io;
pub mod listen;
pub(crate) mod net;
pub mod poll;
pub mod private_folder;
pub mod process;
pub mod programs;
pub(crate) mod random;
pub mod reactor;
pub mod resolve;
mod walk;

pub use reactor::SharedFd;
