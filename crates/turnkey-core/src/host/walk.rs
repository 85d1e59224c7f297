//! Path resolution by component, for hosts where `openat2` is missing or refused: the same answers, with more system calls,
//! but for paths deeper than [`MOST_DEPTH`] and for links of `/proc`, all of which are refused here.
//!
//! Each directory on the way is opened with `O_PATH | O_NOFOLLOW` and its descriptor kept, so that `..` goes back to what
//! was really walked through, whatever has been renamed meanwhile. Links are read and their contents walked in turn.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::files::FILE_MODE;
use crate::ErrorCode;

/// Links that one path may lead through: what Linux allows.
const MOST_LINKS: u32 = 40;

/// Directories that one path may be deep: bounds descriptors of the host that a walk holds. `PATH_MAX` allows twice as many.
const MOST_DEPTH: usize = 1024;

struct Walk<'fd> {
    start: BorrowedFd<'fd>,
    /// The directories below the start, outermost first.
    below: Vec<OwnedFd>,
    /// Components still to walk, the next one last.
    pending: Vec<Vec<u8>>,
    links: u32,
    must_be_directory: bool,
}

/// Opens the path beneath the directory, as `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS` would.
pub(super) fn open(start: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, ErrorCode> {
    let mut walk = Walk { start, below: Vec::new(), pending: Vec::new(), links: 0, must_be_directory: false };
    walk.push(path)?;
    while let Some(component) = walk.pending.pop() {
        match component.as_slice() {
            b"." => {}
            b".." => {
                if walk.below.pop().is_none() {
                    return Err(ErrorCode::NotPermitted);
                }
            }
            name if walk.pending.is_empty() => {
                if let Some(opened) = walk.last(name, flags)? {
                    return Ok(opened);
                }
            }
            name => walk.descend(name)?,
        }
    }
    // The path ended in `.` or `..`: it is the directory that the walk stands in.
    if flags.contains(OFlags::CREATE) {
        return Err(if flags.contains(OFlags::EXCL) { ErrorCode::Exist } else { ErrorCode::IsDirectory });
    }
    Ok(openat(walk.here(), ".", flags, FILE_MODE)?)
}

impl Walk<'_> {
    fn here(&self) -> BorrowedFd<'_> {
        self.below.last().map_or(self.start, AsFd::as_fd)
    }

    /// Puts the components of a path before those that are still to come.
    fn push(&mut self, path: &[u8]) -> Result<(), ErrorCode> {
        if path.is_empty() {
            return Err(ErrorCode::NoEntry);
        }
        if path[0] == b'/' {
            return Err(ErrorCode::NotPermitted);
        }
        if self.pending.is_empty() && path.ends_with(b"/") {
            self.must_be_directory = true;
        }
        self.pending.extend(path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).rev().map(<[u8]>::to_vec));
        Ok(())
    }

    /// Goes into a directory, or follows a link that stands in its place.
    fn descend(&mut self, name: &[u8]) -> Result<(), ErrorCode> {
        if self.below.len() >= MOST_DEPTH {
            return Err(ErrorCode::NameTooLong);
        }
        let into = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(self.here(), name, into, FILE_MODE) {
            Ok(directory) => {
                self.below.push(directory);
                Ok(())
            }
            Err(Errno::LOOP | Errno::NOTDIR) => {
                if self.follow(name)? {
                    Ok(())
                } else {
                    Err(ErrorCode::NotDirectory)
                }
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Follows the link of this name. `false`: it is no link.
    fn follow(&mut self, name: &[u8]) -> Result<bool, ErrorCode> {
        let target = match readlinkat(self.here(), name, Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(Errno::INVAL) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(ErrorCode::Loop);
        }
        if self.is_magic()? {
            return Err(ErrorCode::Loop);
        }
        self.push(&target)?;
        Ok(true)
    }

    /// Some links of `/proc` lead where their text does not say. The kernel knows which, and refuses those; from here they
    /// all look the same.
    fn is_magic(&self) -> Result<bool, ErrorCode> {
        const PROC_SUPER_MAGIC: u64 = 0x9fa0;
        Ok(rustix::fs::fstatfs(self.here())?.f_type as u64 == PROC_SUPER_MAGIC)
    }

    /// Opens the last component. `None`: it was a link, whose components are pending now.
    fn last(&mut self, name: &[u8], flags: OFlags) -> Result<Option<OwnedFd>, ErrorCode> {
        let follow = (!flags.contains(OFlags::NOFOLLOW) || self.must_be_directory) && !flags.contains(OFlags::EXCL);
        let mut flags = flags | OFlags::NOFOLLOW;
        if self.must_be_directory {
            flags |= OFlags::DIRECTORY;
        }
        if follow && self.is_link(name)? {
            if !self.follow(name)? {
                // It was a link a moment ago: somebody is changing it. Walk it again.
                self.links += 1;
                if self.links > MOST_LINKS {
                    return Err(ErrorCode::Loop);
                }
                self.pending.push(name.to_vec());
            }
            return Ok(None);
        }
        match openat(self.here(), name, flags, FILE_MODE) {
            Ok(opened) => Ok(Some(opened)),
            Err(errno) => Err(errno.into()),
        }
    }

    fn is_link(&self, name: &[u8]) -> Result<bool, ErrorCode> {
        match statat(self.here(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode).is_symlink()),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir_all, write};
    use std::os::unix::fs::{MetadataExt, symlink};

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    use crate::host::resolve::both_ways;

    use super::*;

    /// The kernel is the oracle: whatever path is asked for, the walk ends at the same file or fails as it does.
    #[test]
    fn the_walk_answers_as_the_kernel_does() {
        let outer = tempfile::tempdir().unwrap();
        let inside = outer.path().join("inside");
        create_dir_all(inside.join("a/b/c")).unwrap();
        write(outer.path().join("secret"), "SECRET").unwrap();
        write(inside.join("f"), "").unwrap();
        write(inside.join("a/f"), "").unwrap();
        for (target, link) in [
            ("a", "l"),
            ("a/", "s"),
            ("../a", "a/u"),
            ("../..", "a/b/o"),
            ("/etc", "x"),
            ("../secret", "e"),
            ("l2", "l1"),
            ("l1", "l2"),
            ("f", "g"),
            ("nothing", "d"),
            (".", "h"),
            ("b/c/../../f", "a/k"),
        ] {
            symlink(target, inside.join(link)).unwrap();
        }
        let start = File::open(&inside).unwrap();
        let parts =
            ["a", "b", "c", "f", "..", ".", "l", "s", "u", "o", "x", "e", "l1", "g", "d", "h", "k", "none", "", "/"];
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let flag_sets = [
            OFlags::RDONLY,
            OFlags::PATH,
            OFlags::NOFOLLOW,
            OFlags::PATH | OFlags::NOFOLLOW,
            OFlags::DIRECTORY,
            OFlags::DIRECTORY | OFlags::NOFOLLOW,
        ];
        let mut opened = 0;
        for _ in 0..20_000 {
            let count = 1 + random.next_u32() as usize % 6;
            let path: Vec<_> = (0..count).map(|_| parts[random.next_u32() as usize % parts.len()]).collect();
            let path = path.join("/");
            let flags = flag_sets[random.next_u32() as usize % flag_sets.len()];
            let kernel = both_ways::kernel(start.as_fd(), path.as_bytes(), flags);
            let walk = both_ways::walk(start.as_fd(), path.as_bytes(), flags);
            match (kernel, walk) {
                (Ok(kernel), Ok(walk)) => {
                    let (kernel, walk) = (File::from(kernel).metadata().unwrap(), File::from(walk).metadata().unwrap());
                    assert_eq!((kernel.dev(), kernel.ino()), (walk.dev(), walk.ino()), "{path} {flags:?}");
                    opened += 1;
                }
                (Err(kernel), Err(walk)) => assert_eq!(kernel, walk, "{path} {flags:?}"),
                (kernel, walk) => panic!("{path} {flags:?}: kernel {kernel:?}, walk {walk:?}"),
            }
        }
        assert!(opened > 1000, "only {opened} paths opened: the test shows little");
    }
}
