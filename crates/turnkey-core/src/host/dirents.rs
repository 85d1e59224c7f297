//! Directory entries as `getdents64(2)` gives them, with the file system's own cookies.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{FileType, SeekFrom, seek};
use rustix::io::Errno;

use crate::ErrorCode;

/// `struct linux_dirent64` before the name: `d_ino` u64, `d_off` i64, `d_reclen` u16, `d_type` u8.
const HEADER_BYTES: usize = 19;

/// One entry, as the kernel gave it.
pub(crate) struct RawEntry<'buffer> {
    pub(crate) name: &'buffer [u8],
    pub(crate) ino: u64,
    pub(crate) file_type: FileType,
    /// Where the next entry is: stable for as long as the directory exists, whatever comes and goes in it.
    pub(crate) next_cookie: u64,
    /// Bytes of the whole record, from this one to the next.
    pub(crate) record_bytes: usize,
}

/// Fills the buffer with records from where the directory stands. 0: the end.
pub(crate) fn read(directory: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, ErrorCode> {
    // SAFETY: the kernel writes at most `len` bytes into a buffer that is ours alone.
    let read = unsafe { libc::syscall(libc::SYS_getdents64, directory.as_raw_fd(), buffer.as_mut_ptr(), buffer.len()) };
    match usize::try_from(read) {
        Ok(read) => Ok(read),
        Err(_) => match Errno::from_io_error(&std::io::Error::last_os_error()) {
            // The directory has been removed: for POSIX that is the end of its listing and no error.
            Some(Errno::NOENT) => Ok(0),
            errno => Err(errno.map_or(ErrorCode::Io, ErrorCode::from)),
        },
    }
}

/// The record at the front of what [`read`] filled; `None` at its end.
pub(crate) fn first(records: &[u8]) -> Option<RawEntry<'_>> {
    let word = |at: usize| records.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_ne_bytes);
    let record_bytes = usize::from(u16::from_ne_bytes(records.get(16..18)?.try_into().ok()?));
    let name = records.get(HEADER_BYTES..record_bytes)?;
    Some(RawEntry {
        ino: word(0)?,
        next_cookie: word(8)?,
        file_type: FileType::from_raw_mode(u32::from(*records.get(18)?) << 12),
        name: name.split(|&byte| byte == 0).next()?,
        record_bytes,
    })
}

/// Puts the directory to where a cookie says.
pub(crate) fn seek_to(directory: BorrowedFd<'_>, cookie: u64) -> Result<(), ErrorCode> {
    i64::try_from(cookie).map_err(|_| ErrorCode::Invalid)?;
    seek(directory, SeekFrom::Start(cookie))?;
    Ok(())
}
