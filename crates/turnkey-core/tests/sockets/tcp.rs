//! TCP: the standard's states, who may bind and connect to what, and what comes of a connection.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::AsFd;

use turnkey_core::host::buffers::Buffers;
use turnkey_core::host::poll::Ready;
use turnkey_core::limits::{Limit, Limits};
use turnkey_core::sockets::tcp::{Directions, ReceiveFlags};
use turnkey_core::sockets::{AddressFamily, TcpConnection, TcpSocket};
use turnkey_core::stream::{Interest, Interruption, Wait};
use turnkey_core::{Capabilities, ErrorCode};

use super::{CALL, FAMILIES, PATIENCE, anything, at, guest, guest_with, happened, loopback, refused, wait};

const RECEIVE: Directions = Directions { receive: true, send: false };
const SEND: Directions = Directions { receive: false, send: true };
const BOTH: Directions = Directions { receive: true, send: true };

fn bound(host: &mut Capabilities, local: SocketAddr) -> TcpSocket {
    let mut socket = TcpSocket::new(host, AddressFamily::of(&local)).unwrap();
    socket.start_bind(host, CALL, local).unwrap();
    socket.finish_bind().unwrap();
    socket
}

fn listening(host: &mut Capabilities, family: AddressFamily) -> TcpSocket {
    let mut socket = bound(host, loopback(family, 0));
    socket.start_listen(host, CALL).unwrap();
    socket.finish_listen().unwrap();
    socket
}

fn connect(host: &mut Capabilities, socket: &mut TcpSocket, remote: SocketAddr) -> Result<TcpConnection, ErrorCode> {
    socket.start_connect(host, CALL, remote)?;
    wait(host, socket.interest());
    socket.finish_connect()
}

/// Both ends of a connection, and their sockets.
struct Pair {
    client: TcpSocket,
    to_server: TcpConnection,
    server: TcpSocket,
    to_client: TcpConnection,
}

fn pair(host: &mut Capabilities, family: AddressFamily) -> Pair {
    let listener = listening(host, family);
    let mut client = TcpSocket::new(host, family).unwrap();
    let to_server = connect(host, &mut client, listener.local_address().unwrap()).unwrap();
    wait(host, listener.interest());
    let (server, to_client) = listener.accept(host).unwrap();
    Pair { client, to_server, server, to_client }
}

fn send(connection: &TcpConnection, data: &[u8]) -> Result<usize, Interruption> {
    connection.send(&Buffers::whole(&mut data.to_vec()), Wait::Never)
}

fn receive(connection: &TcpConnection, wait: Wait) -> Result<Vec<u8>, Interruption> {
    let mut data = [0; 64];
    let (bytes, _) = connection.receive(&mut Buffers::whole(&mut data), ReceiveFlags::default(), wait)?;
    Ok(data[..bytes].to_vec())
}

fn readable(connection: &TcpConnection) -> Interest {
    Interest::Descriptor(connection.shared(), Ready::Read)
}

/// A connection to a peer that is none of the guest's, and the peer.
fn with_peer(host: &mut Capabilities) -> (TcpSocket, TcpConnection, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let connection = connect(host, &mut socket, listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, connection, peer)
}

/// Breaks the connection off, and waits until the guest's side has heard of it.
fn reset(host: &mut Capabilities, peer: std::net::TcpStream, connection: &TcpConnection) {
    rustix::net::sockopt::set_socket_linger(&peer, Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    // A peer that has ended before is readable by that alone, so that this is looked for where the kernel keeps it.
    let gone = || rustix::net::getpeername(connection.shared().as_fd()).is_err();
    let late = std::time::Instant::now() + PATIENCE;
    while !gone() {
        assert!(std::time::Instant::now() < late);
        std::thread::yield_now();
    }
    assert!(happened(host, readable(connection)));
}

/// All that comes until the end, or what came instead of one.
fn rest(mut peer: std::net::TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut came = Vec::new();
    let ended = peer.read_to_end(&mut came);
    (came, ended.err().map(|error| error.kind()))
}

/// What each method says that the state alone decides, in the order of the names here.
fn answers(host: &mut Capabilities, socket: &mut TcpSocket) -> [Option<ErrorCode>; 8] {
    let family = socket.address_family();
    [
        socket.finish_bind().err(),
        socket.finish_connect().err(),
        socket.finish_listen().err(),
        socket.accept(host).err(),
        socket.local_address().err(),
        socket.remote_address().err(),
        // A family that it has not would be told only after the state.
        socket.start_bind(host, CALL, loopback(other(family), 0)).err(),
        socket.start_connect(host, CALL, loopback(other(family), 1)).err(),
    ]
}

const fn other(family: AddressFamily) -> AddressFamily {
    match family {
        AddressFamily::Ipv4 => AddressFamily::Ipv6,
        AddressFamily::Ipv6 => AddressFamily::Ipv4,
    }
}

const NO: Option<ErrorCode> = Some(ErrorCode::NotInProgress);
const STATE: Option<ErrorCode> = Some(ErrorCode::InvalidState);
const ARGUMENT: Option<ErrorCode> = Some(ErrorCode::Invalid);

#[test]
fn an_unbound_socket_can_be_bound_or_connected() {
    let host = &mut anything();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(answers(host, &mut socket), [NO, NO, NO, STATE, STATE, STATE, ARGUMENT, ARGUMENT]);
    assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::InvalidState));
    assert_eq!(socket.shutdown(BOTH), Err(ErrorCode::InvalidState));
    assert!(!socket.is_listening());
    assert!(matches!(socket.interest(), Interest::Now));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Ok(()));
}

