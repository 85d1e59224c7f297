//! Preview 0, where it differs: how `whence` is numbered, two smaller records, longer subscriptions, no `sock_accept`.

use turnkey_p1::Generation;

use crate::harness::errno::{INVAL, NOENT};
use crate::harness::{BUF, EVENTS, FOLLOW, Guest, RESULT, SUBS, Setup, WORK};

fn preview0() -> Setup {
    let mut setup = Setup::new().file("file", "0123456789").link("file", "link");
    setup.generation = Generation::Preview0;
    setup
}

#[test]
fn a_position_is_set_with_the_old_numbers() {
    let mut guest = preview0().start();
    let fd = guest.open_file("file");
    for (offset, whence, position) in [(4, 2, 4u64), (3, 0, 7), (u64::MAX, 1, 9), (0, 0, 9)] {
        guest.gives("fd_seek", &[fd, offset, whence, RESULT], &[(RESULT, &position.to_le_bytes())]);
    }
    guest.fails("fd_seek", &[fd, 0, 3, RESULT], INVAL);
    guest.fails("fd_seek", &[fd, u64::MAX, 2, RESULT], INVAL);
}

/// The record of `filestat`, checked against the fields it should have.
#[track_caller]
fn check(guest: &Guest, filetype: u8, links: u32, size: u64, modified: u64) {
    let record = guest.read(RESULT, 56);
    assert_eq!((record[16], &record[17..20]), (filetype, &[0; 3][..]), "kind and padding");
    assert_eq!(u32::from_le_bytes(record[20..24].try_into().unwrap()), links);
    assert_eq!(u64::from_le_bytes(record[24..32].try_into().unwrap()), size);
    assert_eq!(u64::from_le_bytes(record[40..48].try_into().unwrap()), modified);
}

#[test]
fn what_a_file_is_fits_the_smaller_record() {
    let mut guest = preview0().start();
    std::fs::hard_link(guest.disk.work("file"), guest.disk.work("second")).unwrap();
    let fd = guest.open_file("file");
    guest.gives("fd_filestat_set_times", &[fd, 1, 2_000_000_003, 4], &[]);
    guest.fill(0xa5);
    guest.writes("fd_filestat_get", &[fd, RESULT], &[(RESULT, 56)]);
    check(&guest, 4, 2, 10, 2_000_000_003);
    let by_descriptor = guest.read(RESULT, 56);
    for (path, flags) in [("file", 0), ("second", 0), ("link", FOLLOW)] {
        guest.fill(0xa5);
        let [path, bytes] = guest.path(path);
        guest.gives("path_filestat_get", &[WORK, flags, path, bytes, RESULT], &[(RESULT, &by_descriptor)]);
    }
    let [path, bytes] = guest.path("link");
    guest.writes("path_filestat_get", &[WORK, 0, path, bytes, RESULT], &[(RESULT, 56)]);
    assert_eq!(guest.read(RESULT + 16, 1), [7]);
    let [path, bytes] = guest.path("nothing");
    guest.fails("path_filestat_get", &[WORK, 0, path, bytes, RESULT], NOENT);
}

#[test]
fn a_clock_is_subscribed_to_with_an_identifier_before_it() {
    let mut guest = preview0().start();
    let mut clock = [0xa5; 56];
    clock[..8].copy_from_slice(&7u64.to_le_bytes());
    clock[8] = 0;
    // Where Preview 1 has its clock's number, there is an identifier here, which means nothing.
    clock[24..28].copy_from_slice(&1u32.to_le_bytes());
    clock[32..40].copy_from_slice(&0u64.to_le_bytes());
    clock[48..50].copy_from_slice(&[0, 0]);
    let mut descriptor = [0xa5; 56];
    descriptor[..8].copy_from_slice(&8u64.to_le_bytes());
    descriptor[8] = 2;
    descriptor[16..20].copy_from_slice(&1u32.to_le_bytes());
    guest.write(SUBS, &[clock, descriptor].concat());
    let mut events = [0; 64];
    (events[0], events[32], events[42]) = (7, 8, 2);
    guest.gives("poll_oneoff", &[SUBS, EVENTS, 2, RESULT], &[(EVENTS, &events), (RESULT, &[2, 0, 0, 0])]);
    clock[24..28].copy_from_slice(&4u32.to_le_bytes());
    guest.write(SUBS, &clock);
    guest.fails("poll_oneoff", &[SUBS, EVENTS, 1, RESULT], INVAL);
    guest.fails("poll_oneoff", &[SUBS, EVENTS, 0, RESULT], INVAL);
}

#[test]
fn an_absolute_time_has_its_flag_in_the_old_place() {
    let mut guest = preview0().start();
    let mut clock = [0; 56];
    clock[32..40].copy_from_slice(&1u64.to_le_bytes());
    // One nanosecond after 1970 was a while ago; as a span from now it would be over nearly as soon, so it is the long
    // one that tells.
    clock[48] = 1;
    guest.write(SUBS, &clock);
    guest.writes("poll_oneoff", &[SUBS, EVENTS, 1, RESULT], &[(EVENTS, 32), (RESULT, 4)]);
    clock[32..40].copy_from_slice(&1_000_000_000_000_000_000u64.to_le_bytes());
    guest.write(SUBS, &clock);
    guest.writes("poll_oneoff", &[SUBS, EVENTS, 1, RESULT], &[(EVENTS, 32), (RESULT, 4)]);
}

#[test]
fn what_does_not_differ_works_as_in_preview_1() {
    let mut guest = preview0().start();
    let fd = guest.open_file("file");
    assert_eq!(guest.read_fd(fd, 4), Ok(b"0123".to_vec()));
    assert_eq!(guest.write_fd(fd, b"abc"), Ok(3));
    assert_eq!(guest.tell(fd), 7);
    guest.writes("fd_readdir", &[WORK, BUF, 100, 0, RESULT], &[(BUF, 100), (RESULT, 4)]);
    guest.gives("fd_prestat_dir_name", &[WORK, BUF, 5], &[(BUF, b"/work")]);
}

#[test]
fn a_function_of_preview_1_alone_is_not_there() {
    assert!(!Generation::Preview0.has("sock_accept"));
    assert!(Generation::Preview1.has("sock_accept"));
    let text = r#"(module (import "wasi_unstable" "sock_accept" (func (param i32 i32 i32) (result i32))))"#;
    assert!(preview0().start_module(&crate::harness::compile(text), None).is_err());
}
