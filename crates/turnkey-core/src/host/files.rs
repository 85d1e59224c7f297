//! Operations on files and directories of the host: one system call each, on a descriptor or on one name in a directory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Advice as HostAdvice, AtFlags, FallocateFlags, Mode, OFlags, Stat, Timespec, Timestamps};

use crate::ErrorCode;
use crate::clocks::Timestamp;
use crate::filesystem::metadata::{FileKind, HostMetadata, NewTime};

/// Files are made for their owner and, as far as the umask lets, everybody to read: what `open(2)` in C does by default.
pub(crate) const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
/// The same for directories.
pub(crate) const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o777);

pub(crate) fn stat(fd: BorrowedFd<'_>) -> Result<HostMetadata, ErrorCode> {
    Ok(metadata(&rustix::fs::fstat(fd)?))
}

/// Whether a descriptor is a regular file, a directory or a block device: for all else the kernel has no range to
/// synchronise. With no flags the call does nothing, and is by far the cheapest that tells.
pub(crate) fn has_pages(fd: BorrowedFd<'_>) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: takes numbers only.
    unsafe { libc::sync_file_range(fd.as_raw_fd(), 0, 0, 0) == 0 }
}

/// Whether a descriptor that [`has_pages`] is a regular file: the kernel knows how much of it is left, and of neither of
/// the others. Half as dear as asking for everything.
pub(crate) fn has_an_end(fd: BorrowedFd<'_>) -> bool {
    rustix::io::ioctl_fionread(fd).is_ok()
}

/// Of one name, without following it.
pub(crate) fn stat_name(parent: BorrowedFd<'_>, name: &[u8]) -> Result<HostMetadata, ErrorCode> {
    Ok(metadata(&rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

fn metadata(stat: &Stat) -> HostMetadata {
    HostMetadata {
        device: stat.st_dev,
        inode: stat.st_ino,
        kind: kind(rustix::fs::FileType::from_raw_mode(stat.st_mode)),
        links: stat.st_nlink,
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        accessed: timestamp(stat.st_atime, stat.st_atime_nsec),
        modified: timestamp(stat.st_mtime, stat.st_mtime_nsec),
        changed: timestamp(stat.st_ctime, stat.st_ctime_nsec),
    }
}

fn timestamp(seconds: i64, nanoseconds: u64) -> Timestamp {
    Timestamp { seconds, nanoseconds: nanoseconds as u32 }
}

pub(crate) fn kind(file_type: rustix::fs::FileType) -> FileKind {
    use rustix::fs::FileType as Host;
    match file_type {
        Host::RegularFile => FileKind::RegularFile,
        Host::Directory => FileKind::Directory,
        Host::Symlink => FileKind::SymbolicLink,
        Host::BlockDevice => FileKind::BlockDevice,
        Host::CharacterDevice => FileKind::CharacterDevice,
        Host::Fifo => FileKind::Fifo,
        Host::Socket => FileKind::Socket,
        Host::Unknown => FileKind::Unknown,
    }
}

/// Opens a directory by a path of the host's user, not of a guest: what a grant names.
pub(crate) fn open_granted_directory(path: &Path) -> Result<OwnedFd, ErrorCode> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a directory again.
pub(crate) fn reopen_directory(directory: BorrowedFd<'_>) -> Result<OwnedFd, ErrorCode> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(directory, c".", flags, Mode::empty())?)
}

/// Opens a file by a path of the host's user, for a standard stream.
///
/// # Errors
/// What the operating system says.
pub fn open_for_stream(path: &Path, write: bool) -> Result<OwnedFd, ErrorCode> {
    let flags = if write { OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC } else { OFlags::RDONLY };
    let fd = rustix::fs::open(path, flags | OFlags::CLOEXEC, FILE_MODE)?;
    // A directory can be opened to read, and then not be read.
    if stat(fd.as_fd())?.kind == FileKind::Directory { Err(ErrorCode::IsDirectory) } else { Ok(fd) }
}

pub(crate) fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::mkdirat(parent, name, DIRECTORY_MODE)?)
}

pub(crate) fn remove_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

pub(crate) fn unlink(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::unlinkat(parent, name, AtFlags::empty())?)
}

