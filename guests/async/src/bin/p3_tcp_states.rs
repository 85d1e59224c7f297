//! The states of a TCP socket of `wasi:sockets`, and what comes of its streams: `p3_tcp_states SCENE ADDRESS …`; a transcript.
//!
//! By itself: `states`, what each call says in each state, and with words that mean nothing; `listen`, what is left of a
//! listener when its socket or its stream is dropped. `connect`, `bind`: to there, and the code; `unbound`, to listen without.
//! `cancel`: connects to where nobody answers, and gives up.
//!
//! To a peer there: `once` is for echoes that are asked for too early and twice; `sends` and `hears` end one direction before
//! the other; `zero` writes and reads nothing; `drops ORDER` drops its streams and its socket in that order, of the letters `w`
//! (what it writes), `r` (what it reads), `W`, `R` (what is said at their ends) and `s`, or all at once; `unread BYTES` answers
//! with so many before it has read everything; `reset ORDER` looks at a connection that has been broken off, of the letters `w`
//! (writes), `e` (ends what it writes), `r` (reads) and `d` (drops what it reads).
//!
//! `serve COUNT` listens there and sends back what comes in, by giving what it receives to what it sends; `accept` begins to
//! accept when its input has ended.

use std::future::Future;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::pin;

use async_components::{address, code, command, drained, fail, family, fed, from_wasi, must, shown, to_wasi, whether};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, join, poll, select};
use wasip3::cli::environment::get_arguments;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress, TcpSocket};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamWriter};
use wasip3::wit_stream;

command!(run);

async fn run() -> Result<(), ()> {
    let arguments = get_arguments();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let [scene, at, rest @ ..] = words.as_slice() else { fail("p3_tcp_states", "SCENE ADDRESS …") };
    let at = address(at);
    match (*scene, rest) {
        ("states", []) => states(at).await,
        ("listen", []) => listen(at).await,
        ("connect", []) => println!("connect: {}", shown(socket(at).connect(on_its_link(at)).await)),
        ("bind", []) => println!("bind: {}", shown(socket(at).bind(to_wasi(at)))),
        ("unbound", []) => println!("listen: {}", whether(socket(at).listen())),
        ("cancel", []) => cancel(at).await,
        ("once", []) => once(at).await,
        ("sends", []) => sends(at).await,
        ("hears", []) => hears(at).await,
        ("zero", []) => zero(at).await,
        ("drops", [order]) => drops(at, order).await,
        ("unread", [bytes]) => unread(at, bytes.parse().unwrap_or_else(|_| fail("unread", "no number"))).await,
        ("reset", [order]) => reset(at, order).await,
        ("serve", [count]) => serve(at, count.parse().unwrap_or_else(|_| fail("serve", "no number"))).await,
        ("accept", []) => accept(at).await,
        _ => fail(scene, "no such scene"),
    }
    Ok(())
}

fn socket(at: SocketAddr) -> TcpSocket {
    must("create", TcpSocket::create(family(at)))
}

/// The address with the link that it is written with, `[fe80::1%1]:80`.
fn on_its_link(at: SocketAddr) -> IpSocketAddress {
    let mut address = to_wasi(at);
    if let (IpSocketAddress::Ipv6(address), SocketAddr::V6(at)) = (&mut address, at) {
        address.scope_id = at.scope_id();
    }
    address
}

fn bound(at: SocketAddr) -> TcpSocket {
    let socket = socket(at);
    must("bind", socket.bind(to_wasi(at)));
    socket
}

async fn connected(at: SocketAddr) -> TcpSocket {
    let socket = socket(at);
    must("connect", socket.connect(to_wasi(at)).await);
    socket
}

fn local(socket: &TcpSocket) -> SocketAddr {
    from_wasi(must("get-local-address", socket.get_local_address()))
}

/// What sending can be begun with: the end that is written to, and the future that says how it went.
fn sending(socket: &TcpSocket) -> (StreamWriter<u8>, FutureReader<Result<(), ErrorCode>>) {
    let (writer, reader) = wit_stream::new();
    let end = socket.send(reader);
    (writer, end)
}

/// Writes it, in one write; what came of that.
async fn write(writer: &mut StreamWriter<u8>, text: &str) -> String {
    let (result, _) = writer.write(text.into()).await;
    format!("{result:?}").to_lowercase()
}

/// One read; what came.
async fn read(reader: &mut StreamReader<u8>) -> String {
    let (result, bytes) = reader.read(Vec::with_capacity(1000)).await;
    format!("{result:?}: {}", String::from_utf8_lossy(&bytes)).to_lowercase()
}

