//! What a guest may have open and may make the host hold, each at its limit, one below and one above; and that what was
//! refused has done nothing.

use turnkey_core::limits::Limit;
use turnkey_core::{Capabilities, ErrorCode, Limits};
use turnkey_p1::Preview1;

use crate::harness::errno::{NFILE, NOMEM};
use crate::harness::{BUF, CREAT, DIRECTORY, EVENTS, FIRST, Guest, READ, RESULT, SUBS, Setup, TRUNC, WORK, WRITE};

/// Bytes that the host charges for a descriptor, a listing, and a subscription.
const DESCRIPTOR: u64 = 512;
const LISTING: u64 = 32 << 10;
const SUBSCRIPTION: u64 = 96;

/// Streams and directories that every guest here finds open.
const FOUND_OPEN: u32 = 5;

fn with(limits: Limits) -> Guest {
    let mut setup = Setup::new().file("file", "contents").directory("dir");
    setup.limits = limits;
    setup.start()
}

fn descriptors(descriptors: u32) -> Limits {
    Limits { descriptors, ..Limits::default() }
}

fn host_bytes(host_bytes: u64) -> Limits {
    Limits { host_bytes, ..Limits::default() }
}

/// Both limits that the host's memory for a guest is held to.
fn both(bytes: u64) -> [Limits; 2] {
    [host_bytes(bytes), Limits { memory_bytes: Some(bytes), ..Limits::default() }]
}

// Descriptors.

#[test]
fn as_many_descriptors_are_open_as_are_allowed_and_not_one_more() {
    for more in 0..3 {
        let mut guest = with(descriptors(FOUND_OPEN + more));
        for number in 0..more {
            assert_eq!(guest.open_file("file"), FIRST + u64::from(number));
        }
        assert_eq!(guest.try_open(WORK, "file", 0, READ, 0), Err(NFILE));
        assert_eq!(guest.store.data().host.budget.met(), Some(Limit::Descriptors));
        // One that is closed makes room for one.
        guest.gives("fd_close", &[0], &[]);
        assert_eq!(guest.open_file("file"), 0);
        assert_eq!(guest.try_open(WORK, "file", 0, READ, 0), Err(NFILE));
    }
}

#[test]
fn what_could_not_be_given_a_number_is_neither_made_nor_emptied() {
    let mut guest = with(descriptors(FOUND_OPEN));
    assert_eq!(guest.try_open(WORK, "new", CREAT, WRITE, 0), Err(NFILE));
    assert_eq!(guest.try_open(WORK, "file", TRUNC, WRITE, 0), Err(NFILE));
    assert!(!guest.disk.work("new").exists());
    assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"contents");
}

#[test]
fn renumbering_needs_no_room_and_makes_some() {
    let mut guest = with(descriptors(FOUND_OPEN + 1));
    let fd = guest.open_file("file");
    guest.gives("fd_renumber", &[fd, 0], &[]);
    assert_eq!(guest.open_file("file"), fd);
    assert_eq!(guest.try_open(WORK, "file", 0, READ, 0), Err(NFILE));
}

#[test]
fn no_guest_starts_with_more_than_it_may_have() {
    for (limit, directories, starts) in [(5, 2, true), (4, 2, false), (3, 0, true), (2, 0, false), (0, 0, false)] {
        let Setup { mut grants, disk, .. } = Setup::new();
        grants.directories.truncate(directories);
        let mut host = Capabilities::new(grants, descriptors(limit)).unwrap();
        let made = Preview1::new(&mut host, None).map(drop);
        let expected = if starts { Ok(()) } else { Err(ErrorCode::TooManyDescriptors) };
        assert_eq!(made, expected, "{limit} descriptors, {directories} directories");
        drop(disk);
    }
}

// Memory of the host.

#[test]
fn a_descriptor_is_charged_to_the_byte_and_given_back() {
    for limits in both(u64::from(FOUND_OPEN + 1) * DESCRIPTOR) {
        let mut guest = with(limits);
        for _ in 0..3 {
            let fd = guest.open_file("file");
            assert_eq!(guest.try_open(WORK, "file", 0, READ, 0), Err(NOMEM));
            assert_eq!(guest.store.data().host.budget.met(), Some(Limit::Memory));
            guest.gives("fd_close", &[fd], &[]);
        }
    }
    for limits in both(u64::from(FOUND_OPEN + 1) * DESCRIPTOR - 1) {
        assert_eq!(with(limits).try_open(WORK, "file", 0, READ, 0), Err(NOMEM));
    }
}

