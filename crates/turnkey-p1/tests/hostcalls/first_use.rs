//! What a descriptor is may be found out only when it is first used. No guest can tell: whatever call is the first, it does
//! what it would have done later.

use turnkey_core::clocks::ClockGrant;

use crate::harness::signatures::{Parameter, SIGNATURES};
use crate::harness::{
    BUF, DIRECTORY, EVENTS, FIRST, Guest, IOVS, PATH, PATH2, READ, READ_WRITE, RESULT, RESULT2, SUBS, Setup, WORK,
};

/// What is opened: how, and with which flags.
const OPENED: [(&str, u64, u64); 5] =
    [("file", 0, READ_WRITE), ("file", 0, READ), ("file", 0, 0), ("dir", 0, READ), ("dir", DIRECTORY, READ)];

/// A guest in which two runs do the same to the byte.
fn guest() -> Guest {
    let mut setup = Setup::new().file("file", "0123456789").file("dir/file", "inner").link("file", "link");
    setup.grants.deterministic_files = true;
    setup.grants.clock = ClockGrant { resolution_ns: 1, frozen_at_ns: Some(0) };
    setup.start()
}

/// Arguments of which only the descriptor at one place is left to be said; the others are the directory's.
fn arguments(guest: &mut Guest, parameters: &[Parameter], at: usize, fd: u64) -> Vec<u64> {
    guest.iovs(&[(BUF, 4)]);
    guest.write(PATH, b"file");
    guest.write(PATH2, b"name");
    let mut texts = [PATH, PATH2].into_iter();
    let mut results = [RESULT, RESULT2].into_iter();
    let mut chosen = vec![0; parameters.len()];
    for (number, parameter) in parameters.iter().enumerate() {
        match parameter {
            Parameter::Fd => chosen[number] = if number == at { fd } else { WORK },
            Parameter::Text => (chosen[number], chosen[number + 1]) = (texts.next().unwrap(), 4),
            Parameter::Room => (chosen[number], chosen[number + 1]) = (BUF, 200),
            Parameter::Gather | Parameter::Scatter => (chosen[number], chosen[number + 1]) = (IOVS, 1),
            Parameter::Result(_) => chosen[number] = results.next().unwrap(),
            Parameter::Long => chosen[number] = 3,
            _ => {}
        }
    }
    chosen
}

/// Opens, makes the call, and tells all that can be told of it; `known`: the descriptor has been used before.
fn run(name: &str, parameters: &[Parameter], at: usize, opened: (&str, u64, u64), known: bool) -> (u32, Vec<u8>) {
    let mut guest = guest();
    // The numbers of inodes are counted as they are met, so that both runs meet them in the same order.
    for path in [".", "file", "dir", "dir/file", "link"] {
        guest.stat_path(WORK, 0, path).unwrap();
    }
    let fd = guest.open(WORK, opened.0, opened.1, opened.2, 0);
    assert_eq!(fd, FIRST);
    if known {
        guest.stat(fd);
        guest.call("fd_fdstat_get", &[fd, RESULT]);
    }
    guest.fill(0xa5);
    let arguments = arguments(&mut guest, parameters, at, fd);
    let errno = guest.call(name, &arguments);
    (errno, guest.bytes().to_vec())
}

#[test]
fn the_first_call_on_a_descriptor_is_like_any_other() {
    for (name, parameters) in SIGNATURES {
        for (at, _) in parameters.iter().enumerate().filter(|(_, parameter)| **parameter == Parameter::Fd) {
            for opened in OPENED {
                let (first, later) =
                    (run(name, parameters, at, opened, false), run(name, parameters, at, opened, true));
                assert_eq!(first.0, later.0, "{name}, parameter {at}, {opened:?}");
                // Not compared by a message that would print them.
                assert!(first.1 == later.1, "{name}, parameter {at}, {opened:?}");
            }
        }
    }
}

#[test]
fn a_wait_is_for_what_the_descriptor_is() {
    for known in [false, true] {
        for (opened, errno) in [(OPENED[0], 0), (OPENED[3], 8), (OPENED[4], 8)] {
            let mut guest = guest();
            let fd = guest.open(WORK, opened.0, opened.1, opened.2, 0);
            if known {
                guest.stat(fd);
            }
            let mut subscription = [0; 48];
            subscription[8] = 1;
            subscription[16] = fd as u8;
            guest.write(SUBS, &subscription);
            assert_eq!(guest.call("poll_oneoff", &[SUBS, EVENTS, 1, RESULT]), 0);
            let bytes = if errno == 0 { 10 } else { 0 };
            assert_eq!((guest.read(EVENTS + 8, 1)[0], guest.u64_at(EVENTS + 16)), (errno, bytes), "{opened:?}");
        }
    }
}

#[test]
fn a_number_that_is_moved_or_closed_before_it_is_used_is_none_the_worse() {
    let mut guest = guest();
    for (path, oflags, rights) in OPENED {
        let (from, to) = (guest.open(WORK, path, oflags, rights, 0), guest.open(WORK, path, oflags, rights, 0));
        guest.gives("fd_renumber", &[from, to], &[]);
        let filetype = if path == "dir" { 3 } else { 4 };
        assert_eq!(guest.stat(to).filetype, filetype);
        guest.gives("fd_close", &[to], &[]);
        let unused = guest.open(WORK, path, oflags, rights, 0);
        guest.gives("fd_close", &[unused], &[]);
    }
}
