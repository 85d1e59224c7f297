//! Reading and writing, in place: all ranges of a call in one system call, straight to and from guest memory.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::buffers::Buffers;
use crate::ErrorCode;

/// The two arguments of a vectored call. At most `IOV_MAX` ranges, so the count fits.
#[inline]
fn vector(buffers: &Buffers<'_>) -> (*const libc::iovec, i32) {
    let ranges = buffers.as_iovecs();
    (ranges.as_ptr(), ranges.len() as i32)
}

/// Makes the call again for as long as a signal interrupts it.
#[inline]
fn uninterrupted(call: impl Fn() -> isize) -> Result<usize, ErrorCode> {
    loop {
        let result = call();
        if result >= 0 {
            return Ok(result as usize);
        }
        match Errno::from_io_error(&std::io::Error::last_os_error()) {
            Some(Errno::INTR) => {}
            errno => return Err(errno.map_or(ErrorCode::Io, ErrorCode::from)),
        }
    }
}

/// The same for a call that says itself what went wrong.
#[inline]
fn again(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, ErrorCode> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// `readv(2)`: at the descriptor's own position.
#[inline]
pub(crate) fn read(fd: BorrowedFd<'_>, buffers: &mut Buffers<'_>) -> Result<usize, ErrorCode> {
    if let Some(range) = buffers.as_single_mut() {
        return again(|| rustix::io::read(fd, &mut *range));
    }
    let fd = fd.as_raw_fd();
    let (ranges, count) = vector(buffers);
    // SAFETY: each range is inside the memory that `buffers` borrows for writing.
    uninterrupted(|| unsafe { libc::readv(fd, ranges, count) })
}

/// `preadv(2)`.
#[inline]
pub(crate) fn read_at(fd: BorrowedFd<'_>, buffers: &mut Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
    let signed = i64::try_from(offset).map_err(|_| ErrorCode::Invalid)?;
    if let Some(range) = buffers.as_single_mut() {
        return again(|| rustix::io::pread(fd, &mut *range, offset));
    }
    let (fd, offset) = (fd.as_raw_fd(), signed);
    let (ranges, count) = vector(buffers);
    // SAFETY: as for `read`.
    uninterrupted(|| unsafe { libc::preadv64(fd, ranges, count, offset) })
}

/// `writev(2)`: at the descriptor's own position.
#[inline]
pub(crate) fn write(fd: BorrowedFd<'_>, buffers: &Buffers<'_>) -> Result<usize, ErrorCode> {
    if let Some(range) = buffers.as_single() {
        return again(|| rustix::io::write(fd, range));
    }
    let fd = fd.as_raw_fd();
    let (ranges, count) = vector(buffers);
    // SAFETY: each range is inside the memory that `buffers` borrows.
    uninterrupted(|| unsafe { libc::writev(fd, ranges, count) })
}

/// `pwritev(2)`.
#[inline]
pub(crate) fn write_at(fd: BorrowedFd<'_>, buffers: &Buffers<'_>, offset: u64) -> Result<usize, ErrorCode> {
    let signed = i64::try_from(offset).map_err(|_| ErrorCode::FileTooLarge)?;
    if let Some(range) = buffers.as_single() {
        return again(|| rustix::io::pwrite(fd, range, offset));
    }
    let (fd, offset) = (fd.as_raw_fd(), signed);
    let (ranges, count) = vector(buffers);
    // SAFETY: as for `write`.
    uninterrupted(|| unsafe { libc::pwritev64(fd, ranges, count, offset) })
}

/// How a write differs from a plain one, in the flags of `pwritev2(2)`: so that what a guest says of its own descriptor
/// needs no system call, and no flag of the open file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteFlags {
    /// At the end of the file, whatever the offset.
    pub(crate) append: bool,
    /// Data on the device before the call returns.
    pub(crate) data_sync: bool,
    /// Data and metadata on the device before the call returns.
    pub(crate) sync: bool,
}

/// `pwritev2(2)`. Without an offset the kernel's own position is used, and moved: after an append it is the new end.
pub(crate) fn write_flagged(
    fd: BorrowedFd<'_>,
    buffers: &Buffers<'_>,
    offset: Option<u64>,
    flags: WriteFlags,
) -> Result<usize, ErrorCode> {
    let offset = match offset {
        Some(offset) => i64::try_from(offset).map_err(|_| ErrorCode::FileTooLarge)?,
        None => -1,
    };
    let bits = (if flags.append { libc::RWF_APPEND } else { 0 })
        | (if flags.data_sync { libc::RWF_DSYNC } else { 0 })
        | (if flags.sync { libc::RWF_SYNC } else { 0 });
    let fd = fd.as_raw_fd();
    let (ranges, count) = vector(buffers);
    // SAFETY: as for `write`.
    uninterrupted(|| unsafe { libc::pwritev2(fd, ranges, count, offset, bits) })
}

