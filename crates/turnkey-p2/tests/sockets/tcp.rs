//! TCP.

use turnkey_core::limits::{Limit, Limits};
use wasmtime::component::Val;

use crate::{Guest, bytes, port, some, tuple, word, written};

fn create(guest: &mut Guest, family: &str) -> Val {
    guest.ok("tcp-create-socket", "create-tcp-socket", &[word(family)])
}

/// A socket that listens on any free port of this machine, and its address.
fn listening(guest: &mut Guest, family: &str, local: &str) -> (Val, Val) {
    let socket = create(guest, family);
    let network = guest.network.clone();
    guest.ok("tcp", "tcp-socket-start-bind", &[socket.clone(), network, written(local)]);
    for function in ["finish-bind", "start-listen", "finish-listen"] {
        guest.ok("tcp", &format!("tcp-socket-{function}"), &[socket.clone()]);
    }
    let local = guest.ok("tcp", "tcp-socket-local-address", &[socket.clone()]);
    (socket, local)
}

/// A connection: its socket, what is read from it and what is written to it.
struct Connection {
    socket: Val,
    input: Val,
    output: Val,
}

fn connect(guest: &mut Guest, family: &str, remote: &Val) -> Connection {
    let socket = create(guest, family);
    let network = guest.network.clone();
    guest.ok("tcp", "tcp-socket-start-connect", &[socket.clone(), network, remote.clone()]);
    guest.wait("tcp", "tcp-socket", &socket);
    let [input, output] = tuple(guest.ok("tcp", "tcp-socket-finish-connect", &[socket.clone()]));
    Connection { socket, input, output }
}

fn accept(guest: &mut Guest, listener: &Val) -> Connection {
    guest.wait("tcp", "tcp-socket", listener);
    let [socket, input, output] = tuple(guest.ok("tcp", "tcp-socket-accept", &[listener.clone()]));
    Connection { socket, input, output }
}

fn pair(guest: &mut Guest) -> (Connection, Connection) {
    let (listener, local) = listening(guest, "ipv4", "127.0.0.1:0");
    let client = connect(guest, "ipv4", &local);
    let server = accept(guest, &listener);
    guest.drop(listener);
    (client, server)
}

fn send(guest: &mut Guest, to: &Connection, data: &[u8]) {
    guest.ok("streams", "output-stream-blocking-write-and-flush", &[to.output.clone(), bytes(data)]);
}

fn receive(guest: &mut Guest, from: &Connection) -> Result<Option<Val>, Val> {
    guest.result("streams", "input-stream-blocking-read", &[from.input.clone(), Val::U64(4096)])
}

fn closed() -> Val {
    Val::Variant("closed".to_owned(), None)
}

#[test]
fn a_guest_talks_to_itself() {
    let guest = &mut Guest::new(&["network"]);
    for (family, local) in [("ipv4", "127.0.0.1:0"), ("ipv6", "[::1]:0")] {
        let (listener, remote) = listening(guest, family, local);
        assert_eq!(guest.get("tcp", "tcp-socket-is-listening", &[listener.clone()]), Val::Bool(true));
        assert!(!guest.is_ready("tcp", "tcp-socket", &listener));
        let client = connect(guest, family, &remote);
        let server = accept(guest, &listener);
        assert_eq!(guest.ok("tcp", "tcp-socket-remote-address", &[client.socket.clone()]), remote);
        assert_eq!(guest.ok("tcp", "tcp-socket-local-address", &[server.socket.clone()]), remote);
        let local = guest.ok("tcp", "tcp-socket-local-address", &[client.socket.clone()]);
        assert_eq!(guest.ok("tcp", "tcp-socket-remote-address", &[server.socket.clone()]), local);
        assert_eq!(guest.get("tcp", "tcp-socket-address-family", &[server.socket.clone()]), word(family));
        assert!(!guest.is_ready("streams", "input-stream", &server.input));
        send(guest, &client, b"hello");
        assert_eq!(receive(guest, &server), Ok(Some(bytes(b"hello"))));
        send(guest, &server, b"hello yourself");
        assert_eq!(receive(guest, &client), Ok(Some(bytes(b"hello yourself"))));
    }
}

