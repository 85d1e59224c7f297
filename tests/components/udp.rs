//! UDP by `wasi:sockets`.

use std::net::UdpSocket;

use crate::harness::{PATIENCE, Ran, run};
use crate::peer::listening;
use crate::running;

const PROGRAM: &str = "udp_echo";

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends so many datagrams back to where they came from.
fn echo(datagrams: usize) -> (String, std::thread::JoinHandle<()>) {
    let socket = socket();
    let address = socket.local_addr().unwrap().to_string();
    let echoing = std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        for _ in 0..datagrams {
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            socket.send_to(&buffer[..length], from).unwrap();
        }
    });
    (address, echoing)
}

#[test]
fn a_server_sends_datagrams_back() {
    // To bind is one grant, to send to whoever asks is another.
    let flags = ["--allow=udp-bind=127.0.0.1:0", "--allow=udp=127.0.0.1:*"];
    let server = listening(&mut running(&flags, PROGRAM, &["server", "127.0.0.1:0", "4"]));
    let socket = socket();
    let mut buffer = [0; 65_536];
    for size in [5, 0, 1400, 60_000] {
        let sent: Vec<u8> = (0..size).map(|index: usize| index as u8).collect();
        socket.send_to(&sent, server.address).unwrap();
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        assert_eq!(from, server.address);
        assert!(buffer[..length] == sent, "{size} bytes came back otherwise");
    }
    assert_eq!(server.end(), "4 datagrams, 61405 bytes\n");
}

fn client(flags: &[String], words: &[&str]) -> Ran {
    run(&mut running(flags, PROGRAM, words))
}

fn allow(what: &str) -> String {
    format!("--allow={what}")
}

#[test]
fn a_client_with_a_peer_and_one_without_get_back_what_they_send() {
    for (what, first) in [("client", true), ("sender", false)] {
        let (address, echoing) = echo(3);
        let flags = [allow(&format!("udp={address}"))];
        let ran = client(&flags, &[what, &address, "one", "", "bytes=1400"]);
        let mut expected = String::new();
        if first {
            expected += &format!("remote: ok: {address}\n");
        }
        expected += "came back: one, from there: true\ncame back: , from there: true\n";
        expected += "1400 bytes came back, the same: true\n";
        assert_eq!(ran.quiet(), expected);
        echoing.join().unwrap();
    }
}

#[test]
fn datagrams_are_granted_by_address_and_port() {
    let there = socket().local_addr().unwrap();
    let (target, other) = (there.to_string(), there.port() ^ 1);
    for grant in [
        format!("udp=127.0.0.1:{other}"),
        format!("udp=127.0.0.2:{}", there.port()),
        format!("tcp-connect={target}"),
        "udp-bind=*:*".to_owned(),
    ] {
        let flags = [allow("udp-bind=0.0.0.0:0"), allow(&grant)];
        let ran = client(&flags, &["client", &target, "x"]);
        assert_eq!((ran.status(), ran.text()), (4, "stream: access-denied\n"), "{grant}");
        let ran = client(&flags, &["sender", &target, "x"]);
        assert_eq!((ran.status(), ran.text()), (4, "send: access-denied\n"), "{grant}");
    }
}

#[test]
fn whoever_may_send_may_bind_to_any_free_port_for_it_and_to_nothing_else() {
    let (target, echoing) = echo(1);
    let flags = [allow(&format!("udp={target}"))];
    assert!(client(&flags, &["sender", &target, "x"]).quiet().starts_with("came back: x"));
    echoing.join().unwrap();
    for local in ["127.0.0.1:0", "0.0.0.0:50000"] {
        let ran = client(&flags, &["server", local, "0"]);
        assert_eq!((ran.status(), ran.text()), (4, "start-bind: access-denied\n"), "{local}");
    }
}

#[test]
fn each_state_of_a_socket_allows_what_the_standard_says() {
    for (local, mapped) in [("127.0.0.1:0", ""), ("[::1]:0", "  start-bind to a mapped address: invalid-argument\n")] {
        if UdpSocket::bind(local).is_err() {
            continue;
        }
        let ran = client(&[allow("udp=*:*"), allow("udp-bind=*:*")], &["states", local]);
        let expected = include_str!("transcripts/udp_states.txt").replace("MAPPED\n", mapped);
        assert_eq!(ran.quiet(), expected);
    }
}
