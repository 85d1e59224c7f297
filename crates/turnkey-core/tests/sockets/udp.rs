//! UDP: binding, the streams of datagrams, and which of them a guest may send and see.

use std::net::SocketAddr;

use turnkey_core::host::poll::Ready;
use turnkey_core::limits::Limits;
use turnkey_core::sockets::udp::{IncomingDatagram, IncomingDatagramStream, MOST_DATAGRAMS, OutgoingDatagramStream};
use turnkey_core::sockets::{AddressFamily, UdpSocket};
use turnkey_core::stream::Interest;
use turnkey_core::{Capabilities, ErrorCode};

use super::{CALL, FAMILIES, anything, at, guest, guest_with, happened, loopback, refused, wait};

fn bound(host: &mut Capabilities, local: SocketAddr) -> UdpSocket {
    let mut socket = UdpSocket::new(host, AddressFamily::of(&local)).unwrap();
    socket.start_bind(host, CALL, local).unwrap();
    socket.finish_bind().unwrap();
    socket
}

fn send(
    host: &mut Capabilities,
    outgoing: &mut OutgoingDatagramStream,
    data: &[u8],
    remote: Option<SocketAddr>,
) -> Result<(), ErrorCode> {
    wait(host, outgoing.interest());
    assert!(outgoing.check_send().unwrap() > 0 && outgoing.permits(1));
    outgoing.send(host, CALL, data, remote)
}

fn receive(host: &mut Capabilities, incoming: &mut IncomingDatagramStream) -> Result<Vec<IncomingDatagram>, ErrorCode> {
    wait(host, incoming.interest());
    incoming.receive(host, CALL, u64::MAX)
}

#[test]
fn a_socket_is_bound_once_and_only_then_has_streams() {
    let host = &mut anything();
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.stream(host, CALL, None).err(), Some(ErrorCode::InvalidState));
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.finish_bind(), Err(ErrorCode::NotInProgress));
    socket.start_bind(host, CALL, at("127.0.0.1:0")).unwrap();
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::Already));
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.stream(host, CALL, None).err(), Some(ErrorCode::InvalidState));
    socket.finish_bind().unwrap();
    assert_eq!(socket.finish_bind(), Err(ErrorCode::NotInProgress));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::InvalidState));
    assert_ne!(socket.local_address().unwrap().port(), 0);
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert!(happened(host, socket.interest()));
    assert!(socket.stream(host, CALL, None).is_ok());
}

#[test]
fn what_is_no_address_for_a_socket_is_no_argument() {
    let host = &mut anything();
    for (family, local) in [
        (AddressFamily::Ipv4, "[::1]:0"),
        (AddressFamily::Ipv6, "127.0.0.1:0"),
        (AddressFamily::Ipv6, "[::ffff:127.0.0.1]:0"),
        (AddressFamily::Ipv6, "[::127.0.0.1]:0"),
    ] {
        let mut socket = UdpSocket::new(host, family).unwrap();
        assert_eq!(socket.start_bind(host, CALL, at(local)), Err(ErrorCode::Invalid), "{local}");
    }
    for (family, remote) in [
        (AddressFamily::Ipv4, "[::1]:1"),
        (AddressFamily::Ipv4, "0.0.0.0:1"),
        (AddressFamily::Ipv4, "127.0.0.1:0"),
        (AddressFamily::Ipv6, "127.0.0.1:1"),
        (AddressFamily::Ipv6, "[::]:1"),
        (AddressFamily::Ipv6, "[::1]:0"),
        (AddressFamily::Ipv6, "[::ffff:127.0.0.1]:1"),
    ] {
        let mut socket = bound(host, loopback(family, 0));
        assert_eq!(socket.stream(host, CALL, Some(at(remote))).err(), Some(ErrorCode::Invalid), "{remote}");
        let (_, mut outgoing) = socket.stream(host, CALL, None).unwrap();
        let result = send(host, &mut outgoing, b"a", Some(at(remote)));
        assert_eq!(result, Err(ErrorCode::Invalid), "{remote}");
    }
}

