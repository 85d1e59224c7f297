//! `fd_readdir`.

use std::collections::BTreeMap;

use crate::harness::errno::{BADF, INVAL, NOTCAPABLE, NOTDIR};
use crate::harness::{BUF, CLOSED, DIRECTORY, FIXED, Guest, READ, RESULT, Setup, WORK};

const HEADER: usize = 24;

const UNKNOWN: u8 = 0;
const DIRECTORY_TYPE: u8 = 3;
const REGULAR_FILE: u8 = 4;
const SYMBOLIC_LINK: u8 = 7;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    next: u64,
    inode: u64,
    kind: u8,
    name: Vec<u8>,
}

/// One call; what of the room was used. Nothing behind that may be written.
#[track_caller]
fn read(guest: &mut Guest, fd: u64, room: u64, cookie: u64) -> Vec<u8> {
    guest.fill(0xa5);
    guest.writes("fd_readdir", &[fd, BUF, room, cookie, RESULT], &[(BUF, room), (RESULT, 4)]);
    let used = guest.u32_at(RESULT) as usize;
    assert!(used as u64 <= room);
    assert!(guest.read(BUF + used as u64, room as usize - used).iter().all(|&byte| byte == 0xa5));
    guest.read(BUF, used)
}

/// The entries that are whole, as wasi-libc takes them out.
fn whole(bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut left = bytes;
    while let Some((header, rest)) = left.split_at_checked(HEADER) {
        let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
        let name_bytes = u32::from_le_bytes(header[16..20].try_into().unwrap()) as usize;
        let Some((name, rest)) = rest.split_at_checked(name_bytes) else {
            break;
        };
        assert_eq!(header[21..24], [0; 3], "padding must not carry bytes of the host");
        entries.push(Entry { next: number(0), inode: number(8), kind: header[20], name: name.to_vec() });
        left = rest;
    }
    entries
}

/// The whole listing, with so much room in each call: where not one entry fits, the room is doubled.
fn list(guest: &mut Guest, fd: u64, room: u64) -> Vec<Entry> {
    let (mut all, mut cookie, mut now) = (Vec::new(), 0, room);
    loop {
        let bytes = read(guest, fd, now, cookie);
        let entries = whole(&bytes);
        let ended = (bytes.len() as u64) < now;
        match entries.last() {
            Some(last) => {
                (cookie, now) = (last.next, room);
                all.extend(entries);
            }
            None => now = now.max(1) * 2,
        }
        if ended {
            return all;
        }
    }
}

fn names(entries: &[Entry]) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
    names.sort_unstable();
    names
}

fn directory(sorted: bool) -> Guest {
    let mut setup = Setup::new().file("dir/file", "").directory("dir/inner").link("nowhere", "dir/link");
    setup.grants.deterministic_files = sorted;
    setup.start()
}

fn open(guest: &mut Guest) -> u64 {
    guest.open(WORK, "dir", DIRECTORY, READ, 0)
}

const BOTH: [bool; 2] = [false, true];

#[test]
fn a_listing_has_every_entry_once_with_its_kind_and_inode() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let entries = list(&mut guest, fd, 4096);
        assert_eq!(names(&entries), [&b"."[..], b"..", b"file", b"inner", b"link"]);
        let found: BTreeMap<_, _> = entries.iter().map(|entry| (entry.name.as_slice(), entry)).collect();
        for (name, kind) in
            [("file", REGULAR_FILE), ("inner", DIRECTORY_TYPE), ("link", SYMBOLIC_LINK), (".", DIRECTORY_TYPE)]
        {
            let entry = found[name.as_bytes()];
            assert_eq!(entry.kind, kind, "{name}");
            assert_eq!(entry.inode, guest.stat_path(fd, 0, name).unwrap().inode, "{name}");
        }
        // Its parent is the guest's own.
        assert_eq!(found[&b".."[..]].inode, guest.stat(WORK).inode);
    }
}

