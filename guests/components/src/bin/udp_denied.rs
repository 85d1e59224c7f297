//! Tries to reach, and to hear, a peer that it was not granted: `udp_denied GRANTED DENIED`, two addresses with ports.
//!
//! It tells its own address first, by a datagram to GRANTED, whose answer it waits for; by then DENIED has written to it as
//! well. A line for each attempt: what was done, and the code.

use std::net::SocketAddr;

use components::{Code, address, fail, family, from_wasi, must, to_wasi};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::poll;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::ErrorCode;
use wasip2::sockets::udp::{IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket};
use wasip2::sockets::udp_create_socket::create_udp_socket;

const SECOND: u64 = 1_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [granted, denied] = arguments.as_slice() else { fail("udp_denied", "usage: udp_denied GRANTED DENIED") };
    let (granted, denied) = (address(granted), address(denied));
    let socket = bound(granted);

    let (_, open) = must("stream", socket.stream(None));
    send("to the peer that is granted", &open, "granted", Some(granted));
    send("to the peer that is denied", &open, "denied", Some(denied));
    both("to both in one call", &open, granted, denied);

    let connected = socket.stream(Some(to_wasi(denied)));
    println!("connected to the peer that is denied: {}", connected.as_ref().err().map_or("ok".into(), Code::code));
    drop(connected);

    let (incoming, outgoing) = must("stream", socket.stream(Some(to_wasi(granted))));
    send("connected to the granted one, to it", &outgoing, "granted", None);
    send("connected to the granted one, to it by its address", &outgoing, "granted", Some(granted));
    send("connected to the granted one, to the denied one", &outgoing, "denied", Some(denied));
    // What was made before the connection must not get to use it, nor the other way round.
    send("by the streams of before, to the denied one", &open, "denied", Some(denied));
    send("by the streams of before, to nobody", &open, "denied", None);
    let (_, open) = must("stream", socket.stream(None));
    send("no longer connected, to the denied one", &open, "denied", Some(denied));
    send("no longer connected, by the streams of the connection", &outgoing, "denied", Some(denied));
    drop(incoming);

    // Whoever is granted answers when both have written.
    let (incoming, outgoing) = must("stream", socket.stream(None));
    send("asking for an answer", &outgoing, "answer", Some(granted));
    receive("by a socket without a peer", &incoming);
    let (incoming, outgoing) = must("stream", socket.stream(Some(to_wasi(granted))));
    send("asking for an answer", &outgoing, "answer", None);
    receive("by a socket with a peer", &incoming);
}

fn bound(like: SocketAddr) -> UdpSocket {
    let socket = must("create-udp-socket", create_udp_socket(family(like)));
    let any = SocketAddr::new(like.ip(), 0);
    must("start-bind", socket.start_bind(&instance_network(), to_wasi(any)));
    must("finish-bind", socket.finish_bind());
    socket
}

fn permit(outgoing: &OutgoingDatagramStream) -> Result<u64, ErrorCode> {
    loop {
        match outgoing.check_send() {
            Ok(0) => outgoing.subscribe().block(),
            permitted => return permitted,
        }
    }
}

fn send(what: &str, outgoing: &OutgoingDatagramStream, text: &str, to: Option<SocketAddr>) {
    let datagram = OutgoingDatagram { data: text.as_bytes().to_vec(), remote_address: to.map(to_wasi) };
    let sent = permit(outgoing).and_then(|_| outgoing.send(&[datagram]));
    println!("{what}: {}", sent.map_or_else(|error| error.code(), |sent| format!("{sent} sent")));
}

fn both(what: &str, outgoing: &OutgoingDatagramStream, granted: SocketAddr, denied: SocketAddr) {
    let to = |to, text: &str| OutgoingDatagram { data: text.as_bytes().to_vec(), remote_address: Some(to_wasi(to)) };
    let sent = permit(outgoing).and_then(|_| outgoing.send(&[to(granted, "granted"), to(denied, "denied")]));
    println!("{what}: {}", sent.map_or_else(|error| error.code(), |sent| format!("{sent} sent")));
}

/// Receives until the granted one has answered; what else came.
fn receive(what: &str, incoming: &IncomingDatagramStream) {
    let late = subscribe_duration(20 * SECOND);
    loop {
        let ready = incoming.subscribe();
        if poll(&[&ready, &late]).contains(&1) {
            fail(what, "no answer");
        }
        for datagram in must("receive", incoming.receive(64)) {
            let text = String::from_utf8_lossy(&datagram.data).into_owned();
            println!("{what}, came: {text} from port {}", from_wasi(datagram.remote_address).port());
            if text == "answer" {
                return;
            }
        }
    }
}