#[test]
fn an_address_has_one_socket() {
    let host = &mut anything();
    let first = bound(host, at("127.0.0.1:0"));
    let mut second = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    let local = first.local_address().unwrap();
    assert_eq!(second.start_bind(host, CALL, local), Err(ErrorCode::AddressInUse));
    assert_eq!(second.start_bind(host, CALL, at("192.0.2.1:0")), Err(ErrorCode::AddressNotBindable));
    drop(first);
    assert_eq!(second.start_bind(host, CALL, local), Ok(()));
}

#[test]
fn datagrams_come_whole_with_their_sender() {
    let host = &mut anything();
    for family in FAMILIES {
        let (mut here, mut there) = (bound(host, loopback(family, 0)), bound(host, loopback(family, 0)));
        let (from, remote) = (here.local_address().unwrap(), there.local_address().unwrap());
        let (_, mut outgoing) = here.stream(host, CALL, None).unwrap();
        let (mut incoming, _) = there.stream(host, CALL, None).unwrap();
        assert_eq!(incoming.receive(host, CALL, 8), Ok(Vec::new()));
        assert!(!happened(host, incoming.interest()));
        for data in [&b"one"[..], b"", b"three"] {
            assert_eq!(send(host, &mut outgoing, data, Some(remote)), Ok(()));
        }
        assert_eq!(incoming.receive(host, CALL, 0), Ok(Vec::new()));
        wait(host, incoming.interest());
        let expected = |data: &[u8]| IncomingDatagram { data: data.to_vec(), remote: from };
        assert_eq!(incoming.receive(host, CALL, 2), Ok(vec![expected(b"one"), expected(b"")]));
        assert_eq!(receive(host, &mut incoming), Ok(vec![expected(b"three")]));
    }
}

#[test]
fn a_datagram_as_large_as_can_be_arrives_and_a_larger_one_is_too_large() {
    let host = &mut anything();
    let (mut here, mut there) = (bound(host, at("127.0.0.1:0")), bound(host, at("127.0.0.1:0")));
    let remote = Some(there.local_address().unwrap());
    let (_, mut outgoing) = here.stream(host, CALL, None).unwrap();
    let (mut incoming, _) = there.stream(host, CALL, None).unwrap();
    assert_eq!(send(host, &mut outgoing, &[7; 65507], remote), Ok(()));
    assert_eq!(receive(host, &mut incoming).unwrap()[0].data, [7; 65507]);
    let result = send(host, &mut outgoing, &[7; 65508], remote);
    assert_eq!(result, Err(ErrorCode::MessageSize));
}

#[test]
fn one_call_takes_no_more_than_its_bound() {
    let host = &mut anything();
    let (mut here, mut there) = (bound(host, at("127.0.0.1:0")), bound(host, at("127.0.0.1:0")));
    there.set_receive_buffer_size(u64::MAX).unwrap();
    let remote = Some(there.local_address().unwrap());
    let (_, mut outgoing) = here.stream(host, CALL, None).unwrap();
    let (mut incoming, _) = there.stream(host, CALL, None).unwrap();
    for _ in 0..=MOST_DATAGRAMS {
        assert_eq!(send(host, &mut outgoing, b"a", remote), Ok(()));
    }
    assert_eq!(receive(host, &mut incoming).unwrap().len(), MOST_DATAGRAMS);
    assert_eq!(receive(host, &mut incoming).unwrap().len(), 1);
}

#[test]
fn only_what_was_permitted_is_sent() {
    let host = &mut anything();
    let mut socket = bound(host, at("127.0.0.1:0"));
    let remote = Some(socket.local_address().unwrap());
    let (_, mut outgoing) = socket.stream(host, CALL, None).unwrap();
    assert!(outgoing.permits(0) && !outgoing.permits(1));
    assert_eq!(outgoing.check_send(), Ok(MOST_DATAGRAMS as u64));
    assert!(outgoing.permits(MOST_DATAGRAMS) && !outgoing.permits(MOST_DATAGRAMS + 1));
    assert_eq!(outgoing.send(host, CALL, b"a", remote), Ok(()));
    assert!(outgoing.permits(MOST_DATAGRAMS - 1) && !outgoing.permits(MOST_DATAGRAMS));
    assert_eq!(outgoing.send(host, CALL, b"a", None), Err(ErrorCode::Invalid));
    assert!(outgoing.permits(MOST_DATAGRAMS - 1));
}

