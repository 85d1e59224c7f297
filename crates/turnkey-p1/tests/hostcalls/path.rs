//! The operations on paths, where they do what they should and fail as the standard says. Where paths lead is in
//! `escapes`, what names are in `names`, what may be changed in `readonly`.

use std::path::Path;

use crate::harness::errno::{BADF, BUSY, EXIST, INVAL, ISDIR, LOOP, NOENT, NOTCAPABLE, NOTDIR, NOTEMPTY, NXIO, PERM};
use crate::harness::{
    BUF, CLOSED, CREAT, DIRECTORY, EXCL, FIRST, FOLLOW, Guest, PATH, READ, READ_WRITE, RESULT, Setup, TRUNC, WORK,
    WRITE,
};

fn one(guest: &mut Guest, name: &str, path: &str) -> u32 {
    let [path, bytes] = guest.path(path);
    guest.call(name, &[WORK, path, bytes])
}

fn rename(guest: &mut Guest, old: &str, new: &str) -> u32 {
    let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
    guest.call("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes])
}

fn link(guest: &mut Guest, flags: u64, old: &str, new: &str) -> u32 {
    let ([old, old_bytes], [new, new_bytes]) = (guest.path(old), guest.path2(new));
    guest.call("path_link", &[WORK, flags, old, old_bytes, WORK, new, new_bytes])
}

fn symlink(guest: &mut Guest, contents: &str, path: &str) -> u32 {
    let ([old, old_bytes], [new, new_bytes]) = (guest.path(contents), guest.path2(path));
    guest.call("path_symlink", &[old, old_bytes, WORK, new, new_bytes])
}

fn readlink(guest: &mut Guest, path: &str) -> Result<Vec<u8>, u32> {
    let [path, bytes] = guest.path(path);
    match guest.call("path_readlink", &[WORK, path, bytes, BUF, 4096, RESULT]) {
        0 => Ok(guest.read(BUF, guest.u32_at(RESULT) as usize)),
        errno => Err(errno),
    }
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A file, a directory with a file, an empty one, and links to each and to nothing.
fn tree() -> Guest {
    Setup::new()
        .file("file", "contents")
        .file("dir/inner", "inner")
        .directory("empty")
        .link("file", "to_file")
        .link("dir", "to_dir")
        .link("nothing", "to_nothing")
        .link("to_itself", "to_itself")
        .start()
}

// path_open

#[test]
fn an_opened_file_has_the_lowest_free_number_and_begins_at_0() {
    let mut guest = tree();
    let [path, bytes] = guest.path("file");
    let number = (FIRST as u32).to_le_bytes();
    guest.gives("path_open", &[WORK, 0, path, bytes, 0, READ, 0, 0, RESULT], &[(RESULT, &number)]);
    assert_eq!(guest.read_fd(FIRST, 99), Ok(b"contents".to_vec()));
}

#[test]
fn opening_fails_as_the_standard_says() {
    let mut guest = tree();
    let file = guest.open_file("file");
    for (fd, path, oflags, rights, errno) in [
        (WORK, "nothing", 0, READ, NOENT),
        (WORK, "nothing/inner", 0, READ, NOENT),
        (WORK, "nothing/inner", CREAT, WRITE, NOENT),
        (WORK, "", 0, READ, NOENT),
        (WORK, "file/inner", 0, READ, NOTDIR),
        (WORK, "file", DIRECTORY, READ, NOTDIR),
        (WORK, "file", CREAT | EXCL, WRITE, EXIST),
        (WORK, "dir", CREAT | EXCL, READ, EXIST),
        (WORK, "to_nothing", CREAT | EXCL, WRITE, EXIST),
        (WORK, "dir", 0, WRITE, ISDIR),
        (WORK, "dir", 0, READ_WRITE, ISDIR),
        (WORK, "dir", TRUNC, READ, ISDIR),
        (WORK, ".", 0, WRITE, ISDIR),
        (WORK, "to_nothing", 0, READ, NOENT),
        (WORK, "to_itself", 0, READ, LOOP),
        (WORK, "to_itself/inner", 0, READ, LOOP),
        (CLOSED, "file", 0, READ, BADF),
        (file, "file", 0, READ, NOTDIR),
        (0, "file", 0, READ, NOTDIR),
    ] {
        assert_eq!(guest.try_open(fd, path, oflags, rights, 0), Err(errno), "{path} {oflags} {rights}");
    }
    assert_eq!(read(guest.disk.work("file")), "contents");
    assert_eq!(guest.open_file("file"), file + 1, "what failed took a number");
}

#[test]
fn flags_that_mean_nothing_are_invalid() {
    let mut guest = tree();
    let [path, bytes] = guest.path("file");
    for (dirflags, oflags, fdflags) in [(2, 0, 0), (u64::MAX, 0, 0), (0, 16, 0), (0, 0x1_0001, 0), (0, 0, 32)] {
        guest.fails("path_open", &[WORK, dirflags, path, bytes, oflags, READ, 0, fdflags, RESULT], INVAL);
    }
}

#[test]
fn rights_that_mean_nothing_here_are_not_looked_at() {
    let mut guest = tree();
    let [path, bytes] = guest.path("file");
    for rights in [0, u64::MAX, 1 << 63] {
        guest.writes("path_open", &[WORK, 0, path, bytes, 0, rights, u64::MAX, 0, RESULT], &[(RESULT, 4)]);
    }
}

#[test]
fn a_file_is_made_only_where_there_is_none() {
    let mut guest = tree();
    let fd = guest.open(WORK, "new", CREAT | EXCL, READ_WRITE, 0);
    assert_eq!(guest.write_fd(fd, b"abc"), Ok(3));
    let again = guest.open(WORK, "new", CREAT, READ_WRITE, 0);
    assert_eq!(guest.read_fd(again, 9), Ok(b"abc".to_vec()));
    guest.open(WORK, "dir/new", CREAT, WRITE, 0);
    assert_eq!(read(guest.disk.work("dir/new")), "");
}

#[test]
fn a_file_is_emptied_whatever_it_is_opened_for() {
    for rights in [0, READ, WRITE, READ_WRITE] {
        let mut guest = tree();
        let fd = guest.open(WORK, "file", TRUNC, rights, 0);
        assert_eq!(read(guest.disk.work("file")), "", "{rights}");
        // It can be written only if that was asked for.
        assert_eq!(guest.write_fd(fd, b"x").is_ok(), rights & WRITE != 0, "{rights}");
    }
}

#[test]
fn a_link_in_the_last_place_is_followed_only_if_asked() {
    let mut guest = tree();
    for (path, followed) in [("to_file", Ok(())), ("to_dir", Ok(())), ("to_nothing", Err(NOENT))] {
        assert_eq!(guest.try_open(WORK, path, 0, READ, 0).map(drop), followed, "{path}");
        let [path, bytes] = guest.path(path);
        guest.fails("path_open", &[WORK, 0, path, bytes, 0, READ, 0, 0, RESULT], LOOP);
    }
    // Elsewhere it always is.
    let [path, bytes] = guest.path("to_dir/inner");
    guest.writes("path_open", &[WORK, 0, path, bytes, 0, READ, 0, 0, RESULT], &[(RESULT, 4)]);
}

#[test]
fn a_file_is_made_where_a_link_leads() {
    let mut guest = tree();
    guest.open(WORK, "to_nothing", CREAT, WRITE, 0);
    assert_eq!(read(guest.disk.work("nothing")), "");
}

#[test]
fn a_directory_is_opened_by_every_name_it_has() {
    let mut guest = tree();
    for path in [".", "./", "dir", "dir/", "dir//", "dir/.", "dir/..", "to_dir", "to_dir/", "./dir/../dir/./"] {
        let fd = guest.open(WORK, path, DIRECTORY, READ, 0);
        assert_eq!(guest.stat(fd).filetype, 3, "{path}");
        let fd = guest.open(WORK, path, 0, READ, 0);
        assert_eq!(guest.stat(fd).filetype, 3, "{path}");
    }
}

#[test]
fn a_directory_that_was_opened_is_one_to_open_through() {
    let mut guest = tree();
    let dir = guest.open(WORK, "dir", DIRECTORY, READ, 0);
    let file = guest.open(dir, "inner", 0, READ, 0);
    assert_eq!(guest.read_fd(file, 9), Ok(b"inner".to_vec()));
    guest.open(dir, "made", CREAT, WRITE, 0);
    assert_eq!(read(guest.disk.work("dir/made")), "");
}

#[test]
fn a_fifo_and_a_socket_are_refused_at_once() {
    let mut guest = tree();
    let fifo = guest.disk.work("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(guest.disk.work("socket")).unwrap();
    for path in ["fifo", "socket", "./fifo", "dir/../socket"] {
        for rights in [0, READ, WRITE, READ_WRITE] {
            for oflags in [0, TRUNC, CREAT] {
                // Without another end, the kernel refuses some of them before we see what they are.
                let errno = guest.try_open(WORK, path, oflags, rights, 0).unwrap_err();
                assert!([PERM, NXIO].contains(&errno), "{path} {oflags} {rights}: {errno}");
            }
        }
    }
    assert_eq!(guest.stat_path(WORK, 0, "fifo").unwrap().filetype, 0);
    assert_eq!(guest.stat_path(WORK, 0, "socket").unwrap().filetype, 6);
}

/// Makes a device; only an administrator can.
fn make_device(guest: &Guest, name: &str, numbers: [&str; 3]) -> bool {
    let made = std::process::Command::new("mknod").arg(guest.disk.work(name)).args(numbers).output();
    made.is_ok_and(|made| made.status.success())
}

#[test]
fn a_character_device_is_refused() {
    let mut guest = tree();
    if make_device(&guest, "null", ["c", "1", "3"]) {
        for rights in [0, READ, WRITE, READ_WRITE] {
            assert_eq!(guest.try_open(WORK, "null", 0, rights, 0), Err(PERM));
        }
    }
}

#[test]
fn a_block_device_is_refused_by_whatever_is_first_done_with_it() {
    let mut guest = tree();
    if !make_device(&guest, "disk", ["b", "7", "0"]) {
        return;
    }
    for rights in [0, READ, READ_WRITE] {
        // There may be no such disk.
        let Ok(fd) = guest.try_open(WORK, "disk", 0, rights, 0) else {
            continue;
        };
        let [iovs, count] = guest.iovs(&[(BUF, 1)]);
        for (name, arguments) in [
            ("fd_read", &[fd, iovs, count, RESULT][..]),
            ("fd_write", &[fd, iovs, count, RESULT]),
            ("fd_pread", &[fd, iovs, count, 0, RESULT]),
            ("fd_pwrite", &[fd, iovs, count, 0, RESULT]),
            ("fd_seek", &[fd, 0, 2, RESULT]),
            ("fd_filestat_get", &[fd, RESULT]),
            ("fd_filestat_set_size", &[fd, 0]),
            ("fd_allocate", &[fd, 0, 1]),
            ("fd_sync", &[fd]),
            ("fd_readdir", &[fd, BUF, 100, 0, RESULT]),
        ] {
            guest.fails(name, arguments, PERM);
        }
        guest.gives("fd_close", &[fd], &[]);
    }
}

// Directories.

#[test]
fn a_directory_is_made_and_removed() {
    let mut guest = tree();
    for path in ["new", "dir/new", "slash/", "./dot", "dir/../beside"] {
        let [address, bytes] = guest.path(path);
        guest.gives("path_create_directory", &[WORK, address, bytes], &[]);
        assert!(guest.disk.work(path).is_dir(), "{path}");
        guest.gives("path_remove_directory", &[WORK, address, bytes], &[]);
        assert!(!guest.disk.work(path).exists(), "{path}");
    }
}

#[test]
fn making_a_directory_fails_as_the_standard_says() {
    let mut guest = tree();
    for (path, errno) in [
        ("dir", EXIST),
        ("file", EXIST),
        ("to_nothing", EXIST),
        ("to_nothing/", EXIST),
        (".", EXIST),
        ("dir/..", EXIST),
        ("nothing/new", NOENT),
        ("file/new", NOTDIR),
        ("", NOENT),
    ] {
        assert_eq!(one(&mut guest, "path_create_directory", path), errno, "{path}");
    }
    assert!(!guest.disk.work("nothing").exists());
}

#[test]
fn removing_a_directory_fails_as_the_standard_says() {
    let mut guest = tree();
    for (path, errno) in [
        ("dir", NOTEMPTY),
        ("file", NOTDIR),
        ("to_dir", NOTDIR),
        ("to_dir/", NOTDIR),
        ("file/", NOTDIR),
        ("nothing", NOENT),
        (".", INVAL),
        ("empty/.", INVAL),
        ("", NOENT),
    ] {
        assert_eq!(one(&mut guest, "path_remove_directory", path), errno, "{path}");
    }
    assert!(guest.disk.work("empty").is_dir());
}

#[test]
fn unlinking_takes_the_name_away_and_a_link_itself() {
    let mut guest = tree();
    let fd = guest.open_file("file");
    for path in ["to_file", "to_dir", "to_nothing", "dir/inner", "file"] {
        let [address, bytes] = guest.path(path);
        guest.gives("path_unlink_file", &[WORK, address, bytes], &[]);
        assert!(guest.disk.work(path).symlink_metadata().is_err(), "{path}");
    }
    assert!(guest.disk.work("dir").is_dir());
    assert_eq!(guest.read_fd(fd, 99), Ok(b"contents".to_vec()), "what is open stays");
}

#[test]
fn unlinking_fails_as_the_standard_says() {
    let mut guest = tree();
    for (path, errno) in [
        ("dir", ISDIR),
        ("dir/", ISDIR),
        ("empty", ISDIR),
        ("file/", NOTDIR),
        ("to_file/", NOTDIR),
        ("to_dir/", NOTDIR),
        ("nothing", NOENT),
        ("nothing/", NOENT),
        (".", ISDIR),
        ("dir/..", ISDIR),
        ("", NOENT),
    ] {
        assert_eq!(one(&mut guest, "path_unlink_file", path), errno, "{path}");
    }
    assert!(guest.disk.work("empty").is_dir() && guest.disk.work("to_dir").symlink_metadata().is_ok());
}

// Names.

#[test]
fn a_rename_moves_and_replaces() {
    let mut guest = tree();
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("file"), guest.path2("dir/inner"));
    guest.gives("path_rename", &[WORK, old, old_bytes, WORK, new, new_bytes], &[]);
    assert_eq!(read(guest.disk.work("dir/inner")), "contents");
    assert_eq!(rename(&mut guest, "dir/", "empty/"), 0, "an empty directory is replaced by one");
    assert_eq!(read(guest.disk.work("empty/inner")), "contents");
    assert_eq!(rename(&mut guest, "to_nothing", "moved"), 0);
    assert_eq!(std::fs::read_link(guest.disk.work("moved")).unwrap(), Path::new("nothing"));
    assert_eq!(rename(&mut guest, "moved", "moved"), 0);
}

#[test]
fn renaming_fails_as_the_standard_says() {
    let mut guest = tree();
    for (old, new, errno) in [
        ("nothing", "new", NOENT),
        ("file", "nothing/new", NOENT),
        ("file", "dir", ISDIR),
        ("dir", "file", NOTDIR),
        ("empty", "dir", NOTEMPTY),
        ("dir", "dir/inside", INVAL),
        ("file/", "new", NOTDIR),
        ("file", "new/", NOTDIR),
        ("to_dir/", "new", NOTDIR),
        ("to_dir", "new/", NOTDIR),
        ("dir", "to_dir/", NOTDIR),
        (".", "new", BUSY),
        ("dir", ".", BUSY),
        ("dir/.", "new", BUSY),
        ("", "new", NOENT),
        ("file", "", NOENT),
    ] {
        assert_eq!(rename(&mut guest, old, new), errno, "{old} to {new}");
    }
    assert_eq!(read(guest.disk.work("file")), "contents");
    assert_eq!(read(guest.disk.work("dir/inner")), "inner");
    assert!(guest.disk.work("new").symlink_metadata().is_err());
}

#[test]
fn a_second_name_is_the_same_file() {
    let mut guest = tree();
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("file"), guest.path2("dir/second"));
    guest.gives("path_link", &[WORK, 0, old, old_bytes, WORK, new, new_bytes], &[]);
    let (first, second) = (guest.stat_path(WORK, 0, "file").unwrap(), guest.stat_path(WORK, 0, "dir/second").unwrap());
    assert_eq!((first.inode, first.links), (second.inode, 2));
    assert_eq!(link(&mut guest, 0, "to_nothing", "copy"), 0, "a link is linked itself");
    assert_eq!(std::fs::read_link(guest.disk.work("copy")).unwrap(), Path::new("nothing"));
}

#[test]
fn linking_fails_as_the_standard_says() {
    let mut guest = tree();
    for (flags, old, new, errno) in [
        (0, "nothing", "new", NOENT),
        (0, "file", "nothing/new", NOENT),
        (0, "file", "dir", EXIST),
        (0, "file", "file", EXIST),
        (0, "file", "to_nothing", EXIST),
        (0, "dir", "new", PERM),
        (0, "dir/", "new", PERM),
        (0, ".", "new", PERM),
        (0, "file", ".", EXIST),
        (0, "file/", "new", NOTDIR),
        (0, "file", "new/", NOENT),
        (0, "file", "dir/", EXIST),
        (0, "to_file/", "new", NOTDIR),
        (0, "", "new", NOENT),
        (0, "file", "", NOENT),
        (FOLLOW, "to_file", "new", INVAL),
        (2, "file", "new", INVAL),
    ] {
        assert_eq!(link(&mut guest, flags, old, new), errno, "{old} as {new}");
    }
    assert!(guest.disk.work("new").symlink_metadata().is_err());
}

#[test]
fn a_symbolic_link_contains_what_it_was_given() {
    let mut guest = tree();
    for (number, contents) in
        ["file", "../outside", "../../far/outside", "with space", "./", "no/such/thing"].iter().enumerate()
    {
        let path = format!("link{number}");
        let ([old, old_bytes], [new, new_bytes]) = (guest.path(contents), guest.path2(&path));
        guest.gives("path_symlink", &[old, old_bytes, WORK, new, new_bytes], &[]);
        assert_eq!(std::fs::read_link(guest.disk.work(&path)).unwrap(), Path::new(contents));
        assert_eq!(readlink(&mut guest, &path), Ok(contents.as_bytes().to_vec()));
    }
}

#[test]
fn making_a_symbolic_link_fails_as_the_standard_says() {
    let mut guest = tree();
    for (contents, path, errno) in [
        ("x", "file", EXIST),
        ("x", "to_nothing", EXIST),
        ("x", ".", EXIST),
        ("x", "dir/", EXIST),
        ("x", "nothing/new", NOENT),
        ("x", "new/", NOENT),
        ("x", "file/new", NOTDIR),
        ("x", "", NOENT),
        ("", "new", NOENT),
        ("/absolute", "new", PERM),
        ("/", "new", PERM),
    ] {
        assert_eq!(symlink(&mut guest, contents, path), errno, "{contents} at {path}");
    }
}

#[test]
fn a_links_contents_are_cut_to_the_room_there_is() {
    let mut guest = Setup::new().link("0123456789", "link").start();
    let [path, bytes] = guest.path("link");
    for room in [0u8, 1, 9, 10, 11, 100] {
        guest.fill(0xa5);
        guest.path("link");
        let used = room.min(10);
        let written: &[(u64, &[u8])] = &[(BUF, &b"0123456789"[..used.into()]), (RESULT, &[used, 0, 0, 0])];
        guest.gives("path_readlink", &[WORK, path, bytes, BUF, room.into(), RESULT], written);
    }
}

#[test]
fn reading_a_link_fails_as_the_standard_says() {
    let mut guest = tree();
    for (path, errno) in [
        ("file", INVAL),
        ("dir", INVAL),
        (".", INVAL),
        ("nothing", NOENT),
        ("file/x", NOTDIR),
        ("to_file/", NOTDIR),
        ("", NOENT),
    ] {
        assert_eq!(readlink(&mut guest, path), Err(errno), "{path}");
    }
    assert_eq!(readlink(&mut guest, "to_itself"), Ok(b"to_itself".to_vec()));
}

#[test]
fn a_link_as_long_as_links_can_be_is_read_whole() {
    let long = "x/".repeat(2000);
    let mut guest = Setup::new().link(&long, "long").start();
    assert_eq!(readlink(&mut guest, "long"), Ok(long.into_bytes()));
}

// What a path names.

#[test]
fn a_path_tells_what_it_names_and_a_link_what_it_leads_to_if_asked() {
    let mut guest = tree();
    for (path, flags, filetype) in [
        ("file", 0, 4),
        ("dir", 0, 3),
        ("dir/", 0, 3),
        (".", 0, 3),
        ("dir/..", 0, 3),
        ("to_file", 0, 7),
        ("to_file", FOLLOW, 4),
        ("to_dir", 0, 7),
        ("to_dir", FOLLOW, 3),
        ("to_dir/", 0, 3),
        ("to_dir/inner", 0, 4),
        ("to_nothing", 0, 7),
        ("to_itself", 0, 7),
        ("./to_file", 0, 7),
        ("./to_file", FOLLOW, 4),
    ] {
        assert_eq!(guest.stat_path(WORK, flags, path).map(|stat| stat.filetype), Ok(filetype), "{path} {flags}");
    }
    let [path, bytes] = guest.path("file");
    guest.writes("path_filestat_get", &[WORK, 0, path, bytes, RESULT], &[(RESULT, 64)]);
}

#[test]
fn a_path_that_names_nothing_says_so() {
    let mut guest = tree();
    for (path, flags, errno) in [
        ("nothing", 0, NOENT),
        ("to_nothing", FOLLOW, NOENT),
        ("to_nothing/", 0, NOENT),
        ("to_itself", FOLLOW, LOOP),
        ("to_itself/", 0, LOOP),
        ("file/", 0, NOTDIR),
        ("to_file/", 0, NOTDIR),
        ("file/x", 0, NOTDIR),
        ("file/.", 0, NOTDIR),
        ("", 0, NOENT),
        ("file", 2, INVAL),
    ] {
        assert_eq!(guest.stat_path(WORK, flags, path), Err(errno), "{path} {flags}");
    }
    assert_eq!(guest.stat_path(CLOSED, 0, "file"), Err(BADF));
    assert_eq!(guest.stat_path(1, 0, "file"), Err(NOTDIR));
}

#[test]
fn times_are_set_of_a_link_itself_or_of_what_it_leads_to() {
    let mut guest = tree();
    for (path, flags, changed, time) in
        [("to_file", 0, "to_file", 5), ("to_file", FOLLOW, "file", 6), ("to_dir/", 0, "dir", 7), (".", 0, ".", 8)]
    {
        let before = guest.stat_path(WORK, 0, changed).unwrap();
        let [address, bytes] = guest.path(path);
        guest.gives("path_filestat_set_times", &[WORK, flags, address, bytes, 99, time, 4], &[]);
        let after = guest.stat_path(WORK, 0, changed).unwrap();
        assert_eq!((after.accessed, after.modified), (before.accessed, time), "{path}");
    }
}

#[test]
fn setting_times_fails_as_the_standard_says() {
    let mut guest = tree();
    for (path, flags, fst_flags, errno) in [
        ("nothing", 0, 4, NOENT),
        ("to_nothing", FOLLOW, 4, NOENT),
        ("file/", 0, 4, NOTDIR),
        ("file", 2, 4, INVAL),
        ("file", 0, 3, INVAL),
        ("file", 0, 12, INVAL),
        ("file", 0, 16, INVAL),
        ("", 0, 4, NOENT),
    ] {
        let [path, bytes] = guest.path(path);
        guest.fails("path_filestat_set_times", &[WORK, flags, path, bytes, 1, 1, fst_flags], errno);
    }
    let [path, bytes] = guest.path("file");
    guest.gives("path_filestat_set_times", &[WORK, 0, path, bytes, u64::MAX, u64::MAX, 5], &[]);
    assert!(guest.stat_path(WORK, 0, "file").unwrap().modified > 1 << 63);
}

// Descriptors and rights.

/// Every operation on a path, with arguments that would do if the descriptor did.
const OPERATIONS: [(&str, &[usize]); 10] = [
    ("path_create_directory", &[0]),
    ("path_filestat_get", &[0]),
    ("path_filestat_set_times", &[0]),
    ("path_link", &[0, 4]),
    ("path_open", &[0]),
    ("path_readlink", &[0]),
    ("path_remove_directory", &[0]),
    ("path_rename", &[0, 3]),
    ("path_symlink", &[2]),
    ("path_unlink_file", &[0]),
];

fn arguments(guest: &mut Guest, name: &str) -> Vec<u64> {
    let ([old, old_bytes], [new, new_bytes]) = (guest.path("file"), guest.path2("new"));
    match name {
        "path_create_directory" => vec![WORK, new, new_bytes],
        "path_filestat_get" => vec![WORK, 0, old, old_bytes, RESULT],
        "path_filestat_set_times" => vec![WORK, 0, old, old_bytes, 0, 0, 0],
        "path_link" => vec![WORK, 0, old, old_bytes, WORK, new, new_bytes],
        "path_open" => vec![WORK, 0, old, old_bytes, CREAT | TRUNC, READ, 0, 0, RESULT],
        "path_readlink" => vec![WORK, old, old_bytes, BUF, 100, RESULT],
        "path_rename" => vec![WORK, old, old_bytes, WORK, new, new_bytes],
        "path_symlink" => vec![old, old_bytes, WORK, new, new_bytes],
        _ => vec![WORK, old, old_bytes],
    }
}

#[test]
fn a_descriptor_that_is_no_directory_holds_no_paths() {
    let mut guest = tree();
    let file = guest.open_file("file");
    for (name, descriptors) in OPERATIONS {
        for &at in descriptors {
            for (fd, errno) in [(CLOSED, BADF), (0xffff_ffff, BADF), (file, NOTDIR), (0, NOTDIR), (1, NOTDIR)] {
                let mut arguments = arguments(&mut guest, name);
                arguments[at] = fd;
                guest.fails(name, &arguments, errno);
            }
        }
    }
    assert_eq!(read(guest.disk.work("file")), "contents");
}

#[test]
fn a_directory_whose_rights_were_given_up_does_nothing() {
    for (name, descriptors) in OPERATIONS {
        for &at in descriptors {
            let mut guest = tree();
            let powerless = guest.open(WORK, ".", DIRECTORY, READ, 0);
            guest.gives("fd_fdstat_set_rights", &[powerless, 0, 0], &[]);
            let mut arguments = arguments(&mut guest, name);
            arguments[at] = powerless;
            guest.fails(name, &arguments, NOTCAPABLE);
            assert_eq!(read(guest.disk.work("file")), "contents");
            assert!(!guest.disk.work("new").exists());
        }
    }
}

#[test]
fn a_path_is_read_from_wherever_it_is_in_memory() {
    let mut guest = tree();
    let end = guest.bytes().len() as u64 - 4;
    guest.write(end, b"file");
    guest.writes("path_filestat_get", &[WORK, 0, end, 4, PATH], &[(PATH, 64)]);
    // A result over the path itself: read first, written last.
    guest.write(PATH, b"file");
    guest.writes("path_filestat_get", &[WORK, 0, PATH, 4, PATH], &[(PATH, 64)]);
    assert_eq!(guest.u64_at(PATH + 32), 8);
}
