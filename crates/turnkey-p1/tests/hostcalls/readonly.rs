//! A grant for reading only: every function that could change something is refused with `rofs`, whichever side of the call
//! the grant is on, and the disk is as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::harness::errno::{BADF, EXIST, NOTCAPABLE, ROFS};
use crate::harness::{
    APPEND, BUF, CREAT, DIRECTORY, EXCL, FIXED, FOLLOW, Guest, READ, READ_WRITE, RESULT, Setup, TRUNC, WORK, WRITE,
};

const FD_ALLOCATE: u64 = 1 << 8;
const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;

fn tree() -> Guest {
    let setup = Setup::new()
        .file("file", "writable")
        .directory("dir")
        .fixed("file", "fixed")
        .fixed("dir/inner", "inner")
        .fixed("empty/.keep", "");
    std::fs::remove_file(setup.disk.fixed("empty/.keep")).unwrap();
    std::os::unix::fs::symlink("file", setup.disk.fixed("link")).unwrap();
    setup.start()
}

/// Everything of the read-only directory that a guest could have changed: names, contents, times.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, String)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_path_buf()];
    while let Some(path) = pending.pop() {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let contents = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let rest = format!("{:?} {:?} {}", metadata.file_type(), metadata.modified().unwrap(), metadata.len());
        found.insert(path, (contents, rest));
    }
    found
}

/// Makes a call, and looks at the directory before and after.
#[track_caller]
fn refused(guest: &mut Guest, name: &str, arguments: &[u64], errno: u32) {
    let before = snapshot(&guest.disk.fixed(""));
    guest.fails(name, arguments, errno);
    assert!(snapshot(&guest.disk.fixed("")) == before, "{name} changed what is for reading only");
}

#[test]
fn nothing_is_opened_to_be_changed() {
    let mut guest = tree();
    for path in ["file", "./file", "link", "dir/inner", "dir/../file"] {
        for (oflags, rights) in [
            (0, WRITE),
            (0, READ_WRITE),
            (0, FD_ALLOCATE),
            (0, READ | FD_FILESTAT_SET_SIZE),
            (TRUNC, READ),
            (TRUNC, 0),
            (TRUNC, WRITE),
            (CREAT, READ),
            (CREAT | EXCL, READ),
            (CREAT | TRUNC, READ_WRITE),
        ] {
            let [address, bytes] = guest.path(path);
            let arguments = [FIXED, FOLLOW, address, bytes, oflags, rights, 0, 0, RESULT];
            refused(&mut guest, "path_open", &arguments, ROFS);
        }
    }
    let [path, bytes] = guest.path("new");
    refused(&mut guest, "path_open", &[FIXED, 0, path, bytes, CREAT, READ, 0, 0, RESULT], ROFS);
    refused(&mut guest, "path_open", &[FIXED, 0, path, bytes, CREAT, WRITE, 0, APPEND, RESULT], ROFS);
}

#[test]
fn no_name_is_made_removed_or_given_times() {
    let mut guest = tree();
    for (name, path) in [
        ("path_create_directory", "new"),
        ("path_create_directory", "dir/new"),
        ("path_remove_directory", "empty"),
        ("path_remove_directory", "empty/"),
        ("path_unlink_file", "file"),
        ("path_unlink_file", "link"),
        ("path_unlink_file", "dir/inner"),
        ("path_unlink_file", "dir/../file"),
    ] {
        let [path, bytes] = guest.path(path);
        refused(&mut guest, name, &[FIXED, path, bytes], ROFS);
    }
    for (path, flags) in [("file", 0), ("link", 0), ("link", FOLLOW), ("dir", 0), (".", 0), ("dir/inner", 0)] {
        let [path, bytes] = guest.path(path);
        refused(&mut guest, "path_filestat_set_times", &[FIXED, flags, path, bytes, 1, 1, 5], ROFS);
    }
    let ([contents, contents_bytes], [path, bytes]) = (guest.path("x"), guest.path2("new"));
    refused(&mut guest, "path_symlink", &[contents, contents_bytes, FIXED, path, bytes], ROFS);
}

/// The class of a published advisory: the destination's grant was not asked.
#[test]
fn nothing_is_renamed_or_linked_into_or_out_of_it() {
    for (old_fd, new_fd) in [(FIXED, FIXED), (FIXED, WORK), (WORK, FIXED)] {
        for (old, new) in [("file", "new"), ("file", "dir/new"), ("./file", "./dir/../new"), ("file", "file")] {
            let mut guest = tree();
            let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
            refused(&mut guest, "path_rename", &[old_fd, old, old_bytes, new_fd, new, new_bytes], ROFS);
            refused(&mut guest, "path_link", &[old_fd, 0, old, old_bytes, new_fd, new, new_bytes], ROFS);
            assert_eq!(std::fs::read_to_string(guest.disk.work("file")).unwrap(), "writable");
            assert!(!guest.disk.work("new").exists() && !guest.disk.work("dir/new").exists());
        }
    }
}

