//! `fd_advise`, `fd_allocate`, `fd_close`, `fd_fdstat_get`, `fd_fdstat_set_flags`, `fd_fdstat_set_rights`,
//! `fd_filestat_get`, `fd_filestat_set_size`, `fd_filestat_set_times`, `fd_prestat_get`, `fd_prestat_dir_name`,
//! `fd_renumber`.

use std::fs::FileTimes;
use std::io::pipe;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turnkey_core::clocks::ClockGrant;
use turnkey_core::stream::StreamGrant;

use crate::harness::errno::{BADF, FBIG, INVAL, ISDIR, NAMETOOLONG, NOTCAPABLE, SPIPE};
use crate::harness::{
    APPEND, BUF, CLOSED, CREAT, DIRECTORY, FIRST, FIXED, Guest, NONBLOCK, READ, READ_WRITE, RESULT, Setup, WORK, WRITE,
};

const CHARACTER_DEVICE: u8 = 2;
const DIRECTORY_TYPE: u8 = 3;
const REGULAR_FILE: u8 = 4;

const FD_DATASYNC: u64 = 1 << 0;
const FD_SEEK: u64 = 1 << 2;
const FD_TELL: u64 = 1 << 5;
const FD_ALLOCATE: u64 = 1 << 8;
const PATH_OPEN: u64 = 1 << 13;
const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;

fn with(contents: &str) -> (Guest, u64) {
    let mut guest = Setup::new().file("file", contents).start();
    let fd = guest.open_file("file");
    (guest, fd)
}

/// Kind, flags, rights, and the rights that are inherited. The padding must be zero.
#[track_caller]
fn fdstat(guest: &mut Guest, fd: u64) -> (u8, u64, u64, u64) {
    guest.writes("fd_fdstat_get", &[fd, RESULT], &[(RESULT, 24)]);
    let record = guest.read(RESULT, 24);
    assert_eq!((record[1], &record[4..8]), (0, &[0; 4][..]), "padding");
    let flags = u64::from(u16::from_le_bytes([record[2], record[3]]));
    (record[0], flags, guest.u64_at(RESULT + 8), guest.u64_at(RESULT + 16))
}

// Advice and room.

#[test]
fn advice_is_taken_for_files_and_checked() {
    let (mut guest, fd) = with("abc");
    for advice in 0..=5 {
        guest.gives("fd_advise", &[fd, 0, 0, advice], &[]);
        guest.gives("fd_advise", &[fd, 1 << 40, 1 << 40, advice], &[]);
    }
    for (offset, bytes, advice) in
        [(0, 0, 6), (0, 0, 0xffff_ffff), (u64::MAX, 0, 0), (0, u64::MAX, 0), (u64::MAX, u64::MAX, 3), (1, 1 << 63, 0)]
    {
        guest.fails("fd_advise", &[fd, offset, bytes, advice], INVAL);
    }
    for (fd, errno) in [(WORK, ISDIR), (0, SPIPE), (CLOSED, BADF)] {
        guest.fails("fd_advise", &[fd, 0, 0, 0], errno);
    }
}

#[test]
fn room_that_is_made_makes_a_file_longer_and_never_shorter() {
    let (mut guest, fd) = with("abc");
    guest.gives("fd_allocate", &[fd, 1, 9], &[]);
    assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"abc\0\0\0\0\0\0\0");
    guest.gives("fd_allocate", &[fd, 0, 2], &[]);
    assert_eq!(guest.stat(fd).size, 10);
}

#[test]
fn room_that_cannot_be_is_refused_and_the_file_stays() {
    let (mut guest, fd) = with("abc");
    for (offset, bytes) in [(u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX), (0, 1 << 63), (i64::MAX as u64, 1)] {
        guest.fails("fd_allocate", &[fd, offset, bytes], FBIG);
    }
    guest.fails("fd_allocate", &[fd, 0, 0], INVAL);
    for (fd, errno) in [(WORK, ISDIR), (1, SPIPE), (CLOSED, BADF)] {
        guest.fails("fd_allocate", &[fd, 0, 1], errno);
    }
    let reader = guest.open(WORK, "file", 0, READ, 0);
    assert_ne!(guest.call("fd_allocate", &[reader, 0, 10]), 0);
    assert_eq!(guest.stat(fd).size, 3);
}

