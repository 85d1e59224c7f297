//! `poll_oneoff`.

use std::io::{Read, Write, pipe};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use turnkey_core::clocks::ClockGrant;
use turnkey_core::limits::Limit;
use turnkey_core::stream::StreamGrant;
use turnkey_p1::Stopped;

use crate::harness::errno::{BADF, INVAL, NOTSUP};
use crate::harness::{CLOSED, EVENTS, Guest, MEMORY_BYTES, NONBLOCK, RESULT, SUBS, Setup, WORK};

const MILLISECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600_000_000_000;

const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

const RELATIVE: u8 = 0;
const ABSOLUTE: u8 = 1;

const READ: u8 = 1;
const WRITE: u8 = 2;

/// A subscription to a clock. What is padding is full of rubbish, as in a guest that does not clear its memory.
fn clock(userdata: u64, clock: u32, timeout: u64, flags: u8) -> [u8; 48] {
    let mut record = [0xa5; 48];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[8] = 0;
    record[16..20].copy_from_slice(&clock.to_le_bytes());
    record[24..32].copy_from_slice(&timeout.to_le_bytes());
    record[40..42].copy_from_slice(&[flags, 0]);
    record
}

/// A subscription to a descriptor.
fn descriptor(userdata: u64, tag: u8, fd: u64) -> [u8; 48] {
    let mut record = [0xa5; 48];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[8] = tag;
    record[16..20].copy_from_slice(&(fd as u32).to_le_bytes());
    record
}

/// An event, byte by byte.
fn event(userdata: u64, errno: u32, tag: u8, bytes: u64, flags: u8) -> [u8; 32] {
    let mut record = [0; 32];
    record[..8].copy_from_slice(&userdata.to_le_bytes());
    record[8..10].copy_from_slice(&(errno as u16).to_le_bytes());
    record[10] = tag;
    record[16..24].copy_from_slice(&bytes.to_le_bytes());
    record[24] = flags;
    record
}

/// A call that must give exactly these events, and write nothing else.
#[track_caller]
fn gives(guest: &mut Guest, subscriptions: &[[u8; 48]], events: &[[u8; 32]]) {
    guest.write(SUBS, &subscriptions.concat());
    let count = (events.len() as u32).to_le_bytes();
    let arguments = [SUBS, EVENTS, subscriptions.len() as u64, RESULT];
    guest.gives("poll_oneoff", &arguments, &[(EVENTS, &events.concat()), (RESULT, &count)]);
}

#[track_caller]
fn fails(guest: &mut Guest, subscriptions: &[[u8; 48]], errno: u32) {
    guest.write(SUBS, &subscriptions.concat());
    guest.fails("poll_oneoff", &[SUBS, EVENTS, subscriptions.len() as u64, RESULT], errno);
}

