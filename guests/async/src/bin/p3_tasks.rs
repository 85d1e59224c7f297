//! Very many tasks at once: `p3_tasks ROUNDS TIMERS STREAMS DATAGRAMS CONNECTIONS [ADDRESS:PORT]`. In each round it begins so
//! many tasks: of the first kind each waits for a timer, of the second for a byte of a stream of its own, of the third for a
//! datagram to a socket of its own, and of the last for the answer of an echo server at that address.
//!
//! It says how many wait, and goes on with the next line of its standard input; then each gets what it waits for. When all
//! have ended it says how many have, and goes on with the next line again. It begins with such a line too. Each says how large
//! the program's own memory is.

use std::future::Future;
use std::pin::Pin;

use async_components::{address, command, fail, family, must, pause, to_wasi};
use futures::channel::oneshot;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{join, poll};
use wasip3::cli::environment::get_arguments;
use wasip3::cli::stdin;
use wasip3::clocks::monotonic_clock::{Mark, now, wait_until};
use wasip3::sockets::types::{IpAddressFamily, IpSocketAddress, TcpSocket, UdpSocket};
use wasip3::wit_bindgen::StreamReader;
use wasip3::wit_stream;

command!(run);

/// How long the timers of a round run, from its beginning.
const TIMER_NS: u64 = 2_000_000_000;

/// What a socket is sent; the server sends it back.
const WORD: &[u8] = b"word";

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// How many tasks of each kind.
#[derive(Clone, Copy)]
struct Counts {
    timers: usize,
    streams: usize,
    datagrams: usize,
    connections: usize,
}

async fn run() -> Result<(), ()> {
    let words = get_arguments();
    let number = |place: usize| -> usize {
        let word = words.get(place).map_or("", String::as_str);
        word.parse().unwrap_or_else(|_| fail(word, "no number"))
    };
    let counts = Counts { timers: number(2), streams: number(3), datagrams: number(4), connections: number(5) };
    let server = words.get(6).map(|word| to_wasi(address(word)));
    let (mut input, _end) = stdin::read_via_stream();
    say("ready", &mut input).await;
    for _ in 0..number(1) {
        round(counts, server, &mut input).await;
    }
    Ok(())
}

async fn round(counts: Counts, server: Option<IpSocketAddress>, input: &mut StreamReader<u8>) {
    let mut tasks = FuturesUnordered::<Task>::new();
    let until = now() + TIMER_NS;
    tasks.extend((0..counts.timers).map(|_| Box::pin(timer(until)) as Task));
    let mut writers = Vec::new();
    for _ in 0..counts.streams {
        let (writer, reader) = wit_stream::new();
        writers.push(writer);
        tasks.push(Box::pin(byte(reader)));
    }
    let mut receivers = Vec::new();
    for _ in 0..counts.datagrams {
        let socket = bound();
        receivers.push(must("get-local-address", socket.get_local_address()));
        tasks.push(Box::pin(datagram(socket)));
    }
    let mut connected = Vec::new();
    for _ in 0..counts.connections {
        let server = server.unwrap_or_else(|| fail("connections", "to which ADDRESS:PORT?"));
        let (ask, may_ask) = oneshot::channel();
        connected.push(ask);
        tasks.push(Box::pin(answer(server, may_ask)));
    }

    let count = tasks.len();
    let mut ended = tasks.collect::<Vec<()>>();
    // Whoever is looked at once has begun.
    assert!(poll!(&mut ended).is_pending());
    let give = async {
        say(&format!("{count} wait"), input).await;
        for mut writer in writers {
            assert!(writer.write_all(vec![7]).await.is_empty());
        }
        let sender = bound();
        for receiver in receivers {
            must("send", sender.send(WORD.to_vec(), Some(receiver)).await);
        }
        for ask in connected {
            must("ask", ask.send(()));
        }
    };
    let (ended, ()) = join!(ended, give);
    say(&format!("{} have ended", ended.len()), input).await;
}

/// Says where it is, and how large the program's own memory is by now.
async fn say(what: &str, input: &mut StreamReader<u8>) {
    let kib = std::arch::wasm32::memory_size(0) * 64;
    pause(&format!("{what}; {kib} KiB"), input).await;
}

async fn timer(until: Mark) {
    wait_until(until).await;
}

/// Waits for a byte of a stream.
async fn byte(mut reader: StreamReader<u8>) {
    assert_eq!(reader.next().await, Some(7));
}

/// Waits for a datagram.
async fn datagram(socket: UdpSocket) {
    assert_eq!(must("receive", socket.receive().await).0, WORD);
}

/// Waits for an answer, to what is not asked before it may be.
async fn answer(server: IpSocketAddress, may_ask: oneshot::Receiver<()>) {
    let socket = must("create", TcpSocket::create(IpAddressFamily::Ipv4));
    must("connect", socket.connect(server).await);
    let (mut writer, reader) = wit_stream::new();
    let sent = socket.send(reader);
    let (answer, received) = socket.receive();
    let ask = async move {
        must("ask", may_ask.await);
        assert!(writer.write_all(WORD.to_vec()).await.is_empty());
        drop(writer);
        must("send", sent.await);
    };
    let (whole, ()) = join!(answer.collect(), ask);
    must("receive", received.await);
    assert_eq!(whole, WORD);
}

fn bound() -> UdpSocket {
    let local = address("127.0.0.1:0");
    let socket = must("create", UdpSocket::create(family(local)));
    must("bind", socket.bind(to_wasi(local)));
    socket
}