// Closing and numbering.

#[test]
fn a_closed_descriptor_is_closed_for_everything_and_its_number_is_given_again() {
    let (mut guest, fd) = with("abc");
    let second = guest.open_file("file");
    assert_eq!((fd, second), (FIRST, FIRST + 1));
    guest.gives("fd_close", &[fd], &[]);
    guest.fails("fd_close", &[fd], BADF);
    guest.fails("fd_tell", &[fd, RESULT], BADF);
    guest.fails("fd_close", &[0xffff_ffff], BADF);
    assert_eq!(guest.open_file("file"), fd);
    assert_eq!(guest.open_file("file"), second + 1);
}

#[test]
fn the_lowest_number_is_given_first_whatever_was_closed_last() {
    let mut guest = Setup::new().file("file", "").start();
    let fds: Vec<u64> = (0..6).map(|_| guest.open_file("file")).collect();
    for at in [1, 4, 2] {
        guest.gives("fd_close", &[fds[at]], &[]);
    }
    guest.gives("fd_close", &[0], &[]);
    let again: Vec<u64> = (0..5).map(|_| guest.open_file("file")).collect();
    assert_eq!(again, [0, fds[1], fds[2], fds[4], FIRST + 6]);
}

#[test]
fn a_stream_and_a_preopen_can_be_closed() {
    let mut guest = Guest::new();
    for fd in [0, 1, 2, WORK] {
        guest.gives("fd_close", &[fd], &[]);
    }
    guest.fails("fd_prestat_get", &[WORK, RESULT], BADF);
    assert_eq!(guest.try_open(WORK, "x", CREAT, WRITE, 0), Err(BADF));
}

#[test]
fn renumbering_moves_a_descriptor_with_its_position_and_closes_the_other() {
    let mut guest = Setup::new().file("one", "111").file("two", "222").start();
    let (one, two) = (guest.open_file("one"), guest.open_file("two"));
    guest.read_fd(one, 2).unwrap();
    guest.gives("fd_renumber", &[one, two], &[]);
    guest.fails("fd_tell", &[one, RESULT], BADF);
    assert_eq!(guest.tell(two), 2);
    assert_eq!(guest.read_fd(two, 9), Ok(b"1".to_vec()));
    assert_eq!(guest.open_file("two"), one, "the number that was left is free");
}

#[test]
fn renumbering_onto_itself_changes_nothing() {
    let (mut guest, fd) = with("abc");
    guest.read_fd(fd, 1).unwrap();
    guest.gives("fd_renumber", &[fd, fd], &[]);
    assert_eq!(guest.tell(fd), 1);
}

#[test]
fn renumbering_from_or_onto_what_is_not_open_is_refused() {
    let (mut guest, fd) = with("abc");
    for (from, to) in [(fd, CLOSED), (CLOSED, fd), (fd, fd + 1), (CLOSED, CLOSED), (fd, 0xffff_ffff), (0xffff_ffff, fd)]
    {
        guest.fails("fd_renumber", &[from, to], BADF);
    }
    assert_eq!(guest.read_fd(fd, 9), Ok(b"abc".to_vec()));
}

#[test]
fn renumbering_onto_a_preopen_takes_its_place_and_it_is_no_preopen_any_more() {
    let (mut guest, fd) = with("abc");
    guest.gives("fd_renumber", &[fd, WORK], &[]);
    assert_eq!(guest.read_fd(WORK, 9), Ok(b"abc".to_vec()));
    guest.fails("fd_prestat_get", &[WORK, RESULT], BADF);
    // A preopen that is moved takes its name with it.
    guest.gives("fd_renumber", &[FIXED, WORK], &[]);
    guest.gives("fd_prestat_get", &[WORK, RESULT], &[(RESULT, &[0, 0, 0, 0, 5, 0, 0, 0])]);
}

