//! Datagrams by `wasi:sockets`: `p3_udp SCENE ADDRESS …`.
//!
//! `states`: what each call of a socket says in each state, and with words that mean nothing; a transcript, for which it has
//! all sides itself. `waits`: what a receive that waits gets, and what one that was cancelled leaves; the same. `many COUNT`:
//! so many receives of one socket wait at once, and each gets one.
//!
//! `server COUNT` is bound there and sends back so many datagrams; `client WORD…` connects there, `sender WORD…` does not:
//! both send words and print what comes back. `denied OTHER` tries to send to, and to hear from, a peer that it was not
//! granted: it sends to the one that it was, who answers when both have written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;

use async_components::{address, code, command, fail, family, from_wasi, must, shown, to_wasi, whether};
use futures::future::join_all;
use futures::{join, poll};
use wasip3::cli::environment::get_arguments;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::sockets::types::{ErrorCode, IpAddressFamily, UdpSocket};

command!(run);

/// Long enough for whatever goes wrong to have gone wrong by then.
const A_WHILE: u64 = 20_000_000;

async fn run() -> Result<(), ()> {
    let arguments = get_arguments();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let [scene, at, rest @ ..] = words.as_slice() else { fail("p3_udp", "SCENE ADDRESS …") };
    let at = address(at);
    match (*scene, rest) {
        ("states", []) => states(at).await,
        ("waits", []) => waits(at).await,
        ("many", [count]) => many(at, number(count)).await,
        ("bind", []) => println!("bind: {}", shown(socket(at).bind(to_wasi(at)))),
        ("server", [count]) => server(at, number(count)).await,
        ("client", words) => {
            let socket = socket(at);
            must("connect", socket.connect(to_wasi(at)));
            talk(&socket, None, at, words).await;
        }
        ("sender", words) => talk(&socket(at), Some(at), at, words).await,
        ("denied", [other]) => denied(at, address(other)).await,
        _ => fail(scene, "no such scene"),
    }
    Ok(())
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| fail(text, "no number"))
}

fn socket(at: SocketAddr) -> UdpSocket {
    must("create", UdpSocket::create(family(at)))
}

fn bound(at: SocketAddr) -> UdpSocket {
    let socket = socket(at);
    must("bind", socket.bind(to_wasi(at)));
    socket
}

fn local(socket: &UdpSocket) -> SocketAddr {
    from_wasi(must("get-local-address", socket.get_local_address()))
}

async fn send(socket: &UdpSocket, text: &str, to: Option<SocketAddr>) -> Result<(), ErrorCode> {
    socket.send(text.into(), to.map(to_wasi)).await
}

/// What comes next, and whether it is from there.
async fn receive(socket: &UdpSocket, from: SocketAddr) -> String {
    shown_from(socket.receive().await, from)
}

fn shown_from(
    received: Result<(Vec<u8>, wasip3::sockets::types::IpSocketAddress), ErrorCode>,
    from: SocketAddr,
) -> String {
    match received {
        Ok((data, remote)) => {
            format!("`{}`, from there: {}", String::from_utf8_lossy(&data), from_wasi(remote) == from)
        }
        Err(error) => code(error),
    }
}

/// Whether nothing comes.
async fn hears_nothing(socket: &UdpSocket) -> bool {
    let mut receive = pin!(socket.receive());
    for _ in 0..2 {
        if poll!(receive.as_mut()).is_ready() {
            return false;
        }
        wait_for(A_WHILE).await;
    }
    poll!(receive.as_mut()).is_pending()
}

fn addresses(socket: &UdpSocket) {
    println!("  get-local-address: {}", whether(socket.get_local_address()));
    println!("  get-remote-address: {}", whether(socket.get_remote_address()));
}