/// All that comes, and what is said at its end.
async fn all(reading: (StreamReader<u8>, FutureReader<Result<(), ErrorCode>>)) -> String {
    let (bytes, end) = drained(reading).await;
    format!("`{}`, {}", String::from_utf8_lossy(&bytes), shown(end))
}

/// What each of the calls says that only the state decides.
async fn ask(socket: &TcpSocket) {
    let any = SocketAddr::new(must_have_family(socket), 0);
    println!("  bind: {}", shown(socket.bind(to_wasi(any))));
    println!("  connect: {}", shown(socket.connect(to_wasi(SocketAddr::new(any.ip(), 9))).await));
    println!("  listen: {}", whether(socket.listen()));
    let (mut writer, end) = sending(socket);
    println!("  send: {}, its stream: {}", shown(end.await), write(&mut writer, "x").await);
    println!("  receive: {}", all(socket.receive()).await);
    addresses(socket);
    println!("  set-listen-backlog-size: {}", shown(socket.set_listen_backlog_size(5)));
    println!("  get-hop-limit: {}", whether(socket.get_hop_limit()));
}

fn addresses(socket: &TcpSocket) {
    println!("  get-local-address: {}", whether(socket.get_local_address()));
    println!("  get-remote-address: {}", whether(socket.get_remote_address()));
    println!("  get-is-listening: {}", socket.get_is_listening());
}

/// This machine, as the family of the socket has it.
fn must_have_family(socket: &TcpSocket) -> std::net::IpAddr {
    match socket.get_address_family() {
        IpAddressFamily::Ipv4 => [127, 0, 0, 1].into(),
        IpAddressFamily::Ipv6 => [0, 0, 0, 0, 0, 0, 0, 1].into(),
    }
}

async fn states(at: SocketAddr) {
    println!("unbound");
    let first = socket(at);
    println!("  get-address-family: {}", first.get_address_family() == family(at));
    addresses(&first);
    let (mut writer, end) = sending(&first);
    println!("  send: {}, its stream: {}", shown(end.await), write(&mut writer, "x").await);
    println!("  receive: {}", all(first.receive()).await);
    options(&first);
    refused(&first).await;
    println!("  bind: {}", shown(first.bind(to_wasi(at))));

    println!("bound");
    println!("  bind: {}", shown(first.bind(to_wasi(at))));
    addresses(&first);
    println!("  a port: {}", local(&first).port() > 0);
    let (mut writer, end) = sending(&first);
    println!("  send: {}, its stream: {}", shown(end.await), write(&mut writer, "x").await);
    println!("  receive: {}", all(first.receive()).await);
    let second = bound(local(&first));
    must("set-listen-backlog-size", first.set_listen_backlog_size(1));
    let mut clients = must("listen", first.listen());

    println!("listening");
    ask(&first).await;
    must("set-listen-backlog-size", first.set_listen_backlog_size(1));

    println!("bound to where another one listens");
    println!("  listen: {}", whether(second.listen()));
    println!("  bind of a third: {}", shown(socket(at).bind(to_wasi(local(&first)))));
    println!("  get-local-address: {}", whether(second.get_local_address()));
    println!("  get-is-listening: {}", second.get_is_listening());

    println!("connecting");
    // Two are let in before anybody accepts, and a third is not answered.
    let (waiting, other) = (connected(local(&first)).await, connected(local(&first)).await);
    let early = socket(at);
    {
        let mut connect = pin!(early.connect(to_wasi(local(&first))));
        println!("  it waits: {}", poll!(connect.as_mut()).is_pending());
        ask(&early).await;
        println!("  it waits: {}", poll!(connect.as_mut()).is_pending());
    }
    println!("cancelled");
    ask(&early).await;

    println!("connected");
    println!("  get-remote-address: {}", waiting.get_remote_address().map(from_wasi).ok() == Some(local(&first)));
    let accepted = clients.next().await.unwrap_or_else(|| fail("listen", "the stream ended"));
    println!("  of the other side: {}", accepted.get_remote_address().map(from_wasi).ok() == Some(local(&waiting)));
    println!("  its local address: {}", local(&accepted) == local(&first));
    println!("  get-is-listening: {}", accepted.get_is_listening());
    println!("  bind: {}", shown(waiting.bind(to_wasi(at))));
    println!("  connect: {}", shown(waiting.connect(to_wasi(local(&first))).await));
    println!("  listen: {}", whether(waiting.listen()));
    println!("  set-listen-backlog-size: {}", shown(waiting.set_listen_backlog_size(5)));
    let (stream, end) = accepted.receive();
    println!("  receive twice: {}", all(accepted.receive()).await);
    println!("  send: {}", shown(fed("hello", |data| waiting.send(data)).await));
    println!("  send twice: {}", shown(fed("x", |data| waiting.send(data)).await));
    println!("  receive: {}", all((stream, end)).await);
    println!("  receive when it has ended: {}", all(accepted.receive()).await);
    addresses(&accepted);
    drop((clients, accepted, other, first, second));

    println!("nobody listens");
    let nobody = socket(at);
    println!("  connect: {}", shown(nobody.connect(to_wasi(local(&waiting))).await));
    ask(&nobody).await;
}