#[test]
fn renumbering_a_thousand_times_leaks_nothing() {
    let mut guest = Setup::new().file("file", "").directory("dir").start();
    let before = guest.store.data().host.budget.used();
    for _ in 0..1000 {
        let kept = guest.open(WORK, "dir", DIRECTORY, READ, 0);
        let moved = guest.open(WORK, "dir", DIRECTORY, READ, 0);
        for fd in [kept, moved] {
            assert_eq!(guest.call("fd_readdir", &[fd, BUF, 100, 0, RESULT]), 0);
        }
        guest.gives("fd_renumber", &[moved, kept], &[]);
        guest.gives("fd_close", &[kept], &[]);
    }
    assert_eq!(guest.store.data().host.budget.used(), before);
}

// What a descriptor is.

#[test]
fn a_file_says_how_it_was_opened() {
    let (mut guest, fd) = with("abc");
    let (kind, flags, rights, inheriting) = fdstat(&mut guest, fd);
    assert_eq!((kind, flags, inheriting), (REGULAR_FILE, 0, 0));
    assert_eq!(rights & READ_WRITE, READ_WRITE);
    let reader = guest.open(WORK, "file", 0, READ, 0);
    let (_, _, rights, _) = fdstat(&mut guest, reader);
    assert_eq!(rights & (READ_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE), READ);
    let writer = guest.open(WORK, "file", 0, WRITE, APPEND | NONBLOCK);
    let (_, flags, rights, _) = fdstat(&mut guest, writer);
    assert_eq!((flags, rights & READ_WRITE), (APPEND | NONBLOCK, WRITE));
}

#[test]
fn a_directory_says_what_is_opened_through_it_may_do() {
    let mut guest = Guest::new();
    let (kind, flags, rights, inheriting) = fdstat(&mut guest, WORK);
    assert_eq!((kind, flags), (DIRECTORY_TYPE, 0));
    assert_eq!((rights & PATH_OPEN, inheriting & READ_WRITE), (PATH_OPEN, READ_WRITE));
    let (_, _, rights, inheriting) = fdstat(&mut guest, FIXED);
    assert_eq!((rights & PATH_OPEN, inheriting & READ_WRITE), (PATH_OPEN, READ));
}

#[test]
fn a_pipe_is_not_taken_for_a_terminal() {
    let mut setup = Setup::new();
    let (reader, writer) = pipe().unwrap();
    (setup.grants.stdin, setup.grants.stdout) =
        (StreamGrant::Descriptor(reader.into()), StreamGrant::Descriptor(writer.into()));
    let mut guest = setup.start();
    // A character device without the rights to seek and tell is what wasi-libc takes for a terminal.
    for fd in [0, 1, 2] {
        let (kind, _, rights, _) = fdstat(&mut guest, fd);
        assert!(kind != CHARACTER_DEVICE || rights & (FD_SEEK | FD_TELL) != 0, "{fd}");
        assert_eq!(rights & READ_WRITE, if fd == 0 { READ } else { WRITE });
    }
}

#[test]
fn flags_are_set_read_back_and_refused_if_they_mean_nothing() {
    let (mut guest, fd) = with("abc");
    for flags in [APPEND, NONBLOCK, APPEND | NONBLOCK, 2, 16, 0] {
        guest.gives("fd_fdstat_set_flags", &[fd, flags], &[]);
        assert_eq!(fdstat(&mut guest, fd).1, flags);
    }
    for flags in [32, 0xffff, 0x1_0000, 0xffff_ffff] {
        guest.fails("fd_fdstat_set_flags", &[fd, flags], INVAL);
    }
    guest.fails("fd_fdstat_set_flags", &[CLOSED, 0], BADF);
    guest.fails("fd_fdstat_get", &[CLOSED, RESULT], BADF);
    assert_eq!(fdstat(&mut guest, fd).1, 0);
}

#[test]
fn a_flag_of_one_descriptor_is_none_of_another() {
    let (mut guest, fd) = with("abc");
    let other = guest.open_file("file");
    guest.gives("fd_fdstat_set_flags", &[fd, APPEND | NONBLOCK], &[]);
    assert_eq!(fdstat(&mut guest, other).1, 0);
    guest.gives("fd_fdstat_set_flags", &[1, NONBLOCK], &[]);
    assert_eq!((fdstat(&mut guest, 1).1, fdstat(&mut guest, 2).1), (NONBLOCK, 0));
}

