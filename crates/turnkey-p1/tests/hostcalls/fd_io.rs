//! `fd_read`, `fd_write`, `fd_pread`, `fd_pwrite`, `fd_seek`, `fd_tell`, `fd_sync`, `fd_datasync`.

use std::io::{Read, Write, pipe};

use turnkey_core::stream::StreamGrant;

use crate::harness::errno::{AGAIN, BADF, FBIG, INVAL, ISDIR, NOTCAPABLE, PIPE, SPIPE};
use crate::harness::{
    APPEND, BUF, CLOSED, CREAT, FIXED, Guest, IOVS, MEMORY_BYTES, NONBLOCK, READ, READ_WRITE, RESULT, Setup, WORK,
    WRITE,
};

const SET: u64 = 0;
const CURRENT: u64 = 1;
const END: u64 = 2;

/// `fdflags` besides those of the harness.
const DSYNC: u64 = 2;
const RSYNC: u64 = 8;
const SYNC: u64 = 16;

fn with(contents: &str) -> (Guest, u64) {
    let mut guest = Setup::new().file("file", contents).start();
    let fd = guest.open_file("file");
    (guest, fd)
}

fn on_disk(guest: &Guest) -> String {
    String::from_utf8(std::fs::read(guest.disk.work("file")).unwrap()).unwrap()
}

fn minus(number: i64) -> u64 {
    (-number).cast_unsigned()
}

// Reading.

#[test]
fn a_read_fills_its_buffers_in_order_and_moves_the_position() {
    let (mut guest, fd) = with("abcdefghij");
    let [iovs, count] = guest.iovs(&[(BUF, 2), (BUF + 100, 0), (BUF + 200, 3), (BUF + 50, 1)]);
    let written: &[(u64, &[u8])] = &[(BUF, b"ab"), (BUF + 200, b"cde"), (BUF + 50, b"f"), (RESULT, &[6, 0, 0, 0])];
    guest.gives("fd_read", &[fd, iovs, count, RESULT], written);
    assert_eq!(guest.tell(fd), 6);
    let written: &[(u64, &[u8])] = &[(BUF, b"gh"), (BUF + 200, b"ij"), (RESULT, &[4, 0, 0, 0])];
    guest.gives("fd_read", &[fd, iovs, count, RESULT], written);
    guest.gives("fd_read", &[fd, iovs, count, RESULT], &[(RESULT, &[0; 4])]);
    assert_eq!(guest.tell(fd), 10);
}

/// A file that is read in small pieces is read ahead, which nobody must see: its bytes, and where its guest is.
#[test]
fn small_reads_are_whole_and_leave_the_position_where_they_end() {
    let contents: String = (0..900).map(|number| format!("{number:06}")).collect();
    let (mut guest, fd) = with(&contents);
    // Neither divides what is read ahead, nor each other.
    for (place, piece) in contents.as_bytes().chunks(100).enumerate() {
        let [iovs, count] = guest.iovs(&[(BUF, 33), (BUF + 200, 67)]);
        let (first, second) = piece.split_at(33);
        let written: &[(u64, &[u8])] = &[(BUF, first), (BUF + 200, second), (RESULT, &[100, 0, 0, 0])];
        guest.gives("fd_read", &[fd, iovs, count, RESULT], written);
        if place % 7 == 6 {
            assert_eq!(guest.tell(fd), 100 * (place as u64 + 1));
        }
    }
    let [iovs, count] = guest.iovs(&[(BUF, 100)]);
    guest.gives("fd_read", &[fd, iovs, count, RESULT], &[(RESULT, &[0; 4])]);
    assert_eq!(guest.tell(fd), 5400);
}

