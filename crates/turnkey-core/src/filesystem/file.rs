//! An open file: reads and writes in place, its position kept here.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::SeekFrom as HostSeek;

use super::ahead::{Ahead, SMALL};
use super::metadata::{HostMetadata, NewTime};
use super::{Access, FileKind};
use crate::host::buffers::Buffers;
use crate::host::files::{self, Advice};
use crate::host::io::{self, WriteFlags};
use crate::{Capabilities, ErrorCode};

/// An open file. Closed, with room for files that are not the host's.
#[derive(Debug)]
pub enum File {
    /// A regular file of the host.
    Host(HostFile),
}

/// A regular file of the host, opened for this guest alone.
///
/// The position is the guest's own, so that moving it is no system call and reads are `pread`. Only an append asks the
/// kernel, which alone knows where the end was: the position is then the kernel's until somebody asks for it.
#[derive(Debug)]
pub struct HostFile {
    fd: OwnedFd,
    position: Position,
    flags: FileFlags,
    access: Access,
    readable: bool,
    writable: bool,
    /// Boxed: few files are read in small pieces, and every descriptor would be as large.
    ahead: Option<Box<Ahead>>,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    At(u64),
    Kernel,
}

/// How a file is written: what the guest asked of its descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFlags {
    /// Every write goes to the end.
    pub append: bool,
    /// Written data is on the device when the write returns.
    pub data_sync: bool,
    /// Written data and metadata are.
    pub sync: bool,
}

/// Where a seek starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whence {
    /// The beginning.
    Set,
    /// The position.
    Current,
    /// The end.
    End,
}

impl File {
    pub(super) fn host(fd: OwnedFd, flags: FileFlags, access: Access, readable: bool, writable: bool) -> Self {
        File::Host(HostFile { fd, position: Position::At(0), flags, access, readable, writable, ahead: None })
    }

    /// Reads at the position, and moves it.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: not opened for reading.
    #[inline]
    pub fn read(&mut self, buffers: &mut Buffers<'_>) -> Result<usize, ErrorCode> {
        let File::Host(file) = self;
        file.must_read()?;
        let position = file.position()?;
        let read = io::read_at(file.fd.as_fd(), buffers, position)?;
        file.position = Position::At(position + read as u64);
        Ok(read)
    }

    /// Reads at the position, and moves it; small pieces out of what is read ahead. What is not is
    /// [news](Capabilities::news).
    ///
    /// # Errors
    /// As [`File::read`].
    #[inline]
    pub fn read_ahead(&mut self, buffers: &mut Buffers<'_>, host: &mut Capabilities) -> Result<usize, ErrorCode> {
        let room = buffers.bytes();
        let File::Host(file) = self;
        if (1..=SMALL).contains(&room) {
            file.must_read()?;
            let position = file.position()?;
            let fd = file.fd.as_fd();
            let ahead = file.ahead.get_or_insert_default();
            if let Some(bytes) = ahead.read(room, host, |buffers| io::read_at(fd, buffers, position))? {
                let read = buffers.fill(bytes);
                file.position = Position::At(position + read as u64);
                return Ok(read);
            }
        }
        host.news += 1;
        self.read(buffers)
    }

    /// Reads at an offset; the position stays.
    ///
    /// # Errors
    /// As [`File::read`]; [`ErrorCode::Invalid`] for an offset beyond 2⁶³.
    #[inline]
    pub fn read_at(&self, buffers: &mut Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
        let File::Host(file) = self;
        file.must_read()?;
        io::read_at(file.fd.as_fd(), buffers, offset)
    }

    /// Writes at the position, or at the end where the file is appended to, and moves the position behind it.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: not opened for writing.
    #[inline]
    pub fn write(&mut self, buffers: &Buffers<'_>) -> Result<usize, ErrorCode> {
        let File::Host(file) = self;
        file.must_write()?;
        if file.flags == FileFlags::default() {
            let position = file.position()?;
            let written = io::write_at(file.fd.as_fd(), buffers, position)?;
            file.position = Position::At(position + written as u64);
            return Ok(written);
        }
        let flags = file.write_flags();
        if flags.append {
            // Writing nothing moves nothing, also at the end.
            if buffers.bytes() == 0 {
                return Ok(0);
            }
            let written = io::write_flagged(file.fd.as_fd(), buffers, None, flags)?;
            file.position = Position::Kernel;
            return Ok(written);
        }
        let position = file.position()?;
        let written = io::write_flagged(file.fd.as_fd(), buffers, Some(position), flags)?;
        file.position = Position::At(position + written as u64);
        Ok(written)
    }

    /// Writes at the end, wherever that is by then; the position stays.
    ///
    /// # Errors
    /// As [`File::write`].
    pub fn append(&self, buffers: &Buffers<'_>) -> Result<usize, ErrorCode> {
        let File::Host(file) = self;
        file.must_write()?;
        let flags = WriteFlags { append: true, ..file.write_flags() };
        io::write_flagged(file.fd.as_fd(), buffers, None, flags)
    }