#[test]
fn the_parent_of_a_preopen_is_not_the_guests_to_know() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        for fd in [WORK, FIXED] {
            let own = guest.stat(fd).inode;
            let entries = list(&mut guest, fd, 4096);
            for name in [&b"."[..], b".."] {
                let entry = entries.iter().find(|entry| entry.name == name).unwrap();
                assert_eq!((entry.inode, entry.kind), (own, DIRECTORY_TYPE));
            }
        }
    }
}

#[test]
fn a_listing_is_the_same_whatever_the_room() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let expected = list(&mut guest, fd, 4096);
        for room in (0..=64).chain([100, 1000]) {
            assert_eq!(list(&mut guest, fd, room), expected, "{room} bytes");
        }
    }
}

#[test]
fn an_entry_that_does_not_fit_is_cut_and_comes_again() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let all = read(&mut guest, fd, 4096, 0);
        for room in [0, 1, 8, 20, 21, 22, 23, 24, 25, 26, 49, 50, 51, 60] {
            let cut = read(&mut guest, fd, room, 0);
            assert_eq!(cut, all[..room as usize], "{room} bytes");
        }
    }
}

#[test]
fn room_that_is_just_enough_is_used_up_and_the_end_comes_with_the_next_call() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let all = read(&mut guest, fd, 4096, 0);
        let exact = read(&mut guest, fd, all.len() as u64, 0);
        assert_eq!(exact, all);
        let last = whole(&exact).last().unwrap().next;
        assert_eq!(read(&mut guest, fd, 4096, last), b"");
        assert_eq!(read(&mut guest, fd, 4096, last), b"", "the end stays the end");
    }
}

#[test]
fn a_cookie_leads_back_to_where_it_came_from() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let entries = list(&mut guest, fd, 4096);
        for at in (0..entries.len()).rev().chain(0..entries.len()) {
            let from_here = whole(&read(&mut guest, fd, 4096, entries[at].next));
            assert_eq!(from_here, entries[at + 1..]);
        }
    }
}

#[test]
fn a_cookie_of_a_listing_is_good_for_another_descriptor_of_the_directory() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let (one, other) = (open(&mut guest), open(&mut guest));
        let entries = list(&mut guest, one, 4096);
        assert_eq!(whole(&read(&mut guest, other, 4096, entries[1].next)), entries[2..], "sorted: {sorted}");
    }
}

#[test]
fn a_listing_goes_on_however_the_directory_changes_and_begins_anew_with_what_is_there() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let before = list(&mut guest, fd, 4096);
        let cookie = before[1].next;
        std::fs::write(guest.disk.work("dir/new"), "").unwrap();
        std::fs::remove_file(guest.disk.work("dir/file")).unwrap();
        // What was there all the time and had not been shown is shown now, whatever else is.
        let rest = whole(&read(&mut guest, fd, 4096, cookie));
        for entry in before[2..].iter().filter(|entry| entry.name != b"file") {
            assert_eq!(rest.iter().filter(|found| found.name == entry.name).count(), 1, "{entry:?}");
        }
        let anew = list(&mut guest, fd, 4096);
        assert_eq!(names(&anew), [&b"."[..], b"..", b"inner", b"link", b"new"]);
    }
}

#[test]
fn a_directory_that_is_removed_while_it_is_listed_ends() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        let shown = whole(&read(&mut guest, fd, 60, 0));
        std::fs::remove_dir_all(guest.disk.work("dir")).unwrap();
        let rest = whole(&read(&mut guest, fd, 4096, shown.last().unwrap().next));
        assert!(shown.len() + rest.len() <= 5);
        assert_eq!(list(&mut guest, fd, 4096), []);
    }
}

