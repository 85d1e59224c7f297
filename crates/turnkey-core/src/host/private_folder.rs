//! A folder that nobody but its owner can write to: where compiled programs are kept, which are native code.
//!
//! A file in it is believed only if it and the folder belong to the user that asks and nobody else can write to them. It
//! comes to be in one step (written under another name, then renamed), so that whoever reads meanwhile has all or nothing.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, openat};

use crate::ErrorCode;

/// The folder.
#[derive(Debug)]
pub struct PrivateFolder {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file of the folder, as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: Vec<u8>,
    /// Its size.
    pub bytes: u64,
    /// When it was last used: its time of writing, which [`PrivateFolder::touch`] moves on.
    pub used_at: i64,
}

/// Writers of this process, told apart in temporary names.
static WRITERS: AtomicU32 = AtomicU32::new(0);

/// What temporary names end in. One that is left by a run that was killed is removed with the other old files.
const TEMPORARY: &str = ".tmp";

impl PrivateFolder {
    /// Opens the folder, making it and its parents if they are not there.
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`]: it belongs to another user, or others can write to it; else what the operating system
    /// says.
    pub fn open(path: &Path) -> Result<Self, ErrorCode> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => {
                use std::os::unix::fs::DirBuilderExt;
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                rustix::fs::open(path, flags, Mode::empty())?
            }
            fd => fd?,
        };
        if !is_private(&rustix::fs::fstat(&fd)?) {
            return Err(ErrorCode::NotPermitted);
        }
        Ok(PrivateFolder { fd, path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file of the folder. `None`: there is none, or it is not to be believed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<File> {
        let fd = openat(&self.fd, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&fd).ok()?;
        (FileType::from_raw_mode(stat.st_mode).is_file() && is_private(&stat)).then(|| File::from(fd))
    }

    /// Writes a file, in the place of one of this name if there is one; it is open for reading then.
    ///
    /// # Errors
    /// What the operating system says; nothing is left behind.
    pub fn put(&self, name: &str, parts: &[&[u8]]) -> Result<File, ErrorCode> {
        let number = WRITERS.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{name}.{}.{number}{TEMPORARY}", std::process::id());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = File::from(openat(&self.fd, &temporary, flags, Mode::from_raw_mode(0o600))?);
        // On the device before it has its name: what is mapped as code later is all of it, also after a power cut.
        let written = parts.iter().try_for_each(|part| file.write_all(part)).and_then(|()| file.sync_data());
        let written = written.map_err(ErrorCode::from);
        let renamed = written.and_then(|()| Ok(rustix::fs::renameat(&self.fd, &temporary, &self.fd, name)?));
        if let Err(code) = renamed {
            let _ = rustix::fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
            return Err(code);
        }
        Ok(file)
    }

    /// Says that a file is used now.
    pub fn touch(&self, file: &File) {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // Only the order in which old files go depends on it.
        let _ = rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now });
    }

    /// When a file was last used, in seconds since 1970.
    #[must_use]
    pub fn used_at(file: &File) -> i64 {
        rustix::fs::fstat(file.as_fd()).map_or(0, |stat| stat.st_mtime)
    }

    /// The files of the folder.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn list(&self) -> Result<Vec<Listed>, ErrorCode> {
        let mut listed = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let name = entry?.file_name().to_bytes().to_vec();
            // Others may be removing files meanwhile.
            if let Ok(stat) = rustix::fs::statat(&self.fd, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)
                && FileType::from_raw_mode(stat.st_mode).is_file()
            {
                listed.push(Listed { name, bytes: u64::try_from(stat.st_size).unwrap_or(0), used_at: stat.st_mtime });
            }
        }
        Ok(listed)
    }

    /// Removes a file; one that is gone is no error. Who has it open or mapped keeps it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn remove(&self, name: &[u8]) -> Result<(), ErrorCode> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// It belongs to us, and nobody else can write to it.
fn is_private(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw() && stat.st_mode & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_others_can_write_to_is_not_believed() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("cache");
        let folder = PrivateFolder::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let mut text = String::new();
        folder.put("a", &[b"one", b"two"]).unwrap();
        folder.get("a").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "onetwo");
        std::fs::set_permissions(path.join("a"), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(folder.get("a").is_none());
        symlink("/bin/true", path.join("link")).unwrap();
        assert!(folder.get("link").is_none());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(PrivateFolder::open(&path).unwrap_err(), ErrorCode::NotPermitted);
    }
}
