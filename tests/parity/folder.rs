//! The folder that scenarios find, the same for every program, and what is left of it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::harness::tree::names;
use crate::harness::{Folder, bytes};

/// As the scenarios know them.
const ODD_NAMES: [&[u8]; 10] = [
    b" blank ",
    b"new\nline",
    b"\x1b[31mred",
    b"back\\slash",
    b"...",
    "gr\u{fc}n".as_bytes(),
    b"latin \xfc",
    b"\xff\xfe",
    b"cut \xe2\x82",
    "\u{effc}\u{ef80}".as_bytes(),
];

/// A folder with `rw` and `ro`, which have the same in them, and `outside`, which nothing may be seen of.
pub(crate) struct Played {
    pub(crate) folder: Folder,
}

impl Played {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        folder.file("outside/secret", "secret");
        for name in ["rw", "ro"] {
            fill(&folder.folder(name));
        }
        Played { folder }
    }

    /// What is there now.
    pub(crate) fn left(&self) -> Left {
        let mut left = Left::new();
        look(self.folder.root(), Path::new(""), &mut left);
        left
    }
}

/// Of each file: mode, links, and what is in it, or where it leads.
pub(crate) type Left = BTreeMap<PathBuf, (u32, u64, Vec<u8>)>;

fn fill(root: &Path) {
    let write = |name: &str, contents: &str| fs::write(root.join(name), contents).unwrap();
    for name in ["directory", "empty", "names", "times"] {
        fs::create_dir(root.join(name)).unwrap();
    }
    write("file", "contents");
    write("directory/inside", "inside");
    for (contents, name) in [
        ("file", "to-file"),
        ("directory", "to-directory"),
        ("to-file", "to-link"),
        ("nothing", "dangling"),
        ("circle", "circle"),
        ("../outside/secret", "out"),
        ("..", "up"),
        ("/dev/null", "absolute"),
    ] {
        symlink(contents, root.join(name)).unwrap();
    }
    drop(UnixListener::bind(root.join("socket")).unwrap());
    make_fifo(&root.join("fifo"));
    for name in ODD_NAMES {
        fs::write(root.join("names").join(bytes(name)), name).unwrap();
    }
    let before = |seconds| SystemTime::UNIX_EPOCH - Duration::from_millis(seconds);
    let after = |seconds, nanoseconds| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    for (name, accessed, modified) in [
        ("times/old", before(5_500), before(1)),
        ("times/oldest", before(2_000_000_000_000), before(1_000_000)),
        ("times/known", after(1_000_000_000, 123_456_789), after(1_500_000_000, 1)),
        ("times/far", after(4_102_444_800, 999_999_999), after(32_503_680_000, 0)),
    ] {
        write(name, "");
        let times = FileTimes::new().set_accessed(accessed).set_modified(modified);
        fs::File::options().write(true).open(root.join(name)).unwrap().set_times(times).unwrap();
    }
}

#[allow(unsafe_code, reason = "the standard library makes no FIFO")]
fn make_fifo(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path ends in a zero.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o644) }, 0);
}

fn look(root: &Path, below: &Path, left: &mut Left) {
    let path = root.join(below);
    let metadata = fs::symlink_metadata(&path).unwrap();
    let kind = metadata.file_type();
    let contents = if kind.is_symlink() {
        fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
    } else if kind.is_file() {
        fs::read(&path).unwrap()
    } else {
        Vec::new()
    };
    if kind.is_dir() {
        for name in names(&path) {
            look(root, &below.join(name), left);
        }
    }
    left.insert(below.to_owned(), (metadata.mode(), metadata.nlink(), contents));
}