#[test]
fn rights_are_given_up_and_never_come_back() {
    let (mut guest, fd) = with("abc");
    let (_, _, rights, _) = fdstat(&mut guest, fd);
    guest.gives("fd_fdstat_set_rights", &[fd, rights & !WRITE, 0], &[]);
    assert_eq!(fdstat(&mut guest, fd).2, rights & !WRITE);
    assert_eq!(guest.write_fd(fd, b"x"), Err(BADF));
    guest.fails("fd_fdstat_set_rights", &[fd, rights, 0], NOTCAPABLE);
    guest.gives("fd_fdstat_set_rights", &[fd, 0, 0], &[]);
    assert_eq!(guest.read_fd(fd, 1), Err(BADF));
    for (name, arguments) in [
        ("fd_seek", &[fd, 1, 0, RESULT][..]),
        ("fd_tell", &[fd, RESULT]),
        ("fd_sync", &[fd]),
        ("fd_datasync", &[fd]),
        ("fd_advise", &[fd, 0, 0, 0]),
        ("fd_allocate", &[fd, 0, 1]),
        ("fd_filestat_get", &[fd, RESULT]),
        ("fd_filestat_set_size", &[fd, 0]),
        ("fd_filestat_set_times", &[fd, 0, 0, 0]),
        ("fd_fdstat_set_flags", &[fd, 0]),
    ] {
        guest.fails(name, arguments, NOTCAPABLE);
    }
    assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"abc");
}

#[test]
fn rights_that_never_were_cannot_be_asked_for() {
    let (mut guest, fd) = with("abc");
    for (base, inheriting) in [(PATH_OPEN, 0), (1 << 63, 0), (u64::MAX, u64::MAX), (0, FD_DATASYNC), (1 << 30, 0)] {
        guest.fails("fd_fdstat_set_rights", &[fd, base, inheriting], NOTCAPABLE);
    }
    guest.fails("fd_fdstat_set_rights", &[CLOSED, 0, 0], BADF);
    assert_eq!(guest.write_fd(fd, b"x"), Ok(1));
}

#[test]
fn what_a_directory_no_longer_inherits_nothing_opened_through_it_has() {
    let mut guest = Setup::new().file("dir/file", "abc").start();
    let (_, _, rights, inheriting) = fdstat(&mut guest, WORK);
    guest.gives("fd_fdstat_set_rights", &[WORK, rights, inheriting & !WRITE], &[]);
    assert_eq!(guest.try_open(WORK, "dir/file", 0, WRITE, 0), Err(NOTCAPABLE));
    let directory = guest.open(WORK, "dir", DIRECTORY, READ, 0);
    assert_eq!(guest.try_open(directory, "file", 0, WRITE, 0), Err(NOTCAPABLE));
    let reader = guest.open(directory, "file", 0, READ, 0);
    assert_eq!(guest.read_fd(reader, 9), Ok(b"abc".to_vec()));
    // And of a directory that may open nothing, nothing is opened.
    guest.gives("fd_fdstat_set_rights", &[WORK, rights & !PATH_OPEN, 0], &[]);
    assert_eq!(guest.try_open(WORK, "dir/file", 0, READ, 0), Err(NOTCAPABLE));
}

// What a file is.

#[test]
fn a_file_tells_its_kind_size_and_names() {
    let (mut guest, fd) = with("abc");
    std::fs::hard_link(guest.disk.work("file"), guest.disk.work("other")).unwrap();
    guest.writes("fd_filestat_get", &[fd, RESULT], &[(RESULT, 64)]);
    let stat = guest.stat(fd);
    assert_eq!((stat.filetype, stat.size, stat.links), (REGULAR_FILE.into(), 3, 2));
    assert_eq!(stat, guest.stat_path(WORK, 0, "other").unwrap());
    let directory = guest.stat(WORK);
    assert_eq!((directory.filetype, directory.device), (DIRECTORY_TYPE.into(), stat.device));
    assert_ne!(directory.inode, stat.inode);
}