#[test]
fn small_reads_give_what_the_file_has_after_whatever_the_guest_did_between() {
    let (mut guest, fd) = with(&"a".repeat(64));
    let other = guest.open_file("file");
    let gives = |guest: &mut Guest, bytes: &[u8]| {
        let [iovs, count] = guest.iovs(&[(BUF, 4)]);
        let read = (bytes.len() as u32).to_le_bytes();
        guest.gives("fd_read", &[fd, iovs, count, RESULT], &[(BUF, bytes), (RESULT, &read)]);
    };
    for _ in 0..4 {
        gives(&mut guest, b"aaaa");
    }
    // Its own write, through another descriptor.
    guest.write(BUF + 500, b"bbbb");
    let [iovs, count] = guest.iovs(&[(BUF + 500, 4)]);
    guest.gives("fd_pwrite", &[other, iovs, count, 16, RESULT], &[(RESULT, &[4, 0, 0, 0])]);
    gives(&mut guest, b"bbbb");
    for _ in 0..3 {
        gives(&mut guest, b"aaaa");
    }
    // Somebody else's, of which it may have heard by any call.
    std::fs::write(guest.disk.work("file"), "c".repeat(64)).unwrap();
    assert_eq!(guest.tell(fd), 32);
    for _ in 0..8 {
        gives(&mut guest, b"cccc");
    }
    // The end is not the end for ever.
    gives(&mut guest, b"");
    std::fs::write(guest.disk.work("file"), "d".repeat(70)).unwrap();
    gives(&mut guest, b"dddd");
    gives(&mut guest, b"dd");
    gives(&mut guest, b"");
}

#[test]
fn a_read_into_nothing_is_nothing_read() {
    let (mut guest, fd) = with("abc");
    let [iovs, _] = guest.iovs(&[(BUF, 0), (BUF, 0)]);
    guest.gives("fd_read", &[fd, iovs, 0, RESULT], &[(RESULT, &[0; 4])]);
    guest.gives("fd_read", &[fd, iovs, 2, RESULT], &[(RESULT, &[0; 4])]);
    assert_eq!(guest.tell(fd), 0);
}

#[test]
fn buffers_that_overlap_hold_what_was_read_last() {
    let (mut guest, fd) = with("abcdef");
    let [iovs, count] = guest.iovs(&[(BUF, 4), (BUF + 2, 2)]);
    guest.gives("fd_read", &[fd, iovs, count, RESULT], &[(BUF, b"abef"), (RESULT, &[6, 0, 0, 0])]);
}

#[test]
fn a_read_over_its_own_list_of_buffers_uses_the_list_as_it_was() {
    let (mut guest, fd) = with("abcdefghijklmnopqrstuvwxyz");
    let [iovs, count] = guest.iovs(&[(IOVS, 16), (BUF, 4)]);
    let written: &[(u64, &[u8])] = &[(IOVS, b"abcdefghijklmnop"), (BUF, b"qrst"), (RESULT, &[20, 0, 0, 0])];
    guest.gives("fd_read", &[fd, iovs, count, RESULT], written);
}

#[test]
fn the_count_is_written_last_also_over_what_was_read() {
    let (mut guest, fd) = with("abcdef");
    let [iovs, count] = guest.iovs(&[(BUF, 6)]);
    guest.gives("fd_read", &[fd, iovs, count, BUF + 1], &[(BUF, b"a\x06\0\0\0f")]);
}

#[test]
fn more_buffers_than_one_system_call_takes_are_a_short_read_and_not_an_error() {
    let (mut guest, fd) = with(&"x".repeat(1025));
    let one_byte: Vec<(u64, u64)> = (0..1025).map(|number| (BUF + number * 2, 1)).collect();
    let [iovs, count] = guest.iovs(&one_byte);
    guest.writes("fd_read", &[fd, iovs, count, RESULT], &[(BUF, 2048), (RESULT, 4)]);
    assert_eq!(guest.u32_at(RESULT), 1024);
    assert_eq!(guest.read(BUF + 2046, 4), b"x\xa5\xa5\xa5");
    assert_eq!(guest.tell(fd), 1024);
}

#[test]
fn a_positioned_read_leaves_the_position_alone() {
    let (mut guest, fd) = with("abcdefghij");
    guest.read_fd(fd, 2).unwrap();
    let [iovs, count] = guest.iovs(&[(BUF, 2), (BUF + 10, 4)]);
    let written: &[(u64, &[u8])] = &[(BUF, b"fg"), (BUF + 10, b"hij"), (RESULT, &[5, 0, 0, 0])];
    guest.gives("fd_pread", &[fd, iovs, count, 5, RESULT], written);
    guest.gives("fd_pread", &[fd, iovs, count, 10, RESULT], &[(RESULT, &[0; 4])]);
    guest.gives("fd_pread", &[fd, iovs, count, 1 << 40, RESULT], &[(RESULT, &[0; 4])]);
    guest.fails("fd_pread", &[fd, iovs, count, u64::MAX, RESULT], INVAL);
    guest.fails("fd_pread", &[fd, iovs, count, 1 << 63, RESULT], INVAL);
    assert_eq!(guest.tell(fd), 2);
}