pub(crate) fn rename(from: BorrowedFd<'_>, old: &[u8], to: BorrowedFd<'_>, new: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::renameat(from, old, to, new)?)
}

/// A second name for what the first one names; a link is linked itself, not what it leads to.
pub(crate) fn link(from: BorrowedFd<'_>, old: &[u8], to: BorrowedFd<'_>, new: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::linkat(from, old, to, new, AtFlags::empty())?)
}

pub(crate) fn symlink(contents: &[u8], parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), ErrorCode> {
    Ok(rustix::fs::symlinkat(contents, parent, name)?)
}

/// What a link contains: at most `PATH_MAX` bytes, which bounds what the host holds.
pub(crate) fn read_link(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Vec<u8>, ErrorCode> {
    Ok(rustix::fs::readlinkat(parent, name, Vec::with_capacity(256))?.into_bytes())
}

pub(crate) fn set_times(fd: BorrowedFd<'_>, accessed: NewTime, modified: NewTime) -> Result<(), ErrorCode> {
    Ok(rustix::fs::futimens(fd, &times(accessed, modified))?)
}

/// Of a descriptor opened for its path alone.
pub(crate) fn set_times_of_path(fd: BorrowedFd<'_>, accessed: NewTime, modified: NewTime) -> Result<(), ErrorCode> {
    Ok(rustix::fs::utimensat(fd, c"", &times(accessed, modified), AtFlags::EMPTY_PATH)?)
}

fn times(accessed: NewTime, modified: NewTime) -> Timestamps {
    let time = |new: NewTime| match new {
        NewTime::Keep => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        NewTime::Now => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        NewTime::At(at) => Timespec { tv_sec: at.seconds, tv_nsec: at.nanoseconds.into() },
    };
    Timestamps { last_access: time(accessed), last_modification: time(modified) }
}

pub(crate) fn set_size(fd: BorrowedFd<'_>, bytes: u64) -> Result<(), ErrorCode> {
    i64::try_from(bytes).map_err(|_| ErrorCode::FileTooLarge)?;
    Ok(rustix::fs::ftruncate(fd, bytes)?)
}

pub(crate) fn allocate(fd: BorrowedFd<'_>, offset: u64, bytes: u64) -> Result<(), ErrorCode> {
    offset.checked_add(bytes).and_then(|end| i64::try_from(end).ok()).ok_or(ErrorCode::FileTooLarge)?;
    Ok(rustix::fs::fallocate(fd, FallocateFlags::empty(), offset, bytes)?)
}

/// What a guest says of how it will use a range of a file. Advice never fails for being of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Nothing in particular.
    Normal,
    /// From low to high offsets.
    Sequential,
    /// In no order.
    Random,
    /// Soon.
    WillNeed,
    /// Not soon.
    DontNeed,
    /// Once.
    NoReuse,
}

pub(crate) fn advise(fd: BorrowedFd<'_>, offset: u64, bytes: u64, advice: Advice) -> Result<(), ErrorCode> {
    offset.checked_add(bytes).and_then(|end| i64::try_from(end).ok()).ok_or(ErrorCode::Invalid)?;
    let advice = match advice {
        Advice::Normal => HostAdvice::Normal,
        Advice::Sequential => HostAdvice::Sequential,
        Advice::Random => HostAdvice::Random,
        Advice::WillNeed => HostAdvice::WillNeed,
        Advice::DontNeed => HostAdvice::DontNeed,
        Advice::NoReuse => HostAdvice::NoReuse,
    };
    Ok(rustix::fs::fadvise(fd, offset, std::num::NonZeroU64::new(bytes), advice)?)
}

pub(crate) fn sync_data(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    Ok(rustix::fs::fdatasync(fd)?)
}

pub(crate) fn sync(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    Ok(rustix::fs::fsync(fd)?)
}

/// Moves the kernel's own position of a descriptor.
pub(crate) fn seek(fd: impl AsFd, whence: rustix::fs::SeekFrom) -> Result<u64, ErrorCode> {
    Ok(rustix::fs::seek(fd, whence)?)
}
