//! Where bytes come from, whatever stands behind it: what Preview 2 calls an `input-stream`, and Preview 3 a readable end.
//!
//! A source reads into a guest's memory in place. A clone stands on the same descriptor, but has a position of its own where
//! there is one.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::{Feed, Interest, Interruption, StandardInput, Wait};
use crate::ErrorCode;
use crate::filesystem::File;
use crate::host::buffers::Buffers;
use crate::host::poll::{Ready, readable_bytes};
use crate::sockets::TcpConnection;
use crate::sockets::tcp::ReceiveFlags;

/// Bytes that [`Source::skip`] reads at once where they cannot just be passed over.
const SKIPPED_AT_ONCE: usize = 16 << 10;

/// Where bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Standard input.
    Standard(StandardInput),
    /// A file, from an offset on.
    File {
        /// The file.
        file: Arc<File>,
        /// Where the next read begins.
        offset: u64,
    },
    /// A connection.
    Connection(TcpConnection),
    /// What a service brings. A clone is the same bytes.
    Feed(Arc<dyn Feed>),
}

/// What is known of the next read before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Available {
    /// So many bytes can be read without waiting; 0: it is the end.
    Bytes(u64),
    /// Only the read itself tells.
    Unknown,
}

impl Source {
    /// Reads what there is, once there is something. 0 is the end, if room was given.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    #[inline]
    pub fn read(&mut self, buffers: &mut Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        match self {
            Source::Standard(input) => input.read(buffers, wait),
            Source::File { file, offset } => {
                let read = file.read_at(buffers, *offset)?;
                *offset += read as u64;
                Ok(read)
            }
            Source::Connection(connection) => {
                connection.receive(buffers, ReceiveFlags::default(), wait).map(|(read, _)| read)
            }
            Source::Feed(feed) => Ok(feed.read(buffers)?),
        }
    }

    /// How much of it is there already. Costs a system call.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn available(&self) -> Result<Available, ErrorCode> {
        let waiting = |fd| match readable_bytes(fd) {
            // The end, or nothing yet: these look alike.
            0 => Available::Unknown,
            bytes => Available::Bytes(bytes),
        };
        match self {
            Source::Standard(StandardInput::Null) => Ok(Available::Bytes(0)),
            Source::Standard(StandardInput::Host(stream)) => Ok(waiting(stream.as_fd())),
            Source::Connection(connection) => Ok(waiting(connection.as_fd())),
            Source::Feed(feed) => Ok(feed.available()),
            // What the read itself would say.
            Source::File { offset, .. } if i64::try_from(*offset).is_err() => Err(ErrorCode::Invalid),
            Source::File { file, offset } => match file.stat()?.size_bytes {
                // Files that the kernel makes up as they are read have no size.
                0 => Ok(Available::Unknown),
                size => Ok(Available::Bytes(size.saturating_sub(*offset))),
            },
        }
    }

    /// Passes over at most so many bytes; how many. 0 is the end, if some were asked for.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn skip(&mut self, most_bytes: u64, wait: Wait) -> Result<u64, Interruption> {
        if let (Source::File { offset, .. }, Available::Bytes(left)) = (&self, self.available()?) {
            let skipped = left.min(most_bytes);
            let offset = offset.saturating_add(skipped);
            if let Source::File { offset: at, .. } = self {
                *at = offset;
            }
            return Ok(skipped);
        }
        let mut scratch = [0; SKIPPED_AT_ONCE];
        let room = usize::try_from(most_bytes).map_or(SKIPPED_AT_ONCE, |most| most.min(SKIPPED_AT_ONCE));
        Ok(self.read(&mut Buffers::whole(&mut scratch[..room]), wait)? as u64)
    }

    /// What a read that would have to wait waits for.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match self {
            Source::Standard(StandardInput::Host(stream)) => stream.interest(Ready::Read),
            Source::Standard(StandardInput::Null) | Source::File { .. } => Interest::Now,
            Source::Connection(connection) => Interest::Descriptor(connection.shared(), Ready::Read),
            Source::Feed(feed) => Interest::Event(Arc::<dyn Feed>::clone(feed)),
        }
    }
}