#[test]
fn a_stream_with_a_peer_talks_to_nobody_else() {
    let host = &mut anything();
    for family in FAMILIES {
        let (mut here, mut peer) = (bound(host, loopback(family, 0)), bound(host, loopback(family, 0)));
        let mut stranger = bound(host, loopback(family, 0));
        let [local, remote, strange] = [&here, &peer, &stranger].map(|socket| socket.local_address().unwrap());
        let (mut from_all, mut to_strangers) = stranger.stream(host, CALL, None).unwrap();
        // It comes before there is a peer, and waits in the kernel.
        assert_eq!(send(host, &mut to_strangers, b"strange", Some(local)), Ok(()));
        let (mut incoming, mut outgoing) = here.stream(host, CALL, Some(remote)).unwrap();
        assert_eq!(here.remote_address(), Ok(remote));
        let (mut at_peer, mut from_peer) = peer.stream(host, CALL, None).unwrap();
        assert_eq!(send(host, &mut from_peer, b"hello", Some(local)), Ok(()));
        let expected = IncomingDatagram { data: b"hello".to_vec(), remote };
        assert_eq!(receive(host, &mut incoming), Ok(vec![expected]));
        assert_eq!(send(host, &mut outgoing, b"a", None), Ok(()));
        assert_eq!(send(host, &mut outgoing, b"b", Some(remote)), Ok(()));
        let result = send(host, &mut outgoing, b"a", Some(strange));
        assert_eq!(result, Err(ErrorCode::Invalid));
        assert_eq!(receive(host, &mut at_peer).unwrap().len(), 2);
        assert_eq!(from_all.receive(host, CALL, 1), Ok(Vec::new()));
    }
}

#[test]
fn a_stream_without_a_peer_is_told_where_to() {
    let host = &mut anything();
    let mut socket = bound(host, at("127.0.0.1:0"));
    let (_, mut outgoing) = socket.stream(host, CALL, None).unwrap();
    assert_eq!(send(host, &mut outgoing, b"a", None), Err(ErrorCode::Invalid));
}

#[test]
fn new_streams_take_the_place_of_the_old_ones() {
    let host = &mut anything();
    let mut socket = bound(host, at("0.0.0.0:0"));
    let port = socket.local_address().unwrap().port();
    let mut peer = bound(host, at("127.0.0.1:0"));
    let (remote, local) = (peer.local_address().unwrap(), loopback(AddressFamily::Ipv4, port));
    let (mut old_in, mut old_out) = socket.stream(host, CALL, Some(remote)).unwrap();
    assert_eq!(socket.local_address(), Ok(local));
    let (mut incoming, _outgoing) = socket.stream(host, CALL, None).unwrap();
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    // It is bound to the port that it had, and to all addresses again.
    assert_eq!(socket.local_address(), Ok(SocketAddr::from(([0, 0, 0, 0], port))));
    assert_eq!(old_in.receive(host, CALL, 1), Err(ErrorCode::InvalidState));
    assert_eq!(old_out.check_send(), Err(ErrorCode::InvalidState));
    assert!(happened(host, old_in.interest()) && happened(host, old_out.interest()));
    let (_, mut from_peer) = peer.stream(host, CALL, None).unwrap();
    assert_eq!(send(host, &mut from_peer, b"still here", Some(local)), Ok(()));
    assert_eq!(receive(host, &mut incoming).unwrap()[0].data, b"still here");
    assert!(socket.stream(host, CALL, Some(remote)).is_ok());
    assert_eq!(socket.remote_address(), Ok(remote));
}

#[test]
fn a_peer_that_is_not_there_is_told_once() {
    let host = &mut anything();
    let nobody = bound(host, at("127.0.0.1:0")).local_address().unwrap();
    let mut socket = bound(host, at("127.0.0.1:0"));
    let (mut incoming, mut outgoing) = socket.stream(host, CALL, Some(nobody)).unwrap();
    assert_eq!(send(host, &mut outgoing, b"anybody?", None), Ok(()));
    assert_eq!(receive(host, &mut incoming), Err(ErrorCode::ConnectionRefused));
    assert_eq!(incoming.receive(host, CALL, 1), Ok(Vec::new()));
}