#[test]
fn only_what_was_opened_to_read_is_read() {
    let (mut guest, _) = with("abc");
    let writer = guest.open(WORK, "file", 0, WRITE, 0);
    let [iovs, count] = guest.iovs(&[(BUF, 3)]);
    for (fd, errno) in [(writer, BADF), (CLOSED, BADF), (1, BADF), (WORK, ISDIR), (0xffff_ffff, BADF)] {
        guest.fails("fd_read", &[fd, iovs, count, RESULT], errno);
    }
    for (fd, errno) in [(writer, BADF), (CLOSED, BADF), (0, SPIPE), (1, SPIPE), (WORK, ISDIR)] {
        guest.fails("fd_pread", &[fd, iovs, count, 0, RESULT], errno);
    }
}

// Writing.

#[test]
fn a_write_takes_its_buffers_in_order_and_changes_no_memory_but_the_count() {
    let (mut guest, fd) = with("0123456789");
    guest.write(BUF, b"abcdef");
    let [iovs, count] = guest.iovs(&[(BUF + 3, 3), (BUF, 0), (BUF, 2)]);
    guest.gives("fd_write", &[fd, iovs, count, RESULT], &[(RESULT, &[5, 0, 0, 0])]);
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("defab56789".into(), 5));
}

#[test]
fn a_write_of_nothing_changes_nothing() {
    let (mut guest, fd) = with("abc");
    let [iovs, _] = guest.iovs(&[(BUF, 0)]);
    guest.gives("fd_write", &[fd, iovs, 0, RESULT], &[(RESULT, &[0; 4])]);
    guest.gives("fd_write", &[fd, iovs, 1, RESULT], &[(RESULT, &[0; 4])]);
    guest.gives("fd_pwrite", &[fd, iovs, 0, 100, RESULT], &[(RESULT, &[0; 4])]);
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abc".into(), 0));
}

#[test]
fn more_buffers_than_one_system_call_takes_are_a_short_write() {
    let (mut guest, fd) = with("");
    guest.write(BUF, b"ab");
    let [iovs, count] = guest.iovs(&[(BUF, 2); 1025]);
    guest.gives("fd_write", &[fd, iovs, count, RESULT], &[(RESULT, &2048u32.to_le_bytes())]);
    assert_eq!(on_disk(&guest), "ab".repeat(1024));
}

#[test]
fn a_positioned_write_leaves_the_position_alone_and_may_leave_a_hole() {
    let (mut guest, fd) = with("abc");
    guest.write(BUF, b"XYZ");
    let [iovs, count] = guest.iovs(&[(BUF, 1), (BUF + 1, 2)]);
    guest.gives("fd_pwrite", &[fd, iovs, count, 5, RESULT], &[(RESULT, &[3, 0, 0, 0])]);
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abc\0\0XYZ".into(), 0));
    guest.fails("fd_pwrite", &[fd, iovs, count, u64::MAX, RESULT], FBIG);
    guest.fails("fd_pwrite", &[fd, iovs, count, 1 << 63, RESULT], FBIG);
}

#[test]
fn only_what_was_opened_to_write_is_written() {
    let (mut guest, _) = with("abc");
    let reader = guest.open(WORK, "file", 0, READ, 0);
    let [iovs, count] = guest.iovs(&[(BUF, 3)]);
    for (fd, errno) in [(reader, BADF), (CLOSED, BADF), (0, BADF), (WORK, ISDIR)] {
        guest.fails("fd_write", &[fd, iovs, count, RESULT], errno);
    }
    for (fd, errno) in [(reader, BADF), (CLOSED, BADF), (1, SPIPE), (WORK, ISDIR)] {
        guest.fails("fd_pwrite", &[fd, iovs, count, 0, RESULT], errno);
    }
    assert_eq!(on_disk(&guest), "abc");
}

// Appending.