async fn states(at: SocketAddr) {
    println!("unbound");
    let first = socket(at);
    println!("  get-address-family: {}", first.get_address_family() == family(at));
    addresses(&first);
    println!("  disconnect: {}", shown(first.disconnect()));
    println!("  receive: {}", receive(&first, at).await);
    println!("  send to nobody: {}", shown(send(&first, "x", None).await));
    options(&first);
    refused(&first).await;
    addresses(&first);
    println!("  bind: {}", shown(first.bind(to_wasi(at))));

    println!("bound");
    println!("  bind: {}", shown(first.bind(to_wasi(at))));
    addresses(&first);
    println!("  a port: {}", local(&first).port() > 0);
    println!("  hears nothing: {}", hears_nothing(&first).await);
    println!("  disconnect: {}", shown(first.disconnect()));
    println!("  send to nobody: {}", shown(send(&first, "x", None).await));
    let (peer, other) = (bound(at), bound(at));
    let (here, there, elsewhere) = (local(&first), local(&peer), local(&other));
    println!("  send: {}", shown(send(&first, "hello", Some(there)).await));
    println!("  its peer receives: {}", receive(&peer, here).await);
    println!("  send of nothing: {}", shown(send(&first, "", Some(there)).await));
    println!("  its peer receives: {}", receive(&peer, here).await);
    println!("  bind of another: {}", shown(socket(at).bind(to_wasi(here))));

    println!("connected");
    must("send", send(&other, "before", Some(here)).await);
    println!("  connect: {}", shown(first.connect(to_wasi(there))));
    println!("  get-remote-address: {}", first.get_remote_address().map(from_wasi).ok() == Some(there));
    println!("  get-local-address, as before: {}", local(&first) == here);
    println!("  bind: {}", shown(first.bind(to_wasi(at))));
    println!("  hears nothing of before: {}", hears_nothing(&first).await);
    println!("  send to nobody else: {}", shown(send(&first, "a", None).await));
    println!("  send by its address: {}", shown(send(&first, "b", Some(there)).await));
    println!("  send to another: {}", shown(send(&first, "c", Some(elsewhere)).await));
    println!("  its peer receives: {}", receive(&peer, here).await);
    println!("  its peer receives: {}", receive(&peer, here).await);
    must("send", join!(send(&other, "stranger", Some(here)), send(&peer, "peer", Some(here))).1);
    println!("  receive: {}", receive(&first, there).await);
    println!("  hears nothing else: {}", hears_nothing(&first).await);

    println!("connected to another");
    println!("  connect to what is none: {}", shown(first.connect(to_wasi(SocketAddr::new(at.ip(), 0)))));
    println!("  get-remote-address, as before: {}", first.get_remote_address().map(from_wasi).ok() == Some(there));
    println!("  connect: {}", shown(first.connect(to_wasi(elsewhere))));
    println!("  get-remote-address: {}", first.get_remote_address().map(from_wasi).ok() == Some(elsewhere));
    println!("  get-local-address, as before: {}", local(&first) == here);
    println!("  send to who was it: {}", shown(send(&first, "x", Some(there)).await));
    must("send", join!(send(&peer, "peer", Some(here)), send(&other, "stranger", Some(here))).1);
    println!("  receive: {}", receive(&first, elsewhere).await);
    println!("  hears nothing else: {}", hears_nothing(&first).await);

    println!("disconnected");
    println!("  disconnect: {}", shown(first.disconnect()));
    println!("  disconnect: {}", shown(first.disconnect()));
    addresses(&first);
    println!("  get-local-address, as before: {}", local(&first) == here);
    println!("  send to nobody: {}", shown(send(&first, "x", None).await));
    must("send", send(&peer, "peer", Some(here)).await);
    println!("  receive: {}", receive(&first, there).await);
    must("send", send(&other, "stranger", Some(here)).await);
    println!("  receive: {}", receive(&first, elsewhere).await);

    println!("not bound, and sends");
    let sender = socket(at);
    println!("  send: {}", shown(send(&sender, "hello", Some(there)).await));
    addresses(&sender);
    println!("  a port: {}", local(&sender).port() > 0);
    println!("  bind: {}", shown(sender.bind(to_wasi(at))));
    println!("  its peer receives: {}", receive(&peer, SocketAddr::new(at.ip(), local(&sender).port())).await);
    must("send", send(&peer, "hello yourself", Some(SocketAddr::new(at.ip(), local(&sender).port()))).await);
    println!("  receive: {}", receive(&sender, there).await);

    println!("not bound, and connects");
    let client = socket(at);
    println!("  connect: {}", shown(client.connect(to_wasi(there))));
    println!("  its address is on the way: {}", local(&client).ip() == at.ip());
    println!("  bind: {}", shown(client.bind(to_wasi(at))));
    let port = local(&client).port();
    println!("  disconnect: {}", shown(client.disconnect()));
    println!("  its port, as before: {}", local(&client).port() == port);
    println!("  get-remote-address: {}", whether(client.get_remote_address()));

    println!("nobody is there");
    drop(peer);
    must("connect", client.connect(to_wasi(there)));
    println!("  send: {}", shown(send(&client, "x", None).await));
    println!("  receive: {}", receive(&client, there).await);
    println!("  hears nothing else: {}", hears_nothing(&client).await);

    println!("large");
    let largest = if at.is_ipv4() { 65_507 } else { 65_527 };
    for (what, bytes) in [("larger", largest + 1), ("65535", 65_535), ("65536", 65_536), ("1 MiB", 1 << 20)] {
        let sent = socket(at).send(vec![b'x'; bytes], Some(to_wasi(elsewhere))).await;
        println!("  send, {what}: {}", shown(sent));
    }
    must("send", other.send(vec![b'x'; largest], Some(to_wasi(elsewhere))).await);
    println!("  receive, largest: {}", other.receive().await.is_ok_and(|(data, _)| data == vec![b'x'; largest]));
}