#[test]
fn a_bind_is_finished_once_and_then_cannot_be_changed() {
    let host = &mut anything();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.start_bind(host, CALL, at("127.0.0.1:0")).unwrap();
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Already));
    assert_eq!(socket.start_connect(host, CALL, at("127.0.0.1:1")), Err(ErrorCode::Already));
    assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::Already));
    assert_eq!(socket.finish_listen(), Err(ErrorCode::NotInProgress));
    assert_eq!(socket.finish_bind(), Ok(()));
    assert_eq!(answers(host, &mut socket), [NO, NO, NO, STATE, None, STATE, STATE, ARGUMENT]);
    assert_eq!(socket.local_address().unwrap().ip(), at("127.0.0.1:0").ip());
    assert_ne!(socket.local_address().unwrap().port(), 0);
}

#[test]
fn a_bind_that_failed_can_be_tried_again() {
    let host = &mut anything();
    let taken = listening(host, AddressFamily::Ipv4).local_address().unwrap();
    let holder = std::net::TcpListener::bind(taken).unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.start_bind(host, CALL, taken), Err(ErrorCode::AddressInUse));
    assert_eq!(socket.start_bind(host, CALL, at("192.0.2.1:0")), Err(ErrorCode::AddressNotBindable));
    assert_eq!(socket.finish_bind(), Err(ErrorCode::NotInProgress));
    drop(holder);
    assert_eq!(socket.start_bind(host, CALL, taken), Ok(()));
}

#[test]
fn what_is_no_address_for_a_socket_is_no_argument() {
    let host = &mut anything();
    for (family, local) in [
        (AddressFamily::Ipv4, "[::1]:0"),
        (AddressFamily::Ipv4, "224.0.0.1:0"),
        (AddressFamily::Ipv4, "255.255.255.255:0"),
        (AddressFamily::Ipv6, "127.0.0.1:0"),
        (AddressFamily::Ipv6, "[ff02::1]:0"),
        (AddressFamily::Ipv6, "[::ffff:127.0.0.1]:0"),
        (AddressFamily::Ipv6, "[::127.0.0.1]:0"),
    ] {
        let mut socket = TcpSocket::new(host, family).unwrap();
        assert_eq!(socket.start_bind(host, CALL, at(local)), Err(ErrorCode::Invalid), "{local}");
        let mut remote = at(local);
        remote.set_port(1);
        assert_eq!(socket.start_connect(host, CALL, remote), Err(ErrorCode::Invalid), "{remote}");
    }
    for (family, remote) in [
        (AddressFamily::Ipv4, "0.0.0.0:1"),
        (AddressFamily::Ipv4, "127.0.0.1:0"),
        (AddressFamily::Ipv6, "[::]:1"),
        (AddressFamily::Ipv6, "[::1]:0"),
    ] {
        let mut socket = TcpSocket::new(host, family).unwrap();
        assert_eq!(socket.start_connect(host, CALL, at(remote)), Err(ErrorCode::Invalid), "{remote}");
        // Nothing was tried, so that nothing is lost.
        assert_eq!(socket.start_bind(host, CALL, loopback(family, 0)), Ok(()), "{remote}");
    }
}

#[test]
fn ports_of_the_system_are_what_the_system_says() {
    let host = &mut anything();
    let native = std::net::TcpListener::bind("127.0.0.1:1").map(drop);
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let result = socket.start_bind(host, CALL, at("127.0.0.1:1"));
    match native {
        Ok(()) => assert_eq!(result, Ok(())),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            assert_eq!(result, Err(ErrorCode::Access));
        }
        Err(_) => assert_eq!(result, Err(ErrorCode::AddressInUse)),
    }
}

