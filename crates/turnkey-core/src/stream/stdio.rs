//! Standard streams: the process's own, a file, or nothing.
//!
//! What is inherited is shared with other processes: its position is the kernel's, and it is never made non-blocking.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::SeekFrom;

use super::{Drain, Interest, Interruption, Wait};
use crate::ErrorCode;
use crate::filesystem::file::Whence;
use crate::filesystem::metadata::{FileKind, HostMetadata};
use crate::host::buffers::Buffers;
use crate::host::poll::{self, Ready};
use crate::host::{SharedFd, files, io, process};
use crate::limits::Limit;

/// Bytes that a pipe with any room at all takes without waiting: POSIX's `PIPE_BUF` on Linux.
const PIPE_BUF: usize = 4096;

/// Bytes that Linux moves at most in one call. What is thrown away is counted no higher: an ABI's count has 32 bits, and one
/// range given a thousand times has more.
const MOST_BYTES: usize = 0x7fff_f000;

/// What stands behind a standard stream.
#[derive(Debug, Default)]
pub enum StreamGrant {
    /// No bytes to read; what is written is thrown away.
    #[default]
    Null,
    /// The process's own stream.
    Inherit,
    /// A descriptor opened for this guest.
    Descriptor(OwnedFd),
}

impl StreamGrant {
    /// What is behind the stream of this number.
    fn open(self, number: u8) -> Result<Behind, ErrorCode> {
        Ok(match self {
            StreamGrant::Null => Behind::Null,
            StreamGrant::Descriptor(fd) => Behind::Host(HostStream::new(fd)?),
            StreamGrant::Inherit => match process::standard_stream(number)? {
                Some(fd) => Behind::Host(HostStream::new(fd)?),
                None => Behind::Closed,
            },
        })
    }
}

enum Behind {
    Null,
    Closed,
    Host(HostStream),
}

/// Standard input. A clone is the same stream.
#[derive(Clone, Debug)]
pub enum StandardInput {
    /// The end, at once.
    Null,
    /// A descriptor of the host.
    Host(HostStream),
}

/// Standard output, or standard error. A clone is the same stream.
#[derive(Clone, Debug)]
pub enum StandardOutput {
    /// Nowhere.
    Null,
    /// A descriptor of the host.
    Host(HostStream),
    /// Whoever is in this process: it takes what it is given, at once.
    Drain(Arc<dyn Drain>),
}

/// A descriptor of the host behind a standard stream. A clone is the same stream.
#[derive(Clone, Debug)]
pub struct HostStream {
    fd: SharedFd,
    kind: FileKind,
    terminal: bool,
}

impl HostStream {
    fn new(fd: OwnedFd) -> Result<Self, ErrorCode> {
        let kind = files::stat(fd.as_fd())?.kind;
        let terminal = kind == FileKind::CharacterDevice && process::is_terminal(fd.as_fd());
        Ok(HostStream { fd: SharedFd::new(fd), kind, terminal })
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> FileKind {
        self.kind
    }

    /// Whether somebody sits in front of it.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether it has a position: a file has one.
    #[must_use]
    pub const fn is_seekable(&self) -> bool {
        matches!(self.kind, FileKind::RegularFile)
    }

    /// Moves the position that it shares with other processes.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSeek`]: a pipe, a terminal.
    pub fn seek(&self, offset: i64, whence: Whence) -> Result<u64, ErrorCode> {
        files::seek(
            self.fd.as_fd(),
            match whence {
                Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| ErrorCode::Invalid)?),
                Whence::Current => SeekFrom::Current(offset),
                Whence::End => SeekFrom::End(offset),
            },
        )
    }

    /// Reads at an offset, where it is a file.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSeek`]: a pipe, a terminal.
    pub fn read_at(&self, buffers: &mut Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
        io::read_at(self.fd.as_fd(), buffers, offset)
    }

    /// Writes at an offset, where it is a file.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidSeek`]: a pipe, a terminal.
    pub fn write_at(&self, buffers: &Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
        io::write_at(self.fd.as_fd(), buffers, offset)
    }

    /// What the host says of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        files::stat(self.fd.as_fd())
    }

    /// Waits for written data to be on the device, where there is one.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: not a file.
    pub fn sync(&self) -> Result<(), ErrorCode> {
        files::sync(self.fd.as_fd())
    }

    /// What a call that would have to wait waits for.
    #[must_use]
    pub fn interest(&self, ready: Ready) -> Interest {
        if self.can_wait() { Interest::Descriptor(SharedFd::clone(&self.fd), ready) } else { Interest::Now }
    }

    /// Whether a call on it can be told not to wait: else it has to be asked first whether it would.
    const fn can_do_without_waiting(&self) -> bool {
        matches!(self.kind, FileKind::Fifo | FileKind::Socket)
    }

    /// Whether reading and writing can wait: of a file, never.
    const fn can_wait(&self) -> bool {
        !matches!(self.kind, FileKind::RegularFile)
    }

    fn ready(&self, ready: Ready, wait: Wait) -> Result<(), Interruption> {
        match wait {
            _ if !self.can_wait() => Ok(()),
            Wait::Forever => Ok(()),
            wait => self::ready(self.fd.as_fd(), ready, wait),
        }
    }
}

