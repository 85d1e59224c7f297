//! The cache of compiled programs: a run never depends on it, and never believes what somebody else could have written.
#![allow(clippy::disallowed_methods, reason = "tests use the host as it is")]
#![allow(clippy::unwrap_used, reason = "a test that fails by a panic says enough")]

#[path = "../harness/mod.rs"]
mod harness;

mod command;
mod damage;
mod distrust;
mod use_of_it;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Folder, Ran, run, turnkey_with_cache};

/// A cache of the test's own, and two programs that are told apart by what they print.
struct Cache {
    folder: Folder,
    hello: PathBuf,
    goodbye: PathBuf,
}

/// What tells a file from one that was written anew.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    name: PathBuf,
    inode: u64,
    mode: u32,
    bytes: u64,
    modified: (i64, i64),
}

impl Cache {
    fn new() -> Self {
        let folder = Folder::new();
        let prints = |name: &str, text: &str| {
            let body = format!("(call $must (call $put (i32.const 1) (i32.const 100) (i32.const {})))", text.len());
            folder.file(name, harness::wat::command(&harness::wat::data(100, text.as_bytes()), &body))
        };
        let (hello, goodbye) = (prints("hello.wat", "hello"), prints("goodbye.wat", "goodbye"));
        Cache { folder, hello, goodbye }
    }

    /// `$XDG_CACHE_HOME`, in which Turnkey's own folder is.
    fn home(&self) -> PathBuf {
        self.folder.path("caches")
    }

    fn path(&self) -> PathBuf {
        self.home().join("turnkey")
    }

    fn turnkey(&self) -> Command {
        turnkey_with_cache(&self.home())
    }

    fn run(&self, app: &Path) -> Ran {
        run(self.turnkey().arg("run").arg(app))
    }

    /// Runs `hello`, which must print what it prints whatever the cache is like, and nothing be said about it.
    #[track_caller]
    fn says_hello(&self) -> Ran {
        let ran = self.run(&self.hello);
        assert_eq!(ran.quiet(), "hello");
        ran
    }

    fn entries(&self) -> Vec<Identity> {
        let mut found: Vec<Identity> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|name| {
                let metadata = fs::metadata(&name).unwrap();
                Identity {
                    inode: metadata.ino(),
                    mode: metadata.mode() & 0o7777,
                    bytes: metadata.len(),
                    modified: (metadata.mtime(), metadata.mtime_nsec()),
                    name,
                }
            })
            .collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        found
    }

    /// The one entry that there is.
    #[track_caller]
    fn entry(&self) -> Identity {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries.remove(0)
    }
}