#[test]
fn a_listening_socket_does_nothing_else() {
    let host = &mut anything();
    let mut socket = bound(host, at("127.0.0.1:0"));
    socket.start_listen(host, CALL).unwrap();
    assert!(!socket.is_listening());
    assert_eq!(answers(host, &mut socket)[..3], [NO, NO, None]);
    assert!(socket.is_listening());
    assert_eq!(answers(host, &mut socket), [NO, NO, NO, Some(ErrorCode::WouldBlock), None, STATE, STATE, STATE]);
    assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::InvalidState));
    assert_eq!(socket.shutdown(BOTH), Err(ErrorCode::InvalidState));
    assert!(!happened(host, socket.interest()));
}

#[test]
fn a_listen_in_progress_keeps_everything_else_waiting() {
    let host = &mut anything();
    let mut socket = bound(host, at("127.0.0.1:0"));
    socket.start_listen(host, CALL).unwrap();
    assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::Already));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Already));
    assert_eq!(socket.start_connect(host, CALL, at("127.0.0.1:1")), Err(ErrorCode::Already));
    assert_eq!(socket.accept(host).err(), Some(ErrorCode::InvalidState));
    assert!(happened(host, socket.interest()));
}

#[test]
fn a_second_listener_on_one_address_closes_its_socket() {
    let host = &mut anything();
    let first = bound(host, at("127.0.0.1:0"));
    let local = first.local_address().unwrap();
    // Both are bound, as long as nobody listens.
    let mut second = bound(host, local);
    let mut first = first;
    first.start_listen(host, CALL).unwrap();
    assert_eq!(second.start_listen(host, CALL), Err(ErrorCode::AddressInUse));
    assert_eq!(answers(host, &mut second), [NO, NO, NO, STATE, STATE, STATE, STATE, STATE]);
}

#[test]
fn a_connection_carries_bytes_both_ways_and_has_an_end() {
    let host = &mut anything();
    for family in FAMILIES {
        let mut pair = pair(host, family);
        assert_eq!(pair.client.remote_address(), pair.server.local_address());
        assert_eq!(pair.server.remote_address(), pair.client.local_address());
        assert_eq!(pair.server.address_family(), family);
        let before = Err(Interruption::Failed(ErrorCode::WouldBlock));
        assert_eq!(receive(&pair.to_server, Wait::Never), before);
        assert_eq!(send(&pair.to_client, b"hello"), Ok(5));
        assert_eq!(receive(&pair.to_server, Wait::Forever), Ok(b"hello".to_vec()));
        assert_eq!(send(&pair.to_server, b""), Ok(0));
        assert_eq!(send(&pair.to_server, b"hello yourself"), Ok(14));
        assert_eq!(receive(&pair.to_client, Wait::Forever), Ok(b"hello yourself".to_vec()));
        assert_eq!(answers(host, &mut pair.client), [NO, NO, NO, STATE, None, None, STATE, STATE]);
        assert_eq!(pair.client.start_listen(host, CALL), Err(ErrorCode::InvalidState));
        assert!(happened(host, pair.client.interest()));
        drop((pair.client, pair.to_server));
        assert_eq!(receive(&pair.to_client, Wait::Forever), Ok(Vec::new()));
    }
}

#[test]
fn a_connection_in_progress_keeps_everything_else_waiting() {
    let host = &mut anything();
    let listener = listening(host, AddressFamily::Ipv4);
    let remote = listener.local_address().unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.start_connect(host, CALL, remote).unwrap();
    assert_eq!(socket.start_connect(host, CALL, remote), Err(ErrorCode::Already));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Already));
    assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::Already));
    assert_eq!(socket.finish_bind(), Err(ErrorCode::NotInProgress));
    assert_eq!(socket.shutdown(BOTH), Err(ErrorCode::InvalidState));
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.set_listen_backlog_size(1), Err(ErrorCode::InvalidState));
    wait(host, socket.interest());
    socket.finish_connect().unwrap();
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::NotInProgress));
}

#[test]
fn nobody_there_is_told_when_the_connection_is_finished_and_closes_the_socket() {
    let host = &mut anything();
    for family in FAMILIES {
        let nobody = bound(host, loopback(family, 0));
        let mut socket = TcpSocket::new(host, family).unwrap();
        let result = connect(host, &mut socket, nobody.local_address().unwrap());
        assert_eq!(result.err(), Some(ErrorCode::ConnectionRefused));
        assert_eq!(answers(host, &mut socket), [NO, NO, NO, STATE, STATE, STATE, STATE, STATE]);
        assert_eq!(socket.start_listen(host, CALL), Err(ErrorCode::InvalidState));
        assert_eq!(socket.shutdown(BOTH), Err(ErrorCode::InvalidState));
        assert_eq!(socket.keep_alive_enabled(), Err(ErrorCode::InvalidState));
        assert_eq!(socket.set_hop_limit(1), Err(ErrorCode::InvalidState));
        assert_eq!(socket.set_listen_backlog_size(1), Err(ErrorCode::InvalidState));
        assert!(happened(host, socket.interest()));
    }
}