#[test]
fn each_state_has_its_code_for_what_it_does_not_do() {
    let guest = &mut Guest::new(&["network"]);
    let network = guest.network.clone();
    let socket = create(guest, "ipv4");
    for (function, code) in [
        ("finish-bind", "not-in-progress"),
        ("finish-connect", "not-in-progress"),
        ("finish-listen", "not-in-progress"),
        ("start-listen", "invalid-state"),
        ("accept", "invalid-state"),
        ("local-address", "invalid-state"),
        ("remote-address", "invalid-state"),
    ] {
        assert_eq!(guest.code("tcp", &format!("tcp-socket-{function}"), &[socket.clone()]), code, "{function}");
    }
    let bind = |guest: &mut Guest, local: &str| {
        guest.result("tcp", "tcp-socket-start-bind", &[socket.clone(), network.clone(), written(local)])
    };
    assert_eq!(bind(guest, "[::1]:0"), Err(word("invalid-argument")));
    assert_eq!(bind(guest, "224.0.0.1:0"), Err(word("invalid-argument")));
    assert_eq!(bind(guest, "192.0.2.1:0"), Err(word("address-not-bindable")));
    assert_eq!(bind(guest, "127.0.0.1:0"), Ok(None));
    assert_eq!(bind(guest, "127.0.0.1:0"), Err(word("concurrency-conflict")));
    guest.ok("tcp", "tcp-socket-finish-bind", &[socket.clone()]);
    let bind = |guest: &mut Guest, local: &str| {
        guest.result("tcp", "tcp-socket-start-bind", &[socket.clone(), network.clone(), written(local)])
    };
    assert_eq!(bind(guest, "127.0.0.1:0"), Err(word("invalid-state")));
    assert_eq!(guest.code("tcp", "tcp-socket-shutdown", &[socket.clone(), word("both")]), "invalid-state");
    guest.ok("tcp", "tcp-socket-start-listen", &[socket.clone()]);
    guest.ok("tcp", "tcp-socket-finish-listen", &[socket.clone()]);
    assert_eq!(guest.code("tcp", "tcp-socket-accept", &[socket.clone()]), "would-block");
}

#[test]
fn nobody_there_is_a_connection_refused() {
    let guest = &mut Guest::new(&["network"]);
    let (listener, remote) = listening(guest, "ipv4", "127.0.0.1:0");
    guest.drop(listener);
    let network = guest.network.clone();
    let socket = create(guest, "ipv4");
    guest.ok("tcp", "tcp-socket-start-connect", &[socket.clone(), network, remote]);
    guest.wait("tcp", "tcp-socket", &socket);
    assert_eq!(guest.code("tcp", "tcp-socket-finish-connect", &[socket.clone()]), "connection-refused");
    assert_eq!(guest.code("tcp", "tcp-socket-finish-connect", &[socket.clone()]), "not-in-progress");
    assert_eq!(guest.code("tcp", "tcp-socket-hop-limit", &[socket]), "invalid-state");
}

#[test]
fn what_is_not_granted_is_denied_and_told_to_the_user() {
    let guest = &mut Guest::new(&[]);
    let socket = create(guest, "ipv4");
    guest.ok("tcp", "tcp-socket-set-keep-alive-enabled", &[socket.clone(), Val::Bool(true)]);
    let arguments = [socket, guest.network.clone(), written("127.0.0.1:80")];
    assert_eq!(guest.code("tcp", "tcp-socket-start-bind", &arguments), "access-denied");
    assert_eq!(guest.code("tcp", "tcp-socket-start-connect", &arguments), "access-denied");
    let expected = [("start-bind", "tcp-listen"), ("start-connect", "tcp-connect")]
        .map(|(call, grant)| (call, format!("--allow {grant}=127.0.0.1:80")));
    assert_eq!(guest.refused(), expected);
}

#[test]
fn options_come_back_as_they_were_set() {
    let guest = &mut Guest::new(&[]);
    let socket = create(guest, "ipv6");
    for (option, value, zero) in [
        ("keep-alive-enabled", Val::Bool(true), None),
        ("keep-alive-idle-time", Val::U64(42_000_000_000), Some(Val::U64(0))),
        ("keep-alive-interval", Val::U64(43_000_000_000), Some(Val::U64(0))),
        ("keep-alive-count", Val::U32(44), Some(Val::U32(0))),
        ("hop-limit", Val::U8(45), Some(Val::U8(0))),
        ("receive-buffer-size", Val::U64(0x10000), Some(Val::U64(0))),
        ("send-buffer-size", Val::U64(0x11000), Some(Val::U64(0))),
    ] {
        let set = format!("tcp-socket-set-{option}");
        guest.ok("tcp", &set, &[socket.clone(), value.clone()]);
        assert_eq!(guest.ok("tcp", &format!("tcp-socket-{option}"), &[socket.clone()]), value);
        if let Some(zero) = zero {
            assert_eq!(guest.code("tcp", &set, &[socket.clone(), zero]), "invalid-argument", "{option}");
        }
    }
    guest.ok("tcp", "tcp-socket-set-listen-backlog-size", &[socket.clone(), Val::U64(u64::MAX)]);
    assert_eq!(guest.code("tcp", "tcp-socket-set-listen-backlog-size", &[socket, Val::U64(0)]), "invalid-argument");
}

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    let guest = &mut Guest::new(&["network"]);
    let (client, server) = pair(guest);
    guest.ok("tcp", "tcp-socket-shutdown", &[client.socket.clone(), word("send")]);
    assert_eq!(receive(guest, &server), Err(closed()));
    send(guest, &server, b"still here");
    assert_eq!(receive(guest, &client), Ok(Some(bytes(b"still here"))));
    send(guest, &server, b"unread");
    guest.wait("streams", "input-stream", &client.input);
    guest.ok("tcp", "tcp-socket-shutdown", &[client.socket.clone(), word("receive")]);
    assert_eq!(receive(guest, &client), Err(closed()));
    guest.ok("tcp", "tcp-socket-shutdown", &[client.socket, word("both")]);
}