    /// Writes at an offset, also where the file is appended to (POSIX); the position stays.
    ///
    /// # Errors
    /// As [`File::write`]; [`ErrorCode::FileTooLarge`] for an offset beyond 2⁶³.
    #[inline]
    pub fn write_at(&self, buffers: &Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
        let File::Host(file) = self;
        file.must_write()?;
        let flags = WriteFlags { append: false, ..file.write_flags() };
        if flags == WriteFlags::default() {
            io::write_at(file.fd.as_fd(), buffers, offset)
        } else {
            io::write_flagged(file.fd.as_fd(), buffers, Some(offset), flags)
        }
    }

    /// Moves the position; the new one.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: before the beginning, or beyond 2⁶³.
    #[inline]
    pub fn seek(&mut self, offset: i64, whence: Whence) -> Result<u64, ErrorCode> {
        let File::Host(file) = self;
        let from = match whence {
            Whence::Set => 0,
            Whence::Current => file.position()?,
            Whence::End => files::stat(file.fd.as_fd())?.size_bytes,
        };
        let position = from.checked_add_signed(offset).ok_or(ErrorCode::Invalid)?;
        i64::try_from(position).map_err(|_| ErrorCode::Invalid)?;
        file.position = Position::At(position);
        Ok(position)
    }

    /// The position.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn tell(&mut self) -> Result<u64, ErrorCode> {
        let File::Host(file) = self;
        file.position()
    }

    /// How the file is written.
    #[must_use]
    pub const fn flags(&self) -> FileFlags {
        let File::Host(file) = self;
        file.flags
    }

    /// Changes how the file is written.
    pub const fn set_flags(&mut self, flags: FileFlags) {
        let File::Host(file) = self;
        file.flags = flags;
    }

    /// Whether it was opened for reading, and for writing.
    #[must_use]
    pub const fn opened_for(&self) -> (bool, bool) {
        let File::Host(file) = self;
        (file.readable, file.writable)
    }

    /// What the grant that it was opened through allows.
    #[must_use]
    pub const fn access(&self) -> Access {
        let File::Host(file) = self;
        file.access
    }

    /// Bytes from the position to the end: what a poll for reading tells.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn left_bytes(&self) -> Result<u64, ErrorCode> {
        let File::Host(file) = self;
        let position = match file.position {
            Position::At(position) => position,
            Position::Kernel => files::seek(&file.fd, HostSeek::Current(0))?,
        };
        Ok(files::stat(file.fd.as_fd())?.size_bytes.saturating_sub(position))
    }

    /// What the host says of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        let File::Host(file) = self;
        files::stat(file.fd.as_fd())
    }

    /// Makes the file this long, cutting it or filling it with zeroes.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: not opened for writing.
    pub fn set_size(&self, bytes: u64) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        file.must_write()?;
        files::set_size(file.fd.as_fd(), bytes)
    }

    /// Has room made for a range; the file grows to hold it.
    ///
    /// # Errors
    /// [`ErrorCode::BadDescriptor`]: not opened for writing. [`ErrorCode::Invalid`] for no bytes.
    pub fn allocate(&self, offset: u64, bytes: u64) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        file.must_write()?;
        files::allocate(file.fd.as_fd(), offset, bytes)
    }

    /// Says how a range will be used.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`] for a range beyond 2⁶³.
    pub fn advise(&self, offset: u64, bytes: u64, advice: Advice) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        files::advise(file.fd.as_fd(), offset, bytes, advice)
    }

    /// Sets the file's times.
    ///
    /// # Errors
    /// [`ErrorCode::ReadOnly`]: it was opened through a grant for reading only.
    pub fn set_times(&self, accessed: NewTime, modified: NewTime) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        if file.access == Access::ReadOnly {
            return Err(ErrorCode::ReadOnly);
        }
        files::set_times(file.fd.as_fd(), accessed, modified)
    }

    /// Waits until written data is on the device.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync_data(&self) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        files::sync_data(file.fd.as_fd())
    }

    /// Waits until written data and metadata are on the device.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sync(&self) -> Result<(), ErrorCode> {
        let File::Host(file) = self;
        files::sync(file.fd.as_fd())
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> FileKind {
        let File::Host(_) = self;
        FileKind::RegularFile
    }
}

impl HostFile {
    #[inline]
    fn position(&mut self) -> Result<u64, ErrorCode> {
        match self.position {
            Position::At(position) => Ok(position),
            Position::Kernel => {
                let position = files::seek(&self.fd, HostSeek::Current(0))?;
                self.position = Position::At(position);
                Ok(position)
            }
        }
    }

    #[inline]
    const fn must_read(&self) -> Result<(), ErrorCode> {
        if self.readable { Ok(()) } else { Err(ErrorCode::BadDescriptor) }
    }

    #[inline]
    const fn must_write(&self) -> Result<(), ErrorCode> {
        if self.writable { Ok(()) } else { Err(ErrorCode::BadDescriptor) }
    }

    const fn write_flags(&self) -> WriteFlags {
        WriteFlags { append: self.flags.append, data_sync: self.flags.data_sync, sync: self.flags.sync }
    }
}

impl AsFd for HostFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
