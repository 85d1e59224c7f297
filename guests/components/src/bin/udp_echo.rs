//! Datagrams by `wasi:sockets`:
//!
//! - `udp_echo server ADDRESS:PORT DATAGRAMS`: prints where it listens, sends back so many datagrams, and prints how many
//!   bytes there were;
//! - `udp_echo client ADDRESS:PORT TEXT…`: sends each text to that one peer, and prints what comes back;
//! - `udp_echo sender ADDRESS:PORT TEXT…`: the same without a peer, with the address on each datagram;
//! - `udp_echo states ADDRESS:PORT`: the code of each thing that is asked at the wrong time or with wrong words, on a
//!   socket bound to that address; a transcript.
//!
//! `bytes=N` as a text is a datagram of so many bytes. What is refused is printed with the name of the call and the code,
//! and the status is 4.

use std::net::SocketAddr;

use components::{Code, address, fail, family, from_wasi, leave, must, shown, to_wasi, whether};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::poll;
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, Network};
use wasip2::sockets::udp::{
    IncomingDatagram, IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket,
};
use wasip2::sockets::udp_create_socket::create_udp_socket;

const SECOND: u64 = 1_000_000_000;
/// A datagram that nobody sent back by then is lost.
const PATIENCE: u64 = 10 * SECOND;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["server", local, count] => server(address(local), count.parse().expect("a number of datagrams")),
        ["client", remote, texts @ ..] => client(address(remote), texts, true),
        ["sender", remote, texts @ ..] => client(address(remote), texts, false),
        ["states", local] => states(address(local)),
        _ => fail("udp_echo", "usage: udp_echo server|client|sender|states ADDRESS:PORT [DATAGRAMS|TEXT…]"),
    }
}

/// The value, or a line that says what was refused, and the end.
fn or_leave<T>(call: &str, result: Result<T, ErrorCode>) -> T {
    result.unwrap_or_else(|error| {
        println!("{call}: {}", error.code());
        leave(4)
    })
}

fn bound(network: &Network, local: SocketAddr) -> UdpSocket {
    let socket = or_leave("create-udp-socket", create_udp_socket(family(local)));
    or_leave("start-bind", socket.start_bind(network, to_wasi(local)));
    let ready = socket.subscribe();
    loop {
        match socket.finish_bind() {
            Err(ErrorCode::WouldBlock) => ready.block(),
            result => {
                or_leave("finish-bind", result);
                break;
            }
        }
    }
    drop(ready);
    socket
}

/// Sends one datagram when that is permitted.
fn send(stream: &OutgoingDatagramStream, data: Vec<u8>, to: Option<SocketAddr>) -> Result<u64, ErrorCode> {
    let ready = stream.subscribe();
    while stream.check_send()? == 0 {
        ready.block();
    }
    stream.send(&[OutgoingDatagram { data, remote_address: to.map(to_wasi) }])
}

/// The next that comes, in time.
fn receive(stream: &IncomingDatagramStream) -> Result<Option<IncomingDatagram>, ErrorCode> {
    let (ready, late) = (stream.subscribe(), subscribe_duration(PATIENCE));
    loop {
        if let Some(datagram) = stream.receive(1)?.pop() {
            return Ok(Some(datagram));
        }
        if poll(&[&ready, &late]) == [1] {
            return Ok(None);
        }
    }
}

fn server(local: SocketAddr, count: usize) {
    let socket = bound(&instance_network(), local);
    println!("listening on {}", from_wasi(must("local-address", socket.local_address())));
    let (incoming, outgoing) = must("stream", socket.stream(None));
    let ready = incoming.subscribe();
    let (mut served, mut bytes) = (0, 0);
    while served < count {
        ready.block();
        for datagram in must("receive", incoming.receive((count - served) as u64)) {
            served += 1;
            bytes += datagram.data.len();
            if let Err(error) = send(&outgoing, datagram.data, Some(from_wasi(datagram.remote_address))) {
                println!("send: {}", error.code());
            }
        }
    }
    println!("{served} datagrams, {bytes} bytes");
}

fn client(remote: SocketAddr, texts: &[&str], connected: bool) {
    let any = if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = bound(&instance_network(), address(any));
    let (incoming, outgoing) = or_leave("stream", socket.stream(connected.then(|| to_wasi(remote))));
    if connected {
        println!("remote: {}", shown(socket.remote_address().map(from_wasi)));
    }
    for text in texts {
        let data = message(text);
        let (length, to) = (data.len(), (!connected).then_some(remote));
        let sent = data.clone();
        or_leave("send", send(&outgoing, data, to));
        match or_leave("receive", receive(&incoming)) {
            None => println!("nothing came back"),
            Some(datagram) if datagram.data.len() > 100 => {
                println!("{length} bytes came back, the same: {}", datagram.data == sent);
            }
            Some(datagram) => {
                let from = from_wasi(datagram.remote_address) == remote;
                println!("came back: {}, from there: {from}", datagram.data.escape_ascii());
            }
        }
    }
}

fn message(text: &str) -> Vec<u8> {
    match text.strip_prefix("bytes=").and_then(|count| count.parse().ok()) {
        Some(count) => (0..count).map(|index: usize| (index % 251) as u8).collect(),
        None => text.as_bytes().to_vec(),
    }
}

