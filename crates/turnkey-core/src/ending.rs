//! How a guest ends in the middle of a call of the host. An ABI layer carries these through the engine as errors, which is the
//! only way to leave a guest.

use crate::limits::Limit;

/// The guest asked to end (`proc_exit`, `wasi:cli/exit`), with this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u32);

/// The guest met a limit that ends it, in a call of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped(pub Limit);

impl std::fmt::Display for Exit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the guest exited with status {}", self.0)
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the guest was stopped by {}", self.0.flag())
    }
}

impl std::error::Error for Exit {}
impl std::error::Error for Stopped {}
