//! A TCP server by `wasi:sockets`: sends back whatever comes in, on as many connections at once as there are, in one loop
//! around `poll`. A connection costs it a few hundred bytes of its own.
//!
//! `tcp_echo_server ADDRESS:PORT CONNECTIONS` ends when so many connections have been closed, `tcp_echo_server
//! ADDRESS:PORT stdin` when its standard input ends. It first prints the address that it listens on, and at the end how
//! many connections there were, how many of them at once, and how many bytes went through.

use components::{Code, address, fail, family, from_wasi, must, to_wasi};
use wasip2::cli::stdin;
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::ErrorCode;
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

const PIECE_BYTES: u64 = 16 * 1024;
/// As many as may wait to be accepted.
const BACKLOG: u64 = 1024;

/// One side has data for the other, or the other way around: a connection waits for one of the two at a time. Fields are
/// dropped in this order: what waits for a stream before the stream, and all before the socket.
struct Connection {
    readable: Pollable,
    writable: Pollable,
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
    /// What came in and has not been sent back.
    pending: Vec<u8>,
}

/// What is said at the end.
#[derive(Default)]
struct Served {
    closed: usize,
    at_once: usize,
    bytes: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [local, until] = arguments.as_slice() else {
        fail("tcp_echo_server", "usage: tcp_echo_server ADDRESS:PORT CONNECTIONS|stdin");
    };
    let input = (until == "stdin").then(stdin::get_stdin);
    let enough = if input.is_some() { usize::MAX } else { until.parse().expect("a number of connections") };
    let listener = listen(local);
    let mut served = Served::default();
    serve(&listener, input.as_ref(), enough, &mut served);
    println!("{} connections, {} at once, {} bytes", served.closed, served.at_once, served.bytes);
}

fn listen(local: &str) -> TcpSocket {
    let local = address(local);
    let network = instance_network();
    let socket = must("create-tcp-socket", create_tcp_socket(family(local)));
    must("start-bind", socket.start_bind(&network, to_wasi(local)));
    must("finish-bind", finished(&socket, TcpSocket::finish_bind));
    must("set-listen-backlog-size", socket.set_listen_backlog_size(BACKLOG));
    must("start-listen", socket.start_listen());
    must("finish-listen", finished(&socket, TcpSocket::finish_listen));
    println!("listening on {}", from_wasi(must("local-address", socket.local_address())));
    socket
}

fn finished<T>(socket: &TcpSocket, finish: fn(&TcpSocket) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => socket.subscribe().block(),
            other => return other,
        }
    }
}

fn serve(listener: &TcpSocket, input: Option<&InputStream>, enough: usize, served: &mut Served) {
    let incoming = listener.subscribe();
    let told = input.map(InputStream::subscribe);
    let mut connections: Vec<Connection> = Vec::new();
    // Whether there may be one more.
    let mut room = true;
    while served.closed < enough {
        let mut waiting: Vec<&Pollable> = connections.iter().map(Connection::waits_for).collect();
        let known = waiting.len();
        waiting.extend(&told);
        if room {
            waiting.push(&incoming);
        }
        let mut ready = poll(&waiting);
        // From the end on, so that what is taken out moves nothing that is still to be looked at.
        ready.sort_unstable_by(|one, other| other.cmp(one));
        for index in ready.into_iter().map(|index| index as usize) {
            if index < known {
                if !connections[index].goes_on(&mut served.bytes) {
                    connections.swap_remove(index);
                    served.closed += 1;
                    room = true;
                }
            } else if let (Some(input), true) = (input, index == known) {
                if input.read(PIECE_BYTES).is_err() {
                    return;
                }
            } else {
                room = accept(listener, &mut connections);
                served.at_once = served.at_once.max(connections.len());
            }
        }
    }
}

/// Accepts all that wait. `false`: the host has no more sockets to give, until a connection ends.
fn accept(listener: &TcpSocket, connections: &mut Vec<Connection>) -> bool {
    loop {
        match listener.accept() {
            Ok((socket, input, output)) => {
                let (readable, writable) = (input.subscribe(), output.subscribe());
                connections.push(Connection { readable, writable, input, output, socket, pending: Vec::new() });
            }
            Err(ErrorCode::WouldBlock) => return true,
            // Its fault, and its end.
            Err(ErrorCode::ConnectionAborted | ErrorCode::ConnectionReset) => {}
            Err(error) if connections.is_empty() => fail("accept", error.code()),
            Err(error) => {
                eprintln!("accept: {}", error.code());
                return false;
            }
        }
    }
}

impl Connection {
    fn waits_for(&self) -> &Pollable {
        if self.pending.is_empty() { &self.readable } else { &self.writable }
    }

    /// Does what can be done now. `false`: it is over.
    fn goes_on(&mut self, bytes: &mut u64) -> bool {
        match self.step() {
            Ok(count) => {
                *bytes += count;
                true
            }
            Err(_) => {
                let _ = self.socket.shutdown(ShutdownType::Send);
                false
            }
        }
    }

    /// Reads what is there if nothing is pending, and writes what can be written.
    fn step(&mut self) -> Result<u64, StreamError> {
        let mut came = 0;
        if self.pending.is_empty() {
            self.pending = self.input.read(PIECE_BYTES)?;
            came = self.pending.len() as u64;
        }
        if self.pending.is_empty() {
            return Ok(0);
        }
        let permitted = usize::try_from(self.output.check_write()?).unwrap_or(usize::MAX).min(self.pending.len());
        self.output.write(&self.pending[..permitted])?;
        // Whole pieces are given up, so that a connection with nothing to do holds no buffer.
        self.pending = self.pending.split_off(permitted);
        Ok(came)
    }
}
