//! A TCP client by `wasi:sockets`. `tcp_client HOST:PORT [TEXT|bytes=N] [--bind ADDRESS:PORT]` looks HOST up unless it is
//! an address (IPv6 in brackets), connects to the first of its addresses that answers, sends, says that it sends no more,
//! and prints what comes back until the other side says the same. Reads while it writes. Without a text it only connects.
//!
//! What is refused is printed with the name of the call and the code, and the status is 4.

use std::net::SocketAddr;

use components::{Code, address, fail, family, from_wasi, leave, look_up, to_wasi};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, Network};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

const PIECE_BYTES: u64 = 64 * 1024;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut bind = None;
    if let Some(at) = words.iter().position(|word| word == "--bind") {
        bind = words.drain(at..(at + 2).min(words.len())).nth(1).map(|text| address(&text));
    }
    let (target, text) = match words.as_slice() {
        [target] => (target, None),
        [target, text] => (target, Some(text)),
        _ => fail("tcp_client", "usage: tcp_client HOST:PORT [TEXT|bytes=N] [--bind ADDRESS:PORT]"),
    };
    let network = instance_network();
    let mut last = None;
    for remote in addresses(&network, target) {
        match connect(&network, remote, bind) {
            Ok((socket, input, output)) => {
                println!("connected to {}", socket.remote_address().map_or_else(|_| remote, from_wasi));
                if let Some(text) = text {
                    talk(&socket, input, output, &message(text));
                }
                return;
            }
            Err(refused) => last = Some(refused),
        }
    }
    match last {
        Some((call, error)) => refused(call, error),
        None => refused("resolve-next-address", ErrorCode::NameUnresolvable),
    }
}

fn refused(call: &str, error: ErrorCode) -> ! {
    println!("{call}: {}", error.code());
    leave(4)
}

fn addresses(network: &Network, target: &str) -> Vec<SocketAddr> {
    if let Ok(address) = target.parse() {
        return vec![address];
    }
    let Some((name, port)) = target.rsplit_once(':') else { fail(target, "no HOST:PORT") };
    let port = port.parse().unwrap_or_else(|_| fail(port, "no port"));
    match look_up(network, name) {
        Ok(found) => found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        Err(error) => refused("resolve-addresses", error),
    }
}

type Connected = (TcpSocket, InputStream, OutputStream);

fn connect(
    network: &Network,
    remote: SocketAddr,
    bind: Option<SocketAddr>,
) -> Result<Connected, (&'static str, ErrorCode)> {
    let at = |call: &'static str| move |error| (call, error);
    let socket = create_tcp_socket(family(remote)).map_err(at("create-tcp-socket"))?;
    if let Some(local) = bind {
        socket.start_bind(network, to_wasi(local)).map_err(at("start-bind"))?;
        finished(&socket, TcpSocket::finish_bind).map_err(at("finish-bind"))?;
    }
    socket.start_connect(network, to_wasi(remote)).map_err(at("start-connect"))?;
    let (input, output) = finished(&socket, TcpSocket::finish_connect).map_err(at("finish-connect"))?;
    Ok((socket, input, output))
}

fn finished<T>(socket: &TcpSocket, finish: fn(&TcpSocket) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    let ready = socket.subscribe();
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => ready.block(),
            other => return other,
        }
    }
}

fn message(text: &str) -> Vec<u8> {
    match text.strip_prefix("bytes=").and_then(|count| count.parse().ok()) {
        Some(count) => (0..count).map(|index: usize| (index % 251) as u8).collect(),
        None => text.as_bytes().to_vec(),
    }
}

fn talk(socket: &TcpSocket, input: InputStream, output: OutputStream, message: &[u8]) {
    let (readable, writable) = (input.subscribe(), output.subscribe());
    let mut rest = message;
    let mut came = Vec::new();
    let mut open = true;
    loop {
        if open && rest.is_empty() {
            if let Err(error) = output.blocking_flush().map_err(|error| error.code()) {
                fail("blocking-flush", error);
            }
            if let Err(error) = socket.shutdown(ShutdownType::Send) {
                refused("shutdown", error);
            }
            open = false;
        }
        if open {
            poll(&[&readable, &writable]);
        } else {
            readable.block();
        }
        match input.read(PIECE_BYTES) {
            Ok(bytes) => came.extend(bytes),
            Err(StreamError::Closed) => break,
            Err(error) => fail("read", error.code()),
        }
        if open {
            match output.check_write() {
                Ok(permitted) => {
                    let length = usize::try_from(permitted).unwrap_or(usize::MAX).min(rest.len());
                    if let Err(error) = output.write(&rest[..length]) {
                        fail("write", error.code());
                    }
                    rest = &rest[length..];
                }
                Err(error) => fail("check-write", error.code()),
            }
        }
    }
    if came.len() > 1000 {
        println!("{} bytes came back, the same: {}", came.len(), came == message);
    } else {
        println!("came back: {}", came.escape_ascii());
    }
}
