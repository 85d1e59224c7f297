//! Tries to reach, and to hear, a peer that it was not granted: `p3_denied GRANTED DENIED`, two addresses with ports.
//!
//! It tells its own address first, by a datagram to GRANTED, whose answer it waits for; by then DENIED has written to it as
//! well. A line for each attempt: what was done, and the code.

use std::net::SocketAddr;
use std::pin::pin;

use async_components::{address, command, fail, family, from_wasi, must, to_wasi, whether};
use futures::future::{Either, select};
use wasip3::cli::environment::get_arguments;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::sockets::types::UdpSocket;

const SECOND: u64 = 1_000_000_000;

command!(run);

async fn run() -> Result<(), ()> {
    let arguments = get_arguments().split_off(1);
    let [granted, denied] = arguments.as_slice() else { fail("p3_denied", "usage: p3_denied GRANTED DENIED") };
    let (granted, denied) = (address(granted), address(denied));
    let socket = bound(granted);

    send("to the peer that is granted", &socket, "granted", Some(granted)).await;
    send("to the peer that is denied", &socket, "denied", Some(denied)).await;
    println!("connected to the peer that is denied: {}", whether(socket.connect(to_wasi(denied))));
    send("not connected, to nobody", &socket, "denied", None).await;

    println!("connected to the granted one: {}", whether(socket.connect(to_wasi(granted))));
    send("connected to the granted one, to it", &socket, "granted", None).await;
    send("connected to the granted one, to it by its address", &socket, "granted", Some(granted)).await;
    send("connected to the granted one, to the denied one", &socket, "denied", Some(denied)).await;
    println!("connected again, to the denied one: {}", whether(socket.connect(to_wasi(denied))));
    send("connected again, to nobody", &socket, "granted", None).await;
    println!("disconnected: {}", whether(socket.disconnect()));
    send("no longer connected, to the denied one", &socket, "denied", Some(denied)).await;
    send("no longer connected, to nobody", &socket, "denied", None).await;

    // Whoever is granted answers when both have written.
    send("asking for an answer", &socket, "answer", Some(granted)).await;
    receive("by a socket without a peer", &socket).await;
    println!("connected to the granted one: {}", whether(socket.connect(to_wasi(granted))));
    send("asking for an answer", &socket, "answer", None).await;
    receive("by a socket with a peer", &socket).await;
    Ok(())
}

fn bound(like: SocketAddr) -> UdpSocket {
    let socket = must("create", UdpSocket::create(family(like)));
    must("bind", socket.bind(to_wasi(SocketAddr::new(like.ip(), 0))));
    socket
}

async fn send(what: &str, socket: &UdpSocket, text: &str, to: Option<SocketAddr>) {
    println!("{what}: {}", whether(socket.send(text.as_bytes().to_vec(), to.map(to_wasi)).await));
}

/// Receives until the granted one has answered; what else came.
async fn receive(what: &str, socket: &UdpSocket) {
    loop {
        let received = match select(pin!(socket.receive()), pin!(wait_for(20 * SECOND))).await {
            Either::Left((received, _)) => received,
            Either::Right(_) => fail(what, "no answer"),
        };
        let (data, from) = must("receive", received);
        let text = String::from_utf8_lossy(&data).into_owned();
        println!("{what}, came: {text} from port {}", from_wasi(from).port());
        if text == "answer" {
            return;
        }
    }
}