/// What a socket says of addresses that are none for it, and that it is none the worse for that.
async fn refused(socket: &TcpSocket) {
    let ipv4 = socket.get_address_family() == IpAddressFamily::Ipv4;
    let [any, other, multicast, special] = if ipv4 {
        ["0.0.0.0", "[::1]", "224.0.0.1", "255.255.255.255"]
    } else {
        ["[::]", "127.0.0.1", "[ff02::1]", "[::ffff:127.0.0.1]"]
    };
    let here = if ipv4 { "127.0.0.1" } else { "[::1]" };
    for (what, to) in [("another family", other), ("multicast", multicast), ("broadcast or mapped", special)] {
        println!("  bind, {what}: {}", shown(socket.bind(to_wasi(address(&format!("{to}:0"))))));
    }
    for (what, to) in [
        ("another family", format!("{other}:9")),
        ("multicast", format!("{multicast}:9")),
        ("broadcast or mapped", format!("{special}:9")),
        ("any address", format!("{any}:9")),
        ("port 0", format!("{here}:0")),
    ] {
        println!("  connect, {what}: {}", shown(socket.connect(to_wasi(address(&to))).await));
    }
}

fn options(socket: &TcpSocket) {
    const SECOND: u64 = 1_000_000_000;
    println!("  set-listen-backlog-size 0: {}", shown(socket.set_listen_backlog_size(0)));
    println!("  set-listen-backlog-size, most: {}", shown(socket.set_listen_backlog_size(u64::MAX)));
    println!("  set-keep-alive-enabled: {}", shown(socket.set_keep_alive_enabled(true)));
    println!("  get-keep-alive-enabled: {}", shown(socket.get_keep_alive_enabled()));
    println!("  set-keep-alive-idle-time 0: {}", shown(socket.set_keep_alive_idle_time(0)));
    println!("  set-keep-alive-idle-time 42 s: {}", shown(socket.set_keep_alive_idle_time(42 * SECOND)));
    println!("  get-keep-alive-idle-time: {}", shown(socket.get_keep_alive_idle_time()));
    println!("  set-keep-alive-idle-time, longest: {}", shown(socket.set_keep_alive_idle_time(u64::MAX)));
    println!("  set-keep-alive-interval 0: {}", shown(socket.set_keep_alive_interval(0)));
    println!("  set-keep-alive-interval 1 ns: {}", shown(socket.set_keep_alive_interval(1)));
    println!("  get-keep-alive-interval: {}", shown(socket.get_keep_alive_interval()));
    println!("  set-keep-alive-count 0: {}", shown(socket.set_keep_alive_count(0)));
    println!("  set-keep-alive-count 9: {}", shown(socket.set_keep_alive_count(9)));
    println!("  get-keep-alive-count: {}", shown(socket.get_keep_alive_count()));
    println!("  set-hop-limit 0: {}", shown(socket.set_hop_limit(0)));
    println!("  set-hop-limit 42: {}", shown(socket.set_hop_limit(42)));
    println!("  get-hop-limit: {}", shown(socket.get_hop_limit()));
    println!("  set-receive-buffer-size 0: {}", shown(socket.set_receive_buffer_size(0)));
    println!("  set-receive-buffer-size: {}", shown(socket.set_receive_buffer_size(0x10000)));
    println!("  get-receive-buffer-size: {}", shown(socket.get_receive_buffer_size()));
    println!("  set-send-buffer-size 0: {}", shown(socket.set_send_buffer_size(0)));
    println!("  set-send-buffer-size: {}", shown(socket.set_send_buffer_size(0x10000)));
    println!("  get-send-buffer-size: {}", shown(socket.get_send_buffer_size()));
}