/// What a socket says of addresses that are none for it, and that it is none the worse for that.
async fn refused(socket: &UdpSocket) {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
    let ipv4 = [("another family", Ipv6Addr::LOCALHOST.into(), 9), ("any address", Ipv4Addr::UNSPECIFIED.into(), 9)];
    let ipv6 = [("another family", Ipv4Addr::LOCALHOST.into(), 9), ("any address", Ipv6Addr::UNSPECIFIED.into(), 9)];
    let (mut remotes, here): (Vec<(&str, IpAddr, u16)>, IpAddr) = match socket.get_address_family() {
        IpAddressFamily::Ipv4 => (ipv4.into(), Ipv4Addr::LOCALHOST.into()),
        IpAddressFamily::Ipv6 => (ipv6.into(), Ipv6Addr::LOCALHOST.into()),
    };
    remotes.push(("port 0", here, 0));
    if here.is_ipv6() {
        remotes.push(("mapped", mapped, 9));
        println!("  bind, mapped: {}", shown(socket.bind(to_wasi(SocketAddr::new(mapped, 0)))));
    }
    println!("  bind, another family: {}", shown(socket.bind(to_wasi(SocketAddr::new(remotes[0].1, 0)))));
    let elsewhere: IpAddr =
        if here.is_ipv4() { [192, 0, 2, 1].into() } else { [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into() };
    println!("  bind, not here: {}", shown(socket.bind(to_wasi(SocketAddr::new(elsewhere, 0)))));
    for (what, ip, port) in remotes {
        let remote = SocketAddr::new(ip, port);
        println!("  connect, {what}: {}", shown(socket.connect(to_wasi(remote))));
        println!("  send, {what}: {}", shown(send(socket, "x", Some(remote)).await));
    }
}

fn options(socket: &UdpSocket) {
    println!("  set-unicast-hop-limit 0: {}", shown(socket.set_unicast_hop_limit(0)));
    println!("  set-unicast-hop-limit 42: {}", shown(socket.set_unicast_hop_limit(42)));
    println!("  get-unicast-hop-limit: {}", shown(socket.get_unicast_hop_limit()));
    println!("  set-receive-buffer-size 0: {}", shown(socket.set_receive_buffer_size(0)));
    println!("  set-receive-buffer-size, most: {}", shown(socket.set_receive_buffer_size(u64::MAX)));
    println!(
        "  get-receive-buffer-size is something: {}",
        socket.get_receive_buffer_size().is_ok_and(|bytes| bytes > 0)
    );
    println!("  set-send-buffer-size 0: {}", shown(socket.set_send_buffer_size(0)));
    println!("  set-send-buffer-size: {}", shown(socket.set_send_buffer_size(0x10000)));
    println!("  get-send-buffer-size: {}", shown(socket.get_send_buffer_size()));
}

async fn waits(at: SocketAddr) {
    let (first, peer, other) = (bound(at), bound(at), bound(at));
    let (here, there, elsewhere) = (local(&first), local(&peer), local(&other));

    println!("connected meanwhile");
    {
        let mut receive = pin!(first.receive());
        println!("  waits: {}", poll!(receive.as_mut()).is_pending());
        must("connect", first.connect(to_wasi(there)));
        must("send", send(&other, "stranger", Some(here)).await);
        wait_for(A_WHILE).await;
        println!("  still waits: {}", poll!(receive.as_mut()).is_pending());
        must("send", send(&peer, "peer", Some(here)).await);
        println!("  came: {}", shown_from(receive.await, there));
    }

    println!("disconnected meanwhile");
    {
        let mut receive = pin!(first.receive());
        println!("  waits: {}", poll!(receive.as_mut()).is_pending());
        must("disconnect", first.disconnect());
        must("send", send(&other, "stranger", Some(here)).await);
        println!("  came: {}", shown_from(receive.await, elsewhere));
    }

    println!("cancelled");
    {
        let mut receive = pin!(first.receive());
        println!("  waits: {}", poll!(receive.as_mut()).is_pending());
        must("send", send(&peer, "not lost", Some(here)).await);
        // It is there, and has not been taken.
    }
    println!("  came: {}", receive(&first, there).await);
    println!("  hears nothing else: {}", hears_nothing(&first).await);

    println!("two at once");
    {
        let both = async { join!(first.receive(), first.receive()) };
        let sending = async {
            wait_for(A_WHILE).await;
            must("send", send(&peer, "one", Some(here)).await);
            must("send", send(&other, "two", Some(here)).await);
        };
        let (both, ()) = join!(both, sending);
        let text = |received: Result<(Vec<u8>, _), _>| String::from_utf8(must("receive", received).0).unwrap();
        let mut came = [text(both.0), text(both.1)];
        came.sort();
        println!("  came: {came:?}");
    }
    println!("while it sends");
    let (received, sent) = join!(first.receive(), send(&first, "to itself", Some(here)));
    println!("  send: {}", shown(sent));
    println!("  came: {}", shown_from(received, here));
}

async fn many(at: SocketAddr, count: usize) {
    let (first, peer) = (bound(at), bound(at));
    let here = local(&first);
    let waiting = join_all((0..count).map(|_| first.receive()));
    let sending = async {
        wait_for(A_WHILE).await;
        println!("{count} wait");
        for number in 0..count {
            must("send", send(&peer, &number.to_string(), Some(here)).await);
            if number % 50 == 49 {
                // The kernel's queue is no longer than that.
                wait_for(1_000_000).await;
            }
        }
    };
    let (received, ()) = join!(waiting, sending);
    let mut came: Vec<usize> =
        received.into_iter().map(|it| number(std::str::from_utf8(&must("receive", it).0).unwrap_or("?"))).collect();
    came.sort_unstable();
    println!("each came once: {}", came == (0..count).collect::<Vec<_>>());
}

async fn server(at: SocketAddr, count: usize) {
    let socket = bound(at);
    println!("listening on {}", local(&socket));
    let mut bytes = 0;
    for _ in 0..count {
        let (data, remote) = must("receive", socket.receive().await);
        bytes += data.len();
        must("send", socket.send(data, Some(remote)).await);
    }
    println!("{count} datagrams, {bytes} bytes");
}

/// `bytes=N` is so many of them.
async fn talk(socket: &UdpSocket, to: Option<SocketAddr>, there: SocketAddr, words: &[&str]) {
    for word in words {
        let data = match word.strip_prefix("bytes=") {
            Some(bytes) => (0..number(bytes)).map(|index| index as u8).collect(),
            None => word.as_bytes().to_vec(),
        };
        match socket.send(data.clone(), to.map(to_wasi)).await {
            Ok(()) => {}
            Err(error) => {
                println!("send: {}", code(error));
                continue;
            }
        }
        let (came, remote) = must("receive", socket.receive().await);
        println!("{} bytes, the same: {}, from there: {}", came.len(), came == data, from_wasi(remote) == there);
    }
}

async fn denied(granted: SocketAddr, denied: SocketAddr) {
    let socket = socket(granted);
    let tell = |what: &str, sent: Result<(), ErrorCode>| println!("{what}: {}", shown(sent));
    tell("connect to the one that is denied", socket.connect(to_wasi(denied)));
    println!("get-local-address: {}", whether(socket.get_local_address()));
    tell("send to nobody", send(&socket, "denied", None).await);
    tell("send to the one that is denied", send(&socket, "denied", Some(denied)).await);
    println!("get-local-address: {}", whether(socket.get_local_address()));
    tell("send to the one that is granted", send(&socket, "granted", Some(granted)).await);
    tell("connect to the one that is granted", socket.connect(to_wasi(granted)));
    tell("connect to the one that is denied", socket.connect(to_wasi(denied)));
    tell("send to nobody else", send(&socket, "granted", None).await);
    tell("send to the one that is denied", send(&socket, "denied", Some(denied)).await);
    tell("send to the one that is granted", send(&socket, "answer", Some(granted)).await);
    println!("receive: {}", receive(&socket, granted).await);
    tell("disconnect", socket.disconnect());
    tell("send to the one that is denied", send(&socket, "denied", Some(denied)).await);
    tell("send to nobody", send(&socket, "denied", None).await);
    tell("send to the one that is granted", send(&socket, "answer", Some(granted)).await);
    println!("receive: {}", receive(&socket, granted).await);
    println!("hears nothing else: {}", hears_nothing(&socket).await);
}