#[test]
fn nowhere_to_go_is_told_when_the_connection_is_finished() {
    let host = &mut anything();
    // Loopback has no link, so that nothing is sent.
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv6).unwrap();
    socket.start_connect(host, CALL, at("[fe80::1%1]:80")).unwrap();
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::RemoteUnreachable));
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
}

#[test]
fn a_socket_that_is_bound_connects_from_there() {
    let host = &mut anything();
    let listener = listening(host, AddressFamily::Ipv4);
    let mut client = bound(host, at("127.0.0.2:0"));
    let local = client.local_address().unwrap();
    connect(host, &mut client, listener.local_address().unwrap()).unwrap();
    wait(host, listener.interest());
    let (server, _) = listener.accept(host).unwrap();
    assert_eq!(server.remote_address(), Ok(local));
    assert_eq!(client.local_address(), Ok(local));
}

#[test]
fn shutting_down_ends_one_direction_and_leaves_the_other() {
    let host = &mut anything();
    let mut pair = pair(host, AddressFamily::Ipv4);
    assert_eq!(pair.client.shutdown(SEND), Ok(()));
    assert_eq!(pair.client.shutdown(SEND), Ok(()));
    assert_eq!(send(&pair.to_server, b"more"), Err(Interruption::Failed(ErrorCode::Pipe)));
    assert_eq!(receive(&pair.to_client, Wait::Forever), Ok(Vec::new()));
    assert_eq!(send(&pair.to_client, b"still here"), Ok(10));
    assert_eq!(receive(&pair.to_server, Wait::Forever), Ok(b"still here".to_vec()));
    assert_eq!(send(&pair.to_client, b"unread"), Ok(6));
    wait(host, readable(&pair.to_server));
    assert_eq!(pair.client.shutdown(RECEIVE), Ok(()));
    assert_eq!(receive(&pair.to_server, Wait::Never), Ok(Vec::new()));
    assert_eq!(pair.client.shutdown(BOTH), Ok(()));
    assert!(pair.client.remote_address().is_ok());
}

#[test]
fn a_port_can_be_used_again_at_once() {
    let host = &mut anything();
    let listener = listening(host, AddressFamily::Ipv4);
    let local = listener.local_address().unwrap();
    let mut client = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let to_server = connect(host, &mut client, local).unwrap();
    wait(host, listener.interest());
    let (server, to_client) = listener.accept(host).unwrap();
    // The side that ends first is left in TIME_WAIT: the server's.
    drop((server, to_client));
    assert_eq!(receive(&to_server, Wait::Forever), Ok(Vec::new()));
    drop((client, to_server, listener));
    let mut next = bound(host, local);
    assert_eq!(next.start_listen(host, CALL), Ok(()));
}

