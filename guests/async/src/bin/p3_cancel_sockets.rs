//! What `p3_cancel` does, with sockets: `p3_cancel_sockets SCENE ROUNDS ADDRESS:PORT`. It plays the scene once, and then so many
//! times again; before, between and after, it says so on standard output and goes on with the next line of its standard
//! input. Whatever is not as it should be is a panic.
//!
//! Who listens at the address does as it is told on standard output, and a line of standard input says that it is done.
//! `receive`: `accept` a connection; `give` it `0123456789`. `send`: `accept`; read nothing of it until it says `read BYTES`,
//! for there are so many then, or `read the rest`. `connect`: `accept`. `late`: it takes no connections until it says `let in`.
//! `accept`: the program listens itself, there, says so, and wants somebody to `connect`; `gone` is whoever connected first.
//! `datagram`: there is nobody else.

use std::pin::pin;
use std::task::Poll;
use std::thread::sleep;
use std::time::Duration;

use async_components::{address, begun, command, fail, family, from_wasi, must, pause, to_wasi};
use futures::poll;
use wasip3::cli::environment::get_arguments;
use wasip3::cli::stdin;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::sockets::types::{ErrorCode, IpSocketAddress, TcpSocket, UdpSocket};
use wasip3::wit_bindgen::{FutureReader, StreamReader, StreamResult, StreamWriter};
use wasip3::wit_stream;

command!(run);

const MS: u64 = 1_000_000;

/// Bytes of one write.
const MUCH: usize = 256 << 10;

async fn run() -> Result<(), ()> {
    let words = get_arguments();
    let word = |place: usize| words.get(place).map_or("", String::as_str);
    let rounds: usize = word(2).parse().unwrap_or_else(|_| fail(word(2), "no number"));
    let there = to_wasi(address(word(3)));
    let (mut stream, _end) = stdin::read_via_stream();
    let input = &mut stream;
    let mut listener = None;
    if word(1) == "accept" {
        let socket = must("create", TcpSocket::create(family(address(word(3)))));
        must("bind", socket.bind(there));
        let connections = must("listen", socket.listen());
        let local = must("get-local-address", socket.get_local_address());
        pause(&format!("listening on {}", from_wasi(local)), input).await;
        listener = Some(connections);
    }
    pause("ready", input).await;
    for round in 0..=rounds {
        match (word(1), &mut listener) {
            ("receive", _) => receive(there, input).await,
            ("send", _) => send(there, input).await,
            ("connect", _) => connect(there, input).await,
            ("late", _) => late(there, input).await,
            ("accept", Some(connections)) => accept(connections, input).await,
            ("datagram", _) => datagram(there).await,
            _ => fail(word(1), "no such scene"),
        }
        if round == 0 {
            pause("once", input).await;
        }
    }
    pause("done", input).await;
    Ok(())
}

/// Takes a future's reading back while it waits: it can be read later.
async fn read_later<T: 'static>(end: FutureReader<T>) -> FutureReader<T> {
    let mut read = pin!(end.into_future());
    assert!(poll!(read.as_mut()).is_pending());
    match read.cancel() {
        Err(end) => end,
        Ok(_) => panic!("it was there"),
    }
}

/// Waits for the next line.
async fn line(input: &mut StreamReader<u8>) {
    while input.next().await != Some(b'\n') {}
}

fn socket(there: IpSocketAddress) -> TcpSocket {
    must("create", TcpSocket::create(family(from_wasi(there))))
}

async fn connected(there: IpSocketAddress, input: &mut StreamReader<u8>) -> TcpSocket {
    let socket = socket(there);
    must("connect", socket.connect(there).await);
    pause("accept", input).await;
    socket
}

