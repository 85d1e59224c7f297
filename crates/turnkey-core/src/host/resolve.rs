//! The one resolver: every path operation of every preview goes through it, and no result lies outside the directory that
//! it started from.
//!
//! A single name (no `/`, not `.` or `..`) is opened with plain `openat` and `O_NOFOLLOW`: it cannot leave. Everything else
//! is `openat2` with `RESOLVE_BENEATH`, where the kernel itself keeps the path inside, whatever is renamed meanwhile. Where
//! the kernel has no `openat2`, or a sandbox refuses it, `walk.rs` goes component by component.
//!
//! Operations that have no form with resolution of their own (make, remove, rename, link …) act on the last name in its
//! parent, which is resolved first: no call here ever gives the kernel a path of several components without `openat2`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::files::FILE_MODE;
use super::walk;
use crate::ErrorCode;
use crate::filesystem::path::GuestPath;

/// What every open of ours carries: never inherited, never a controlling terminal. Opening only a path makes no terminal a
/// controlling one, and `openat2` refuses the flag there.
const fn always(flags: OFlags) -> OFlags {
    let flags = flags.union(OFlags::CLOEXEC);
    if flags.contains(OFlags::PATH) { flags } else { flags.union(OFlags::NOCTTY) }
}

/// How often `openat2` is asked again when a rename under its feet made it give up, before the walk takes over.
const RACES: u32 = 8;

/// The kernel has said that it has no `openat2`.
static OPENAT2_MISSING: AtomicBool = AtomicBool::new(false);

/// Opens the path below the directory.
///
/// `follow`: whether a symbolic link in the last place is followed; one elsewhere always is. A path with a trailing slash
/// means what the link means (POSIX), so that it is followed there too.
///
/// # Errors
/// [`ErrorCode::NotPermitted`] for a path that would leave the directory, else what the operating system says.
pub fn open(
    directory: BorrowedFd<'_>,
    path: &GuestPath<'_>,
    follow: bool,
    flags: OFlags,
) -> Result<OwnedFd, ErrorCode> {
    let follow = follow || path.must_be_directory();
    let mut flags = always(flags);
    if path.must_be_directory() {
        if flags.contains(OFlags::CREATE) {
            return Err(ErrorCode::IsDirectory);
        }
        flags |= OFlags::DIRECTORY;
    }
    if let Some(name) = path.single_name() {
        match openat(directory, name, flags | OFlags::NOFOLLOW, FILE_MODE) {
            // A link in the last place says one or the other; with O_PATH it would have been opened itself.
            Err(Errno::LOOP | Errno::NOTDIR) if follow => {}
            Ok(link) if follow && flags.contains(OFlags::PATH) && is_link(link.as_fd())? => {}
            result => return Ok(result?),
        }
    }
    if !follow {
        flags |= OFlags::NOFOLLOW;
    }
    open_beneath(directory, path.bytes(), flags)
}

/// Opens a path of any number of components, which stays beneath the directory.
fn open_beneath(directory: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, ErrorCode> {
    if !OPENAT2_MISSING.load(Ordering::Relaxed) {
        // The kernel refuses a mode where nothing is created.
        let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RACES {
            match openat2(directory, path, flags, mode, inside) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::XDEV) => return Err(ErrorCode::NotPermitted),
                Err(Errno::NOSYS) => {
                    OPENAT2_MISSING.store(true, Ordering::Relaxed);
                    break;
                }
                // Some sandboxes refuse calls that they do not know with this; if it was the file system, the walk hears
                // the same from it.
                Err(Errno::PERM) => break,
                result => return Ok(result?),
            }
        }
    }
    walk::open(directory, path, flags)
}

fn is_link(fd: BorrowedFd<'_>) -> Result<bool, ErrorCode> {
    let mode = rustix::fs::fstat(fd)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode).is_symlink())
}

/// The directory that an operation on the last name of a path acts in: the start itself, or one opened on the way.
pub(crate) enum Parent<'fd> {
    Start(BorrowedFd<'fd>),
    Opened(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Parent::Start(fd) => *fd,
            Parent::Opened(fd) => fd.as_fd(),
        }
    }
}

/// The last name of a path, in its parent.
pub(crate) struct LastName<'fd, 'path> {
    pub(crate) parent: Parent<'fd>,
    /// One component, never empty; `.` and `..` are not names and give `None` from [`last_name`].
    pub(crate) name: &'path [u8],
}

/// Resolves everything but the last name. `None`: the path ends in `.` or `..`, which name no entry of a parent; that it
/// stays inside has been checked.
pub(crate) fn last_name<'fd, 'path>(
    directory: BorrowedFd<'fd>,
    path: &GuestPath<'path>,
) -> Result<Option<LastName<'fd, 'path>>, ErrorCode> {
    if let Some(name) = path.single_name() {
        return Ok(Some(LastName { parent: Parent::Start(directory), name }));
    }
    let flags = always(OFlags::PATH | OFlags::DIRECTORY);
    match path.split() {
        (_, b"." | b"..") => {
            open_beneath(directory, path.bytes(), flags)?;
            Ok(None)
        }
        (parent, name) => {
            let parent = Parent::Opened(open_beneath(directory, parent, flags)?);
            Ok(Some(LastName { parent, name }))
        }
    }
}

/// The two ways to resolve, side by side, for the test that compares them and for the fuzzer.
#[doc(hidden)]
pub mod both_ways {
    use super::{Errno, ErrorCode, Mode, OFlags, OwnedFd, ResolveFlags, always, openat2, walk};
    use std::os::fd::BorrowedFd;

    /// By the kernel.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn kernel(directory: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, ErrorCode> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(directory, path, always(flags), Mode::empty(), inside) {
            Err(Errno::XDEV) => Err(ErrorCode::NotPermitted),
            result => Ok(result?),
        }
    }

    /// By our own walk.
    ///
    /// # Errors
    /// As [`super::open`].
    pub fn walk(directory: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, ErrorCode> {
        walk::open(directory, path, always(flags))
    }
}