async fn listen(at: SocketAddr) {
    let wanted = |socket: TcpSocket| format!("somebody came, with hop limit {}", shown(socket.get_hop_limit()));
    println!("not bound");
    let socket = socket(at);
    must("set-hop-limit", socket.set_hop_limit(17));
    let mut clients = must("listen", socket.listen());
    println!("  get-local-address: any address: {}", local(&socket).ip().is_unspecified());
    println!("  listen: {}", whether(socket.listen()));
    let there = SocketAddr::new(at.ip(), local(&socket).port());
    let client = connected(there).await;
    println!("  accepted: {}", clients.next().await.map_or("nobody".into(), wanted));

    println!("without its socket");
    drop((socket, client));
    let client = connected(there).await;
    println!("  bind of another: {}", shown(self::socket(at).bind(to_wasi(there))));
    println!("  accepted: {}", clients.next().await.map_or("nobody".into(), wanted));
    drop(client);

    println!("without both");
    drop(clients);
    println!("  connect: {}", shown(self::socket(at).connect(to_wasi(there)).await));

    println!("without its stream");
    let socket = bound(at);
    let there = local(&socket);
    drop(must("listen", socket.listen()));
    println!("  get-is-listening: {}", socket.get_is_listening());
    println!("  listen: {}", whether(socket.listen()));
    println!("  connect: {}", shown(self::socket(at).connect(to_wasi(there)).await));
    println!("  bind of another: {}", shown(self::socket(at).bind(to_wasi(there))));
    drop(socket);
    println!("without both");
    println!("  connect: {}", shown(self::socket(at).connect(to_wasi(there)).await));
}

/// Says where it connects from, when it has given up; and waits until its input has ended.
async fn cancel(at: SocketAddr) {
    let socket = socket(at);
    let from = {
        let mut connect = pin!(socket.connect(to_wasi(at)));
        if poll!(connect.as_mut()).is_ready() {
            fail("connect", "it was answered");
        }
        local(&socket)
    };
    println!("connecting from {from}");
    until_input_ends();
    println!("connect: {}", shown(socket.connect(to_wasi(at)).await));
}

fn until_input_ends() {
    must("stdin", std::io::stdin().read_to_end(&mut Vec::new()).map_err(|error| error.kind()));
}

/// Asks for both directions before there are any, and then twice for each.
async fn once(at: SocketAddr) {
    let socket = socket(at);
    println!("send: {}", shown(fed("early", |data| socket.send(data)).await));
    println!("receive: {}", all(socket.receive()).await);
    must("connect", socket.connect(to_wasi(at)).await);
    let (mut writer, end) = sending(&socket);
    let (mut reader, ended) = socket.receive();
    println!("send twice: {}", shown(fed("twice", |data| socket.send(data)).await));
    println!("receive twice: {}", all(socket.receive()).await);
    println!("the first goes on: {}", write(&mut writer, "hello").await);
    println!("and comes back: {}", read(&mut reader).await);
    drop(writer);
    println!("sent: {}", shown(end.await));
    println!("received: {}", all((reader, ended)).await);
}

/// The peer answers when it has read everything.
async fn sends(at: SocketAddr) {
    let socket = connected(at).await;
    println!("sent: {}", shown(fed("all of it", |data| socket.send(data)).await));
    println!("received: {}", all(socket.receive()).await);
    println!("still connected: {}", whether(socket.get_remote_address()));
}

/// The peer ends, and then reads.
async fn hears(at: SocketAddr) {
    let socket = connected(at).await;
    println!("received: {}", all(socket.receive()).await);
    println!("sent: {}", shown(fed("an answer", |data| socket.send(data)).await));
}

/// The peer says something when it is asked.
async fn zero(at: SocketAddr) {
    let socket = connected(at).await;
    let (mut writer, end) = sending(&socket);
    let (mut reader, ended) = socket.receive();
    println!("write of nothing: {}", write(&mut writer, "").await);
    {
        let mut nothing = pin!(reader.read(Vec::new()));
        println!("read of nothing waits: {}", poll!(nothing.as_mut()).is_pending());
        println!("write: {}", write(&mut writer, "go").await);
        let (result, bytes) = nothing.await;
        println!("read of nothing: {result:?}, {} bytes", bytes.len());
    }
    println!("read: {}", read(&mut reader).await);
    drop(writer);
    println!("sent: {}", shown(end.await));
    let (result, _) = reader.read(Vec::new()).await;
    println!("read of nothing at the end: {result:?}");
    println!("received: {}", all((reader, ended)).await);
    let socket = connected(at).await;
    println!("nothing at all: {}", shown(fed("", |data| socket.send(data)).await));
    println!("received: {}", all(socket.receive()).await);
}

