//! Reading and writing files that the user of the host names: programs, and what they are compiled to.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::ErrorCode;

/// Opens a program. What is no file is refused without waiting for it.
///
/// # Errors
/// [`ErrorCode::IsDirectory`], [`ErrorCode::Invalid`] for what is neither; else what the operating system says.
pub fn open(path: &Path) -> Result<File, ErrorCode> {
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => Ok(file),
        (_, true) => Err(ErrorCode::IsDirectory),
        _ => Err(ErrorCode::Invalid),
    }
}

/// Bytes that a program has at most: no toolchain makes a larger one, and all of it is read before it is looked at.
const MOST_BYTES: u64 = 1 << 30;

/// Reads a whole program.
///
/// # Errors
/// As [`open`]; [`ErrorCode::FileTooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, ErrorCode> {
    let file = open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > MOST_BYTES {
        return Err(ErrorCode::FileTooLarge);
    }
    read_all(file, bytes)
}

fn read_all(file: impl Read, expected: u64) -> Result<Vec<u8>, ErrorCode> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES { Err(ErrorCode::FileTooLarge) } else { Ok(bytes) }
}

/// Reads all of standard input: a program that comes through a pipe.
///
/// # Errors
/// What the operating system says.
pub fn read_stdin() -> Result<Vec<u8>, ErrorCode> {
    read_all(std::io::stdin().lock(), 0)
}

/// The last `N` bytes of a file, and its length. `None`: it is shorter.
///
/// # Errors
/// What the operating system says.
pub fn read_tail<const N: usize>(file: &File) -> Result<Option<([u8; N], u64)>, ErrorCode> {
    let bytes = file.metadata()?.len();
    let Some(offset) = bytes.checked_sub(N as u64) else {
        return Ok(None);
    };
    let mut tail = [0; N];
    file.read_exact_at(&mut tail, offset)?;
    Ok(Some((tail, bytes)))
}

/// Writes a file whole or not at all: under another name first, in the same folder.
///
/// # Errors
/// What the operating system says.
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<(), ErrorCode> {
    let mut name = path.file_name().ok_or(ErrorCode::IsDirectory)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        std::fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    Ok(written?)
}

/// What changes when a file is written anew: its device and inode, its size, its time. Zeroes, where it is not to be seen.
#[must_use]
pub fn stamp(path: &Path) -> [u64; 5] {
    use std::os::unix::fs::MetadataExt;
    let stamp = |of: std::fs::Metadata| [of.dev(), of.ino(), of.size(), of.mtime() as u64, of.mtime_nsec() as u64];
    std::fs::metadata(path).map(stamp).unwrap_or_default()
}

/// A name for a file that is open: this file, whatever has become of the name that it was opened by.
#[must_use]
pub fn name_of_open(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
