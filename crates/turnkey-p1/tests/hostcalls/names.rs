//! What a name may be: any bytes but a zero, of bounded length, in every operation that takes one.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::harness::errno::{INVAL, NAMETOOLONG, NOENT, PERM};
use crate::harness::{BUF, CREAT, Guest, READ, RESULT, Setup, WORK, WRITE};

/// Every operation with one path, on this path.
fn one_path(guest: &mut Guest, path: &[u8]) -> Vec<(&'static str, u32)> {
    let [path, bytes] = guest.path(path);
    let calls: [(&str, &[u64]); 8] = [
        ("path_open", &[WORK, 0, path, bytes, 0, READ, 0, 0, RESULT]),
        ("path_open", &[WORK, 1, path, bytes, CREAT, WRITE, 0, 0, RESULT]),
        ("path_filestat_get", &[WORK, 0, path, bytes, RESULT]),
        ("path_filestat_set_times", &[WORK, 1, path, bytes, 0, 0, 5]),
        ("path_create_directory", &[WORK, path, bytes]),
        ("path_remove_directory", &[WORK, path, bytes]),
        ("path_unlink_file", &[WORK, path, bytes]),
        ("path_readlink", &[WORK, path, bytes, BUF, 100, RESULT]),
    ];
    calls.map(|(name, arguments)| (name, guest.call(name, arguments))).to_vec()
}

/// Every operation with two paths, this one as the first and as the second.
fn two_paths(guest: &mut Guest, path: &[u8]) -> Vec<(&'static str, u32)> {
    let mut errnos = Vec::new();
    for (old, new) in [(path, &b"new"[..]), (b"file", path)] {
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
        errnos.push(("path_rename", guest.call("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes])));
        errnos.push(("path_link", guest.call("path_link", &[WORK, 0, old, old_bytes, WORK, new, new_bytes])));
    }
    let ([old, old_bytes], [new, new_bytes]) = (guest.path(b"contents"), guest.path2(path));
    errnos.push(("path_symlink", guest.call("path_symlink", &[old, old_bytes, WORK, new, new_bytes])));
    errnos
}

#[track_caller]
fn all_fail(path: &[u8], errno: u32) {
    let mut guest = Setup::new().file("file", "").start();
    let errnos = [one_path(&mut guest, path), two_paths(&mut guest, path)].concat();
    for (name, found) in errnos {
        assert_eq!(found, errno, "{name}");
    }
    let names: Vec<_> =
        std::fs::read_dir(guest.disk.work("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"]);
}

#[test]
fn no_name_names_nothing() {
    all_fail(b"", NOENT);
}

#[test]
fn a_zero_byte_ends_no_name_early() {
    for path in [&b"file\0"[..], b"\0", b"file\0/../..", b"a\0b", b"dir/\0"] {
        all_fail(path, INVAL);
    }
}

#[test]
fn a_name_that_is_too_long_is_refused_before_it_is_copied() {
    all_fail(&[b'a'; 4096], NAMETOOLONG);
    all_fail(&[b'a'; 8000], NAMETOOLONG);
    all_fail(&b"./".repeat(2048), NAMETOOLONG);
    // One component of it.
    all_fail(&[b'a'; 256], NAMETOOLONG);
}

#[test]
fn an_absolute_name_is_refused() {
    all_fail(b"/", PERM);
    all_fail(b"/file", PERM);
    all_fail(b"//file", PERM);
}

#[test]
fn the_longest_names_work() {
    let mut guest = Guest::new();
    let longest = "a".repeat(255);
    guest.open(WORK, &longest, CREAT, WRITE, 0);
    let path = format!("{}{longest}", "./".repeat((4095 - 255) / 2));
    assert_eq!(path.len(), 4095);
    guest.open(WORK, &path, 0, READ, 0);
    guest.stat_path(WORK, 0, &path).unwrap();
}

#[test]
fn a_name_is_bytes_and_not_text() {
    let mut guest = Guest::new();
    for name in [&b"\xff\xfe"[..], b"\xed\xa0\x80", b"new\nline", b"\x01", b"a b", b"-", b"...", b"\\", b"C:"] {
        let [path, bytes] = guest.path(name);
        guest.writes("path_open", &[WORK, 0, path, bytes, CREAT, WRITE, 0, 0, RESULT], &[(RESULT, 4)]);
        assert!(guest.disk.work("").join(OsStr::from_bytes(name)).is_file(), "{name:?}");
        guest.writes("path_filestat_get", &[WORK, 0, path, bytes, RESULT], &[(RESULT, 64)]);
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(name), guest.path2(b"other\xff"));
        guest.gives("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes], &[]);
        guest.gives("path_unlink_file", &[WORK, new, new_bytes], &[]);
    }
}

#[test]
fn a_links_contents_are_bytes_too_but_none_of_them_zero() {
    let mut guest = Guest::new();
    let ([old, old_bytes], [new, new_bytes]) = (guest.path(b"\xff/\xfe"), guest.path2("link"));
    guest.gives("path_symlink", &[old, old_bytes, WORK, new, new_bytes], &[]);
    let [path, bytes] = guest.path("link");
    guest.gives(
        "path_readlink",
        &[WORK, path, bytes, BUF, 10, RESULT],
        &[(BUF, b"\xff/\xfe"), (RESULT, &[3, 0, 0, 0])],
    );
    for (contents, errno) in [(&b"a\0b"[..], INVAL), (&[b'a'; 4096], NAMETOOLONG)] {
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(contents), guest.path2("new"));
        guest.fails("path_symlink", &[old, old_bytes, WORK, new, new_bytes], errno);
    }
}
