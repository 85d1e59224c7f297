//! `sock_accept`, `sock_recv`, `sock_send`, `sock_shutdown`, over a listener on the loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use turnkey_core::limits::Limit;
use turnkey_core::sockets::TcpListener;
use turnkey_p1::Stopped;

use crate::harness::errno::{AGAIN, BADF, INVAL, NFILE, NOTCONN, NOTSOCK, PIPE, SPIPE};
use crate::harness::{BUF, CLOSED, EVENTS, FIRST, Guest, IOVS, NONBLOCK, RESULT, RESULT2, SUBS, Setup, WORK};

/// The listener's descriptor.
const LISTENER: u64 = FIRST;

const PEEK: u64 = 1;
const WAITALL: u64 = 2;

const READ_SIDE: u64 = 1;
const WRITE_SIDE: u64 = 2;

fn setup() -> Setup {
    let mut setup = Setup::new().file("file", "");
    setup.grants.tcp_listeners = vec![TcpListener::open((Ipv4Addr::LOCALHOST, 0).into()).unwrap()];
    setup
}

fn listening() -> Guest {
    setup().start()
}

fn connect(guest: &Guest) -> TcpStream {
    TcpStream::connect(guest.listening[0]).unwrap()
}

/// A guest with a connection, and its other end.
fn connected() -> (Guest, u64, TcpStream) {
    let mut guest = listening();
    let peer = connect(&guest);
    assert_eq!(guest.call("sock_accept", &[LISTENER, 0, RESULT]), 0);
    let fd = guest.u32_at(RESULT).into();
    (guest, fd, peer)
}

fn receive(guest: &mut Guest, fd: u64, most: u64, flags: u64) -> Result<Vec<u8>, u32> {
    let [iovs, count] = guest.iovs(&[(BUF, most)]);
    match guest.call("sock_recv", &[fd, iovs, count, flags, RESULT, RESULT2]) {
        0 => Ok(guest.read(BUF, guest.u32_at(RESULT) as usize)),
        errno => Err(errno),
    }
}

fn send(guest: &mut Guest, fd: u64, bytes: &[u8]) -> Result<u32, u32> {
    guest.write(BUF, bytes);
    let [iovs, count] = guest.iovs(&[(BUF, bytes.len() as u64)]);
    match guest.call("sock_send", &[fd, iovs, count, 0, RESULT]) {
        0 => Ok(guest.u32_at(RESULT)),
        errno => Err(errno),
    }
}

fn later(work: impl FnOnce() + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        work();
    })
}

// sock_accept

#[test]
fn a_connection_that_waits_is_taken_under_the_lowest_number() {
    let mut guest = listening();
    let _peer = connect(&guest);
    let number = (LISTENER as u32 + 1).to_le_bytes();
    guest.gives("sock_accept", &[LISTENER, 0, RESULT], &[(RESULT, &number)]);
    guest.writes("fd_fdstat_get", &[LISTENER + 1, RESULT], &[(RESULT, 24)]);
    assert_eq!(guest.read(RESULT, 4), [6, 0, 0, 0]);
}

#[test]
fn a_guest_that_will_not_wait_is_told_that_nobody_is_there() {
    let mut guest = listening();
    guest.gives("fd_fdstat_set_flags", &[LISTENER, NONBLOCK], &[]);
    guest.fails("sock_accept", &[LISTENER, 0, RESULT], AGAIN);
    let _peer = connect(&guest);
    guest.writes("sock_accept", &[LISTENER, 0, RESULT], &[(RESULT, 4)]);
    guest.fails("sock_accept", &[LISTENER, 0, RESULT], AGAIN);
}

#[test]
fn a_guest_that_waits_gets_the_next_connection() {
    let mut guest = listening();
    let address = guest.listening[0];
    let late = later(move || drop(TcpStream::connect(address).unwrap()));
    guest.writes("sock_accept", &[LISTENER, 0, RESULT], &[(RESULT, 4)]);
    late.join().unwrap();
}

#[test]
fn a_connection_waits_or_not_as_was_asked_when_it_was_taken() {
    let mut guest = listening();
    let _peer = connect(&guest);
    guest.writes("sock_accept", &[LISTENER, NONBLOCK, RESULT], &[(RESULT, 4)]);
    let fd = guest.u32_at(RESULT).into();
    assert_eq!(receive(&mut guest, fd, 10, 0), Err(AGAIN));
    assert_eq!(guest.read_fd(fd, 10), Err(AGAIN));
}