/// `readv(2)` that does not wait: of a pipe or a socket that others share and that is no less blocking for it.
///
/// # Errors
/// [`ErrorCode::WouldBlock`]; [`ErrorCode::Unsupported`]: this kernel, or what the descriptor is, has no such thing.
#[inline]
pub(crate) fn read_now(fd: BorrowedFd<'_>, buffers: &mut Buffers<'_>) -> Result<usize, ErrorCode> {
    let fd = fd.as_raw_fd();
    let (ranges, count) = vector(buffers);
    // SAFETY: as for `read`.
    uninterrupted(|| unsafe { libc::preadv2(fd, ranges, count, -1, libc::RWF_NOWAIT) })
}

/// The same for `writev(2)`: it writes what there is room for.
///
/// # Errors
/// As [`read_now`].
#[inline]
pub(crate) fn write_now(fd: BorrowedFd<'_>, buffers: &Buffers<'_>) -> Result<usize, ErrorCode> {
    let fd = fd.as_raw_fd();
    let (ranges, count) = vector(buffers);
    // SAFETY: as for `write`.
    uninterrupted(|| unsafe { libc::pwritev2(fd, ranges, count, -1, libc::RWF_NOWAIT) })
}

/// `recvmsg(2)` with `MSG_*` flags. The second value says whether the message was cut.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffers: &mut Buffers<'_>, flags: i32) -> Result<(usize, bool), ErrorCode> {
    let fd = fd.as_raw_fd();
    let mut message = message(buffers);
    let message = &raw mut message;
    // SAFETY: the message names only ranges inside the memory that `buffers` borrows for writing.
    let received = uninterrupted(|| unsafe { libc::recvmsg(fd, message, flags | libc::MSG_CMSG_CLOEXEC) })?;
    // SAFETY: the message is still ours; the kernel has written its flags.
    let cut = unsafe { (*message).msg_flags } & libc::MSG_TRUNC != 0;
    Ok((received, cut))
}

/// `sendmsg(2)` with `MSG_*` flags; never a signal.
pub(crate) fn send(fd: BorrowedFd<'_>, buffers: &Buffers<'_>, flags: i32) -> Result<usize, ErrorCode> {
    let fd = fd.as_raw_fd();
    let message = message(buffers);
    // SAFETY: the message names only ranges inside the memory that `buffers` borrows.
    uninterrupted(|| unsafe { libc::sendmsg(fd, &raw const message, flags | libc::MSG_NOSIGNAL) })
}

fn message(buffers: &Buffers<'_>) -> libc::msghdr {
    let ranges = buffers.as_iovecs();
    // SAFETY: `msghdr` is plain data; all zeroes is a message without address, ranges or control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = ranges.as_ptr().cast_mut();
    message.msg_iovlen = ranges.len();
    message
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn overlapping_ranges_are_what_the_guest_asked_for() {
        let file = tempfile::tempfile().unwrap();
        let mut memory = *b"abcdefgh";
        let mut buffers = Buffers::new(&mut memory);
        buffers.push(0, 4).unwrap();
        buffers.push(2, 4).unwrap();
        assert_eq!(write_at(file.as_fd(), &buffers, 0), Ok(8));
        let mut memory = [0; 8];
        let mut buffers = Buffers::new(&mut memory);
        buffers.push(0, 8).unwrap();
        assert_eq!(read_at(file.as_fd(), &mut buffers, 0), Ok(8));
        assert_eq!(&memory, b"abcdcdef");
    }

    #[test]
    fn an_append_moves_the_position_to_the_end() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        let mut memory = [7; 5];
        let mut buffers = Buffers::new(&mut memory);
        buffers.push(0, 5).unwrap();
        let flags = WriteFlags { append: true, ..WriteFlags::default() };
        assert_eq!(write_flagged(file.as_fd(), &buffers, None, flags), Ok(5));
        assert_eq!(file.metadata().unwrap().len(), 15);
        assert_eq!(rustix::fs::tell(&file), Ok(15));
    }
}