impl AsFd for HostStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits for a descriptor as far as the call may.
pub(crate) fn ready(fd: BorrowedFd<'_>, ready: Ready, wait: Wait) -> Result<(), Interruption> {
    let (deadline, late) = match wait {
        Wait::Forever => (None, Interruption::Stopped(Limit::Timeout)),
        Wait::Until(end) => (Some(end), Interruption::Stopped(Limit::Timeout)),
        Wait::Never => (Some(crate::host::clock::Deadline::after_ns(0)), Interruption::Failed(ErrorCode::WouldBlock)),
    };
    if poll::wait_for(fd, ready, deadline)? { Ok(()) } else { Err(late) }
}

impl StandardInput {
    /// The stream of this number as granted. `None`: it was closed when the process began.
    ///
    /// # Errors
    /// The descriptor cannot be had.
    pub fn open(grant: StreamGrant, number: u8) -> Result<Option<Self>, ErrorCode> {
        Ok(match grant.open(number)? {
            Behind::Null => Some(StandardInput::Null),
            Behind::Host(stream) => Some(StandardInput::Host(stream)),
            Behind::Closed => None,
        })
    }

    /// Reads what there is, once there is something. 0 is the end, if room was given.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    #[inline]
    pub fn read(&self, buffers: &mut Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        let StandardInput::Host(stream) = self else {
            return Ok(0);
        };
        if wait == Wait::Never && stream.can_do_without_waiting() {
            match io::read_now(stream.fd.as_fd(), buffers) {
                Err(ErrorCode::Unsupported) => {}
                result => return Ok(result?),
            }
        }
        stream.ready(Ready::Read, wait)?;
        Ok(io::read(stream.fd.as_fd(), buffers)?)
    }
}

impl StandardOutput {
    /// The stream of this number as granted. `None`: it was closed when the process began.
    ///
    /// # Errors
    /// The descriptor cannot be had.
    pub fn open(grant: StreamGrant, number: u8) -> Result<Option<Self>, ErrorCode> {
        Ok(match grant.open(number)? {
            Behind::Null => Some(StandardOutput::Null),
            Behind::Host(stream) => Some(StandardOutput::Host(stream)),
            Behind::Closed => None,
        })
    }

    /// Writes in one system call, holding nothing back: a full disk or a closed pipe is known at once.
    ///
    /// Where the call must not wait for longer than it may, it writes no more than is taken without waiting.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    #[inline]
    pub fn write(&self, buffers: &Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        let stream = match self {
            StandardOutput::Host(stream) => stream,
            StandardOutput::Drain(drain) => return Ok(drain.write(buffers)?),
            StandardOutput::Null => return Ok(buffers.bytes().min(MOST_BYTES)),
        };
        if wait == Wait::Forever || !stream.can_wait() {
            return Ok(io::write(stream.fd.as_fd(), buffers)?);
        }
        if wait == Wait::Never && stream.can_do_without_waiting() {
            match io::write_now(stream.fd.as_fd(), buffers) {
                Err(ErrorCode::Unsupported) => {}
                result => return Ok(result?),
            }
        }
        stream.ready(Ready::Write, wait)?;
        Ok(io::write(stream.fd.as_fd(), &buffers.first(PIPE_BUF))?)
    }

    /// Bytes that a write takes now without waiting; 0: it would have to wait.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn room(&self) -> Result<usize, ErrorCode> {
        match self {
            StandardOutput::Host(stream) if stream.can_wait() => {
                let now = Some(crate::host::clock::Deadline::after_ns(0));
                Ok(if poll::wait_for(stream.fd.as_fd(), Ready::Write, now)? { PIPE_BUF } else { 0 })
            }
            _ => Ok(MOST_BYTES),
        }
    }
}