/// The peer has sent something that is not read, and reads what comes: a letter after each thing that was dropped.
async fn drops(at: SocketAddr, order: &str) {
    let socket = connected(at).await;
    let (writer, end) = sending(&socket);
    let (mut reader, ended) = socket.receive();
    let (result, bytes) = reader.read(Vec::with_capacity(1)).await;
    println!("{result:?} {bytes:?}");
    let (mut socket, mut writer, mut reader) = (Some(socket), Some(writer), Some(reader));
    let (mut end, mut ended) = (Some(end), Some(ended));
    for letter in order.chars() {
        match letter {
            's' => drop(socket.take()),
            'w' => drop(writer.take()),
            'r' => drop(reader.take()),
            // What would be said at the ends.
            'W' => drop(end.take()),
            'R' => drop(ended.take()),
            _ => fail(order, "no such letter"),
        }
        if let Some(writer) = &mut writer {
            println!("{letter}: {}", write(writer, &letter.to_string()).await);
        }
    }
    if order.is_empty() {
        return;
    }
    if let Some(end) = end {
        println!("sent: {}", shown(end.await));
    }
    if let Some(ended) = ended {
        println!("received: {}", shown(ended.await));
    }
}

/// The peer has sent more than is read before it is answered, and reads none of that until this program has ended.
async fn unread(at: SocketAddr, bytes: usize) {
    let socket = connected(at).await;
    must("set-send-buffer-size", socket.set_send_buffer_size(bytes as u64 + 1));
    let (mut reader, ended) = socket.receive();
    let (_, read) = reader.read(Vec::with_capacity(5)).await;
    println!("read: {}", read.len());
    drop(reader);
    println!("received: {}", shown(ended.await));
    if bytes > 0 {
        println!("sent: {}", shown(fed(vec![b'x'; bytes], |data| socket.send(data)).await));
    }
}

/// The peer breaks off when it has been sent something, and then this program's input ends.
async fn reset(at: SocketAddr, order: &str) {
    let socket = connected(at).await;
    let (writer, end) = sending(&socket);
    let (reader, ended) = socket.receive();
    let (mut writer, mut reader) = (Some(writer), Some(reader));
    println!("write: {}", write(writer.as_mut().expect("there"), "go").await);
    until_input_ends();
    let (result, _) = reader.as_mut().expect("there").read(Vec::new()).await;
    println!("there is something to read: {result:?}");
    for letter in order.chars() {
        match (letter, &mut writer, &mut reader) {
            ('w', Some(writer), _) => println!("write: {}", write(writer, "more").await),
            ('r', _, Some(reader)) => println!("read: {}", read(reader).await),
            ('e', ..) => drop(writer.take()),
            ('d', ..) => drop(reader.take()),
            _ => fail(order, "no such letter"),
        }
    }
    drop((writer, reader));
    println!("sent: {}", shown(end.await));
    println!("received: {}", shown(ended.await));
}

async fn serve(at: SocketAddr, count: usize) {
    let socket = bound(at);
    let mut clients = must("listen", socket.listen());
    println!("listening on {}", local(&socket));
    let (mut begun, mut most) = (0, 0);
    let mut echoes = FuturesUnordered::new();
    while begun < count {
        let accepted = next_or(&mut clients, &mut echoes).await;
        begun += 1;
        echoes.push(echo(accepted));
        most = most.max(echoes.len());
    }
    while echoes.next().await.is_some() {}
    println!("{begun} connections, {most} at once");
}

/// The next who connects; echoes go on meanwhile.
async fn next_or<F: Future<Output = ()>>(
    clients: &mut StreamReader<TcpSocket>,
    echoes: &mut FuturesUnordered<F>,
) -> TcpSocket {
    let mut next = pin!(clients.next().fuse());
    loop {
        select! {
            accepted = next => return accepted.unwrap_or_else(|| fail("listen", "the stream ended")),
            () = echoes.select_next_some() => {}
        }
    }
}

async fn echo(socket: TcpSocket) {
    let (data, ended) = socket.receive();
    let (sent, received) = join!(socket.send(data).into_future(), ended.into_future());
    if let Some(error) = sent.err().or(received.err()) {
        eprintln!("echo: {}", code(error));
    }
}

async fn accept(at: SocketAddr) {
    let socket = bound(at);
    must("set-listen-backlog-size", socket.set_listen_backlog_size(1000));
    let mut clients = must("listen", socket.listen());
    println!("listening on {}", local(&socket));
    until_input_ends();
    let (result, nobody) = clients.read(Vec::new()).await;
    println!("read of nothing: {result:?}, {} of them", nobody.len());
    let accepted = clients.next().await.unwrap_or_else(|| fail("listen", "the stream ended"));
    println!("received: {}", all(accepted.receive()).await);
    println!("sent: {}", shown(fed("hello", |data| accepted.send(data)).await));
}