#[test]
fn numbers_of_the_hosts_devices_and_inodes_are_not_shown() {
    use std::os::unix::fs::MetadataExt;
    let (mut guest, fd) = with("abc");
    let host = std::fs::metadata(guest.disk.work("file")).unwrap();
    let stat = guest.stat(fd);
    assert_ne!(stat.inode, host.ino());
    assert_ne!(stat.device, host.dev());
}

#[test]
fn a_stream_tells_what_it_is() {
    let mut guest = Guest::new();
    let mut nothing = [0; 64];
    (nothing[16], nothing[24]) = (CHARACTER_DEVICE, 1);
    for fd in 0..3 {
        guest.gives("fd_filestat_get", &[fd, RESULT], &[(RESULT, &nothing)]);
    }
    guest.fails("fd_filestat_get", &[CLOSED, RESULT], BADF);
}

#[test]
fn a_size_that_is_set_cuts_the_file_or_fills_it_with_zeroes() {
    let (mut guest, fd) = with("abcdef");
    guest.read_fd(fd, 5).unwrap();
    guest.gives("fd_filestat_set_size", &[fd, 2], &[]);
    guest.gives("fd_filestat_set_size", &[fd, 4], &[]);
    assert_eq!(std::fs::read(guest.disk.work("file")).unwrap(), b"ab\0\0");
    assert_eq!(guest.tell(fd), 5, "the position stays");
}

#[test]
fn a_size_that_cannot_be_is_refused() {
    let (mut guest, fd) = with("abc");
    for size in [u64::MAX, 1 << 63, i64::MAX as u64] {
        guest.fails("fd_filestat_set_size", &[fd, size], FBIG);
    }
    let reader = guest.open(WORK, "file", 0, READ, 0);
    for (fd, errno) in [(reader, NOTCAPABLE), (WORK, ISDIR), (1, SPIPE), (CLOSED, BADF)] {
        guest.fails("fd_filestat_set_size", &[fd, 0], errno);
    }
    assert_eq!(guest.stat(fd).size, 3);
}

// Times.

const ATIM: u64 = 1;
const ATIM_NOW: u64 = 2;
const MTIM: u64 = 4;
const MTIM_NOW: u64 = 8;

#[test]
fn times_are_set_to_the_nanosecond_each_for_itself() {
    let (mut guest, fd) = with("abc");
    for fd in [fd, WORK] {
        guest.gives("fd_filestat_set_times", &[fd, 1_000_000_001, 2_000_000_002, ATIM | MTIM], &[]);
        let stat = guest.stat(fd);
        assert_eq!((stat.accessed, stat.modified), (1_000_000_001, 2_000_000_002));
        guest.gives("fd_filestat_set_times", &[fd, 5, 6, MTIM], &[]);
        let stat = guest.stat(fd);
        assert_eq!((stat.accessed, stat.modified), (1_000_000_001, 6));
        guest.gives("fd_filestat_set_times", &[fd, 7, 8, 0], &[]);
        let stat = guest.stat(fd);
        assert_eq!((stat.accessed, stat.modified), (1_000_000_001, 6));
    }
}

#[test]
fn the_present_is_the_hosts() {
    let (mut guest, fd) = with("abc");
    guest.gives("fd_filestat_set_times", &[fd, 1, 1, ATIM | MTIM], &[]);
    // The kernel's own stamps lag behind its clock by a tick.
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - Duration::from_secs(1);
    guest.gives("fd_filestat_set_times", &[fd, 1, 1, ATIM_NOW | MTIM_NOW], &[]);
    let stat = guest.stat(fd);
    for time in [stat.accessed, stat.modified] {
        assert!(u128::from(time) >= before.as_nanos(), "{time}");
    }
}

#[test]
fn two_times_for_one_and_flags_that_mean_nothing_are_invalid() {
    let (mut guest, fd) = with("abc");
    let before = guest.stat(fd);
    for flags in [ATIM | ATIM_NOW, MTIM | MTIM_NOW, 15, 16, 0xffff_ffff] {
        guest.fails("fd_filestat_set_times", &[fd, 1, 1, flags], INVAL);
    }
    for (fd, errno) in [(1, NOTCAPABLE), (CLOSED, BADF)] {
        guest.fails("fd_filestat_set_times", &[fd, 1, 1, MTIM], errno);
    }
    assert_eq!(guest.stat(fd), before);
}

