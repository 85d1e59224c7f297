//! Byte streams: where bytes come from and where they go, whatever stands behind them.
//!
//! A [`Source`] and a [`Sink`] read and write ranges of a guest's memory in place. They are closed: standard streams, files,
//! connections, and what a service brings from elsewhere in the process. Reading can wait; how long is said by a [`Wait`], since it differs by ABI and by grant, not by stream; and
//! what for by an [`Interest`].

pub mod elsewhere;
pub mod sink;
pub mod source;
pub mod stdio;
pub mod waiting;

pub use elsewhere::{Drain, Event, Feed};
pub use sink::Sink;
pub use source::{Available, Source};
pub use stdio::{StandardInput, StandardOutput, StreamGrant};
pub use waiting::Waiting;

use std::sync::Arc;

use crate::ErrorCode;
use crate::host::SharedFd;
use crate::host::clock::Deadline;
use crate::host::poll::Ready;
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

/// What has to happen before a call that would have had to wait is worth making again. It owns what it names, so that it can
/// be waited for while the guest's state is in other hands.
#[derive(Clone, Debug)]
pub enum Interest {
    /// Nothing: the call is answered at once.
    Now,
    /// A descriptor of the host is ready for this.
    Descriptor(SharedFd, Ready),
    /// The guest's monotonic clock reads this, in nanoseconds.
    Clock(u64),
    /// Something happens elsewhere in the process: only in an executor.
    Event(Arc<dyn Event>),
}