#[test]
fn an_append_goes_to_the_end_and_the_position_follows_it() {
    let (mut guest, _) = with("abc");
    let fd = guest.open(WORK, "file", 0, READ_WRITE, APPEND);
    assert_eq!(guest.tell(fd), 0);
    assert_eq!(guest.write_fd(fd, b"de"), Ok(2));
    assert_eq!(guest.tell(fd), 5);
    assert_eq!(guest.read_fd(fd, 10), Ok(vec![]));
    // Moved back, it reads there and still appends.
    guest.gives("fd_seek", &[fd, 1, SET, RESULT], &[(RESULT, &[1, 0, 0, 0, 0, 0, 0, 0])]);
    assert_eq!(guest.read_fd(fd, 2), Ok(b"bc".to_vec()));
    assert_eq!(guest.write_fd(fd, b"f"), Ok(1));
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abcdef".into(), 6));
}

#[test]
fn an_append_finds_the_end_that_somebody_else_made() {
    let (mut guest, writer) = with("abc");
    let fd = guest.open(WORK, "file", 0, READ_WRITE, APPEND);
    assert_eq!(guest.write_fd(fd, b"1"), Ok(1));
    guest.call("fd_seek", &[writer, 0, END, RESULT]);
    assert_eq!(guest.write_fd(writer, b"2222"), Ok(4));
    assert_eq!(guest.write_fd(fd, b"3"), Ok(1));
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abc122223".into(), 9));
}

#[test]
fn an_append_of_nothing_moves_nothing() {
    let (mut guest, _) = with("abc");
    let fd = guest.open(WORK, "file", 0, READ_WRITE, APPEND);
    assert_eq!(guest.write_fd(fd, b""), Ok(0));
    assert_eq!(guest.tell(fd), 0);
}

#[test]
fn a_positioned_write_goes_where_it_says_also_where_the_file_is_appended_to() {
    let (mut guest, _) = with("abcdef");
    let fd = guest.open(WORK, "file", 0, READ_WRITE, APPEND);
    guest.write(BUF, b"X");
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    guest.gives("fd_pwrite", &[fd, iovs, count, 2, RESULT], &[(RESULT, &[1, 0, 0, 0])]);
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abXdef".into(), 0));
}

#[test]
fn appending_is_begun_and_ended_with_a_flag() {
    let (mut guest, fd) = with("abc");
    guest.gives("fd_fdstat_set_flags", &[fd, APPEND], &[]);
    assert_eq!(guest.write_fd(fd, b"d"), Ok(1));
    guest.gives("fd_fdstat_set_flags", &[fd, 0], &[]);
    // The position is where the append ended, whoever keeps it by then.
    assert_eq!(guest.write_fd(fd, b"e"), Ok(1));
    guest.call("fd_seek", &[fd, 0, SET, RESULT]);
    assert_eq!(guest.write_fd(fd, b"X"), Ok(1));
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("Xbcde".into(), 1));
}

#[test]
fn writes_that_are_synchronised_write_the_same() {
    for flags in [DSYNC, RSYNC, SYNC, DSYNC | SYNC] {
        let (mut guest, _) = with("abc");
        let fd = guest.open(WORK, "file", 0, READ_WRITE, flags);
        assert_eq!(guest.write_fd(fd, b"XY"), Ok(2));
        assert_eq!(guest.write_fd(fd, b"Z!"), Ok(2));
        assert_eq!((on_disk(&guest), guest.tell(fd)), ("XYZ!".into(), 4));
        guest.gives("fd_fdstat_set_flags", &[fd, flags | APPEND], &[]);
        assert_eq!(guest.write_fd(fd, b"?"), Ok(1));
        assert_eq!((on_disk(&guest), guest.tell(fd)), ("XYZ!?".into(), 5));
    }
}

// The position.

#[test]
fn a_position_is_set_from_the_beginning_from_itself_and_from_the_end() {
    let (mut guest, fd) = with("0123456789");
    for (offset, whence, position) in
        [(4, SET, 4u64), (3, CURRENT, 7), (minus(2), CURRENT, 5), (0, CURRENT, 5), (minus(1), END, 9), (5, END, 15)]
    {
        guest.gives("fd_seek", &[fd, offset, whence, RESULT], &[(RESULT, &position.to_le_bytes())]);
        guest.gives("fd_tell", &[fd, RESULT], &[(RESULT, &position.to_le_bytes())]);
    }
}