#[test]
fn what_could_not_be_paid_for_is_neither_made_nor_emptied() {
    for limits in both(u64::from(FOUND_OPEN) * DESCRIPTOR) {
        let mut guest = with(limits);
        assert_eq!(guest.try_open(WORK, "new", CREAT, WRITE, 0), Err(NOMEM));
        assert_eq!(guest.try_open(WORK, "file", TRUNC, WRITE, 0), Err(NOMEM));
        assert!(!guest.disk.work("new").exists());
        assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"contents");
    }
}

#[test]
fn a_listing_is_charged_once_and_given_back_when_its_directory_is_closed() {
    let needed = u64::from(FOUND_OPEN + 1) * DESCRIPTOR + LISTING;
    for limits in both(needed) {
        let mut guest = with(limits);
        for _ in 0..3 {
            let fd = guest.open(WORK, "dir", DIRECTORY, READ, 0);
            for _ in 0..3 {
                guest.writes("fd_readdir", &[fd, BUF, 100, 0, RESULT], &[(BUF, 100), (RESULT, 4)]);
            }
            guest.fails("fd_readdir", &[WORK, BUF, 100, 0, RESULT], NOMEM);
            guest.gives("fd_close", &[fd], &[]);
        }
    }
    for limits in both(needed - 1) {
        let mut guest = with(limits);
        let fd = guest.open(WORK, "dir", DIRECTORY, READ, 0);
        guest.fails("fd_readdir", &[fd, BUF, 100, 0, RESULT], NOMEM);
    }
}

#[test]
fn a_sorted_listing_is_charged_by_its_names_and_given_back() {
    let mut setup = Setup::new().directory("dir");
    for number in 0..200 {
        std::fs::write(setup.disk.work(&format!("dir/{number}")), "").unwrap();
    }
    setup.grants.deterministic_files = true;
    setup.limits = host_bytes(u64::from(FOUND_OPEN + 1) * DESCRIPTOR + 200 * 64);
    let mut guest = setup.start();
    let before = guest.store.data().host.budget.used();
    for _ in 0..3 {
        let fd = guest.open(WORK, "dir", DIRECTORY, READ, 0);
        guest.fails("fd_readdir", &[fd, BUF, 1000, 0, RESULT], NOMEM);
        guest.gives("fd_close", &[fd], &[]);
        assert_eq!(guest.store.data().host.budget.used(), before);
    }
}

#[test]
fn inode_numbers_that_are_counted_are_charged() {
    let mut setup = Setup::new().file("one", "").file("two", "");
    setup.grants.deterministic_files = true;
    setup.limits = host_bytes(u64::from(FOUND_OPEN) * DESCRIPTOR + 64);
    let mut guest = setup.start();
    guest.stat_path(WORK, 0, "one").unwrap();
    assert_eq!(guest.stat_path(WORK, 0, "two"), Err(NOMEM));
    guest.stat_path(WORK, 0, "one").unwrap();
}

#[test]
fn subscriptions_are_charged_while_the_call_lasts() {
    for (more, errno) in [(0, 0), (1, NOMEM)] {
        let mut guest = with(host_bytes(u64::from(FOUND_OPEN) * DESCRIPTOR + 4 * SUBSCRIPTION - more));
        // Four timers that are over at once.
        guest.write(SUBS, &[0; 4 * 48]);
        for _ in 0..3 {
            assert_eq!(guest.call("poll_oneoff", &[SUBS, EVENTS, 4, RESULT]), errno);
        }
    }
}

#[test]
fn as_many_subscriptions_are_taken_as_are_allowed_and_not_one_more() {
    let mut guest = with(Limits { subscriptions: 4, ..Limits::default() });
    guest.write(SUBS, &[0; 5 * 48]);
    for (count, errno) in [(3, 0), (4, 0), (5, NOMEM)] {
        assert_eq!(guest.call("poll_oneoff", &[SUBS, EVENTS, count, RESULT]), errno, "{count}");
    }
}

#[test]
fn a_guest_that_fails_ten_thousand_times_has_used_nothing() {
    let mut guest = with(Limits { refusals: 3, ..Limits::default() });
    let before = guest.store.data().host.budget.used();
    for number in 0..10_000 {
        let [path, bytes] = guest.path(format!("../{number}"));
        guest.try_call("path_open", &[WORK, 0, path, bytes, 0, READ, 0, 0, RESULT]).unwrap();
    }
    let host = &guest.store.data().host;
    assert_eq!((host.budget.used(), host.audit.refusals().len(), host.audit.dropped()), (before, 3, 9_997));
}
