//! Where bytes go, whatever stands behind it: what Preview 2 calls an `output-stream`, and Preview 3 a writable end.
//!
//! A sink writes out of a guest's memory in place, and holds nothing back: whoever has promised to take more than the other
//! side does has to keep the rest.

use std::sync::Arc;

use super::{Drain, Interest, Interruption, StandardOutput, Wait};
use crate::ErrorCode;
use crate::filesystem::File;
use crate::host::buffers::Buffers;
use crate::host::poll::Ready;
use crate::sockets::TcpConnection;

/// Where bytes go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard output, or standard error.
    Standard(StandardOutput),
    /// A file, from an offset on.
    File {
        /// The file.
        file: Arc<File>,
        /// Where the next write begins.
        offset: u64,
    },
    /// A file, always at its end.
    Append(Arc<File>),
    /// A connection.
    Connection(TcpConnection),
    /// What a service takes.
    Drain(Arc<dyn Drain>),
}

impl Sink {
    /// Writes as much as is taken at once, once anything is.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    #[inline]
    pub fn write(&mut self, buffers: &Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        match self {
            Sink::Standard(output) => output.write(buffers, wait),
            Sink::File { file, offset } => {
                let written = file.write_at(buffers, *offset)?;
                *offset += written as u64;
                Ok(written)
            }
            Sink::Append(file) => Ok(file.append(buffers)?),
            Sink::Connection(connection) => connection.send(buffers, wait),
            Sink::Drain(drain) => Ok(drain.write(buffers)?),
        }
    }

    /// Bytes that a write surely takes without waiting; 0: none. `None`: only the write itself tells.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn room(&self) -> Result<Option<usize>, ErrorCode> {
        match self {
            Sink::Standard(output) => output.room().map(Some),
            Sink::File { .. } | Sink::Append(_) => Ok(Some(usize::MAX)),
            Sink::Connection(_) => Ok(None),
            Sink::Drain(drain) => drain.room().map(Some),
        }
    }

    /// What a write that would have to wait waits for.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match self {
            Sink::Standard(StandardOutput::Host(stream)) => stream.interest(Ready::Write),
            Sink::Standard(StandardOutput::Null | StandardOutput::Drain(_)) | Sink::File { .. } | Sink::Append(_) => {
                Interest::Now
            }
            Sink::Connection(connection) => Interest::Descriptor(connection.shared(), Ready::Write),
            Sink::Drain(drain) => Interest::Event(Arc::<dyn Drain>::clone(drain)),
        }
    }
}