#[test]
fn options_are_clamped_and_zero_is_none_of_them() {
    let host = &mut anything();
    for family in FAMILIES {
        let socket = &mut UdpSocket::new(host, family).unwrap();
        assert_eq!(socket.set_unicast_hop_limit(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_receive_buffer_size(0), Err(ErrorCode::Invalid));
        assert_eq!(socket.set_send_buffer_size(0), Err(ErrorCode::Invalid));
        for hops in [1, 42, u8::MAX] {
            socket.set_unicast_hop_limit(hops).unwrap();
            assert_eq!(socket.unicast_hop_limit(), Ok(hops));
        }
        for bytes in [1, u64::MAX, 0x10000] {
            socket.set_receive_buffer_size(bytes).unwrap();
            socket.set_send_buffer_size(bytes).unwrap();
        }
        assert_eq!(socket.receive_buffer_size(), Ok(0x10000));
        assert_eq!(socket.send_buffer_size(), Ok(0x10000));
    }
}

#[test]
fn each_datagram_needs_its_grant_with_a_peer_or_without() {
    let all = &mut anything();
    let friend = bound(all, at("127.0.0.1:0")).local_address().unwrap();
    let foe = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let enemy = foe.local_addr().unwrap();
    let host = &mut guest(&[&format!("udp={friend}"), "udp-bind=127.0.0.1:0"]);
    let mut socket = bound(host, at("127.0.0.1:0"));
    assert_eq!(socket.stream(host, CALL, Some(enemy)).err(), Some(ErrorCode::Access));
    let (_, mut outgoing) = socket.stream(host, CALL, None).unwrap();
    let result = send(host, &mut outgoing, b"a", Some(enemy));
    assert_eq!(result, Err(ErrorCode::Access));
    assert_eq!(send(host, &mut outgoing, b"a", Some(friend)), Ok(()));
    let (_, mut outgoing) = socket.stream(host, CALL, Some(friend)).unwrap();
    let result = send(host, &mut outgoing, b"a", Some(enemy));
    assert_eq!(result, Err(ErrorCode::Invalid));
    foe.set_nonblocking(true).unwrap();
    assert!(foe.recv(&mut [0; 8]).is_err(), "a datagram came through");
    assert_eq!(refused(host), [format!("--allow udp={enemy}")]);
}

#[test]
fn a_datagram_from_where_no_grant_reaches_is_never_shown() {
    let [friend, foe] = ["127.0.0.1:0", "127.0.0.2:0"].map(|local| std::net::UdpSocket::bind(local).unwrap());
    let host = &mut guest(&["udp=127.0.0.1:*", "udp-bind=127.0.0.1:0"]);
    let mut socket = bound(host, at("127.0.0.1:0"));
    let local = socket.local_address().unwrap();
    let (mut incoming, _) = socket.stream(host, CALL, None).unwrap();
    for (sender, data) in [(&foe, "bad"), (&friend, "good"), (&foe, "worse")] {
        sender.send_to(data.as_bytes(), local).unwrap();
    }
    let received = receive(host, &mut incoming).unwrap();
    assert_eq!(received, [IncomingDatagram { data: b"good".to_vec(), remote: friend.local_addr().unwrap() }]);
    assert_eq!(refused(host), ["--allow udp=127.0.0.2:*"]);
    assert_eq!(host.audit.refusals()[0].count, 2);
}

#[test]
fn a_grant_to_send_is_enough_to_be_bound_anywhere() {
    let host = &mut guest(&["udp=127.0.0.1:53"]);
    for (local, granted) in [("0.0.0.0:0", true), ("[::]:0", true), ("127.0.0.1:0", false), ("0.0.0.0:5353", false)] {
        let mut socket = UdpSocket::new(host, AddressFamily::of(&at(local))).unwrap();
        let result = socket.start_bind(host, CALL, at(local));
        assert_eq!(result, if granted { Ok(()) } else { Err(ErrorCode::Access) }, "{local}");
    }
}

#[test]
fn sockets_count_for_as_long_as_their_streams() {
    let host = &mut guest_with(&["network"], &[], Limits { sockets: 1, ..Limits::default() });
    let mut socket = bound(host, at("127.0.0.1:0"));
    let streams = socket.stream(host, CALL, None).unwrap();
    assert_eq!(UdpSocket::new(host, AddressFamily::Ipv4).err(), Some(ErrorCode::TooManyDescriptors));
    drop(socket);
    assert_eq!(UdpSocket::new(host, AddressFamily::Ipv4).err(), Some(ErrorCode::TooManyDescriptors));
    drop(streams);
    assert!(UdpSocket::new(host, AddressFamily::Ipv4).is_ok());
}

#[test]
fn a_guest_that_cannot_pay_receives_nothing_and_loses_nothing() {
    let limits = Limits { host_bytes: 100 << 10, ..Limits::default() };
    let host = &mut guest_with(&["network"], &[], limits);
    let mut socket = bound(host, at("127.0.0.1:0"));
    let local = socket.local_address().unwrap();
    let (mut incoming, mut outgoing) = socket.stream(host, CALL, None).unwrap();
    assert_eq!(send(host, &mut outgoing, b"a", Some(local)), Ok(()));
    wait(host, incoming.interest());
    assert_eq!(incoming.receive(host, CALL, 1), Err(ErrorCode::InsufficientMemory));
    assert!(happened(host, incoming.interest()));
    assert_eq!(host.budget.used(), 0);
}

#[test]
fn a_socket_of_ipv6_hears_nothing_of_ipv4() {
    let host = &mut anything();
    let mut socket = bound(host, at("[::]:0"));
    let port = socket.local_address().unwrap().port();
    let (mut incoming, _) = socket.stream(host, CALL, None).unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"a", loopback(AddressFamily::Ipv4, port)).unwrap();
    let sender = std::net::UdpSocket::bind("[::1]:0").unwrap();
    sender.send_to(b"b", loopback(AddressFamily::Ipv6, port)).unwrap();
    let received = receive(host, &mut incoming).unwrap();
    assert_eq!(received.iter().map(|datagram| &*datagram.data).collect::<Vec<_>>(), [b"b"]);
}