#[test]
fn a_position_that_cannot_be_is_refused_and_the_old_one_stays() {
    let (mut guest, fd) = with("0123456789");
    guest.call("fd_seek", &[fd, 4, SET, RESULT]);
    let least = i64::MIN.cast_unsigned();
    let most = i64::MAX.cast_unsigned();
    for (offset, whence) in [
        (minus(1), SET),
        (minus(5), CURRENT),
        (minus(11), END),
        (least, SET),
        (least, CURRENT),
        (least, END),
        (most, CURRENT),
        (most, END),
        (0, 3),
        (0, 0xffff_ffff),
    ] {
        guest.fails("fd_seek", &[fd, offset, whence, RESULT], INVAL);
        assert_eq!(guest.tell(fd), 4);
    }
}

#[test]
fn the_last_position_there_is_can_be_gone_to_and_nothing_overflows_there() {
    let (mut guest, fd) = with("abc");
    let most = i64::MAX.cast_unsigned();
    guest.gives("fd_seek", &[fd, most, SET, RESULT], &[(RESULT, &most.to_le_bytes())]);
    guest.fails("fd_seek", &[fd, 1, CURRENT, RESULT], INVAL);
    let [iovs, count] = guest.iovs(&[(BUF, 3)]);
    assert_ne!(guest.call("fd_write", &[fd, iovs, count, RESULT]), 0);
    guest.call("fd_read", &[fd, iovs, count, RESULT]);
    assert_eq!((on_disk(&guest), guest.tell(fd)), ("abc".into(), most));
}

