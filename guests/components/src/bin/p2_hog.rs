//! Takes all that it can get of one kind of thing that the host keeps for a component, and never gives any back.
//! `p2_hog WHAT [ARGUMENT]`:
//!
//! - `pollables`, `stdouts`, `networks`, `terminals`: handles that are had for the asking;
//! - `descriptors DIRECTORY`, `file-streams DIRECTORY`, `listings DIRECTORY`, `preopens`, `errors DIRECTORY`: of files, in
//!   a directory that was handed over; the last makes error resources;
//! - `tcp-sockets`, `udp-sockets`, `listeners ADDRESS:PORT`, `datagram-streams ADDRESS:PORT`, `lookups NAME`: of the
//!   network; `connections ADDRESS:PORT` connects there without end;
//! - `random`, `insecure`: as many random bytes at once as there can be;
//! - `read FILE-DIRECTORY`: the longest read there is, of a file of nothing but a hole;
//! - `poll N`: a poll of so many pollables at once;
//! - `datagrams ADDRESS:PORT`: as many datagrams at once as there can be, from itself;
//! - `sleep`, `lookup NAME`, `accept ADDRESS:PORT`: waits.
//!
//! On standard error it says how many there are each time that the number has doubled. Where a call answers with a code,
//! that ends it: `CODE after N` on standard output, status 0. Else the host ends it.

use std::io;
use std::mem::forget;

use components::{Code, address, directory, fail, family, leave, must, to_wasi};
use wasip2::cli::{stdout, terminal_stdout};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::StreamError;
use wasip2::random::{insecure, random};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode as NetworkError, IpAddressFamily};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::{OutgoingDatagram, UdpSocket};
use wasip2::sockets::udp_create_socket::create_udp_socket;

const HOUR: u64 = 3_600_000_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pollables"] => take(|| Ok::<_, Never>(subscribe_duration(HOUR))),
        ["stdouts"] => take(|| Ok::<_, Never>(stdout::get_stdout())),
        ["networks"] => take(|| Ok::<_, Never>(instance_network())),
        ["terminals"] => take(|| terminal_stdout::get_terminal_stdout().ok_or(Never)),
        ["preopens"] => take(|| Ok::<_, Never>(get_directories())),
        ["descriptors", name] => {
            let root = directory(name);
            take(|| root.open_at(PathFlags::empty(), ".", OpenFlags::DIRECTORY, DescriptorFlags::READ));
        }
        ["listings", name] => {
            let root = directory(name);
            take(|| root.read_directory());
        }
        ["file-streams", name] => {
            let file = file(&directory(name));
            take(|| file.read_via_stream(0));
        }
        ["errors", name] => {
            let file = file(&directory(name));
            take(|| error(&file));
        }
        ["tcp-sockets"] => take(|| create_tcp_socket(IpAddressFamily::Ipv4)),
        ["udp-sockets"] => take(|| create_udp_socket(IpAddressFamily::Ipv4)),
        ["listeners", local] => take(|| listener(local)),
        ["connections", remote] => take(|| connection(remote)),
        ["datagram-streams", local] => {
            let socket = must("bind", datagrams(local));
            take(|| socket.stream(None));
        }
        ["lookups", name] => {
            let network = instance_network();
            take(|| resolve_addresses(&network, name));
        }
        ["random"] => println!("{} bytes", random::get_random_bytes(u64::MAX).len()),
        ["insecure"] => println!("{} bytes", insecure::get_insecure_random_bytes(u64::MAX).len()),
        ["read", name] => {
            let file = file(&directory(name));
            must("set-size", file.set_size(1 << 32));
            println!("{} bytes", must("read", file.read(u64::MAX, 0)).0.len());
            let stream = must("read-via-stream", file.read_via_stream(0));
            println!("{} bytes", must("blocking-read", stream.blocking_read(u64::MAX)).len());
        }
        ["poll", count] => {
            let (one, hour) = (subscribe_duration(0), subscribe_duration(HOUR));
            let mut all: Vec<&Pollable> = vec![&hour; count.parse().expect("a number")];
            all.push(&one);
            println!("ready: {:?}", poll(&all));
        }
        ["datagrams", local] => flood(local),
        ["sleep"] => subscribe_duration(HOUR).block(),
        ["lookup", name] => {
            let stream = must("resolve-addresses", resolve_addresses(&instance_network(), name));
            stream.subscribe().block();
            println!("{}", components::whether(stream.resolve_next_address()));
        }
        ["accept", local] => {
            let socket = must("listen", listener(local));
            println!("listening");
            socket.subscribe().block();
        }
        _ => fail("p2_hog", "usage: see the source"),
    }
}

