//! Byte streams: where bytes come from and where they go, whatever stands behind them.
//!
//! A [`Source`] and a [`Sink`] read and write ranges of a guest's memory in place. They are closed: the host's descriptors,
//! and nothing at all. Reading can wait; how long is said by a [`Wait`], since it differs by ABI and by grant, not by stream.

pub mod stdio;

pub use stdio::{Sink, Source, StreamGrant};

use crate::ErrorCode;
use crate::host::clock::Deadline;
use crate::limits::Limit;

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For as long as it takes: the call may block in the kernel.
    Forever,
    /// Until the guest's time is up.
    Until(Deadline),
    /// Not at all: [`ErrorCode::WouldBlock`] instead.
    Never,
}

impl Wait {
    /// How a descriptor waits that the guest made non-blocking or not, while it may run until `end`.
    #[must_use]
    pub const fn of(nonblocking: bool, end: Option<Deadline>) -> Self {
        match (nonblocking, end) {
            (true, _) => Wait::Never,
            (false, Some(end)) => Wait::Until(end),
            (false, None) => Wait::Forever,
        }
    }
}

/// Why a call that can wait did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It failed, and the guest is told.
    Failed(ErrorCode),
    /// The guest met a limit that ends it.
    Stopped(Limit),
}

impl From<ErrorCode> for Interruption {
    fn from(code: ErrorCode) -> Self {
        Interruption::Failed(code)
    }
}