async fn receive(there: IpSocketAddress, input: &mut StreamReader<u8>) {
    let socket = connected(there, input).await;
    let (mut stream, end) = socket.receive();
    drop(stream.read(Vec::with_capacity(64)));
    {
        let mut read = pin!(stream.read(Vec::with_capacity(64)));
        assert!(poll!(read.as_mut()).is_pending());
        assert_eq!(read.cancel(), (StreamResult::Cancelled, Vec::new()));
    }
    assert!(poll!(pin!(stream.read(Vec::with_capacity(64)))).is_pending());
    // To be told that there is something, without taking it.
    assert!(poll!(pin!(stream.read(Vec::new()))).is_pending());
    let end = read_later(end).await;

    pause("give", input).await;
    {
        let mut read = pin!(stream.read(Vec::with_capacity(4)));
        match begun(read.as_mut()) {
            Err(over) => assert_eq!(over.1, b"0123"),
            Ok(completed) => {
                completed.await;
                assert_eq!(read.cancel(), (StreamResult::Complete(4), b"0123".to_vec()));
            }
        }
    }
    assert_eq!(stream.read(Vec::with_capacity(64)).await.1, b"456789");

    // One that waits, and is taken back, or dropped, after what it waited for has come.
    for taken_back in [true, false] {
        {
            let mut read = pin!(stream.read(Vec::with_capacity(4)));
            let completed = must("a read over at once", begun(read.as_mut()));
            pause("give", input).await;
            completed.await;
            if taken_back {
                assert_eq!(read.cancel(), (StreamResult::Complete(4), b"0123".to_vec()));
            }
        }
        assert_eq!(stream.read(Vec::with_capacity(64)).await.1, b"456789");
    }

    // The same, where nobody could be told: the program waits in 0.2 meanwhile.
    for taken_back in [true, false] {
        let mut taken = Vec::new();
        {
            let mut read = pin!(stream.read(Vec::with_capacity(4)));
            assert!(poll!(read.as_mut()).is_pending());
            println!("give");
            sleep(Duration::from_millis(5));
            if taken_back {
                taken = read.cancel().1;
            }
        }
        line(input).await;
        let rest = stream.read(Vec::with_capacity(64)).await.1;
        if taken_back {
            taken.extend(rest);
            assert_eq!(taken, b"0123456789");
        } else {
            assert!(rest == b"0123456789" || rest == b"456789", "{rest:?}");
        }
    }

    // The connection is there as long as its stream.
    drop(socket);
    pause("give", input).await;
    assert_eq!(stream.read(Vec::with_capacity(64)).await.1, b"0123456789");
    assert!(poll!(pin!(stream.read(Vec::with_capacity(64)))).is_pending());
    drop(stream);
    must("receive", end.await);
}

async fn send(there: IpSocketAddress, input: &mut StreamReader<u8>) {
    let socket = connected(there, input).await;
    must("set-send-buffer-size", socket.set_send_buffer_size(64 << 10));
    let (mut writer, reader) = wit_stream::new();
    let end = socket.send(reader);
    drop(writer.write(vec![UNCOUNTED; MUCH]));
    let mut position = 0;
    let written = fill(&mut writer, &mut position).await;
    let end = read_later(end).await;
    pause(&format!("read {written}"), input).await;

    let mut written = fill(&mut writer, &mut position).await;
    loop {
        let mut write = pin!(writer.write(pattern(position)));
        match begun(write.as_mut()) {
            // The peer's system has made room meanwhile.
            Err((result, _)) => {
                let bytes = counted(result);
                (written, position) = (written + bytes, position + bytes);
            }
            Ok(completed) => {
                pause(&format!("read {written}"), input).await;
                completed.await;
                let (result, rest) = write.cancel();
                let bytes = counted(result);
                assert_eq!(bytes + rest.remaining(), MUCH);
                (written, position) = (bytes, position + bytes);
                break;
            }
        }
    }

    // What is dropped when it has been sent has been sent, and how much that was is nobody's to know.
    written += fill(&mut writer, &mut position).await;
    loop {
        let mut write = pin!(writer.write(vec![UNCOUNTED; MUCH]));
        if let Ok(completed) = begun(write.as_mut()) {
            pause(&format!("read {written}"), input).await;
            completed.await;
            break;
        }
    }
    drop(writer);
    drop(socket);
    must("send", end.await);
    pause("read the rest", input).await;
}

fn counted(result: StreamResult) -> usize {
    match result {
        StreamResult::Complete(bytes) => bytes,
        result => panic!("{result:?}"),
    }
}

/// What is written, and nobody counts how often.
const UNCOUNTED: u8 = 255;

fn pattern(from: usize) -> Vec<u8> {
    (from..from + MUCH).map(|index| (index % 251) as u8).collect()
}

/// Writes until there has been no room for a while, and takes each write back that has to wait; how many bytes were written.
async fn fill(writer: &mut StreamWriter<u8>, position: &mut usize) -> usize {
    let begin = *position;
    let mut full = 0;
    while full < 3 {
        let mut write = pin!(writer.write(pattern(*position)));
        let (result, rest) = match poll!(write.as_mut()) {
            Poll::Ready(over) => over,
            Poll::Pending => write.cancel(),
        };
        match result {
            StreamResult::Complete(bytes) => {
                assert_eq!(bytes + rest.remaining(), MUCH);
                *position += bytes;
                full = 0;
            }
            StreamResult::Cancelled => {
                assert_eq!(rest.remaining(), MUCH);
                full += 1;
                wait_for(5 * MS).await;
            }
            StreamResult::Dropped => panic!("it was closed"),
        }
    }
    *position - begin
}