#[test]
fn only_a_listener_takes_connections() {
    let (mut guest, connection, _peer) = connected();
    let file = guest.open_file("file");
    for (fd, errno) in
        [(connection, INVAL), (file, NOTSOCK), (WORK, NOTSOCK), (0, NOTSOCK), (1, NOTSOCK), (CLOSED, BADF)]
    {
        guest.fails("sock_accept", &[fd, 0, RESULT], errno);
    }
    for flags in [32, 0x1_0000, 0xffff_ffff] {
        guest.fails("sock_accept", &[LISTENER, flags, RESULT], INVAL);
    }
}

#[test]
fn at_the_limit_of_descriptors_a_connection_goes_on_waiting() {
    let mut setup = setup();
    setup.limits.descriptors = 6;
    let mut guest = setup.start();
    let mut peer = connect(&guest);
    guest.fails("sock_accept", &[LISTENER, 0, RESULT], NFILE);
    guest.gives("fd_close", &[0], &[]);
    guest.gives("sock_accept", &[LISTENER, 0, RESULT], &[(RESULT, &[0; 4])]);
    assert_eq!(send(&mut guest, 0, b"here"), Ok(4));
    let mut bytes = [0; 4];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"here");
}

#[test]
fn a_listener_is_no_connection() {
    let mut guest = listening();
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    guest.fails("sock_recv", &[LISTENER, iovs, count, 0, RESULT, RESULT2], NOTCONN);
    guest.fails("sock_send", &[LISTENER, iovs, count, 0, RESULT], NOTCONN);
    guest.fails("sock_shutdown", &[LISTENER, 3], NOTCONN);
    guest.fails("fd_read", &[LISTENER, iovs, count, RESULT], BADF);
    guest.fails("fd_write", &[LISTENER, iovs, count, RESULT], BADF);
    assert_eq!(guest.stat(LISTENER).filetype, 6);
}

#[test]
fn no_wait_for_a_connection_is_longer_than_the_guests_time() {
    let mut setup = setup();
    setup.limits.timeout = Some(Duration::from_millis(30));
    let mut guest = setup.start();
    let stopped = guest.traps::<Stopped>("sock_accept", &[LISTENER, 0, RESULT]);
    assert_eq!(stopped, Stopped(Limit::Timeout));
}

#[test]
fn no_wait_for_data_is_longer_than_the_guests_time() {
    let mut setup = setup();
    setup.limits.timeout = Some(Duration::from_millis(400));
    let mut guest = setup.start();
    let _peer = connect(&guest);
    assert_eq!(guest.call("sock_accept", &[LISTENER, 0, RESULT]), 0);
    let fd: u64 = guest.u32_at(RESULT).into();
    let [iovs, count] = guest.iovs(&[(BUF, 10)]);
    for flags in [0, WAITALL, PEEK] {
        let stopped = guest.traps::<Stopped>("sock_recv", &[fd, iovs, count, flags, RESULT, RESULT2]);
        assert_eq!(stopped, Stopped(Limit::Timeout));
    }
}

// sock_recv

#[test]
fn what_is_received_fills_the_buffers_in_order() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(b"hello").unwrap();
    let [iovs, count] = guest.iovs(&[(BUF, 2), (BUF + 50, 0), (BUF + 100, 9)]);
    let written: &[(u64, &[u8])] = &[(BUF, b"he"), (BUF + 100, b"llo"), (RESULT, &[5, 0, 0, 0]), (RESULT2, &[0, 0])];
    guest.gives("sock_recv", &[fd, iovs, count, 0, RESULT, RESULT2], written);
}

#[test]
fn what_is_peeked_at_is_still_there() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(b"hello").unwrap();
    assert_eq!(receive(&mut guest, fd, 3, PEEK), Ok(b"hel".to_vec()));
    assert_eq!(receive(&mut guest, fd, 9, PEEK), Ok(b"hello".to_vec()));
    assert_eq!(receive(&mut guest, fd, 9, 0), Ok(b"hello".to_vec()));
}

#[test]
fn all_that_was_asked_for_is_waited_for_if_so_said() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(b"one ").unwrap();
    let late = later(move || peer.write_all(b"two").unwrap());
    assert_eq!(receive(&mut guest, fd, 7, WAITALL), Ok(b"one two".to_vec()));
    late.join().unwrap();
}

