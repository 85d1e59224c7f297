//! The command line as its users have it: the binary itself, in a folder of the test's own, with streams that the test
//! holds the other end of. No wait here is without an end, and what was started is ended by its handle.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    unsafe_code,
    reason = "waiting with the kernel's account of a process, signals, and what is done between fork and exec"
)]

pub(crate) mod certificates;
pub(crate) mod http;
pub(crate) mod installed;
pub(crate) mod ordinary_user;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod tree;
pub(crate) mod wat;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use process::{Ran, run, start};

/// Whatever takes longer than this hangs: far more than anything here needs on the slowest machine.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// The cache that the tests of one binary share, since compiling takes longest: empty when they begin.
static CACHE: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("cache-", env!("CARGO_CRATE_NAME")));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
});

/// A cache that nothing is in, for tests of the cache.
pub(crate) fn turnkey_with_cache(cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnkey"));
    command.env("XDG_CACHE_HOME", cache).env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// The binary, with a cache that is shared, and nothing on its standard input.
pub(crate) fn turnkey() -> Command {
    turnkey_with_cache(&CACHE)
}

/// `turnkey WORDS…`, to its end.
pub(crate) fn turnkey_with<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Ran {
    run(turnkey().args(words))
}

/// The same by a shell, for what only a shell does to a process: `"$0"` is the binary.
pub(crate) fn shell(script: &str) -> Command {
    let binary = turnkey();
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(env!("CARGO_BIN_EXE_turnkey")).env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    for (name, value) in binary.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A compiled guest program.
pub(crate) fn guest(name: &str) -> PathBuf {
    let path = repository().join(format!("guests/bin/{name}.wasm"));
    assert!(path.is_file(), "there is no guest program {name}");
    path
}

/// A folder that is gone when the test is over.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(Path::new(name.as_ref()))
    }

    /// Makes a file, and the folders that it is in.
    pub(crate) fn file(&self, name: impl AsRef<OsStr>, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    pub(crate) fn folder(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

/// `HOST::GUEST`, as a directory is granted.
pub(crate) fn granted(host: &Path, name: &str) -> std::ffi::OsString {
    let mut written = host.as_os_str().to_owned();
    written.push("::");
    written.push(name);
    written
}

/// A name that is no text.
pub(crate) fn bytes(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}