fn states(local: SocketAddr) {
    let network = instance_network();
    let other = if local.is_ipv4() { "[::1]:1" } else { "127.0.0.1:1" };
    let (other, zero) = (address(other), SocketAddr::new(local.ip(), 0));
    let any = SocketAddr::new(if local.is_ipv4() { address("0.0.0.0:1") } else { address("[::]:1") }.ip(), 1);

    let socket = must("create-udp-socket", create_udp_socket(family(local)));
    println!("unbound");
    println!("  address-family: {}", socket.address_family() == family(local));
    println!("  local-address: {}", whether(socket.local_address()));
    println!("  remote-address: {}", whether(socket.remote_address()));
    println!("  finish-bind: {}", shown(socket.finish_bind()));
    println!("  stream: {}", whether(socket.stream(None)));
    println!("  start-bind to another family: {}", shown(socket.start_bind(&network, to_wasi(other))));
    if socket.address_family() == IpAddressFamily::Ipv6 {
        let mapped = address("[::ffff:127.0.0.1]:0");
        println!("  start-bind to a mapped address: {}", shown(socket.start_bind(&network, to_wasi(mapped))));
    }
    options(&socket);
    println!("  start-bind: {}", shown(socket.start_bind(&network, to_wasi(local))));
    println!("binding");
    println!("  start-bind: {}", shown(socket.start_bind(&network, to_wasi(local))));
    println!("  stream: {}", whether(socket.stream(None)));
    println!("  local-address: {}", whether(socket.local_address()));
    println!("  finish-bind: {}", shown(socket.finish_bind()));
    println!("bound");
    println!("  finish-bind: {}", shown(socket.finish_bind()));
    println!("  start-bind: {}", shown(socket.start_bind(&network, to_wasi(local))));
    let bound = from_wasi(must("local-address", socket.local_address()));
    println!("  local-address has a port: {}", bound.ip() == local.ip() && bound.port() != 0);
    println!("  remote-address: {}", whether(socket.remote_address()));
    println!("  stream to another family: {}", whether(socket.stream(Some(to_wasi(other)))));
    println!("  stream to any address: {}", whether(socket.stream(Some(to_wasi(any)))));
    println!("  stream to port 0: {}", whether(socket.stream(Some(to_wasi(zero)))));

    let second = must("create-udp-socket", create_udp_socket(family(local)));
    let taken = second.start_bind(&network, to_wasi(bound)).and_then(|()| second.finish_bind());
    println!("  another bound to the same port: {}", shown(taken));

    let (incoming, outgoing) = must("stream", socket.stream(None));
    println!("without a peer");
    println!("  remote-address: {}", whether(socket.remote_address()));
    println!("  receive of none: {}", shown(incoming.receive(0).map(|all| all.len())));
    println!("  receive: {}", shown(incoming.receive(10).map(|all| all.len())));
    println!("  check-send permits something: {}", must("check-send", outgoing.check_send()) > 0);
    println!("  send of none: {}", shown(outgoing.send(&[])));
    println!("  send to nobody: {}", shown(send(&outgoing, b"x".to_vec(), None)));
    println!("  send to another family: {}", shown(send(&outgoing, b"x".to_vec(), Some(other))));
    println!("  send to any address: {}", shown(send(&outgoing, b"x".to_vec(), Some(any))));
    println!("  send to port 0: {}", shown(send(&outgoing, b"x".to_vec(), Some(zero))));
    println!("  send of too much: {}", shown(send(&outgoing, vec![0; 70_000], Some(bound))));
    println!("  send to itself: {}", shown(send(&outgoing, b"hello".to_vec(), Some(bound))));
    println!("  receive: {}", shown(receive(&incoming).map(|it| it.map(|it| it.data.escape_ascii().to_string()))));
    println!("  send of nothing to itself: {}", shown(send(&outgoing, Vec::new(), Some(bound))));
    println!("  receive: {}", shown(receive(&incoming).map(|it| it.map(|it| it.data.len()))));
    drop((incoming, outgoing));

    let (incoming, outgoing) = must("stream", socket.stream(Some(to_wasi(bound))));
    println!("with a peer");
    println!("  remote-address is that: {}", socket.remote_address().map(from_wasi).ok() == Some(bound));
    println!("  send: {}", shown(send(&outgoing, b"x".to_vec(), None)));
    println!("  receive: {}", shown(receive(&incoming).map(|it| it.map(|it| it.data.len()))));
    println!("  send to it: {}", shown(send(&outgoing, b"x".to_vec(), Some(bound))));
    println!("  receive: {}", shown(receive(&incoming).map(|it| it.map(|it| it.data.len()))));
    let stranger = SocketAddr::new(bound.ip(), bound.port() ^ 1);
    println!("  send to another: {}", shown(send(&outgoing, b"x".to_vec(), Some(stranger))));
    drop((incoming, outgoing));
    let again = socket.stream(None);
    println!("without one again: {}", whether(again));
    println!("  remote-address: {}", whether(socket.remote_address()));
}

fn options(socket: &UdpSocket) {
    println!("  set-unicast-hop-limit 0: {}", shown(socket.set_unicast_hop_limit(0)));
    println!("  set-unicast-hop-limit 3: {}", shown(socket.set_unicast_hop_limit(3)));
    println!("  unicast-hop-limit: {}", shown(socket.unicast_hop_limit()));
    println!("  set-receive-buffer-size 0: {}", shown(socket.set_receive_buffer_size(0)));
    println!("  set-receive-buffer-size: {}", shown(socket.set_receive_buffer_size(u64::MAX)));
    println!("  receive-buffer-size is something: {}", socket.receive_buffer_size().is_ok_and(|bytes| bytes > 0));
    println!("  set-send-buffer-size 0: {}", shown(socket.set_send_buffer_size(0)));
    println!("  set-send-buffer-size: {}", shown(socket.set_send_buffer_size(10_000)));
    println!("  send-buffer-size is something: {}", socket.send_buffer_size().is_ok_and(|bytes| bytes > 0));
}
