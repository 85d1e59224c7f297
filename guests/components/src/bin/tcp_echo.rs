//! A TCP server by `wasi:sockets` that waits in the calls themselves: one connection after the other, 64 KiB at a time, and
//! what came in is sent back before more is read. It has nothing to do but what the host does, so a bench takes it to compare
//! hosts; `tcp_echo_server` shows how a server does it that has more than one connection.
//!
//! `tcp_echo ADDRESS:PORT CONNECTIONS` ends after so many connections. It first prints the address that it listens on, and at
//! the end how many connections there were and how many bytes went through.

use components::{Code, address, fail, family, from_wasi, must, to_wasi};
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::ErrorCode;
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

const PIECE_BYTES: u64 = 64 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [local, connections] = arguments.as_slice() else {
        fail("tcp_echo", "usage: tcp_echo ADDRESS:PORT CONNECTIONS");
    };
    let connections: usize = connections.parse().expect("a number of connections");
    let listener = listen(local);
    let incoming = listener.subscribe();
    let mut bytes = 0;
    for _ in 0..connections {
        bytes += serve(&listener, &incoming);
    }
    println!("{connections} connections, {bytes} bytes");
}

fn listen(local: &str) -> TcpSocket {
    let local = address(local);
    let network = instance_network();
    let socket = must("create-tcp-socket", create_tcp_socket(family(local)));
    must("start-bind", socket.start_bind(&network, to_wasi(local)));
    must("finish-bind", when_ready(&socket.subscribe(), || socket.finish_bind()));
    must("start-listen", socket.start_listen());
    must("finish-listen", when_ready(&socket.subscribe(), || socket.finish_listen()));
    println!("listening on {}", from_wasi(must("local-address", socket.local_address())));
    socket
}

/// Tries until there is something to say.
fn when_ready<T>(ready: &Pollable, mut attempt: impl FnMut() -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    loop {
        match attempt() {
            Err(ErrorCode::WouldBlock) => ready.block(),
            other => return other,
        }
    }
}

/// The next connection, to its end; how many bytes came.
fn serve(listener: &TcpSocket, incoming: &Pollable) -> u64 {
    let (socket, input, output) = must("accept", when_ready(incoming, || listener.accept()));
    let writable = output.subscribe();
    let mut bytes = 0;
    loop {
        match input.blocking_read(PIECE_BYTES) {
            Ok(piece) => {
                bytes += piece.len() as u64;
                must("write", send(&output, &writable, &piece));
            }
            Err(StreamError::Closed) => break,
            Err(error) => fail("blocking-read", error.code()),
        }
    }
    // What a host has not sent yet would be lost with the stream.
    must("blocking-flush", output.blocking_flush());
    must("shutdown", socket.shutdown(ShutdownType::Send));
    bytes
}

/// As much at a time as is permitted. `blocking-write-and-flush` takes no more than 4096 bytes.
fn send(output: &OutputStream, writable: &Pollable, mut rest: &[u8]) -> Result<(), StreamError> {
    while !rest.is_empty() {
        let permitted = usize::try_from(output.check_write()?).unwrap_or(usize::MAX).min(rest.len());
        if permitted == 0 {
            writable.block();
            continue;
        }
        let (piece, then) = rest.split_at(permitted);
        output.write(piece)?;
        rest = then;
    }
    Ok(())
}