#[test]
fn options_are_clamped_and_zero_is_none_of_them() {
    const SECOND: u64 = 1_000_000_000;
    let host = &mut anything();
    for family in FAMILIES {
        let socket = &mut TcpSocket::new(host, family).unwrap();
        assert_eq!(socket.set_listen_backlog_size(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_keep_alive_idle_time(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_keep_alive_interval(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_keep_alive_count(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_hop_limit(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_receive_buffer_size(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_send_buffer_size(0), Err(ErrorCode::Invalid));

        assert_eq!(socket.keep_alive_enabled(), Ok(false));
        socket.set_keep_alive_enabled(true).unwrap();
        assert_eq!(socket.keep_alive_enabled(), Ok(true));
        for (given, kept) in
            [(1, 1), (SECOND, 1), (SECOND + 1, 2), (42 * SECOND, 42), (32_768 * SECOND, 32_767), (u64::MAX, 32_767)]
        {
            socket.set_keep_alive_idle_time(given).unwrap();
            assert_eq!(socket.keep_alive_idle_time(), Ok(kept * SECOND), "{given}");
            socket.set_keep_alive_interval(given).unwrap();
            assert_eq!(socket.keep_alive_interval(), Ok(kept * SECOND), "{given}");
        }
        for (given, kept) in [(1, 1), (127, 127), (128, 127), (u32::MAX, 127)] {
            socket.set_keep_alive_count(given).unwrap();
            assert_eq!(socket.keep_alive_count(), Ok(kept));
        }
        for hops in [1, 42, u8::MAX] {
            socket.set_hop_limit(hops).unwrap();
            assert_eq!(socket.hop_limit(), Ok(hops));
        }
        for backlog in [1, u64::MAX] {
            socket.set_listen_backlog_size(backlog).unwrap();
        }
        for bytes in [1, u64::MAX, u64::from(u32::MAX), 0x10000] {
            socket.set_receive_buffer_size(bytes).unwrap();
            socket.set_send_buffer_size(bytes).unwrap();
            assert!(socket.receive_buffer_size().unwrap() > 0);
            assert!(socket.send_buffer_size().unwrap() > 0);
        }
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
    }
}

#[test]
fn a_connection_has_the_options_of_its_listener() {
    let host = &mut anything();
    for family in FAMILIES {
        let mut listener = bound(host, loopback(family, 0));
        listener.set_keep_alive_enabled(true).unwrap();
        listener.set_keep_alive_idle_time(7_000_000_000).unwrap();
        listener.set_keep_alive_interval(8_000_000_000).unwrap();
        listener.set_keep_alive_count(9).unwrap();
        listener.set_hop_limit(10).unwrap();
        listener.set_receive_buffer_size(0x8000).unwrap();
        listener.set_send_buffer_size(0x9000).unwrap();
        listener.start_listen(host, CALL).unwrap();
        listener.finish_listen().unwrap();
        listener.set_listen_backlog_size(4).unwrap();
        let mut client = TcpSocket::new(host, family).unwrap();
        let _connection = connect(host, &mut client, listener.local_address().unwrap()).unwrap();
        wait(host, listener.interest());
        let (accepted, _) = listener.accept(host).unwrap();
        assert_eq!(accepted.keep_alive_enabled(), Ok(true));
        assert_eq!(accepted.keep_alive_idle_time(), Ok(7_000_000_000));
        assert_eq!(accepted.keep_alive_interval(), Ok(8_000_000_000));
        assert_eq!(accepted.keep_alive_count(), Ok(9));
        assert_eq!(accepted.hop_limit(), Ok(10));
        assert_eq!(accepted.receive_buffer_size(), Ok(0x8000));
        assert_eq!(accepted.send_buffer_size(), Ok(0x9000));
    }
}

#[test]
fn nothing_is_granted_by_itself() {
    let host = &mut guest(&[]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.set_keep_alive_enabled(true).unwrap();
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Access));
    assert_eq!(socket.start_connect(host, CALL, remote), Err(ErrorCode::Access));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "somebody was there");
    let expected = ["--allow tcp-listen=127.0.0.1:0".to_owned(), format!("--allow tcp-connect={remote}")];
    assert_eq!(refused(host), expected);
    assert!(host.audit.refusals().iter().all(|row| row.call == CALL));
}

#[test]
fn connecting_needs_no_grant_to_bind_and_binding_first_does() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let remote = listener.local_addr().unwrap();
    let host = &mut guest(&[&format!("tcp-connect={remote}")]);
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Access));
    connect(host, &mut socket, remote).unwrap();
    let mut elsewhere = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(elsewhere.start_connect(host, CALL, at("127.0.0.1:1")), Err(ErrorCode::Access));
}

#[test]
fn a_grant_to_bind_to_any_free_port_is_one_to_listen_there() {
    let host = &mut guest(&["tcp-listen=127.0.0.1:0"]);
    let listener = listening(host, AddressFamily::Ipv4);
    let local = listener.local_address().unwrap();
    let _client = std::net::TcpStream::connect(local).unwrap();
    wait(host, listener.interest());
    assert!(listener.accept(host).is_ok());
    assert_eq!(bound_to(host, "127.0.0.1", local.port() ^ 1), Err(ErrorCode::Access));
    assert_eq!(bound_to(host, "0.0.0.0", 0), Err(ErrorCode::Access));
    assert_eq!(bound_to(host, "::1", 0), Err(ErrorCode::Access));
}

fn bound_to(host: &mut Capabilities, ip: &str, port: u16) -> Result<(), ErrorCode> {
    let local = SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port);
    TcpSocket::new(host, AddressFamily::of(&local))?.start_bind(host, CALL, local)
}

#[test]
fn there_are_never_more_sockets_than_the_limit_whoever_holds_them() {
    let host = &mut guest_with(&["network"], &[], Limits { sockets: 3, ..Limits::default() });
    let listener = listening(host, AddressFamily::Ipv4);
    let mut client = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let to_server = connect(host, &mut client, listener.local_address().unwrap()).unwrap();
    let third = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(host.budget.met(), None);
    assert_eq!(TcpSocket::new(host, AddressFamily::Ipv4).err(), Some(ErrorCode::TooManyDescriptors));
    assert_eq!(host.budget.met(), Some(Limit::Sockets));
    wait(host, listener.interest());
    assert_eq!(listener.accept(host).err(), Some(ErrorCode::TooManyDescriptors));
    // The stream of a socket keeps it open.
    drop(client);
    assert_eq!(listener.accept(host).err(), Some(ErrorCode::TooManyDescriptors));
    drop((third, to_server));
    assert!(listener.accept(host).is_ok());
}