#[test]
fn less_than_all_comes_where_the_end_comes_first() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(b"end").unwrap();
    drop(peer);
    assert_eq!(receive(&mut guest, fd, 100, WAITALL), Ok(b"end".to_vec()));
    assert_eq!(receive(&mut guest, fd, 100, 0), Ok(vec![]));
    assert_eq!(guest.read_fd(fd, 100), Ok(vec![]));
}

#[test]
fn flags_that_mean_nothing_are_invalid() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(b"x").unwrap();
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    for flags in [4, 0x1_0000, 0xffff_ffff] {
        guest.fails("sock_recv", &[fd, iovs, count, flags, RESULT, RESULT2], INVAL);
    }
    for flags in [1, 0xffff_ffff] {
        guest.fails("sock_send", &[fd, iovs, count, flags, RESULT], INVAL);
    }
    assert_eq!(receive(&mut guest, fd, 9, 0), Ok(b"x".to_vec()));
}

#[test]
fn more_buffers_than_one_system_call_takes_are_a_short_receive() {
    let (mut guest, fd, mut peer) = connected();
    peer.write_all(&[7; 1025]).unwrap();
    let one_byte: Vec<(u64, u64)> = (0..1025).map(|number| (BUF + number, 1)).collect();
    let [iovs, count] = guest.iovs(&one_byte);
    guest.writes("sock_recv", &[fd, iovs, count, WAITALL, RESULT, RESULT2], &[(BUF, 1024), (RESULT, 4), (RESULT2, 2)]);
    assert_eq!(guest.u32_at(RESULT), 1024);
    assert_eq!(receive(&mut guest, fd, 9, 0), Ok(vec![7]));
}

// sock_send

#[test]
fn all_buffers_are_sent_in_order() {
    let (mut guest, fd, mut peer) = connected();
    guest.write(BUF, b"abcdef");
    let [iovs, count] = guest.iovs(&[(BUF + 3, 3), (BUF, 0), (BUF, 3)]);
    guest.gives("sock_send", &[fd, iovs, count, 0, RESULT], &[(RESULT, &[6, 0, 0, 0])]);
    let mut bytes = [0; 6];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"defabc");
}

#[test]
fn a_connection_that_is_full_keeps_a_guest_that_will_not_wait_waiting_no_longer() {
    let (mut guest, fd, peer) = connected();
    guest.gives("fd_fdstat_set_flags", &[fd, NONBLOCK], &[]);
    let errno = loop {
        match send(&mut guest, fd, &[0; 30_000]) {
            Ok(bytes) => assert!(bytes > 0),
            Err(errno) => break errno,
        }
    };
    assert_eq!(errno, AGAIN);
    drop(peer);
}

#[test]
fn sending_after_ones_own_end_is_a_broken_pipe_and_not_a_signal() {
    let (mut guest, fd, mut peer) = connected();
    assert_eq!(send(&mut guest, fd, b"last"), Ok(4));
    guest.gives("sock_shutdown", &[fd, WRITE_SIDE], &[]);
    assert_eq!(send(&mut guest, fd, b"x"), Err(PIPE));
    assert_eq!(guest.write_fd(fd, b"x"), Err(PIPE));
    let mut all = String::new();
    peer.read_to_string(&mut all).unwrap();
    assert_eq!(all, "last");
    // The other direction is open still.
    peer.write_all(b"answer").unwrap();
    assert_eq!(receive(&mut guest, fd, 9, 0), Ok(b"answer".to_vec()));
}

// sock_shutdown

#[test]
fn what_is_shut_down_to_read_is_at_its_end() {
    let (mut guest, fd, _peer) = connected();
    guest.gives("sock_shutdown", &[fd, READ_SIDE], &[]);
    assert_eq!(receive(&mut guest, fd, 9, 0), Ok(vec![]));
    assert_eq!(send(&mut guest, fd, b"still"), Ok(5));
    guest.gives("sock_shutdown", &[fd, READ_SIDE | WRITE_SIDE], &[]);
    assert_eq!(send(&mut guest, fd, b"x"), Err(PIPE));
}

#[test]
fn shutting_down_nothing_or_what_is_none_is_invalid() {
    let (mut guest, fd, _peer) = connected();
    for how in [0, 4, 0x101, 0xffff_ffff] {
        guest.fails("sock_shutdown", &[fd, how], INVAL);
    }
    assert_eq!(send(&mut guest, fd, b"x"), Ok(1));
}