/// The code of what cannot fail but by the host's end of it.
struct Never;

impl Code for Never {
    fn code(&self) -> String {
        "none".to_owned()
    }
}

/// Takes one after another. They stay in the host's tables, and nowhere here.
fn take<T, E: Code>(mut one: impl FnMut() -> Result<T, E>) {
    // Its buffer is made now: in the end there may be no memory for it.
    let _ = io::stdout();
    let mut count: u64 = 0;
    loop {
        match one() {
            Ok(it) => forget(it),
            Err(error) => {
                println!("{} after {count}", error.code());
                leave(0);
            }
        }
        count += 1;
        if count.is_power_of_two() && count >= 1024 {
            eprintln!("{count}");
        }
    }
}

fn file(root: &Descriptor) -> Descriptor {
    let how = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file =
        must("open-at", root.open_at(PathFlags::empty(), "hog", how, DescriptorFlags::READ | DescriptorFlags::WRITE));
    must("unlink-file-at", root.unlink_file_at("hog"));
    file
}

/// A write where no file can be written.
fn error(file: &Descriptor) -> Result<wasip2::io::error::Error, wasip2::filesystem::types::ErrorCode> {
    let stream = file.write_via_stream(u64::MAX)?;
    match stream.blocking_write_and_flush(b"x") {
        Err(StreamError::LastOperationFailed(error)) => Ok(error),
        _ => fail("write", "did not fail"),
    }
}

fn finished<T>(socket: &TcpSocket, finish: fn(&TcpSocket) -> Result<T, NetworkError>) -> Result<T, NetworkError> {
    let ready = socket.subscribe();
    loop {
        match finish(socket) {
            Err(NetworkError::WouldBlock) => ready.block(),
            other => return other,
        }
    }
}

fn listener(local: &str) -> Result<TcpSocket, NetworkError> {
    let local = address(local);
    let socket = create_tcp_socket(family(local))?;
    socket.start_bind(&instance_network(), to_wasi(local))?;
    finished(&socket, TcpSocket::finish_bind)?;
    socket.start_listen()?;
    finished(&socket, TcpSocket::finish_listen)?;
    Ok(socket)
}

fn connection(remote: &str) -> Result<impl Sized, NetworkError> {
    let remote = address(remote);
    let socket = create_tcp_socket(family(remote))?;
    socket.start_connect(&instance_network(), to_wasi(remote))?;
    let streams = finished(&socket, TcpSocket::finish_connect)?;
    Ok((socket, streams))
}

fn datagrams(local: &str) -> Result<UdpSocket, NetworkError> {
    let local = address(local);
    let socket = create_udp_socket(family(local))?;
    socket.start_bind(&instance_network(), to_wasi(local))?;
    socket.finish_bind()?;
    Ok(socket)
}

fn flood(local: &str) {
    let socket = must("bind", datagrams(local));
    let to = must("local-address", socket.local_address());
    let (incoming, outgoing) = must("stream", socket.stream(None));
    for _ in 0..100 {
        if must("check-send", outgoing.check_send()) == 0 {
            outgoing.subscribe().block();
        }
        let datagram = OutgoingDatagram { data: vec![b'x'; 60_000], remote_address: Some(to) };
        must("send", outgoing.send(&[datagram]));
    }
    let came = must("receive", incoming.receive(u64::MAX));
    println!("{} datagrams, {} bytes", came.len(), came.iter().map(|it| it.data.len()).sum::<usize>());
}