#[test]
fn what_has_no_position_says_so() {
    let mut setup = Setup::new();
    let (reader, _writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    let mut guest = setup.start();
    for (fd, errno) in [(WORK, ISDIR), (CLOSED, BADF), (1, SPIPE)] {
        guest.fails("fd_seek", &[fd, 0, SET, RESULT], errno);
        guest.fails("fd_tell", &[fd, RESULT], errno);
    }
    // Pipes have not even the right to: that is how wasi-libc tells them from files.
    for (name, arguments) in [("fd_seek", &[0, 0, SET, RESULT][..]), ("fd_tell", &[0, RESULT])] {
        let errno = guest.call(name, arguments);
        assert!([SPIPE, NOTCAPABLE].contains(&errno), "{name}: {errno}");
    }
}

#[test]
fn a_standard_stream_that_is_a_file_has_a_position() {
    let mut setup = Setup::new().file("input", "0123456789");
    let input = std::fs::File::open(setup.disk.work("input")).unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(input.into());
    let mut guest = setup.start();
    assert_eq!(guest.read_fd(0, 3), Ok(b"012".to_vec()));
    assert_eq!(guest.tell(0), 3);
    guest.gives("fd_seek", &[0, minus(1), END, RESULT], &[(RESULT, &9u64.to_le_bytes())]);
    guest.fails("fd_seek", &[0, minus(1), SET, RESULT], INVAL);
    guest.fails("fd_seek", &[0, minus(11), END, RESULT], INVAL);
    assert_eq!(guest.read_fd(0, 3), Ok(b"9".to_vec()));
}

// Streams.

#[test]
fn nothing_behind_a_stream_reads_as_the_end_and_takes_all() {
    let mut guest = Guest::new();
    assert_eq!(guest.read_fd(0, 10), Ok(vec![]));
    assert_eq!(guest.write_fd(1, b"abc"), Ok(3));
    assert_eq!(guest.write_fd(2, b""), Ok(0));
}

/// A buffer can be given many times in one call, so that all of them together have more bytes than a count can say.
#[test]
fn what_is_thrown_away_is_counted_without_wrapping_around() {
    let text = crate::harness::module(turnkey_p1::Generation::Preview1, "(memory (export \"memory\") 64)");
    let mut guest = Setup::new().start_module(&crate::harness::compile(&text), Some("memory")).unwrap();
    let all = guest.bytes().len() as u64;
    let [iovs, count] = guest.iovs(&[(0, all); 1024]);
    assert_eq!(guest.call("fd_write", &[1, iovs, count, RESULT]), 0);
    assert!(guest.u32_at(RESULT) > 0, "a guest that is told that nothing was taken writes it again, for ever");
}

#[test]
fn a_pipe_is_read_as_it_comes_and_ends_when_its_writer_is_gone() {
    let mut setup = Setup::new();
    let (reader, mut writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    let mut guest = setup.start();
    writer.write_all(b"hello").unwrap();
    assert_eq!(guest.read_fd(0, 2), Ok(b"he".to_vec()));
    assert_eq!(guest.read_fd(0, 100), Ok(b"llo".to_vec()));
    drop(writer);
    assert_eq!(guest.read_fd(0, 100), Ok(vec![]));
}

#[test]
fn a_read_of_nothing_does_not_wait_for_something() {
    let mut setup = Setup::new();
    let (reader, _writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    let mut guest = setup.start();
    assert_eq!(guest.read_fd(0, 0), Ok(vec![]));
    guest.gives("fd_read", &[0, IOVS, 0, RESULT], &[(RESULT, &[0; 4])]);
}

#[test]
fn an_empty_pipe_keeps_a_guest_that_will_not_wait_waiting_no_longer() {
    let mut setup = Setup::new();
    let (reader, mut writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    let mut guest = setup.start();
    guest.gives("fd_fdstat_set_flags", &[0, NONBLOCK], &[]);
    assert_eq!(guest.read_fd(0, 10), Err(AGAIN));
    writer.write_all(b"x").unwrap();
    assert_eq!(guest.read_fd(0, 10), Ok(b"x".to_vec()));
}

#[test]
fn a_full_pipe_keeps_a_guest_that_will_not_wait_waiting_no_longer() {
    let mut setup = Setup::new();
    let (mut reader, writer) = pipe().unwrap();
    setup.grants.stdout = StreamGrant::Descriptor(writer.into());
    let mut guest = setup.start();
    guest.gives("fd_fdstat_set_flags", &[1, NONBLOCK], &[]);
    let mut taken = 0;
    while let Ok(bytes) = guest.write_fd(1, &[7; 10_000]) {
        assert!(bytes > 0);
        taken += bytes as usize;
    }
    assert_eq!(guest.write_fd(1, b"x"), Err(AGAIN));
    let mut read = vec![0; taken];
    reader.read_exact(&mut read).unwrap();
    assert!(read.iter().all(|&byte| byte == 7));
    assert_eq!(guest.write_fd(1, b"x"), Ok(1));
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_and_not_a_signal() {
    let mut setup = Setup::new();
    let (reader, writer) = pipe().unwrap();
    setup.grants.stdout = StreamGrant::Descriptor(writer.into());
    let mut guest = setup.start();
    drop(reader);
    assert_eq!(guest.write_fd(1, b"x"), Err(PIPE));
}

#[test]
fn all_buffers_of_a_write_arrive_in_a_pipe_at_once() {
    let mut setup = Setup::new();
    let (mut reader, writer) = pipe().unwrap();
    setup.grants.stdout = StreamGrant::Descriptor(writer.into());
    let mut guest = setup.start();
    guest.write(BUF, b"one two three");
    let [iovs, count] = guest.iovs(&[(BUF, 3), (BUF + 1000, 0), (BUF + 3, 4), (BUF + 7, 6)]);
    guest.gives("fd_write", &[1, iovs, count, RESULT], &[(RESULT, &[13, 0, 0, 0])]);
    let mut bytes = [0; 20];
    assert_eq!(reader.read(&mut bytes).unwrap(), 13);
    assert_eq!(&bytes[..13], b"one two three");
}

// To the device.

#[test]
fn files_and_directories_are_synchronised_and_streams_are_not() {
    let (mut guest, fd) = with("abc");
    for name in ["fd_sync", "fd_datasync"] {
        for fd in [fd, WORK, FIXED] {
            guest.gives(name, &[fd], &[]);
        }
        guest.fails(name, &[1], INVAL);
        guest.fails(name, &[CLOSED], BADF);
    }
}

#[test]
fn the_whole_memory_is_one_buffer() {
    let (mut guest, _) = with("");
    let fd = guest.open(WORK, "copy", CREAT, READ_WRITE, 0);
    let [iovs, count] = guest.iovs(&[(0, MEMORY_BYTES as u64)]);
    guest.gives("fd_write", &[fd, iovs, count, RESULT], &[(RESULT, &(MEMORY_BYTES as u32).to_le_bytes())]);
    assert_eq!(std::fs::metadata(guest.disk.work("copy")).unwrap().len(), MEMORY_BYTES as u64);
}