fn with_stdin() -> (Guest, std::io::PipeWriter) {
    let mut setup = Setup::new();
    let (reader, writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    (setup.start(), writer)
}

fn with_stdout() -> (Guest, std::io::PipeReader) {
    let mut setup = Setup::new();
    let (reader, writer) = pipe().unwrap();
    setup.grants.stdout = StreamGrant::Descriptor(writer.into());
    (setup.start(), reader)
}

fn frozen(at: u64) -> Guest {
    let mut setup = Setup::new();
    setup.grants.clock = ClockGrant { resolution_ns: 1, frozen_at_ns: Some(at) };
    setup.start()
}

fn now(guest: &mut Guest, clock: u32) -> u64 {
    assert_eq!(guest.call("clock_time_get", &[clock.into(), 0, RESULT]), 0);
    guest.u64_at(RESULT)
}

// Clocks.

#[test]
fn a_timer_waits_for_as_long_as_it_says() {
    for clock_id in [REALTIME, MONOTONIC] {
        let mut guest = Guest::new();
        let begun = Instant::now();
        gives(&mut guest, &[clock(7, clock_id, 20 * MILLISECOND, RELATIVE)], &[event(7, 0, 0, 0, 0)]);
        let waited = begun.elapsed();
        assert!((Duration::from_millis(20)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
    }
}

#[test]
fn a_point_in_time_is_waited_for_and_one_that_has_been_is_over() {
    let mut guest = Guest::new();
    let begun = Instant::now();
    let soon = now(&mut guest, MONOTONIC) + 20 * MILLISECOND;
    gives(&mut guest, &[clock(1, MONOTONIC, soon, ABSOLUTE)], &[event(1, 0, 0, 0, 0)]);
    assert!(begun.elapsed() >= Duration::from_millis(20));
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 + 20 * MILLISECOND;
    gives(&mut guest, &[clock(1, REALTIME, soon, ABSOLUTE)], &[event(1, 0, 0, 0, 0)]);
    assert!(begun.elapsed() >= Duration::from_millis(40));
    for past in [0, 1, soon - HOUR] {
        gives(&mut guest, &[clock(1, REALTIME, past, ABSOLUTE)], &[event(1, 0, 0, 0, 0)]);
    }
}

#[test]
fn of_several_timers_only_those_that_are_over_are_told_in_their_order() {
    let mut guest = Guest::new();
    let subscriptions = [
        clock(1, MONOTONIC, HOUR, RELATIVE),
        clock(2, MONOTONIC, 0, RELATIVE),
        clock(3, REALTIME, u64::MAX, RELATIVE),
        clock(4, REALTIME, 0, RELATIVE),
        clock(5, MONOTONIC, u64::MAX, ABSOLUTE),
    ];
    gives(&mut guest, &subscriptions, &[event(2, 0, 0, 0, 0), event(4, 0, 0, 0, 0)]);
    let subscriptions = [clock(1, MONOTONIC, HOUR, RELATIVE), clock(2, REALTIME, 10 * MILLISECOND, RELATIVE)];
    gives(&mut guest, &subscriptions, &[event(2, 0, 0, 0, 0)]);
}

#[test]
fn a_clock_that_is_none_is_invalid() {
    let mut guest = Guest::new();
    for id in [4, 0xffff_ffff] {
        fails(&mut guest, &[clock(1, id, 0, RELATIVE)], INVAL);
    }
}

#[test]
fn a_processor_clock_cannot_be_waited_for() {
    let mut guest = Guest::new();
    for id in [2, 3] {
        gives(&mut guest, &[clock(1, id, 0, RELATIVE)], &[event(1, NOTSUP, 0, 0, 0)]);
    }
}

#[test]
fn a_coarse_timer_never_ends_early() {
    let mut setup = Setup::new();
    setup.grants.clock = ClockGrant { resolution_ns: 30 * MILLISECOND, frozen_at_ns: None };
    let mut guest = setup.start();
    let begun = Instant::now();
    gives(&mut guest, &[clock(1, MONOTONIC, MILLISECOND, RELATIVE)], &[event(1, 0, 0, 0, 0)]);
    assert!(begun.elapsed() >= Duration::from_millis(1));
    assert_eq!(now(&mut guest, MONOTONIC) % (30 * MILLISECOND), 0);
}

#[test]
fn on_a_frozen_clock_sleeping_takes_no_time_and_moves_it() {
    let mut guest = frozen(1000);
    let begun = Instant::now();
    gives(&mut guest, &[clock(1, MONOTONIC, HOUR, RELATIVE)], &[event(1, 0, 0, 0, 0)]);
    assert_eq!((now(&mut guest, MONOTONIC), now(&mut guest, REALTIME)), (HOUR, HOUR + 1000));
    let timers = [clock(1, REALTIME, 7, RELATIVE), clock(2, REALTIME, 5, RELATIVE), clock(3, MONOTONIC, 5, RELATIVE)];
    gives(&mut guest, &timers, &[event(2, 0, 0, 0, 0), event(3, 0, 0, 0, 0)]);
    assert_eq!(now(&mut guest, MONOTONIC), HOUR + 5);
    gives(&mut guest, &[clock(1, MONOTONIC, HOUR + 9, ABSOLUTE)], &[event(1, 0, 0, 0, 0)]);
    gives(&mut guest, &[clock(1, MONOTONIC, HOUR, ABSOLUTE)], &[event(1, 0, 0, 0, 0)]);
    assert_eq!(now(&mut guest, MONOTONIC), HOUR + 9);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_frozen_clock_that_sleeps_to_the_end_of_time_stays_there() {
    let mut guest = frozen(u64::MAX - 5);
    for _ in 0..3 {
        gives(&mut guest, &[clock(1, MONOTONIC, u64::MAX, RELATIVE)], &[event(1, 0, 0, 0, 0)]);
    }
    assert_eq!((now(&mut guest, MONOTONIC), now(&mut guest, REALTIME)), (u64::MAX, u64::MAX));
}

#[test]
fn what_is_ready_is_told_before_a_frozen_clock_moves() {
    let mut guest = frozen(0);
    let subscriptions = [clock(1, MONOTONIC, 5, RELATIVE), descriptor(2, WRITE, 1)];
    gives(&mut guest, &subscriptions, &[event(2, 0, WRITE, 0, 0)]);
    assert_eq!(now(&mut guest, MONOTONIC), 0);
}

// Descriptors.

#[test]
fn a_pipe_is_ready_when_there_is_something_to_read_and_says_how_much() {
    let (mut guest, mut writer) = with_stdin();
    let subscriptions = [descriptor(1, READ, 0), clock(2, MONOTONIC, 5 * MILLISECOND, RELATIVE)];
    gives(&mut guest, &subscriptions, &[event(2, 0, 0, 0, 0)]);
    writer.write_all(b"hello").unwrap();
    gives(&mut guest, &subscriptions[..1], &[event(1, 0, READ, 5, 0)]);
    gives(&mut guest, &[clock(2, MONOTONIC, HOUR, RELATIVE), subscriptions[0]], &[event(1, 0, READ, 5, 0)]);
    assert_eq!(guest.read_fd(0, 9), Ok(b"hello".to_vec()));
    gives(&mut guest, &subscriptions, &[event(2, 0, 0, 0, 0)]);
}

#[test]
fn a_pipe_that_nobody_writes_any_more_is_hung_up() {
    let (mut guest, writer) = with_stdin();
    drop(writer);
    gives(&mut guest, &[descriptor(1, READ, 0)], &[event(1, 0, READ, 0, 1)]);
}

#[test]
fn something_that_comes_while_waiting_ends_the_wait() {
    let (mut guest, mut writer) = with_stdin();
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        writer.write_all(b"x").unwrap();
        writer
    });
    let subscriptions = [clock(1, MONOTONIC, HOUR, RELATIVE), descriptor(2, READ, 0)];
    gives(&mut guest, &subscriptions, &[event(2, 0, READ, 1, 0)]);
    late.join().unwrap();
}

#[test]
fn a_pipe_is_ready_to_write_until_it_is_full() {
    let (mut guest, mut reader) = with_stdout();
    let subscriptions = [descriptor(1, WRITE, 1), clock(2, MONOTONIC, 5 * MILLISECOND, RELATIVE)];
    gives(&mut guest, &subscriptions, &[event(1, 0, WRITE, 1, 0)]);
    guest.gives("fd_fdstat_set_flags", &[1, NONBLOCK], &[]);
    let mut taken = 0;
    while let Ok(bytes) = guest.write_fd(1, &[0; 4096]) {
        taken += bytes as usize;
    }
    gives(&mut guest, &subscriptions, &[event(2, 0, 0, 0, 0)]);
    reader.read_exact(&mut vec![0; taken]).unwrap();
    gives(&mut guest, &subscriptions, &[event(1, 0, WRITE, 1, 0)]);
}

#[test]
fn a_pipe_that_nobody_reads_any_more_keeps_nobody_waiting() {
    let (mut guest, reader) = with_stdout();
    drop(reader);
    guest.write(SUBS, &[descriptor(1, WRITE, 1), clock(2, MONOTONIC, HOUR, RELATIVE)].concat());
    guest.writes("poll_oneoff", &[SUBS, EVENTS, 2, RESULT], &[(EVENTS, 32), (RESULT, 4)]);
    assert_eq!((guest.u32_at(RESULT), guest.u64_at(EVENTS)), (1, 1));
}

#[test]
fn a_file_is_always_ready_and_says_how_much_is_left() {
    let mut guest = Setup::new().file("file", "0123456789").start();
    let fd = guest.open_file("file");
    let subscriptions = [descriptor(1, READ, fd), descriptor(2, WRITE, fd), clock(3, MONOTONIC, HOUR, RELATIVE)];
    gives(&mut guest, &subscriptions, &[event(1, 0, READ, 10, 0), event(2, 0, WRITE, 1, 0)]);
    guest.read_fd(fd, 4).unwrap();
    gives(&mut guest, &subscriptions[..1], &[event(1, 0, READ, 6, 0)]);
    guest.call("fd_seek", &[fd, 100, 0, RESULT]);
    gives(&mut guest, &subscriptions[..1], &[event(1, 0, READ, 0, 0)]);
}

#[test]
fn a_file_that_was_appended_to_has_nothing_left() {
    let mut guest = Setup::new().file("file", "0123456789").start();
    let fd = guest.open(WORK, "file", 0, crate::harness::READ_WRITE, crate::harness::APPEND);
    guest.write_fd(fd, b"abc").unwrap();
    gives(&mut guest, &[descriptor(1, READ, fd)], &[event(1, 0, READ, 0, 0)]);
}

#[test]
fn a_stream_with_nothing_behind_it_is_at_its_end() {
    let mut guest = Guest::new();
    let subscriptions = [descriptor(1, READ, 0), descriptor(2, WRITE, 1)];
    gives(&mut guest, &subscriptions, &[event(1, 0, READ, 0, 1), event(2, 0, WRITE, 0, 0)]);
}

#[test]
fn what_cannot_be_waited_for_is_an_error_of_its_own_and_not_of_the_call() {
    let mut guest = Guest::new();
    let subscriptions = [
        descriptor(1, READ, CLOSED),
        clock(2, MONOTONIC, HOUR, RELATIVE),
        descriptor(3, WRITE, 0xffff_ffff),
        descriptor(u64::MAX, READ, WORK),
    ];
    let events = [event(1, BADF, READ, 0, 0), event(3, BADF, WRITE, 0, 0), event(u64::MAX, BADF, READ, 0, 0)];
    gives(&mut guest, &subscriptions, &events);
}

#[test]
fn one_descriptor_can_be_waited_for_twice() {
    let (mut guest, mut writer) = with_stdin();
    writer.write_all(b"abc").unwrap();
    let events = [event(1, 0, READ, 3, 0), event(2, 0, READ, 3, 0)];
    gives(&mut guest, &[descriptor(1, READ, 0), descriptor(2, READ, 0)], &events);
}

// The call.

#[test]
fn waiting_for_nothing_is_invalid() {
    let mut guest = Guest::new();
    guest.fails("poll_oneoff", &[SUBS, EVENTS, 0, RESULT], INVAL);
    guest.fails("poll_oneoff", &[MEMORY_BYTES as u64, MEMORY_BYTES as u64, 0, RESULT], INVAL);
}

#[test]
fn a_subscription_that_means_nothing_is_invalid() {
    let mut guest = Guest::new();
    for tag in [3, 255] {
        fails(&mut guest, &[descriptor(1, tag, 1)], INVAL);
        fails(&mut guest, &[clock(1, MONOTONIC, 0, RELATIVE), descriptor(1, tag, 1)], INVAL);
    }
}

#[test]
fn events_may_be_put_over_the_subscriptions_they_answer() {
    let mut guest = Guest::new();
    guest.write(SUBS, &[clock(1, MONOTONIC, 0, RELATIVE), clock(2, REALTIME, 0, RELATIVE)].concat());
    let events = [event(1, 0, 0, 0, 0), event(2, 0, 0, 0, 0)].concat();
    guest.gives("poll_oneoff", &[SUBS, SUBS, 2, RESULT], &[(SUBS, &events), (RESULT, &[2, 0, 0, 0])]);
}

/// The kernel takes no more entries in one wait than the process may have descriptors, which is 1024 where nobody has said
/// otherwise: so this runs again with as many, in a process of its own.
#[test]
fn more_subscriptions_than_the_process_may_have_descriptors_are_answered() {
    const AGAIN: &str = "TURNKEY_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(AGAIN).is_none() {
        let this = std::env::current_exe().unwrap();
        let name = "poll::more_subscriptions_than_the_process_may_have_descriptors_are_answered";
        let script = format!("ulimit -Sn 1024 && exec \"$0\" --include-ignored --exact {name}");
        let again = std::process::Command::new("sh").arg("-c").arg(script).arg(this).env(AGAIN, "1").output().unwrap();
        assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stdout));
        return;
    }
    let (mut guest, mut writer) = with_stdin();
    writer.write_all(b"x").unwrap();
    let count = 1200;
    guest.write(0, &vec![descriptor(9, READ, 0); count].concat());
    let (events, nevents) = (0xf000, MEMORY_BYTES as u64 - 4);
    assert_eq!(guest.call("poll_oneoff", &[0, events, count as u64, nevents]), 0);
    assert_eq!(guest.u32_at(nevents), count as u32);
}

