//! UDP.

use turnkey_core::sockets::udp::MOST_DATAGRAMS;
use wasmtime::component::Val;

use crate::{Guest, NONE, at, bytes, some, tuple, word, written};

fn create(guest: &mut Guest, family: &str) -> Val {
    guest.ok("udp-create-socket", "create-udp-socket", &[word(family)])
}

/// A socket that is bound, and where.
fn bound(guest: &mut Guest, family: &str, local: &str) -> (Val, Val) {
    let socket = create(guest, family);
    let network = guest.network.clone();
    guest.ok("udp", "udp-socket-start-bind", &[socket.clone(), network, written(local)]);
    guest.ok("udp", "udp-socket-finish-bind", &[socket.clone()]);
    let local = guest.ok("udp", "udp-socket-local-address", &[socket.clone()]);
    (socket, local)
}

/// What comes in, and what goes out.
fn streams(guest: &mut Guest, socket: &Val, remote: Option<&Val>) -> [Val; 2] {
    let remote = remote.map_or(NONE, |remote| some(remote.clone()));
    tuple(guest.ok("udp", "udp-socket-stream", &[socket.clone(), remote]))
}

fn datagram(data: &[u8], remote: Option<&Val>) -> Val {
    let remote = remote.map_or(NONE, |remote| some(remote.clone()));
    Val::Record(vec![("data".to_owned(), bytes(data)), ("remote-address".to_owned(), remote)])
}

fn send(guest: &mut Guest, outgoing: &Val, datagrams: Vec<Val>) -> Result<Option<Val>, Val> {
    guest.wait("udp", "outgoing-datagram-stream", outgoing);
    guest.ok("udp", "outgoing-datagram-stream-check-send", &[outgoing.clone()]);
    guest.result("udp", "outgoing-datagram-stream-send", &[outgoing.clone(), Val::List(datagrams)])
}

fn receive(guest: &mut Guest, incoming: &Val) -> Vec<(Val, Val)> {
    guest.wait("udp", "incoming-datagram-stream", incoming);
    let arguments = [incoming.clone(), Val::U64(u64::MAX)];
    let Val::List(received) = guest.ok("udp", "incoming-datagram-stream-receive", &arguments) else {
        panic!("no list")
    };
    let fields = |datagram| match datagram {
        Val::Record(fields) => {
            let [(_, data), (_, remote)] = fields.try_into().unwrap();
            (data, remote)
        }
        other => panic!("no datagram: {other:?}"),
    };
    received.into_iter().map(fields).collect()
}

fn sent(count: u64) -> Result<Option<Val>, Val> {
    Ok(Some(Val::U64(count)))
}

#[test]
fn datagrams_come_whole_with_their_sender() {
    let guest = &mut Guest::new(&["network"]);
    for (family, local) in [("ipv4", "127.0.0.1:0"), ("ipv6", "[::1]:0")] {
        let (here, from) = bound(guest, family, local);
        let (there, to) = bound(guest, family, local);
        assert_eq!(guest.get("udp", "udp-socket-address-family", &[here.clone()]), word(family));
        let [_, outgoing] = streams(guest, &here, None);
        let [incoming, _] = streams(guest, &there, None);
        assert!(!guest.is_ready("udp", "incoming-datagram-stream", &incoming));
        let datagrams = [&b"one"[..], b"", &[7; 9000]].map(|data| datagram(data, Some(&to)));
        assert_eq!(send(guest, &outgoing, datagrams.into()), sent(3));
        let expected = [&b"one"[..], b"", &[7; 9000]].map(|data| (bytes(data), from.clone()));
        assert_eq!(receive(guest, &incoming), expected);
        let nothing = guest.ok("udp", "incoming-datagram-stream-receive", &[incoming, Val::U64(8)]);
        assert_eq!(nothing, Val::List(Vec::new()));
    }
}

#[test]
fn a_stream_with_a_peer_needs_no_address_and_takes_no_other() {
    let guest = &mut Guest::new(&["network"]);
    let (here, from) = bound(guest, "ipv4", "127.0.0.1:0");
    let (there, to) = bound(guest, "ipv4", "127.0.0.1:0");
    assert_eq!(guest.code("udp", "udp-socket-remote-address", &[here.clone()]), "invalid-state");
    let [_, outgoing] = streams(guest, &here, Some(&to));
    assert_eq!(guest.ok("udp", "udp-socket-remote-address", &[here]), to);
    let [incoming, _] = streams(guest, &there, None);
    let both = vec![datagram(b"a", None), datagram(b"b", Some(&to)), datagram(b"c", Some(&from))];
    assert_eq!(send(guest, &outgoing, both), sent(2));
    assert_eq!(send(guest, &outgoing, vec![datagram(b"c", Some(&from))]), Err(word("invalid-argument")));
    assert_eq!(receive(guest, &incoming), [(bytes(b"a"), from.clone()), (bytes(b"b"), from)]);
}