/// Below: what 0.3 has instead of streams. Somebody else's socket, which does not wait.
fn native(local: &str) -> (std::net::UdpSocket, SocketAddr) {
    let socket = std::net::UdpSocket::bind(local).unwrap();
    socket.set_nonblocking(true).unwrap();
    let local = socket.local_addr().unwrap();
    (socket, local)
}

/// The next datagram, once it is there.
fn next(host: &mut Capabilities, socket: &mut UdpSocket) -> Result<(String, SocketAddr), ErrorCode> {
    loop {
        match socket.receive(host, CALL) {
            Err(ErrorCode::WouldBlock) => {
                let interest = socket.readiness(Ready::Read).unwrap();
                wait(host, interest);
            }
            received => {
                return received.map(|it| (String::from_utf8_lossy(&it.data).into_owned(), it.remote));
            }
        }
    }
}

fn is_waiting(socket: &UdpSocket) -> bool {
    matches!(socket.readiness(Ready::Read), Ok(Interest::Descriptor(..)))
}

/// What a native socket has got, in the order in which it came.
fn got(socket: &std::net::UdpSocket) -> Vec<String> {
    let mut data = [0; 64];
    let mut got = Vec::new();
    while let Ok(bytes) = socket.recv(&mut data) {
        got.push(String::from_utf8_lossy(&data[..bytes]).into_owned());
    }
    got
}

#[test]
fn receiving_needs_a_bound_socket_and_binds_none() {
    let host = &mut anything();
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    for _ in 0..2 {
        assert_eq!(socket.receive(host, CALL), Err(ErrorCode::InvalidState));
        assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    }
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Ok(()));
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::InvalidState));
    socket.finish_bind().unwrap();
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
}

#[test]
fn sending_binds_a_socket_to_any_free_port_and_gives_it_no_peer() {
    let host = &mut anything();
    let (peer, remote) = native("127.0.0.1:0");
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.send(host, CALL, b"hello", Some(remote)), Ok(()));
    let local = socket.local_address().unwrap();
    assert!(local.ip().is_unspecified() && local.port() > 0);
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Err(ErrorCode::InvalidState));
    assert_eq!(got(&peer), ["hello"]);
    peer.send_to(b"hello yourself", loopback(AddressFamily::Ipv4, local.port())).unwrap();
    assert_eq!(next(host, &mut socket), Ok(("hello yourself".into(), remote)));
    assert_eq!(socket.send(host, CALL, b"again", Some(remote)), Ok(()));
    assert_eq!(socket.local_address(), Ok(local));
}