// Descriptors.

#[test]
fn what_is_no_socket_says_so() {
    let mut guest = Setup::new().file("file", "").start();
    let file = guest.open_file("file");
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    for (fd, errno) in [(file, NOTSOCK), (WORK, NOTSOCK), (0, NOTSOCK), (1, NOTSOCK), (CLOSED, BADF)] {
        guest.fails("sock_recv", &[fd, iovs, count, 0, RESULT, RESULT2], errno);
        guest.fails("sock_send", &[fd, iovs, count, 0, RESULT], errno);
        guest.fails("sock_shutdown", &[fd, 3], errno);
    }
}

#[test]
fn a_connection_is_read_and_written_like_a_file_but_has_no_position() {
    let (mut guest, fd, mut peer) = connected();
    assert_eq!(guest.write_fd(fd, b"ping"), Ok(4));
    let mut bytes = [0; 4];
    peer.read_exact(&mut bytes).unwrap();
    peer.write_all(&bytes).unwrap();
    assert_eq!(guest.read_fd(fd, 9), Ok(b"ping".to_vec()));
    // Nothing asked for is nothing waited for.
    guest.gives("fd_read", &[fd, IOVS, 0, RESULT], &[(RESULT, &[0; 4])]);
    guest.gives("fd_write", &[fd, IOVS, 0, RESULT], &[(RESULT, &[0; 4])]);
    let [iovs, count] = guest.iovs(&[(BUF, 1)]);
    for (name, arguments) in [
        ("fd_seek", &[fd, 0, 0, RESULT][..]),
        ("fd_tell", &[fd, RESULT]),
        ("fd_pread", &[fd, iovs, count, 0, RESULT]),
        ("fd_pwrite", &[fd, iovs, count, 0, RESULT]),
    ] {
        guest.fails(name, arguments, SPIPE);
    }
    assert_eq!(guest.stat(fd).filetype, 6);
}

#[test]
fn closing_ends_the_connection() {
    let (mut guest, fd, mut peer) = connected();
    guest.gives("fd_close", &[fd], &[]);
    assert_eq!(peer.read(&mut [0; 9]).unwrap(), 0);
    guest.gives("fd_close", &[LISTENER], &[]);
    assert!(TcpStream::connect(guest.listening[0]).is_err());
}

// Waiting.

fn poll(guest: &mut Guest, subscriptions: &[(u8, u64)]) -> Vec<(u8, u16, u64)> {
    for (number, &(tag, fd)) in (0..).zip(subscriptions) {
        let mut record = [0; 48];
        record[8] = tag;
        record[16..20].copy_from_slice(&(fd as u32).to_le_bytes());
        guest.write(SUBS + number * 48, &record);
    }
    assert_eq!(guest.call("poll_oneoff", &[SUBS, EVENTS, subscriptions.len() as u64, RESULT]), 0);
    let events = guest.read(EVENTS, guest.u32_at(RESULT) as usize * 32);
    let event = |record: &[u8]| {
        let bytes = u64::from_le_bytes(record[16..24].try_into().unwrap());
        (record[10], u16::from_le_bytes([record[8], record[9]]), bytes)
    };
    events.chunks(32).map(event).collect()
}

#[test]
fn a_listener_is_ready_when_somebody_waits() {
    let mut guest = listening();
    assert_eq!(poll(&mut guest, &[(1, LISTENER), (0, 0)]), [(0, 0, 0)]);
    let _peer = connect(&guest);
    assert_eq!(poll(&mut guest, &[(1, LISTENER)]), [(1, 0, 1)]);
}

#[test]
fn a_connection_is_ready_for_what_it_can_do_and_says_how_much() {
    let (mut guest, fd, mut peer) = connected();
    assert_eq!(poll(&mut guest, &[(1, fd), (2, fd)]), [(2, 0, 1)]);
    peer.write_all(b"hello").unwrap();
    assert_eq!(poll(&mut guest, &[(1, fd)]), [(1, 0, 5)]);
    assert_eq!(receive(&mut guest, fd, 9, 0).unwrap().len(), 5);
    peer.shutdown(Shutdown::Both).unwrap();
    assert_eq!(poll(&mut guest, &[(1, fd)]), [(1, 0, 0)]);
}