#[test]
fn a_directory_is_not_moved_out_of_it_or_into_it() {
    for (old_fd, new_fd) in [(FIXED, WORK), (WORK, FIXED)] {
        let mut guest = tree();
        let ([old, old_bytes], [new, new_bytes]) = (guest.path("dir"), guest.path2("moved"));
        refused(&mut guest, "path_rename", &[old_fd, old, old_bytes, new_fd, new, new_bytes], ROFS);
        assert!(guest.disk.work("dir").is_dir());
    }
}

#[test]
fn what_is_opened_through_it_is_for_reading_only_too() {
    let mut guest = tree();
    let dir = guest.open(FIXED, "dir", DIRECTORY, READ, 0);
    assert_eq!(guest.try_open(dir, "inner", 0, WRITE, 0), Err(ROFS));
    assert_eq!(guest.try_open(dir, "new", CREAT, WRITE, 0), Err(ROFS));
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("inner"), guest.path2("stolen"));
    refused(&mut guest, "path_rename", &[dir, old, old_bytes, WORK, new, new_bytes], ROFS);
    refused(&mut guest, "path_link", &[dir, 0, old, old_bytes, WORK, new, new_bytes], ROFS);
    refused(&mut guest, "path_unlink_file", &[dir, old, old_bytes], ROFS);
}

#[test]
fn an_open_file_of_it_is_read_and_not_changed() {
    let mut guest = tree();
    let fd = guest.open(FIXED, "file", 0, READ, 0);
    assert_eq!(guest.read_fd(fd, 99), Ok(b"fixed".to_vec()));
    guest.write(BUF, b"x");
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    refused(&mut guest, "fd_write", &[fd, iovs, count, RESULT], BADF);
    refused(&mut guest, "fd_pwrite", &[fd, iovs, count, 0, RESULT], BADF);
    refused(&mut guest, "fd_allocate", &[fd, 0, 100], NOTCAPABLE);
    refused(&mut guest, "fd_filestat_set_size", &[fd, 0], NOTCAPABLE);
    for flags in [1, 2, 4, 8, 5, 10] {
        refused(&mut guest, "fd_filestat_set_times", &[fd, 1, 1, flags], ROFS);
        refused(&mut guest, "fd_filestat_set_times", &[FIXED, 1, 1, flags], ROFS);
    }
}

#[test]
fn its_flags_and_rights_cannot_be_turned_to_writing() {
    let mut guest = tree();
    let fd = guest.open(FIXED, "file", 0, READ, 0);
    guest.gives("fd_fdstat_set_flags", &[fd, APPEND], &[]);
    guest.write(BUF, b"x");
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    refused(&mut guest, "fd_write", &[fd, iovs, count, RESULT], BADF);
    refused(&mut guest, "fd_fdstat_set_rights", &[fd, READ_WRITE, 0], NOTCAPABLE);
    refused(&mut guest, "fd_fdstat_set_rights", &[FIXED, u64::MAX, u64::MAX], NOTCAPABLE);
}

#[test]
fn reading_it_works_as_ever() {
    let mut guest = tree();
    assert_eq!(guest.stat_path(FIXED, FOLLOW, "link").unwrap().size, 5);
    let [path, bytes] = guest.path("link");
    guest.gives("path_readlink", &[FIXED, path, bytes, BUF, 9, RESULT], &[(BUF, b"file"), (RESULT, &[4, 0, 0, 0])]);
    let dir = guest.open(FIXED, "dir", DIRECTORY, READ, 0);
    assert_eq!(guest.call("fd_readdir", &[dir, BUF, 4096, 0, RESULT]), 0);
    for name in ["fd_sync", "fd_datasync"] {
        guest.gives(name, &[dir], &[]);
    }
}

#[test]
fn a_writable_directory_does_not_become_read_only_beside_one() {
    let mut guest = tree();
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("file"), guest.path2("file"));
    guest.gives("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes], &[]);
    assert_eq!(guest.call("path_link", &[WORK, 0, old, old_bytes, WORK, new, new_bytes]), EXIST);
}

#[test]
fn a_refusal_names_the_grant_that_would_allow_it() {
    let mut guest = tree();
    guest.try_open(FIXED, "new", CREAT, WRITE, 0).unwrap_err();
    guest.fails("fd_filestat_set_times", &[FIXED, 1, 1, 5], ROFS);
    let refusals = guest.store.data().host.audit.refusals();
    let calls: Vec<_> = refusals.iter().map(|refusal| refusal.call).collect();
    assert_eq!(calls, ["path_open", "fd_filestat_set_times"]);
    let grant = format!("--dir {}::fixed", guest.disk.outer("fixed").display());
    assert!(refusals.iter().all(|refusal| refusal.grant == grant), "{refusals:?}");
}