#[test]
fn the_last_time_that_can_be_written_is_no_panic() {
    let (mut guest, fd) = with("abc");
    guest.gives("fd_filestat_set_times", &[fd, u64::MAX, u64::MAX, ATIM | MTIM], &[]);
    // A file system cuts it to what it can hold: some year after 2400.
    let stat = guest.stat(fd);
    assert!(stat.modified > 430 * 365 * 86_400 * 1_000_000_000, "{}", stat.modified);
    let file = std::fs::File::open(guest.disk.work("file")).unwrap();
    assert!(file.metadata().unwrap().modified().unwrap() > UNIX_EPOCH);
}

#[test]
fn a_time_before_1970_is_shown_as_1970() {
    for clock in [ClockGrant::default(), ClockGrant { resolution_ns: 1000, frozen_at_ns: Some(0) }] {
        let mut setup = Setup::new().file("file", "abc");
        setup.grants.clock = clock;
        for before in [Duration::from_nanos(1), Duration::new(1, 1), Duration::from_secs(1 << 30)] {
            let time = UNIX_EPOCH - before;
            let times = FileTimes::new().set_accessed(time).set_modified(time);
            std::fs::File::options().write(true).open(setup.disk.work("file")).unwrap().set_times(times).unwrap();
            let mut guest = setup.start();
            let stat = guest.stat_path(WORK, 0, "file").unwrap();
            assert_eq!((stat.accessed, stat.modified), (0, 0), "{before:?}");
            let fd = guest.open(WORK, "file", 0, WRITE, 0);
            assert_eq!(guest.stat(fd).modified, 0);
            setup = Setup::new().file("file", "abc");
            setup.grants.clock = clock;
        }
    }
}

#[test]
fn a_files_time_is_no_finer_than_the_guests_clock() {
    let mut setup = Setup::new().file("file", "");
    setup.grants.clock = ClockGrant { resolution_ns: 1_000_000, frozen_at_ns: None };
    let mut guest = setup.start();
    let fd = guest.open_file("file");
    guest.gives("fd_filestat_set_times", &[fd, 1_999_999, 7_000_001, ATIM | MTIM], &[]);
    let stat = guest.stat(fd);
    assert_eq!((stat.accessed, stat.modified, stat.changed % 1_000_000), (1_000_000, 7_000_000, 0));
}

// Preopens.

#[test]
fn preopens_are_found_by_number_until_the_first_that_is_none() {
    let mut guest = Guest::new();
    guest.gives("fd_prestat_get", &[WORK, RESULT], &[(RESULT, &[0, 0, 0, 0, 5, 0, 0, 0])]);
    guest.gives("fd_prestat_dir_name", &[WORK, BUF, 5], &[(BUF, b"/work")]);
    guest.gives("fd_prestat_get", &[FIXED, RESULT], &[(RESULT, &[0, 0, 0, 0, 5, 0, 0, 0])]);
    guest.gives("fd_prestat_dir_name", &[FIXED, BUF, 5], &[(BUF, b"fixed")]);
    for fd in [0, 1, 2, FIRST, CLOSED] {
        guest.fails("fd_prestat_get", &[fd, RESULT], BADF);
        guest.fails("fd_prestat_dir_name", &[fd, BUF, 5], BADF);
    }
}

#[test]
fn a_preopens_name_needs_room_and_takes_no_more_than_it_needs() {
    let mut guest = Guest::new();
    for room in [0, 1, 4] {
        guest.fails("fd_prestat_dir_name", &[WORK, BUF, room], NAMETOOLONG);
    }
    guest.gives("fd_prestat_dir_name", &[WORK, BUF, 100], &[(BUF, b"/work")]);
}

#[test]
fn what_a_guest_opens_is_no_preopen() {
    let mut guest = Setup::new().directory("dir").start();
    let fd = guest.open(WORK, "dir", DIRECTORY, READ, 0);
    guest.fails("fd_prestat_get", &[fd, RESULT], BADF);
    guest.fails("fd_prestat_dir_name", &[fd, BUF, 100], BADF);
}