async fn connect(there: IpSocketAddress, input: &mut StreamReader<u8>) {
    // Before: nothing has happened to the socket.
    let socket = socket(there);
    drop(socket.connect(there));
    assert!(matches!(socket.get_remote_address(), Err(ErrorCode::InvalidState)));
    // After: it is connected, whether anybody has looked or not.
    {
        let mut connect = pin!(socket.connect(there));
        match begun(connect.as_mut()) {
            Ok(completed) => completed.await,
            Err(over) => must("connect", over),
        }
    }
    must("get-remote-address", socket.get_remote_address());
    pause("accept", input).await;
}

async fn late(there: IpSocketAddress, input: &mut StreamReader<u8>) {
    // During: what was begun is given up.
    let given_up = socket(there);
    assert!(poll!(pin!(given_up.connect(there))).is_pending(), "whoever takes nobody took somebody");
    assert!(matches!(given_up.get_remote_address(), Err(ErrorCode::InvalidState)));
    // After it has waited.
    let socket = socket(there);
    {
        let mut connect = pin!(socket.connect(there));
        let completed = begun(connect.as_mut()).expect("whoever takes nobody took somebody");
        pause("let in", input).await;
        completed.await;
    }
    must("get-remote-address", socket.get_remote_address());
}

async fn accept(connections: &mut StreamReader<TcpSocket>, input: &mut StreamReader<u8>) {
    drop(connections.read(Vec::with_capacity(1)));
    {
        let mut read = pin!(connections.read(Vec::with_capacity(1)));
        assert!(poll!(read.as_mut()).is_pending());
        let (result, nobody) = read.cancel();
        assert_eq!((result, nobody.len()), (StreamResult::Cancelled, 0));
    }
    assert!(poll!(pin!(connections.read(Vec::with_capacity(1)))).is_pending());
    // To be told that somebody is there, without taking the connection.
    assert!(poll!(pin!(connections.read(Vec::new()))).is_pending());
    // Whoever comes while nobody is asked for is there when somebody is.
    pause("connect", input).await;
    assert_eq!(connections.read(Vec::new()).await.0, StreamResult::Complete(0));
    drop(must("accept", connections.next().await.ok_or(())));
    pause("gone", input).await;
    // Taken back after somebody came: that is one who came.
    {
        let mut read = pin!(connections.read(Vec::with_capacity(1)));
        let completed = begun(read.as_mut()).ok().expect("nobody was there");
        pause("connect", input).await;
        completed.await;
        let (result, came) = read.cancel();
        assert_eq!((result, came.len()), (StreamResult::Complete(1), 1));
        must("get-remote-address", came[0].get_remote_address());
    }
    pause("gone", input).await;
    // Taken back after somebody came, and before anybody could be told: that is one who came, or is there for the next.
    let mut came = {
        let mut read = pin!(connections.read(Vec::with_capacity(1)));
        assert!(poll!(read.as_mut()).is_pending());
        println!("connect");
        sleep(Duration::from_millis(5));
        read.cancel().1
    };
    if came.is_empty() {
        came.extend(connections.next().await);
    }
    assert_eq!(came.len(), 1);
    line(input).await;
    drop(came);
    pause("gone", input).await;
    // Dropped after somebody came: whoever it was is gone.
    {
        let mut read = pin!(connections.read(Vec::with_capacity(1)));
        let completed = begun(read.as_mut()).ok().expect("nobody was there");
        pause("connect", input).await;
        completed.await;
    }
    pause("gone", input).await;
}

async fn datagram(there: IpSocketAddress) {
    let bound = || {
        let socket = must("create", UdpSocket::create(family(from_wasi(there))));
        must("bind", socket.bind(there));
        socket
    };
    let (receiver, sender) = (bound(), bound());
    let address = must("get-local-address", receiver.get_local_address());
    let send = |what: &[u8]| sender.send(what.to_vec(), Some(address));
    drop(send(b"never"));
    drop(receiver.receive());
    assert!(poll!(pin!(receiver.receive())).is_pending());
    must("send", send(b"first").await);
    assert_eq!(must("receive", receiver.receive().await).0, b"first");
    {
        let mut receive = pin!(receiver.receive());
        let completed = begun(receive.as_mut()).ok().expect("nothing was there");
        must("send", send(b"dropped").await);
        must("send", send(b"next").await);
        completed.await;
    }
    // What was received and dropped is gone, and nothing else.
    assert_eq!(must("receive", receiver.receive().await).0, b"next");
    {
        let mut receive = pin!(receiver.receive());
        assert!(poll!(receive.as_mut()).is_pending());
        // That does not wait, and so nobody is told of anything meanwhile.
        must("send", send(b"last").await);
    }
    assert_eq!(must("receive", receiver.receive().await).0, b"last");
    assert!(poll!(pin!(receiver.receive())).is_pending());
}
