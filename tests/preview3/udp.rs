//! UDP by `wasi:sockets` of Preview 3: its states, its datagrams, and which peers a guest may have.

use std::net::{SocketAddr, UdpSocket};
use std::thread::{JoinHandle, spawn};

use crate::harness::{PATIENCE, Ran, run};
use crate::peer::listening;
use crate::running;

const PROGRAM: &str = "p3_udp";
const ANY: [&str; 2] = ["--allow=udp=*:*", "--allow=udp-bind=*:*"];

/// `p3_udp WORDS` that may do everything with UDP.
fn scene(words: &[&str]) -> Ran {
    run(&mut running(&ANY, PROGRAM, words))
}

/// Both families, as far as this machine has them, and what only the second has words for.
fn families() -> Vec<(&'static str, bool)> {
    let has_ipv6 = UdpSocket::bind("[::1]:0").is_ok();
    if has_ipv6 { vec![("127.0.0.1:0", false), ("[::1]:0", true)] } else { vec![("127.0.0.1:0", false)] }
}

/// Somebody else's socket.
fn native(local: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(local).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Sends so many datagrams back to where they came from.
fn echo(datagrams: usize) -> (String, JoinHandle<()>) {
    let (socket, address) = native("127.0.0.1:0");
    let echoing = spawn(move || {
        let mut buffer = [0; 65_536];
        for _ in 0..datagrams {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(&buffer[..length], from).unwrap();
        }
    });
    (address.to_string(), echoing)
}

#[test]
fn each_state_of_a_socket_allows_what_the_standard_says() {
    for (local, is_ipv6) in families() {
        let mapped = |lines: &'static str| if is_ipv6 { lines } else { "" };
        let expected = include_str!("transcripts/udp_states.txt")
            .replace("MAPPED BIND\n", mapped("  bind, mapped: invalid-argument\n"))
            .replace("MAPPED\n", mapped("  connect, mapped: invalid-argument\n  send, mapped: invalid-argument\n"));
        assert_eq!(scene(&["states", local]).quiet(), expected, "{local}");
    }
}

#[test]
fn a_receive_that_waits_gets_what_the_socket_may_hear_when_it_comes_and_a_cancelled_one_takes_nothing() {
    let expected = "\
connected meanwhile
  waits: true
  still waits: true
  came: `peer`, from there: true
disconnected meanwhile
  waits: true
  came: `stranger`, from there: true
cancelled
  waits: true
  came: `not lost`, from there: true
  hears nothing else: true
two at once
  came: [\"one\", \"two\"]
while it sends
  send: ok
  came: `to itself`, from there: true
";
    for (local, _) in families() {
        assert_eq!(scene(&["waits", local]).quiet(), expected, "{local}");
    }
}

/// Room for a largest datagram for each that waits would be 64 MB.
#[test]
fn whoever_waits_holds_no_room_for_what_may_come() {
    let peak_bytes = |count: &str| {
        let flags = [ANY[0], ANY[1], "--max-memory=16M"];
        let ran = run(&mut running(&flags, PROGRAM, &["many", "127.0.0.1:0", count]));
        assert_eq!(ran.quiet(), format!("{count} wait\neach came once: true\n"));
        ran.peak_bytes
    };
    // The first may have to compile.
    peak_bytes("1");
    let (one, thousand) = (peak_bytes("1"), peak_bytes("1000"));
    assert!(thousand < one + (16 << 20), "{one} and {thousand} bytes");
}

#[test]
fn a_server_sends_datagrams_back() {
    let flags = ["--allow=udp-bind=127.0.0.1:0", "--allow=udp=127.0.0.1:*"];
    let server = listening(&mut running(&flags, PROGRAM, &["server", "127.0.0.1:0", "5"]));
    let (socket, _) = native("127.0.0.1:0");
    let mut buffer = [0; 65_536];
    for size in [5, 0, 1400, 60_000, 65_507] {
        let sent: Vec<u8> = (0..size).map(|index: usize| index as u8).collect();
        socket.send_to(&sent, server.address).unwrap();
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, server.address);
        assert!(buffer[..length] == sent, "{size} bytes came back otherwise");
    }
    assert_eq!(server.end(), "5 datagrams, 126912 bytes\n");
}

#[test]
fn a_client_with_a_peer_and_one_without_get_back_what_they_send() {
    for what in ["client", "sender"] {
        let (address, echoing) = echo(3);
        // Whoever may send needs no grant to be bound for it.
        let flags = [format!("--allow=udp={address}")];
        let ran = run(&mut running(&flags, PROGRAM, &[what, &address, "one", "", "bytes=1400"]));
        let came = |bytes: usize| format!("{bytes} bytes, the same: true, from there: true\n");
        assert_eq!(ran.quiet(), came(3) + &came(0) + &came(1400), "{what}");
        echoing.join().unwrap();
    }
}

#[test]
fn datagrams_are_granted_by_address_and_port_and_so_are_places_to_be_bound() {
    let (_socket, there) = native("127.0.0.1:0");
    let (target, other) = (there.to_string(), there.port() ^ 1);
    for grant in [
        format!("udp=127.0.0.1:{other}"),
        format!("udp=127.0.0.2:{}", there.port()),
        format!("tcp-connect={target}"),
        "udp-bind=*:*".to_owned(),
    ] {
        let flags = [format!("--allow={grant}")];
        let ran = run(&mut running(&flags, PROGRAM, &["client", &target, "x"]));
        assert_eq!((ran.status(), ran.stderr.as_str()), (1, "connect: access-denied\n"), "{grant}");
        let ran = run(&mut running(&flags, PROGRAM, &["sender", &target, "x"]));
        assert_eq!(ran.quiet(), "send: access-denied\n", "{grant}");
    }
    for (grant, local, answer) in [
        ("udp-bind=127.0.0.1:0", "127.0.0.1:0", "ok"),
        ("udp-bind=127.0.0.1:0", "127.0.0.2:0", "access-denied"),
        ("udp-bind=127.0.0.1:0", "0.0.0.0:0", "access-denied"),
        ("udp=127.0.0.1:*", "127.0.0.1:0", "access-denied"),
        ("udp=127.0.0.1:*", "0.0.0.0:0", "ok"),
        ("tcp-listen=*:*", "127.0.0.1:0", "access-denied"),
    ] {
        let ran = run(&mut running(&[format!("--allow={grant}")], PROGRAM, &["bind", local]));
        assert_eq!(ran.quiet(), format!("bind: {answer}\n"), "{grant} for {local}");
    }
}

/// GHSA-hmmr-87qq-258j: to have a peer is to send to it, whatever the grants for being bound are.
#[test]
fn no_peer_is_had_that_nothing_may_be_sent_to() {
    let expected = "\
connect to the one that is denied: access-denied
get-local-address: invalid-state
send to nobody: invalid-argument
send to the one that is denied: access-denied
get-local-address: invalid-state
send to the one that is granted: ok
connect to the one that is granted: ok
connect to the one that is denied: access-denied
send to nobody else: ok
send to the one that is denied: invalid-argument
send to the one that is granted: ok
receive: `answer`, from there: true
disconnect: ok
send to the one that is denied: access-denied
send to nobody: invalid-argument
send to the one that is granted: ok
receive: `answer`, from there: true
hears nothing else: true
";
    let ((friend, granted), (foe, denied)) = (native("127.0.0.1:0"), native("127.0.0.1:0"));
    let theirs = foe.try_clone().unwrap();
    let answering = spawn(move || {
        let mut buffer = [0; 64];
        for expected in ["granted", "granted", "answer", "answer"] {
            let (length, from) = friend.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], expected.as_bytes());
            if expected == "answer" {
                // Whoever is denied is first.
                let _ = theirs.send_to(b"denied", from);
                friend.send_to(b"answer", from).unwrap();
            }
        }
    });
    let flags = [format!("--allow=udp={granted}"), "--allow=udp-bind=*:*".to_owned()];
    let words = ["denied", &granted.to_string(), &denied.to_string()];
    let ran = run(&mut running(&flags, PROGRAM, &words));
    assert_eq!(ran.quiet(), expected);
    answering.join().unwrap();
    foe.set_nonblocking(true).unwrap();
    assert!(foe.recv(&mut [0; 64]).is_err(), "a datagram came through");
    let explained = [flags[0].as_str(), "--explain"];
    let ran = run(&mut running(&explained, PROGRAM, &["client", &denied.to_string()]));
    assert!(ran.stderr.contains(&format!("--allow udp={denied}")), "{}", ran.stderr);
}

#[test]
fn waiting_for_a_datagram_ends_with_the_time() {
    let flags = [ANY[0], ANY[1], "--timeout=300ms"];
    let ran = run(&mut running(&flags, PROGRAM, &["server", "127.0.0.1:0", "1"]));
    assert_eq!(ran.status(), 124, "{ran:?}");
}