#[test]
fn a_connection_that_was_made_waits_for_what_comes() {
    let host = &mut anything();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let to_server = connect(host, &mut client, listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let sender = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::io::Write::write_all(&mut server, b"late")
    });
    assert_eq!(receive(&to_server, Wait::Forever), Ok(b"late".to_vec()));
    sender.join().unwrap().unwrap();
}

#[test]
fn a_socket_of_ipv6_hears_nothing_of_ipv4() {
    let host = &mut anything();
    let mut listener = bound(host, at("[::]:0"));
    listener.start_listen(host, CALL).unwrap();
    listener.finish_listen().unwrap();
    let port = listener.local_address().unwrap().port();
    let mut client = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let result = connect(host, &mut client, loopback(AddressFamily::Ipv4, port));
    assert_eq!(result.err(), Some(ErrorCode::ConnectionRefused));
    let mut client = TcpSocket::new(host, AddressFamily::Ipv6).unwrap();
    assert!(connect(host, &mut client, loopback(AddressFamily::Ipv6, port)).is_ok());
}

#[test]
fn a_socket_that_was_not_bound_listens_at_any_free_port_if_that_is_granted() {
    for (family, local) in FAMILIES.into_iter().zip(["0.0.0.0:0", "[::]:0"]) {
        let host = &mut guest(&["tcp-listen=127.0.0.1:*", "tcp-listen=[::1]:*"]);
        let mut socket = TcpSocket::new(host, family).unwrap();
        assert_eq!(socket.listen(host, CALL).err(), Some(ErrorCode::Access));
        assert_eq!(refused(host), [format!("--allow tcp-listen={local}")]);
        // Nothing was done.
        assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
        assert_eq!(socket.start_bind(host, CALL, loopback(family, 0)), Ok(()));

        let host = &mut guest(&[&format!("tcp-listen={local}")]);
        let mut socket = TcpSocket::new(host, family).unwrap();
        let acceptor = socket.listen(host, CALL).unwrap();
        assert!(socket.is_listening());
        let bound = socket.local_address().unwrap();
        assert!(bound.ip().is_unspecified() && bound.port() > 0);
        assert_eq!(socket.listen(host, CALL).err(), Some(ErrorCode::InvalidState));
        assert_eq!(socket.start_bind(host, CALL, at(local)), Err(ErrorCode::InvalidState));
        let client = std::net::TcpStream::connect(loopback(family, bound.port())).unwrap();
        wait(host, acceptor.interest());
        let (accepted, _) = acceptor.accept(host).unwrap();
        assert_eq!(accepted.remote_address(), Ok(client.local_addr().unwrap()));
    }
}

#[test]
fn listening_in_one_step_leaves_a_socket_as_it_was_where_it_fails() {
    let host = &mut anything();
    let mut first = bound(host, at("127.0.0.1:0"));
    let local = first.local_address().unwrap();
    let mut second = bound(host, local);
    let listening = first.listen(host, CALL).unwrap();
    assert_eq!(second.listen(host, CALL).err(), Some(ErrorCode::AddressInUse));
    assert_eq!(answers(host, &mut second), [NO, NO, NO, STATE, None, STATE, STATE, ARGUMENT]);
    assert!(!second.is_listening());
    drop((first, listening));
    assert!(second.listen(host, CALL).is_ok());
    let mut connected = pair(host, AddressFamily::Ipv4).client;
    assert_eq!(connected.listen(host, CALL).err(), Some(ErrorCode::InvalidState));
}

#[test]
fn who_accepts_goes_on_without_the_socket_and_the_socket_listens_on_without() {
    let host = &mut anything();
    let mut socket = bound(host, at("127.0.0.1:0"));
    let local = socket.local_address().unwrap();
    drop(socket.listen(host, CALL).unwrap());
    let _client = std::net::TcpStream::connect(local).unwrap();
    wait(host, socket.interest());
    let (accepted, _) = socket.accept(host).unwrap();
    drop(socket);
    // One that was accepted keeps no port.
    assert_eq!(
        std::net::TcpStream::connect(local).map_err(|error| error.kind()).err(),
        Some(ErrorKind::ConnectionRefused)
    );
    drop(accepted);

    let mut socket = bound(host, at("127.0.0.1:0"));
    let local = socket.local_address().unwrap();
    let acceptor = socket.listen(host, CALL).unwrap();
    drop(socket);
    let _client = std::net::TcpStream::connect(local).unwrap();
    wait(host, acceptor.interest());
    assert!(acceptor.accept(host).is_ok());
}