#[test]
fn codes_are_those_of_the_standard() {
    let guest = &mut Guest::new(&["network"]);
    let network = guest.network.clone();
    let socket = create(guest, "ipv4");
    assert_eq!(guest.code("udp", "udp-socket-stream", &[socket.clone(), NONE]), "invalid-state");
    assert_eq!(guest.code("udp", "udp-socket-local-address", &[socket.clone()]), "invalid-state");
    assert_eq!(guest.code("udp", "udp-socket-finish-bind", &[socket.clone()]), "not-in-progress");
    let six = [socket.clone(), network.clone(), written("[::1]:0")];
    assert_eq!(guest.code("udp", "udp-socket-start-bind", &six), "invalid-argument");
    let local = [socket.clone(), network, written("127.0.0.1:0")];
    guest.ok("udp", "udp-socket-start-bind", &local);
    assert_eq!(guest.code("udp", "udp-socket-start-bind", &local), "concurrency-conflict");
    guest.ok("udp", "udp-socket-finish-bind", &[socket.clone()]);
    assert_eq!(guest.code("udp", "udp-socket-start-bind", &local), "invalid-state");
    let [incoming, outgoing] = streams(guest, &socket, None);
    assert_eq!(send(guest, &outgoing, vec![datagram(b"a", None)]), Err(word("invalid-argument")));
    let local = guest.ok("udp", "udp-socket-local-address", &[socket.clone()]);
    for bytes in [65508, 70_000] {
        let large = vec![datagram(&vec![7; bytes], Some(&local))];
        assert_eq!(send(guest, &outgoing, large), Err(word("datagram-too-large")), "{bytes}");
    }
    streams(guest, &socket, None);
    assert_eq!(guest.code("udp", "outgoing-datagram-stream-check-send", &[outgoing]), "invalid-state");
    assert_eq!(guest.code("udp", "incoming-datagram-stream-receive", &[incoming, Val::U64(1)]), "invalid-state");
}

#[test]
fn sending_what_was_not_permitted_ends_the_guest() {
    let guest = &mut Guest::new(&["network"]);
    let (socket, local) = bound(guest, "ipv4", "127.0.0.1:0");
    let [_, outgoing] = streams(guest, &socket, None);
    let arguments = |count| [outgoing.clone(), Val::List(vec![datagram(b"a", Some(&local)); count])];
    assert_eq!(guest.result("udp", "outgoing-datagram-stream-send", &arguments(0)), sent(0));
    let permitted = guest.ok("udp", "outgoing-datagram-stream-check-send", &[outgoing.clone()]);
    assert_eq!(permitted, Val::U64(MOST_DATAGRAMS as u64));
    let error = guest.call("udp", "outgoing-datagram-stream-send", &arguments(MOST_DATAGRAMS + 1)).unwrap_err();
    assert!(format!("{error:?}").contains("`send`: more is sent than `check-send` has permitted"), "{error:?}");

    let guest = &mut Guest::new(&["network"]);
    let (socket, local) = bound(guest, "ipv4", "127.0.0.1:0");
    let [_, outgoing] = streams(guest, &socket, None);
    let one = [outgoing, Val::List(vec![datagram(b"a", Some(&local))])];
    assert!(guest.call("udp", "outgoing-datagram-stream-send", &one).is_err());
}

/// GHSA-hmmr-87qq-258j: a peer that may not be sent to is no peer either.
#[test]
fn what_may_not_be_sent_may_not_be_streamed() {
    let foe = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let enemy = foe.local_addr().unwrap();
    let guest = &mut Guest::new(&["udp=127.0.0.2:*", "udp-bind=127.0.0.1:0"]);
    let (socket, local) = bound(guest, "ipv4", "127.0.0.1:0");
    assert_eq!(guest.code("udp", "udp-socket-stream", &[socket.clone(), some(at(enemy))]), "access-denied");
    let [incoming, outgoing] = streams(guest, &socket, None);
    assert_eq!(send(guest, &outgoing, vec![datagram(b"a", Some(&at(enemy)))]), Err(word("access-denied")));
    foe.send_to(b"unasked", ("127.0.0.1", crate::port(&local))).unwrap();
    assert_eq!(receive(guest, &incoming), []);
    foe.set_nonblocking(true).unwrap();
    assert!(foe.recv(&mut [0; 8]).is_err(), "a datagram came through");
    let grant = format!("--allow udp={enemy}");
    let anybody = "--allow udp=127.0.0.1:*".to_owned();
    assert_eq!(guest.refused(), [("stream", grant.clone()), ("send", grant), ("receive", anybody)]);
}

#[test]
fn options_come_back_as_they_were_set() {
    let guest = &mut Guest::new(&[]);
    let socket = create(guest, "ipv4");
    for (option, value, zero) in [
        ("unicast-hop-limit", Val::U8(45), Val::U8(0)),
        ("receive-buffer-size", Val::U64(0x10000), Val::U64(0)),
        ("send-buffer-size", Val::U64(0x11000), Val::U64(0)),
    ] {
        let set = format!("udp-socket-set-{option}");
        guest.ok("udp", &set, &[socket.clone(), value.clone()]);
        assert_eq!(guest.ok("udp", &format!("udp-socket-{option}"), &[socket.clone()]), value);
        assert_eq!(guest.code("udp", &set, &[socket.clone(), zero]), "invalid-argument", "{option}");
    }
    assert!(guest.is_ready("udp", "udp-socket", &socket));
}

#[test]
fn what_the_host_held_for_a_socket_comes_back() {
    let guest = &mut Guest::new(&["network"]);
    let (socket, local) = bound(guest, "ipv4", "127.0.0.1:0");
    let [incoming, outgoing] = streams(guest, &socket, None);
    send(guest, &outgoing, vec![datagram(b"a", Some(&local))]).unwrap();
    let before = guest.host().budget.used();
    receive(guest, &incoming);
    assert_eq!(guest.host().budget.used(), before);
    for resource in [socket, incoming, outgoing] {
        guest.drop(resource);
    }
    assert!(guest.host().budget.used() < before);
}