#[test]
fn where_a_datagram_goes_is_looked_at_before_anything_is_done() {
    let host = &mut anything();
    for (family, remote) in [
        (AddressFamily::Ipv4, Some("[::1]:1")),
        (AddressFamily::Ipv4, Some("0.0.0.0:1")),
        (AddressFamily::Ipv4, Some("127.0.0.1:0")),
        (AddressFamily::Ipv4, None),
        (AddressFamily::Ipv6, Some("127.0.0.1:1")),
        (AddressFamily::Ipv6, Some("[::]:1")),
        (AddressFamily::Ipv6, Some("[::1]:0")),
        (AddressFamily::Ipv6, Some("[::ffff:127.0.0.1]:1")),
        (AddressFamily::Ipv6, None),
    ] {
        let mut socket = UdpSocket::new(host, family).unwrap();
        assert_eq!(socket.send(host, CALL, b"a", remote.map(at)), Err(ErrorCode::Invalid), "{remote:?}");
        if let Some(remote) = remote {
            assert_eq!(socket.connect(host, CALL, at(remote)), Err(ErrorCode::Invalid), "{remote}");
        }
        assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState), "{remote:?}");
        assert_eq!(socket.start_bind(host, CALL, loopback(family, 0)), Ok(()), "{remote:?}");
    }
}

#[test]
fn connecting_binds_a_socket_and_the_last_peer_is_the_one() {
    let host = &mut anything();
    for (family, any) in FAMILIES.into_iter().zip(["127.0.0.1:0", "[::1]:0"]) {
        let ((first, one), (second, other)) = (native(any), native(any));
        let mut socket = UdpSocket::new(host, family).unwrap();
        assert_eq!(socket.disconnect(), Err(ErrorCode::InvalidState));
        assert_eq!(socket.connect(host, CALL, one), Ok(()));
        let local = socket.local_address().unwrap();
        assert_eq!((local.ip(), socket.remote_address()), (one.ip(), Ok(one)));
        assert_eq!(socket.start_bind(host, CALL, at(any)), Err(ErrorCode::InvalidState));
        assert_eq!(socket.send(host, CALL, b"to nobody else", None), Ok(()));
        assert_eq!(socket.send(host, CALL, b"by its address", Some(one)), Ok(()));
        assert_eq!(socket.send(host, CALL, b"a", Some(other)), Err(ErrorCode::Invalid));
        assert_eq!((got(&first).len(), got(&second).len()), (2, 0));
        // One that came from the first is not for who has another peer.
        first.send_to(b"late", local).unwrap();
        assert_eq!(socket.connect(host, CALL, other), Ok(()));
        assert_eq!((socket.local_address(), socket.remote_address()), (Ok(local), Ok(other)));
        let _ = first.send_to(b"later", local);
        second.send_to(b"for you", local).unwrap();
        assert_eq!(next(host, &mut socket), Ok(("for you".into(), other)));
        assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
        assert_eq!(socket.send(host, CALL, b"a", Some(one)), Err(ErrorCode::Invalid));
    }
}

#[test]
fn a_socket_without_its_peer_is_bound_where_it_was_and_hears_all() {
    let host = &mut anything();
    let ((first, one), (second, other)) = (native("127.0.0.1:0"), native("127.0.0.1:0"));
    for mut socket in [UdpSocket::new(host, AddressFamily::Ipv4).unwrap(), bound(host, at("127.0.0.1:0"))] {
        socket.connect(host, CALL, one).unwrap();
        let port = socket.local_address().unwrap().port();
        assert_eq!(socket.disconnect(), Ok(()));
        assert_eq!(socket.disconnect(), Err(ErrorCode::InvalidState));
        assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
        assert_eq!(socket.local_address().unwrap().port(), port);
        assert_eq!(socket.send(host, CALL, b"a", None), Err(ErrorCode::Invalid));
        for sender in [&second, &first] {
            sender.send_to(b"to all", loopback(AddressFamily::Ipv4, port)).unwrap();
        }
        assert_eq!(next(host, &mut socket), Ok(("to all".into(), other)));
        assert_eq!(next(host, &mut socket), Ok(("to all".into(), one)));
        assert_eq!(socket.send(host, CALL, b"anybody", Some(other)), Ok(()));
        assert_eq!(got(&second), ["anybody"]);
    }
}