// The end of the guest's time.

fn limited(setup: Setup) -> Guest {
    let mut setup = setup;
    setup.limits.timeout = Some(Duration::from_millis(50));
    setup.start()
}

#[test]
fn no_wait_is_longer_than_the_guests_time() {
    let begun = Instant::now();
    let mut setup = Setup::new();
    let (reader, _writer) = pipe().unwrap();
    setup.grants.stdin = StreamGrant::Descriptor(reader.into());
    let mut guest = limited(setup);
    for subscriptions in [
        [clock(1, MONOTONIC, HOUR, RELATIVE); 2],
        [clock(1, MONOTONIC, u64::MAX, ABSOLUTE), descriptor(2, READ, 0)],
        [descriptor(1, READ, 0); 2],
    ] {
        guest.write(SUBS, &subscriptions.concat());
        let stopped = guest.traps::<Stopped>("poll_oneoff", &[SUBS, EVENTS, 2, RESULT]);
        assert_eq!(stopped, Stopped(Limit::Timeout));
    }
    let [iovs, count] = guest.iovs(&[(crate::harness::BUF, 1)]);
    assert_eq!(guest.traps::<Stopped>("fd_read", &[0, iovs, count, RESULT]), Stopped(Limit::Timeout));
    assert!((Duration::from_millis(50)..Duration::from_secs(10)).contains(&begun.elapsed()));
}

#[test]
fn what_is_over_in_time_is_told_also_to_a_guest_whose_time_is_limited() {
    let mut setup = Setup::new();
    setup.limits.timeout = Some(Duration::from_secs(60));
    let mut guest = setup.start();
    gives(&mut guest, &[clock(1, MONOTONIC, 0, RELATIVE)], &[event(1, 0, 0, 0, 0)]);
    gives(&mut guest, &[descriptor(1, WRITE, 1)], &[event(1, 0, WRITE, 0, 0)]);
}