#[test]
fn somebody_who_came_and_went_is_passed_over() {
    let host = &mut anything();
    let listener = listening(host, AddressFamily::Ipv4);
    let client = std::net::TcpStream::connect(listener.local_address().unwrap()).unwrap();
    rustix::net::sockopt::set_socket_linger(&client, Some(std::time::Duration::ZERO)).unwrap();
    drop(client);
    wait(host, listener.interest());
    assert_eq!(listener.accept(host).err(), Some(ErrorCode::ConnectionAborted));
    assert_eq!(listener.accept(host).err(), Some(ErrorCode::WouldBlock));
}

/// A socket whose connection is not answered: somebody listens, and nobody is let in any more.
fn unanswered(host: &mut Capabilities) -> (TcpSocket, TcpSocket, Vec<std::net::TcpStream>) {
    let mut listener = bound(host, at("127.0.0.1:0"));
    listener.set_listen_backlog_size(1).unwrap();
    listener.listen(host, CALL).unwrap();
    let local = listener.local_address().unwrap();
    // Linux lets in one more than it is told.
    let inside = (0..2).map(|_| std::net::TcpStream::connect(local).unwrap()).collect();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.start_connect(host, CALL, local).unwrap();
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::WouldBlock));
    (socket, listener, inside)
}

/// Whether the kernel has a connection of this address that is being made.
fn is_being_made(local: SocketAddr) -> bool {
    let SocketAddr::V4(local) = local else { panic!("{local}") };
    let here = format!("{:08X}:{:04X}", u32::from(*local.ip()).swap_bytes(), local.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|row| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        columns[1] == here && columns[3] == "02"
    })
}

#[test]
fn an_attempt_that_is_given_up_ends_and_closes_its_socket() {
    let host = &mut anything();
    let (mut socket, _listener, _inside) = unanswered(host);
    let local = socket.local_address().unwrap();
    assert!(is_being_made(local));
    let attempt = socket.attempt().unwrap();
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::WouldBlock));
    drop(attempt);
    assert!(!is_being_made(local));
    assert_eq!(answers(host, &mut socket), [NO, NO, NO, STATE, STATE, STATE, STATE, STATE]);
    assert_eq!(socket.listen(host, CALL).err(), Some(ErrorCode::InvalidState));
    assert_eq!(socket.keep_alive_enabled(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.set_listen_backlog_size(1), Err(ErrorCode::InvalidState));
    assert!(socket.attempt().is_none() && socket.connection().is_none());
    assert!(happened(host, socket.interest()));
}

#[test]
fn an_attempt_that_nobody_has_goes_on_with_its_socket() {
    let host = &mut anything();
    let (mut socket, listener, _inside) = unanswered(host);
    let _ = (listener.accept(host).unwrap(), listener.accept(host).unwrap());
    // The kernel asks again after a second.
    wait(host, socket.interest());
    assert!(socket.finish_connect().is_ok());
}

#[test]
fn an_attempt_is_given_up_even_if_the_peer_has_answered() {
    let host = &mut anything();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.start_connect(host, CALL, listener.local_addr().unwrap()).unwrap();
    let attempt = socket.attempt();
    let (peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(attempt);
    assert_eq!(rest(peer), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::NotInProgress));
}

#[test]
fn an_attempt_that_came_to_its_end_is_nothing_to_give_up() {
    let host = &mut anything();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.start_connect(host, CALL, listener.local_addr().unwrap()).unwrap();
    let attempt = socket.attempt();
    wait(host, socket.interest());
    let connection = socket.finish_connect().unwrap();
    drop(attempt);
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    assert_eq!(receive(&connection, Wait::Forever), Ok(b"hello".to_vec()));
    assert!(socket.attempt().is_none());

    let mut socket = TcpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let nobody = bound(host, at("127.0.0.1:0"));
    socket.start_connect(host, CALL, nobody.local_address().unwrap()).unwrap();
    let attempt = socket.attempt();
    wait(host, socket.interest());
    assert_eq!(socket.finish_connect().err(), Some(ErrorCode::ConnectionRefused));
    drop(attempt);
    assert_eq!(answers(host, &mut socket), [NO, NO, NO, STATE, STATE, STATE, STATE, STATE]);
}

const RESET: Interruption = Interruption::Failed(ErrorCode::ConnectionReset);
const BROKEN: Interruption = Interruption::Failed(ErrorCode::Pipe);