#[test]
fn streams_outlive_their_socket_and_end_the_connection_when_they_go() {
    let guest = &mut Guest::new(&["network"]);
    let (client, server) = pair(guest);
    guest.drop(client.socket);
    guest.ok("streams", "output-stream-blocking-write-and-flush", &[client.output.clone(), bytes(b"still here")]);
    assert_eq!(receive(guest, &server), Ok(Some(bytes(b"still here"))));
    guest.drop(client.output);
    assert!(!guest.is_ready("streams", "input-stream", &server.input));
    guest.drop(client.input);
    assert_eq!(receive(guest, &server), Err(closed()));
}

#[test]
fn what_a_stream_failed_with_is_a_code_of_the_network() {
    let guest = &mut Guest::new(&["network"]);
    let (client, server) = pair(guest);
    send(guest, &server, b"unread");
    guest.wait("streams", "input-stream", &client.input);
    // Who goes with something unread resets the connection.
    for resource in [client.socket, client.input, client.output] {
        guest.drop(resource);
    }
    let Err(Val::Variant(case, Some(error))) = receive(guest, &server) else { panic!("the end was a good one") };
    assert_eq!(case, "last-operation-failed");
    let code = guest.get("network", "network-error-code", &[*error]);
    assert_eq!(code, some(word("connection-reset")));
}

#[test]
fn a_large_answer_comes_whole() {
    let guest = &mut Guest::new(&["network"]);
    let (client, server) = pair(guest);
    let data: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    let mut received = Vec::new();
    for piece in data.chunks(50_000) {
        // More than the other side has room for is kept, and sent while the guest waits.
        let Val::U64(permitted) = guest.ok("streams", "output-stream-check-write", &[server.output.clone()]) else {
            panic!("no number")
        };
        assert!(permitted >= piece.len() as u64);
        guest.ok("streams", "output-stream-write", &[server.output.clone(), bytes(piece)]);
        guest.ok("streams", "output-stream-blocking-flush", &[server.output.clone()]);
        let mut left = piece.len();
        while left > 0 {
            let Ok(Some(Val::List(more))) = receive(guest, &client) else { panic!("the end came early") };
            left -= more.len();
            received.extend(more);
        }
    }
    assert_eq!(Val::List(received), bytes(&data));
}

#[test]
fn sockets_are_bounded() {
    let guest = &mut Guest::with(&["network"], &[], Limits { sockets: 2, ..Limits::default() });
    let first = create(guest, "ipv4");
    let _second = create(guest, "ipv6");
    assert_eq!(guest.code("tcp-create-socket", "create-tcp-socket", &[word("ipv4")]), "new-socket-limit");
    assert_eq!(guest.code("udp-create-socket", "create-udp-socket", &[word("ipv4")]), "new-socket-limit");
    assert_eq!(guest.host().budget.met(), Some(Limit::Sockets));
    guest.drop(first);
    create(guest, "ipv4");
}

#[test]
fn what_the_host_held_for_a_connection_comes_back() {
    let guest = &mut Guest::new(&["network"]);
    let before = guest.host().budget.used();
    let (client, server) = pair(guest);
    send(guest, &client, b"hello");
    assert!(guest.host().budget.used() > before);
    for Connection { socket, input, output } in [client, server] {
        for resource in [socket, input, output] {
            guest.drop(resource);
        }
    }
    assert_eq!(guest.host().budget.used(), before);
}

#[test]
fn a_guest_that_listens_hears_the_host() {
    let guest = &mut Guest::new(&["tcp-listen=127.0.0.1:0"]);
    let (listener, local) = listening(guest, "ipv4", "127.0.0.1:0");
    let client = std::net::TcpStream::connect(("127.0.0.1", port(&local))).unwrap();
    std::io::Write::write_all(&mut &client, b"from outside").unwrap();
    let server = accept(guest, &listener);
    assert_eq!(receive(guest, &server), Ok(Some(bytes(b"from outside"))));
    assert_eq!(guest.refused(), []);
}
