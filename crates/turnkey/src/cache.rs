//! The cache of compiled programs: a private folder, keyed by content and options, bounded in size.

use std::fs::File;
use std::path::{Path, PathBuf};

use turnkey_core::ErrorCode;
use turnkey_core::host::clock::{HostClock, now};
use turnkey_core::host::private_folder::PrivateFolder;
use turnkey_core::host::process::environment_variable;

/// Bytes that the cache may have; what was used longest ago goes first.
const MOST_BYTES: u64 = 1 << 30;

/// A file that was used is marked as used again only after so long, so that most runs write nothing at all.
const TOUCH_AFTER_SECONDS: i64 = 24 * 60 * 60;

/// The cache.
#[derive(Debug)]
pub struct Cache {
    folder: PrivateFolder,
    most_bytes: u64,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Files.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Cache {
    /// A cache in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`]: others can write to it; else what the operating system says.
    pub fn open(folder: &Path) -> Result<Self, ErrorCode> {
        Ok(Cache { folder: PrivateFolder::open(folder)?, most_bytes: MOST_BYTES })
    }

    /// The same, bounded by so many bytes.
    #[must_use]
    pub const fn bounded(mut self, most_bytes: u64) -> Self {
        self.most_bytes = most_bytes;
        self
    }

    /// Where a user's cache is: `$XDG_CACHE_HOME/turnkey`, else `~/.cache/turnkey`. `None`: the user has no home.
    #[must_use]
    pub fn default_folder() -> Option<PathBuf> {
        use std::os::unix::ffi::OsStringExt;
        let folder = |name: &[u8]| {
            let value = environment_variable(name).filter(|value| value.starts_with(b"/"))?;
            Some(PathBuf::from(std::ffi::OsString::from_vec(value)))
        };
        let cache = folder(b"XDG_CACHE_HOME").or_else(|| folder(b"HOME").map(|home| home.join(".cache")))?;
        Some(cache.join("turnkey"))
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it holds.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn used(&self) -> Result<CacheUse, ErrorCode> {
        let listed = self.folder.list()?;
        Ok(CacheUse { files: listed.len() as u64, bytes: listed.iter().map(|file| file.bytes).sum() })
    }

    /// Removes everything in it; what was there.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn clear(&self) -> Result<CacheUse, ErrorCode> {
        let mut cleared = CacheUse::default();
        for file in self.folder.list()? {
            self.folder.remove(&file.name)?;
            cleared.files += 1;
            cleared.bytes += file.bytes;
        }
        Ok(cleared)
    }

    pub(crate) fn get(&self, name: &str) -> Option<File> {
        let file = self.folder.get(name)?;
        let seconds = (now(HostClock::Realtime) / 1_000_000_000) as i64;
        if PrivateFolder::used_at(&file) < seconds - TOUCH_AFTER_SECONDS {
            self.folder.touch(&file);
        }
        Some(file)
    }

    /// Keeps a file. `None`: it could not be written, and nothing is lost but time.
    pub(crate) fn put(&self, name: &str, parts: &[&[u8]]) -> Option<File> {
        let file = self.folder.put(name, parts).ok()?;
        let _ = self.shrink();
        Some(file)
    }

    /// Removes what was used longest ago until the rest is within the bound. The newest file stays, however large.
    fn shrink(&self) -> Result<(), ErrorCode> {
        let mut listed = self.folder.list()?;
        let mut bytes: u64 = listed.iter().map(|file| file.bytes).sum();
        listed.sort_unstable_by_key(|file| file.used_at);
        listed.pop();
        for file in listed {
            if bytes <= self.most_bytes {
                break;
            }
            self.folder.remove(&file.name)?;
            bytes -= file.bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let outer = tempfile::tempdir().unwrap();
        let cache = Cache::open(&outer.path().join("cache")).unwrap().bounded(250);
        for name in ["a", "b", "c"] {
            let file = cache.put(name, &[&[0; 100]]).unwrap();
            // Files are told apart by seconds: this one is older than the next.
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(name.as_bytes()[0])))
                .unwrap();
        }
        cache.put("d", &[&[0; 100]]).unwrap();
        assert_eq!(cache.used().unwrap(), CacheUse { files: 2, bytes: 200 });
        assert!(cache.get("a").is_none() && cache.get("b").is_none());
        assert!(cache.get("c").is_some() && cache.get("d").is_some());
        assert_eq!(cache.clear().unwrap(), CacheUse { files: 2, bytes: 200 });
    }
}
