//! The states of a TCP socket of `wasi:sockets`, and the code of each thing that is asked in the wrong one, or with wrong
//! words. `tcp_states ADDRESS:0` listens there, and connects to itself; a transcript.

use std::net::SocketAddr;

use components::{Code, address, family, from_wasi, must, shown, to_wasi, whether};
use wasip2::io::streams::{InputStream, OutputStream};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, Network};
use wasip2::sockets::tcp::{ShutdownType, TcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

fn main() {
    let local = address(&std::env::args().nth(1).expect("an address to listen on"));
    let network = instance_network();
    unbound(&network, local);
    addresses(&network, local);
    let listener = listening(&network, local);
    let at = from_wasi(must("local-address", listener.local_address()));
    refusals(&network, at);
    connected(&network, &listener, at);
    inherited(&network, &listener, at);
    drop(listener);
    nobody(&network, at);
}

fn socket(local: SocketAddr) -> TcpSocket {
    must("create-tcp-socket", create_tcp_socket(family(local)))
}

/// Waits until a thing that was started is done.
fn finished<T>(socket: &TcpSocket, finish: impl Fn(&TcpSocket) -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    let ready = socket.subscribe();
    loop {
        match finish(socket) {
            Err(ErrorCode::WouldBlock) => ready.block(),
            other => return other,
        }
    }
}

fn bound(network: &Network, local: SocketAddr) -> TcpSocket {
    let socket = socket(local);
    must("start-bind", socket.start_bind(network, to_wasi(local)));
    must("finish-bind", finished(&socket, TcpSocket::finish_bind));
    socket
}

/// Each thing that can be asked without arguments; what is not named is left out.
fn ask(socket: &TcpSocket, what: &[&str]) {
    for name in what {
        let answer = match *name {
            "finish-bind" => shown(socket.finish_bind()),
            "finish-connect" => whether(socket.finish_connect()),
            "start-listen" => shown(socket.start_listen()),
            "finish-listen" => shown(socket.finish_listen()),
            "accept" => whether(socket.accept()),
            "local-address" => whether(socket.local_address()),
            "remote-address" => whether(socket.remote_address()),
            "is-listening" => socket.is_listening().to_string(),
            "shutdown" => shown(socket.shutdown(ShutdownType::Both)),
            "ready" => socket.subscribe().ready().to_string(),
            other => unreachable!("{other}"),
        };
        println!("  {name}: {answer}");
    }
}

fn unbound(network: &Network, local: SocketAddr) {
    let socket = socket(local);
    println!("unbound");
    println!("  address-family: {}", socket.address_family() == family(local));
    ask(
        &socket,
        &[
            "finish-bind",
            "finish-connect",
            "start-listen",
            "finish-listen",
            "accept",
            "local-address",
            "remote-address",
            "is-listening",
            "shutdown",
            "ready",
        ],
    );
    options(&socket);
    println!("  start-bind: {}", shown(socket.start_bind(network, to_wasi(local))));
    println!("binding");
    println!("  start-bind: {}", shown(socket.start_bind(network, to_wasi(local))));
    println!("  start-connect: {}", shown(socket.start_connect(network, to_wasi(local))));
    ask(&socket, &["start-listen", "finish-connect", "finish-listen", "accept", "is-listening", "shutdown"]);
    println!("  finish-bind: {}", shown(finished(&socket, TcpSocket::finish_bind)));
    println!("bound");
    println!("  start-bind: {}", shown(socket.start_bind(network, to_wasi(local))));
    ask(
        &socket,
        &[
            "finish-bind",
            "finish-connect",
            "finish-listen",
            "accept",
            "local-address",
            "remote-address",
            "is-listening",
            "shutdown",
        ],
    );
    println!("  start-listen: {}", shown(socket.start_listen()));
    println!("beginning to listen");
    println!("  start-connect: {}", shown(socket.start_connect(network, to_wasi(local))));
    ask(&socket, &["start-listen", "finish-bind", "finish-connect", "accept", "is-listening", "shutdown"]);
    println!("  finish-listen: {}", shown(finished(&socket, TcpSocket::finish_listen)));
}

fn options(socket: &TcpSocket) {
    println!("  set-listen-backlog-size 0: {}", shown(socket.set_listen_backlog_size(0)));
    println!("  set-listen-backlog-size: {}", shown(socket.set_listen_backlog_size(u64::MAX)));
    println!("  keep-alive-enabled: {}", shown(socket.keep_alive_enabled()));
    println!("  set-keep-alive-enabled: {}", shown(socket.set_keep_alive_enabled(true)));
    println!("  keep-alive-enabled: {}", shown(socket.keep_alive_enabled()));
    println!("  set-keep-alive-idle-time 0: {}", shown(socket.set_keep_alive_idle_time(0)));
    println!("  set-keep-alive-idle-time 5 s: {}", shown(socket.set_keep_alive_idle_time(5_000_000_000)));
    println!("  keep-alive-idle-time: {}", shown(socket.keep_alive_idle_time()));
    println!("  set-keep-alive-idle-time 1 ns: {}", shown(socket.set_keep_alive_idle_time(1)));
    println!("  keep-alive-idle-time is something: {}", socket.keep_alive_idle_time().is_ok_and(|time| time > 0));
    println!("  set-keep-alive-idle-time, longest: {}", shown(socket.set_keep_alive_idle_time(u64::MAX)));
    println!("  set-keep-alive-interval 0: {}", shown(socket.set_keep_alive_interval(0)));
    println!("  set-keep-alive-interval 7 s: {}", shown(socket.set_keep_alive_interval(7_000_000_000)));
    println!("  keep-alive-interval: {}", shown(socket.keep_alive_interval()));
    println!("  set-keep-alive-count 0: {}", shown(socket.set_keep_alive_count(0)));
    println!("  set-keep-alive-count 9: {}", shown(socket.set_keep_alive_count(9)));
    println!("  keep-alive-count: {}", shown(socket.keep_alive_count()));
    println!("  set-keep-alive-count, most: {}", shown(socket.set_keep_alive_count(u32::MAX)));
    println!("  set-hop-limit 0: {}", shown(socket.set_hop_limit(0)));
    println!("  set-hop-limit 42: {}", shown(socket.set_hop_limit(42)));
    println!("  hop-limit: {}", shown(socket.hop_limit()));
    println!("  set-receive-buffer-size 0: {}", shown(socket.set_receive_buffer_size(0)));
    println!("  set-receive-buffer-size: {}", shown(socket.set_receive_buffer_size(u64::MAX)));
    println!("  receive-buffer-size is something: {}", socket.receive_buffer_size().is_ok_and(|bytes| bytes > 0));
    println!("  set-send-buffer-size 0: {}", shown(socket.set_send_buffer_size(0)));
    println!("  set-send-buffer-size: {}", shown(socket.set_send_buffer_size(10_000)));
    println!("  send-buffer-size is something: {}", socket.send_buffer_size().is_ok_and(|bytes| bytes > 0));
}

/// The same host and port in the form of the other family, where there is one.
fn addresses(network: &Network, local: SocketAddr) {
    let ipv4 = family(local) == IpAddressFamily::Ipv4;
    let other = address(if ipv4 { "[::1]:7" } else { "127.0.0.1:7" });
    let any = address(if ipv4 { "0.0.0.0:7" } else { "[::]:7" });
    let multicast = address(if ipv4 { "224.0.0.1:7" } else { "[ff02::1]:7" });
    let nothing = SocketAddr::new(local.ip(), 0);
    println!("start-bind");
    let bind = |what: &str, to: SocketAddr| {
        let socket = socket(local);
        let bound = socket.start_bind(network, to_wasi(to)).and_then(|()| finished(&socket, TcpSocket::finish_bind));
        println!("  {what}: {}", shown(bound));
    };
    bind("another family", other);
    bind("multicast", multicast);
    if ipv4 {
        bind("broadcast", address("255.255.255.255:0"));
    } else {
        bind("a mapped address", address("[::ffff:127.0.0.1]:0"));
    }
    println!("start-connect");
    let connect = |what: &str, to: SocketAddr| {
        println!("  {what}: {}", shown(socket(local).start_connect(network, to_wasi(to))));
    };
    connect("another family", other);
    connect("any address", any);
    connect("port 0", nothing);
    connect("multicast", multicast);
    if ipv4 {
        connect("broadcast", address("255.255.255.255:7"));
    } else {
        connect("a mapped address", address("[::ffff:127.0.0.1]:7"));
    }
}

fn listening(network: &Network, local: SocketAddr) -> TcpSocket {
    let socket = bound(network, local);
    must("start-listen", socket.start_listen());
    must("finish-listen", finished(&socket, TcpSocket::finish_listen));
    println!("listening");
    let at = from_wasi(must("local-address", socket.local_address()));
    println!("  local-address has a port: {}", at.ip() == local.ip() && at.port() != 0);
    println!("  start-bind: {}", shown(socket.start_bind(network, to_wasi(local))));
    println!("  start-connect: {}", shown(socket.start_connect(network, to_wasi(at))));
    println!("  set-listen-backlog-size: {}", whether(socket.set_listen_backlog_size(5)));
    ask(
        &socket,
        &[
            "finish-bind",
            "finish-connect",
            "start-listen",
            "finish-listen",
            "accept",
            "remote-address",
            "is-listening",
            "shutdown",
            "ready",
        ],
    );
    socket
}

/// The port is taken.
fn refusals(network: &Network, at: SocketAddr) {
    let second = socket(at);
    let taken = second.start_bind(network, to_wasi(at)).and_then(|()| finished(&second, TcpSocket::finish_bind));
    println!("bound to what is taken: {}", shown(taken));
    let free = SocketAddr::new(at.ip(), 0);
    let again = second.start_bind(network, to_wasi(free)).and_then(|()| finished(&second, TcpSocket::finish_bind));
    println!("then to what is free: {}", shown(again));
}

/// One side of a connection. Fields are dropped in this order, the streams before their socket.
struct Side {
    input: InputStream,
    output: OutputStream,
    socket: TcpSocket,
}

/// The side that connects, and the other.
fn connect(network: &Network, listener: &TcpSocket, at: SocketAddr) -> (Side, Side) {
    let client = socket(at);
    must("start-connect", client.start_connect(network, to_wasi(at)));
    finish(client, listener)
}

fn finish(client: TcpSocket, listener: &TcpSocket) -> (Side, Side) {
    let (input, output) = must("finish-connect", finished(&client, TcpSocket::finish_connect));
    let client = Side { input, output, socket: client };
    let (socket, input, output) = must("accept", finished(listener, TcpSocket::accept));
    (client, Side { input, output, socket })
}

fn connected(network: &Network, listener: &TcpSocket, at: SocketAddr) {
    let early = socket(at);
    must("start-connect", early.start_connect(network, to_wasi(at)));
    println!("connecting");
    println!("  start-bind: {}", shown(early.start_bind(network, to_wasi(at))));
    println!("  start-connect: {}", shown(early.start_connect(network, to_wasi(at))));
    ask(&early, &["finish-bind", "start-listen", "finish-listen", "accept", "is-listening", "shutdown"]);
    drop(finish(early, listener));

    let (Side { input, output, socket: client }, other) = connect(network, listener, at);
    let Side { input: server_input, output: server_output, socket: server } = other;
    println!("connected");
    println!("  start-bind: {}", shown(client.start_bind(network, to_wasi(at))));
    println!("  start-connect: {}", shown(client.start_connect(network, to_wasi(at))));
    ask(&client, &["finish-bind", "finish-connect", "start-listen", "finish-listen", "accept", "is-listening"]);
    println!("  set-listen-backlog-size: {}", shown(client.set_listen_backlog_size(5)));
    let address = |result: Result<_, ErrorCode>| result.map(from_wasi).ok();
    println!("  remote-address: {}", address(client.remote_address()) == Some(at));
    println!("  of the other side: {}", address(client.local_address()) == address(server.remote_address()));
    println!("  its local-address: {}", address(server.local_address()) == Some(at));
    println!("  read of nothing yet: {}", shown(input.read(10).map(|bytes| bytes.len())));
    println!("  ready: {}", input.subscribe().ready());
    println!("  write: {}", shown(output.blocking_write_and_flush(b"ping")));
    println!("  read: {}", came(&server_input));
    println!("  write back: {}", shown(server_output.blocking_write_and_flush(b"pong")));
    println!("  read back: {}", came(&input));

    println!("  shutdown send: {}", shown(client.shutdown(ShutdownType::Send)));
    println!("  again: {}", shown(client.shutdown(ShutdownType::Send)));
    println!("  write after it: {}", whether(output.blocking_write_and_flush(b"x")));
    println!("  check-write after it: {}", whether(output.check_write()));
    println!("  read of the other side: {}", came(&server_input));
    println!("  write back: {}", shown(server_output.blocking_write_and_flush(b"still")));
    println!("  read back: {}", came(&input));
    println!("  shutdown receive: {}", shown(client.shutdown(ShutdownType::Receive)));
    println!("  read after it: {}", came(&input));
    println!("  shutdown both: {}", shown(server.shutdown(ShutdownType::Both)));
    println!("  read after it: {}", came(&server_input));
    println!("  write after it: {}", whether(server_output.blocking_write_and_flush(b"x")));
    println!("  remote-address: {}", whether(server.remote_address()));
    drop((input, output, server_input, server_output));
    println!("  remote-address without streams: {}", whether(client.remote_address()));
}

/// What is there, or what came of it.
fn came(input: &InputStream) -> String {
    match input.blocking_read(100) {
        Ok(bytes) => bytes.escape_ascii().to_string(),
        Err(error) => error.code(),
    }
}

fn inherited(network: &Network, listener: &TcpSocket, at: SocketAddr) {
    must("set-hop-limit", listener.set_hop_limit(17));
    must("set-keep-alive-enabled", listener.set_keep_alive_enabled(true));
    must("set-keep-alive-idle-time", listener.set_keep_alive_idle_time(11_000_000_000));
    must("set-keep-alive-count", listener.set_keep_alive_count(4));
    let (client, server) = connect(network, listener, at);
    println!("accepted");
    println!("  address-family: {}", server.socket.address_family() == family(at));
    println!("  hop-limit: {}", shown(server.socket.hop_limit()));
    println!("  keep-alive-enabled: {}", shown(server.socket.keep_alive_enabled()));
    println!("  keep-alive-idle-time: {}", shown(server.socket.keep_alive_idle_time()));
    println!("  keep-alive-count: {}", shown(server.socket.keep_alive_count()));
    drop(server);
    println!("  the other side reads: {}", came(&client.input));
}

fn nobody(network: &Network, at: SocketAddr) {
    let client = socket(at);
    println!("nobody listens");
    println!("  start-connect: {}", shown(client.start_connect(network, to_wasi(at))));
    println!("  finish-connect: {}", whether(finished(&client, TcpSocket::finish_connect)));
    println!("closed");
    println!("  finish-connect: {}", whether(client.finish_connect()));
    println!("  start-connect: {}", shown(client.start_connect(network, to_wasi(at))));
    println!("  start-bind: {}", shown(client.start_bind(network, to_wasi(SocketAddr::new(at.ip(), 0)))));
    ask(&client, &["start-listen", "accept", "remote-address", "is-listening", "shutdown", "ready"]);
}