#[test]
fn a_big_directory_is_listed_whole_through_little_room() {
    for sorted in BOTH {
        let mut setup = Setup::new().file("file", "").directory("dir");
        setup.grants.deterministic_files = sorted;
        // Names of all lengths, in more records than are read at once. As names of one file they are made quickly.
        let expected: Vec<String> =
            (0..1000).map(|number| format!("{number:04}{}", "n".repeat(number % 251))).collect();
        for name in &expected {
            std::fs::hard_link(setup.disk.work("file"), setup.disk.work("dir").join(name)).unwrap();
        }
        let mut guest = setup.start();
        let fd = open(&mut guest);
        let entries = list(&mut guest, fd, 1000);
        let found = names(&entries);
        assert!(found[2..].iter().map(Vec::as_slice).eq(expected.iter().map(String::as_bytes)), "{}", found.len());
        // Far back, beyond what is still at hand.
        let [early, late] = [&entries[10], &entries[900]].map(|entry| entry.next);
        assert_eq!(whole(&read(&mut guest, fd, 400, early))[0], entries[11]);
        assert_eq!(whole(&read(&mut guest, fd, 400, late))[0], entries[901]);
        assert_eq!(whole(&read(&mut guest, fd, 400, early))[0], entries[11]);
    }
}

#[test]
fn a_sorted_listing_is_sorted_and_counted_the_same_in_every_run() {
    let listing = || {
        let mut guest = directory(true);
        let fd = open(&mut guest);
        list(&mut guest, fd, 4096)
    };
    let entries = listing();
    let in_order: Vec<_> = entries.iter().map(|entry| entry.name.as_slice()).collect();
    assert_eq!(in_order, [&b"."[..], b"..", b"file", b"inner", b"link"]);
    assert_eq!(entries, listing());
}

#[test]
fn names_are_the_hosts_bytes_also_where_they_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let longest = [0xff; 255];
        for name in [&b"\xff\xfe"[..], b"a\nb", &longest] {
            std::fs::write(guest.disk.work("dir").join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let fd = open(&mut guest);
        let found = names(&list(&mut guest, fd, 24));
        for name in [&b"\xff\xfe"[..], b"a\nb", &longest] {
            assert!(found.iter().any(|found| found == name), "{name:?}");
        }
    }
}

#[test]
fn what_is_neither_a_file_nor_a_directory_is_listed_all_the_same() {
    let mut guest = directory(false);
    let path = guest.disk.work("dir/socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(guest.disk.work("dir/fifo")).status().unwrap().success());
    let fd = open(&mut guest);
    let entries = list(&mut guest, fd, 4096);
    let kind = |name: &[u8]| entries.iter().find(|entry| entry.name == name).unwrap().kind;
    assert_eq!((kind(b"fifo"), kind(b"socket")), (UNKNOWN, 6));
}

#[test]
fn only_directories_are_listed() {
    let mut guest = Setup::new().file("file", "").start();
    let file = guest.open_file("file");
    for (fd, errno) in [(file, NOTDIR), (0, NOTDIR), (1, NOTDIR), (CLOSED, BADF)] {
        guest.fails("fd_readdir", &[fd, BUF, 100, 0, RESULT], errno);
    }
    guest.gives("fd_fdstat_set_rights", &[FIXED, 0, 0], &[]);
    let errno = guest.call("fd_readdir", &[FIXED, BUF, 100, 0, RESULT]);
    assert_eq!(errno, NOTCAPABLE);
}

#[test]
fn a_cookie_that_never_was_one_is_an_error_or_the_end_and_nothing_worse() {
    for sorted in BOTH {
        let mut guest = directory(sorted);
        let fd = open(&mut guest);
        for cookie in [5, 1 << 31, 1 << 62, i64::MAX as u64] {
            guest.call("fd_readdir", &[fd, BUF, 4096, cookie, RESULT]);
        }
        for cookie in [1 << 63, u64::MAX] {
            let errno = guest.call("fd_readdir", &[fd, BUF, 4096, cookie, RESULT]);
            assert!(errno == INVAL || (errno == 0 && guest.u32_at(RESULT) == 0), "{cookie:#x}: {errno}");
        }
        assert_eq!(list(&mut guest, fd, 4096).len(), 5, "the listing still works");
    }
}

#[test]
fn a_room_over_the_place_of_its_size_keeps_the_size() {
    let mut guest = directory(true);
    let fd = open(&mut guest);
    assert_eq!(guest.call("fd_readdir", &[fd, BUF, 100, 0, BUF + 50]), 0);
    assert_eq!(guest.u32_at(BUF + 50), 100);
}