#[test]
fn a_reset_is_never_taken_for_an_end_whoever_heard_of_it_first() {
    let host = &mut anything();
    let (_socket, connection, peer) = with_peer(host);
    reset(host, peer, &connection);
    assert_eq!(send(&connection, b"a"), Err(RESET));
    for _ in 0..2 {
        assert_eq!(receive(&connection, Wait::Never), Err(RESET));
        assert_eq!(send(&connection, b"a"), Err(RESET));
    }
    let (_socket, connection, peer) = with_peer(host);
    reset(host, peer, &connection);
    assert_eq!(receive(&connection, Wait::Never), Err(RESET));
    assert_eq!(send(&connection, b"a"), Err(RESET));
    assert_eq!(connection.end_sending(), Err(ErrorCode::ConnectionReset));
    let (_socket, connection, peer) = with_peer(host);
    reset(host, peer, &connection);
    assert_eq!(connection.end_sending(), Err(ErrorCode::ConnectionReset));
    assert_eq!(receive(&connection, Wait::Never), Err(RESET));
}

#[test]
fn what_came_before_a_reset_comes_before_it() {
    let host = &mut anything();
    let (_socket, connection, mut peer) = with_peer(host);
    peer.write_all(b"last words").unwrap();
    wait(host, readable(&connection));
    reset(host, peer, &connection);
    assert_eq!(send(&connection, b"a"), Err(RESET));
    // A read of nothing tells nothing.
    let nothing = connection.receive(&mut Buffers::whole(&mut []), ReceiveFlags::default(), Wait::Never);
    assert_eq!(nothing, Ok((0, false)));
    assert_eq!(receive(&connection, Wait::Never), Ok(b"last words".to_vec()));
    assert_eq!(receive(&connection, Wait::Never), Err(RESET));
}

#[test]
fn an_end_stays_an_end_whatever_comes_after_it() {
    let host = &mut anything();
    let (_socket, connection, peer) = with_peer(host);
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&connection, Wait::Forever), Ok(Vec::new()));
    reset(host, peer, &connection);
    assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
    assert_eq!(send(&connection, b"a"), Err(BROKEN));
    assert_eq!(connection.end_sending(), Err(ErrorCode::Pipe));
    assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
    // Also one that was not read before the rest was broken off.
    let (_socket, connection, peer) = with_peer(host);
    peer.shutdown(Shutdown::Write).unwrap();
    wait(host, readable(&connection));
    reset(host, peer, &connection);
    assert_eq!(send(&connection, b"a"), Err(BROKEN));
    assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
}

#[test]
fn sending_ends_where_its_connection_is_there() {
    let host = &mut anything();
    let (_socket, connection, peer) = with_peer(host);
    assert_eq!(send(&connection, b"all"), Ok(3));
    assert_eq!(connection.end_sending(), Ok(()));
    assert_eq!(send(&connection, b"more"), Err(BROKEN));
    assert_eq!(rest(peer), (b"all".to_vec(), None));
    assert_eq!(receive(&connection, Wait::Forever), Ok(Vec::new()));
    // Both have ended, and nothing has failed.
    let (_socket, connection, peer) = with_peer(host);
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&connection, Wait::Forever), Ok(Vec::new()));
    assert_eq!(connection.end_sending(), Ok(()));
}

#[test]
fn who_receives_no_more_hears_nothing_and_its_peer_is_not_reset_for_what_was_unread() {
    let host = &mut anything();
    let unread = [7; 100_000];
    for stop in [true, false] {
        let (socket, connection, mut peer) = with_peer(host);
        peer.write_all(&unread).unwrap();
        wait(host, readable(&connection));
        assert_eq!(send(&connection, b"answer"), Ok(6));
        if stop {
            connection.stop_receiving();
            assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
            peer.write_all(&unread).unwrap();
            assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
        }
        drop(socket);
        drop(connection);
        let (came, ended) = rest(peer);
        assert_eq!(ended, (!stop).then_some(ErrorKind::ConnectionReset));
        assert!(!stop || came == b"answer");
    }
    // The same for who shuts that direction down.
    let (mut socket, connection, mut peer) = with_peer(host);
    peer.write_all(&unread).unwrap();
    wait(host, readable(&connection));
    socket.shutdown(RECEIVE).unwrap();
    drop((socket, connection));
    assert_eq!(rest(peer), (Vec::new(), None));
}

#[test]
fn receiving_no_more_is_no_failure_of_a_connection_that_is_gone() {
    let host = &mut anything();
    let (_socket, connection, peer) = with_peer(host);
    reset(host, peer, &connection);
    connection.stop_receiving();
    assert_eq!(receive(&connection, Wait::Never), Ok(Vec::new()));
    assert_eq!(send(&connection, b"a"), Err(RESET));
}
