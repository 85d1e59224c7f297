//! What is in a directory and is no file: refused when it is opened, at once, and without a word to it.

use std::ffi::OsStr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::harness::wat::data;
use crate::harness::{Folder, granted, guest, run, turnkey};
use crate::system_calls::Openat2;

pub(crate) const FD_READ: u64 = 1 << 1;
pub(crate) const FD_WRITE: u64 = 1 << 6;
pub(crate) const FOLLOW: u32 = 1;
pub(crate) const CREAT: u32 = 1;
pub(crate) const DIRECTORY: u32 = 2;
pub(crate) const TRUNC: u32 = 8;

/// One `path_open` in the first directory: a guest that ends with its errno, and shows the beginning of what opened.
pub(crate) fn opening(path: &[u8], lookup: u32, oflags: u32, rights: u64) -> (String, String) {
    let body = format!(
        "(call $must (call $path_open (i32.const 3) (i32.const {lookup}) (i32.const 4096) (i32.const {}) (i32.const {oflags})
            (i64.const {rights}) (i64.const {rights}) (i32.const 0) (i32.const 32)))
         (drop (call $get (i32.load (i32.const 32))))
         (call $must (call $put (i32.const 1) (i32.const 64) (i32.load (i32.const 16))))",
        path.len()
    );
    (data(4096, path), body)
}

/// The errno of opening a path in this directory, and what was in it.
pub(crate) fn open_in(
    directory: &Path,
    flag: &str,
    path: &[u8],
    lookup: u32,
    oflags: u32,
    rights: u64,
) -> (i32, Vec<u8>) {
    open_without(Openat2::Works, directory, flag, path, lookup, oflags, rights)
}

pub(crate) fn open_without(
    openat2: Openat2,
    directory: &Path,
    flag: &str,
    path: &[u8],
    lookup: u32,
    oflags: u32,
    rights: u64,
) -> (i32, Vec<u8>) {
    let folder = Folder::new();
    let (fields, body) = opening(path, lookup, oflags, rights);
    let app = folder.command(&fields, &body);
    let mut command: Command = turnkey();
    command.args(["run", "--timeout", "20s"]).arg(flag).arg(granted(directory, "/d")).arg(app);
    let ran = run(openat2.for_command(&mut command));
    assert_eq!(ran.stderr, "", "{}", path.escape_ascii());
    (ran.status(), ran.stdout)
}

/// Every way to open: for reading, for writing, both, and neither; made, emptied.
const WAYS: [(u32, u64); 6] =
    [(0, FD_READ), (0, FD_WRITE), (0, FD_READ | FD_WRITE), (0, 0), (CREAT, FD_WRITE), (TRUNC, FD_WRITE)];

#[track_caller]
fn refused_in_every_way(directory: &Path, name: &str) {
    for openat2 in Openat2::ANY {
        for (oflags, rights) in WAYS {
            for lookup in [0, FOLLOW] {
                let (errno, read) = open_without(openat2, directory, "--dir", name.as_bytes(), lookup, oflags, rights);
                assert!(errno != 0 && errno != 124 && read.is_empty(), "{openat2:?} {name} {oflags} {rights}: {errno}");
            }
        }
    }
}

#[test]
fn a_fifo_is_refused_without_waiting_for_its_other_end() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    refused_in_every_way(folder.root(), "pipe");
}

#[test]
fn a_fifo_with_a_writer_gives_nothing_away() {
    let folder = Folder::new();
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    // Open for both: no end waits for the other.
    let mut end = std::fs::OpenOptions::new().read(true).write(true).open(folder.path("pipe")).unwrap();
    std::io::Write::write_all(&mut end, b"SECRET").unwrap();
    refused_in_every_way(folder.root(), "pipe");
    let mut left = [0; 6];
    std::io::Read::read_exact(&mut end, &mut left).unwrap();
    assert_eq!(&left, b"SECRET", "what was in the pipe is still there");
}

#[test]
fn a_socket_is_refused() {
    let folder = Folder::new();
    let _listener = UnixListener::bind(folder.path("socket")).unwrap();
    refused_in_every_way(folder.root(), "socket");
}

#[test]
fn devices_are_refused() {
    for name in ["null", "zero", "full", "tty", "urandom", "ptmx"] {
        if !Path::new("/dev").join(name).exists() {
            eprintln!("skipped: there is no /dev/{name} here");
            continue;
        }
        for (flag, rights) in [("--ro-dir", FD_READ), ("--dir", FD_READ), ("--dir", FD_WRITE)] {
            let (errno, read) = open_in(Path::new("/dev"), flag, name.as_bytes(), FOLLOW, 0, rights);
            assert!(errno != 0 && errno != 124 && read.is_empty(), "{name}: {errno}");
        }
    }
}

#[test]
fn a_directory_of_devices_can_be_listed_all_the_same() {
    let ran = run(turnkey().args(["run", "--ro-dir", "/dev::/dev"]).arg(guest("lister")).arg("/dev"));
    assert!(ran.quiet().contains("character_device \"null\"\n"));
}

#[test]
fn a_real_program_goes_on_past_what_is_no_file() {
    let folder = Folder::new();
    folder.file("file", "one line\n");
    assert!(Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap().success());
    let _listener = UnixListener::bind(folder.path("socket")).unwrap();
    let mut command = turnkey();
    command.args(["run", "--timeout", "20s", "--ro-dir"]).arg(granted(folder.root(), "/d")).arg(guest("tally"));
    let ran = run(command.args(["/d/pipe", "/d/socket", "/d/file"].map(OsStr::new)));
    assert_eq!(ran.status(), 1);
    assert!(ran.text().contains("total of 1 file\n") && ran.stderr.lines().count() == 2, "{ran:?}");
}