#[test]
fn a_peer_that_cannot_be_had_leaves_the_socket_bound_and_without_one() {
    let host = &mut anything();
    let (_peer, remote) = native("127.0.0.1:0");
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    assert_eq!(socket.connect(host, CALL, at("255.255.255.255:9")), Err(ErrorCode::Access));
    assert_ne!(socket.local_address().unwrap().port(), 0);
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
    socket.connect(host, CALL, remote).unwrap();
    assert_eq!(socket.connect(host, CALL, at("255.255.255.255:9")), Err(ErrorCode::Access));
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.send(host, CALL, b"a", None), Err(ErrorCode::Invalid));
}

#[test]
fn a_port_that_somebody_else_has_taken_leaves_the_socket_unbound() {
    let host = &mut anything();
    let (_peer, remote) = native("127.0.0.1:0");
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.connect(host, CALL, remote).unwrap();
    // As long as it has a peer it is at one address, and its port is free at another; then it would be at all of them again.
    let taken = SocketAddr::from(([127, 0, 0, 2], socket.local_address().unwrap().port()));
    let _other = std::net::UdpSocket::bind(taken).unwrap();
    assert_eq!(socket.disconnect(), Err(ErrorCode::AddressInUse));
    assert_eq!(socket.local_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.remote_address(), Err(ErrorCode::InvalidState));
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::InvalidState));
    assert_eq!(socket.start_bind(host, CALL, at("127.0.0.1:0")), Ok(()));
}

#[test]
fn a_datagram_is_as_large_as_its_family_lets_it_be() {
    let host = &mut anything();
    for (family, largest) in FAMILIES.into_iter().zip([65_507, 65_527]) {
        let mut here = UdpSocket::new(host, family).unwrap();
        let mut there = bound(host, loopback(family, 0));
        let remote = there.local_address().unwrap();
        for bytes in [largest + 1, 65_535, 65_536, 1 << 20] {
            let sent = here.send(host, CALL, &vec![7; bytes], Some(remote));
            assert_eq!(sent, Err(ErrorCode::MessageSize), "{bytes}");
            // As the kernel has it.
            assert_ne!(here.local_address().unwrap().port(), 0);
        }
        assert_eq!(here.send(host, CALL, b"", Some(remote)), Ok(()));
        assert_eq!(here.send(host, CALL, &vec![7; largest], Some(remote)), Ok(()));
        wait(host, there.readiness(Ready::Read).unwrap());
        assert_eq!(there.receive(host, CALL).unwrap().data, b"");
        assert_eq!(there.receive(host, CALL).unwrap().data, vec![7; largest]);
        assert!(is_waiting(&there));
    }
}

#[test]
fn whoever_waits_for_a_datagram_pays_for_none() {
    let host = &mut guest_with(&["network"], &[], Limits { host_bytes: 1000, ..Limits::default() });
    let mut socket = bound(host, at("127.0.0.1:0"));
    let local = socket.local_address().unwrap();
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
    let (peer, _) = native("127.0.0.1:0");
    for bytes in [1000, 1001] {
        peer.send_to(&vec![7; bytes], local).unwrap();
    }
    wait(host, socket.readiness(Ready::Read).unwrap());
    assert_eq!(socket.receive(host, CALL).unwrap().data, [7; 1000]);
    // One that cannot be paid for stays.
    for _ in 0..2 {
        assert_eq!(socket.receive(host, CALL), Err(ErrorCode::InsufficientMemory));
        assert!(!is_waiting(&socket));
    }
    assert_eq!(host.budget.used(), 0);
}

