//! Streams whose other side is in this process: the body of a message, which a connection's task takes or gives in pieces.
//!
//! The core knows no service. What one brings can be waited for by an [`Event`], read as a [`Feed`] and written as a [`Drain`],
//! and is behind an `Arc`, because whatever stands behind it is reached from two sides.

use std::fmt::Debug;
use std::task::{Context, Poll};

use super::Available;
use crate::ErrorCode;
use crate::host::buffers::Buffers;

/// Something that happens elsewhere in the process, and stays: once it has happened, it has happened. It needs an executor to
/// be waited for.
pub trait Event: Debug + Send + Sync {
    /// Whether it has happened; if not, whoever asks is woken when it may have. Only the last who asked is.
    fn poll(&self, context: &mut Context<'_>) -> Poll<()>;
}

/// Bytes that come from elsewhere in the process. Its event: a read would not have to wait.
pub trait Feed: Event {
    /// Reads what there is; 0 is the end, if room was given.
    ///
    /// # Errors
    /// [`ErrorCode::WouldBlock`]: nothing is there yet. Else the bytes end before their end.
    fn read(&self, buffers: &mut Buffers<'_>) -> Result<usize, ErrorCode>;

    /// How much a read would give.
    fn available(&self) -> Available;
}

/// Bytes that go elsewhere in the process. Its event: it has room, or takes nothing more.
pub trait Drain: Event {
    /// Takes as much as there is room for, if there is any.
    ///
    /// # Errors
    /// [`ErrorCode::WouldBlock`]: there is no room yet. [`ErrorCode::Pipe`]: nobody takes anything any more. Else why not.
    fn write(&self, buffers: &Buffers<'_>) -> Result<usize, ErrorCode>;

    /// Bytes that it surely takes without waiting.
    ///
    /// # Errors
    /// As [`Drain::write`], but for having no room.
    fn room(&self) -> Result<usize, ErrorCode>;
}