#[test]
fn datagrams_that_no_grant_covers_take_a_bounded_turn_and_hide_none_that_one_does() {
    let ((friend, one), (foe, _)) = (native("127.0.0.1:0"), native("127.0.0.2:0"));
    let host = &mut guest(&["udp=127.0.0.1:*", "udp-bind=127.0.0.1:0"]);
    let mut socket = bound(host, at("127.0.0.1:0"));
    socket.set_receive_buffer_size(1 << 20).unwrap();
    let local = socket.local_address().unwrap();
    for _ in 0..=MOST_DATAGRAMS {
        foe.send_to(b"bad", local).unwrap();
    }
    friend.send_to(b"good", local).unwrap();
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
    // It is not waited for what is there already.
    assert!(matches!(socket.readiness(Ready::Read), Ok(Interest::Now)));
    assert_eq!(host.audit.refusals()[0].count as usize, MOST_DATAGRAMS);
    assert_eq!(socket.receive(host, CALL).unwrap(), IncomingDatagram { data: b"good".to_vec(), remote: one });
    assert!(is_waiting(&socket));
}

#[test]
fn what_became_of_a_datagram_is_told_once_to_whoever_sends_or_receives_next() {
    let host = &mut anything();
    let nobody = bound(host, at("127.0.0.1:0")).local_address().unwrap();
    let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
    socket.connect(host, CALL, nobody).unwrap();
    socket.send(host, CALL, b"anybody?", None).unwrap();
    assert_eq!(next(host, &mut socket), Err(ErrorCode::ConnectionRefused));
    assert_eq!(socket.receive(host, CALL), Err(ErrorCode::WouldBlock));
    socket.send(host, CALL, b"anybody?", None).unwrap();
    wait(host, socket.readiness(Ready::Read).unwrap());
    let somebody = std::net::UdpSocket::bind(nobody).unwrap();
    assert_eq!(socket.send(host, CALL, b"not sent", None), Err(ErrorCode::ConnectionRefused));
    assert_eq!(socket.send(host, CALL, b"sent", None), Ok(()));
    somebody.set_nonblocking(true).unwrap();
    assert_eq!(got(&somebody), ["sent"]);
}

/// GHSA-hmmr-87qq-258j: a peer is one to send to, and is granted as such, each time that something is sent.
#[test]
fn no_peer_is_had_that_nothing_may_be_sent_to() {
    let ((friend, granted), (foe, denied)) = (native("127.0.0.1:0"), native("127.0.0.1:0"));
    for bind in [false, true] {
        let host = &mut guest(&[&format!("udp={granted}"), "udp-bind=127.0.0.1:0"]);
        let mut socket = UdpSocket::new(host, AddressFamily::Ipv4).unwrap();
        if bind {
            socket = bound(host, at("127.0.0.1:0"));
        }
        assert_eq!(socket.connect(host, CALL, denied), Err(ErrorCode::Access));
        assert_eq!(socket.local_address().is_ok(), bind, "nothing was done");
        assert_eq!(socket.send(host, CALL, b"bad", None), Err(ErrorCode::Invalid));
        assert_eq!(socket.send(host, CALL, b"bad", Some(denied)), Err(ErrorCode::Access));
        socket.connect(host, CALL, granted).unwrap();
        assert_eq!(socket.connect(host, CALL, denied), Err(ErrorCode::Access));
        assert_eq!(socket.remote_address(), Ok(granted), "it has the peer that it had");
        assert_eq!(socket.send(host, CALL, b"good", None), Ok(()));
        assert_eq!(socket.send(host, CALL, b"bad", Some(denied)), Err(ErrorCode::Invalid));
        socket.disconnect().unwrap();
        assert_eq!(socket.send(host, CALL, b"bad", Some(denied)), Err(ErrorCode::Access));
        assert_eq!(socket.send(host, CALL, b"good", Some(granted)), Ok(()));
        assert_eq!(got(&friend), ["good", "good"]);
        // Nor does it hear of one.
        let port = socket.local_address().unwrap().port();
        foe.send_to(b"bad", loopback(AddressFamily::Ipv4, port)).unwrap();
        friend.send_to(b"good", loopback(AddressFamily::Ipv4, port)).unwrap();
        assert_eq!(next(host, &mut socket), Ok(("good".into(), granted)));
        assert_eq!(refused(host)[0], format!("--allow udp={denied}"));
    }
    assert!(got(&foe).is_empty(), "a datagram came through");
}
