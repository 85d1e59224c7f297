//! TCP by `wasi:sockets` of Preview 3: its states, its streams and what is left when they are dropped, as peers see it that
//! are no guests.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Stdio;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::harness::process::Running;
use crate::harness::{PATIENCE, Ran, run, start};
use crate::peer::{NOBODY, connect, echo, echoed, listening, pattern};
use crate::running;

const PROGRAM: &str = "p3_tcp_states";
const ANY: [&str; 2] = ["--allow=tcp-listen=*:*", "--allow=tcp-connect=*:*"];

/// `p3_tcp_states WORDS` that may do everything with TCP.
fn scene(words: &[&str]) -> Ran {
    run(&mut running(&ANY, PROGRAM, words))
}

/// The same with this scene and the address of a peer, who does this with each connection.
fn scene_with<R: Send + 'static>(words: &[&str], peer: impl FnOnce(TcpListener) -> R + Send + 'static) -> (Ran, R) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let there: JoinHandle<R> = std::thread::spawn(move || peer(listener));
    let mut all = vec![words[0], &address];
    all.extend(&words[1..]);
    let ran = scene(&all);
    (ran, there.join().unwrap())
}

/// The next who connects, and whom nobody waits for without an end.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begin = Instant::now();
    let (stream, _) = loop {
        match listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && begin.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(2));
            }
            accepted => break accepted.unwrap(),
        }
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the end, or what came instead of one.
fn rest(stream: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut came = Vec::new();
    let ended = stream.read_to_end(&mut came);
    (String::from_utf8(came).unwrap(), ended.err().map(|error| error.kind()))
}

fn exactly(came: &str) -> (String, Option<ErrorKind>) {
    (came.to_owned(), None)
}

/// `reset ORDER`, with a peer that does this when something has come, and which the guest looks at after that.
fn broken(order: &str, peer: impl FnOnce(TcpStream)) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = running(&ANY, PROGRAM, &["reset", &address, order]);
    let mut guest = start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    let stream = accept(&listener);
    assert!(stream.peek(&mut [0]).unwrap() > 0);
    peer(stream);
    drop(guest.child.stdin.take());
    guest.wait()
}

/// Both families, as far as this machine has them.
fn families() -> Vec<&'static str> {
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    if has_ipv6 { vec!["127.0.0.1:0", "[::1]:0"] } else { vec!["127.0.0.1:0"] }
}

#[test]
fn each_state_of_a_socket_allows_what_the_standard_says() {
    for local in families() {
        assert_eq!(scene(&["states", local]).quiet(), include_str!("transcripts/tcp_states.txt"), "{local}");
    }
}

#[test]
fn a_listener_is_there_as_long_as_its_socket_or_its_stream() {
    let expected = "\
not bound
  get-local-address: any address: true
  listen: invalid-state
  accepted: somebody came, with hop limit ok: 17
without its socket
  bind of another: address-in-use
  accepted: somebody came, with hop limit ok: 17
without both
  connect: connection-refused
without its stream
  get-is-listening: true
  listen: invalid-state
  connect: ok
  bind of another: address-in-use
without both
  connect: connection-refused
";
    for local in families() {
        assert_eq!(scene(&["listen", local]).quiet(), expected, "{local}");
    }
}

#[test]
fn a_connection_is_sent_over_and_received_from_once_and_not_before_it_is_one() {
    let target = echo().to_string();
    let expected = "\
send: invalid-state
receive: ``, invalid-state
send twice: invalid-state
receive twice: ``, invalid-state
the first goes on: complete(5)
and comes back: complete(5): hello
sent: ok
received: ``, ok
";
    assert_eq!(scene(&["once", &target]).quiet(), expected);
}

#[test]
fn the_end_of_what_is_sent_is_the_end_for_the_peer_and_not_for_what_it_answers() {
    let (ran, came) = scene_with(&["sends"], |listener| {
        let mut stream = accept(&listener);
        let came = rest(&mut stream);
        stream.write_all(b"an answer").unwrap();
        came
    });
    assert_eq!(came, exactly("all of it"));
    assert_eq!(ran.quiet(), "sent: ok\nreceived: `an answer`, ok\nstill connected: ok\n");
}

#[test]
fn the_end_of_what_the_peer_sends_is_none_for_what_is_sent_to_it() {
    let (ran, came) = scene_with(&["hears"], |listener| {
        let mut stream = accept(&listener);
        stream.write_all(b"a question").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        rest(&mut stream)
    });
    assert_eq!(came, exactly("an answer"));
    assert_eq!(ran.quiet(), "received: `a question`, ok\nsent: ok\n");
}

#[test]
fn reading_and_writing_nothing_takes_nothing_and_a_read_of_nothing_waits_for_something() {
    let (ran, came) = scene_with(&["zero"], |listener| {
        let mut stream = accept(&listener);
        let mut came = [0; 2];
        stream.read_exact(&mut came).unwrap();
        stream.write_all(b"something").unwrap();
        let ended = rest(&mut stream);
        drop(stream);
        (came, ended, rest(&mut accept(&listener)))
    });
    assert_eq!(came, (*b"go", exactly(""), exactly("")));
    let expected = "\
write of nothing: complete(0)
read of nothing waits: true
write: complete(2)
read of nothing: Complete(0), 0 bytes
read: complete(9): something
sent: ok
read of nothing at the end: Complete(0)
received: ``, ok
nothing at all: ok
received: ``, ok
";
    assert_eq!(ran.quiet(), expected);
}

/// Whatever goes first: what was written arrives, its end too, and what was not read is no reason to break off.
#[test]
fn whatever_is_dropped_first_the_rest_goes_on_and_the_peer_gets_an_end() {
    // Less than the peer's side sends before it is told that there is room.
    const UNREAD: usize = 10_000;
    for order in ["srw", "swr", "rsw", "rws", "wsr", "wrs", "WRsrw", "RrWws", "wWrRs", "sRWwr", ""] {
        let (ran, came) = scene_with(&["drops", order], |listener| {
            let mut stream = accept(&listener);
            stream.write_all(&pattern(UNREAD)).unwrap();
            rest(&mut stream)
        });
        let written = order.split('w').next().unwrap();
        assert_eq!(came, exactly(written), "{order}");
        let mut expected = String::from("Complete(1) [0]\n");
        for letter in written.chars() {
            expected += &format!("{letter}: complete(1)\n");
        }
        // Without an order, all of it goes with the function.
        if !order.is_empty() {
            expected += if order.contains('W') { "" } else { "sent: ok\n" };
            expected += if order.contains('R') { "" } else { "received: ok\n" };
            assert_eq!(ran.quiet(), expected, "{order}");
        }
    }
}

/// A connection that is closed with something unread is reset, which takes what is on its way as well.
#[test]
fn whoever_answers_before_it_has_read_everything_is_heard_to_the_end() {
    for bytes in [0, 1, 600_000] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut command = running(&ANY, PROGRAM, &["unread", &address, &bytes.to_string()]);
        let guest = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let mut peer = accept(&listener);
        peer.write_all(&pattern(10_000)).unwrap();
        let ran = guest.wait();
        let sent = if bytes == 0 { "" } else { "sent: ok\n" };
        assert_eq!(ran.quiet(), format!("read: 5\nreceived: ok\n{sent}"), "{bytes}");
        let (came, ended) = rest(&mut peer);
        assert_eq!((came.len(), ended), (bytes, None), "{bytes}");
    }
}

/// Whoever closes with something unread resets a connection.
#[test]
fn a_connection_that_is_broken_off_says_so_in_both_directions_whoever_looks_first() {
    let begin = "write: complete(2)\nthere is something to read: Complete(0)\n";
    for (order, expected) in [
        ("wr", "write: dropped\nread: dropped: \nsent: connection-reset\nreceived: connection-reset\n"),
        ("rw", "read: dropped: \nwrite: dropped\nsent: connection-reset\nreceived: connection-reset\n"),
        // Whoever only ends what it sends, or does not want to hear.
        ("er", "read: dropped: \nsent: connection-reset\nreceived: connection-reset\n"),
        ("re", "read: dropped: \nsent: connection-reset\nreceived: connection-reset\n"),
        ("dw", "write: dropped\nsent: connection-reset\nreceived: ok\n"),
        ("de", "sent: connection-reset\nreceived: ok\n"),
        ("rd", "read: dropped: \nsent: connection-reset\nreceived: connection-reset\n"),
    ] {
        assert_eq!(broken(order, drop).quiet(), format!("{begin}{expected}"), "{order}");
    }
}

#[test]
fn what_came_before_a_connection_was_broken_off_is_read_before_that_is_told() {
    let ran = broken("wrr", |mut peer| peer.write_all(b"last words").unwrap());
    let expected = "\
write: complete(2)
there is something to read: Complete(0)
write: dropped
read: complete(10): last words
read: dropped:\x20
sent: connection-reset
received: connection-reset
";
    assert_eq!(ran.quiet(), expected);
}

#[test]
fn a_peer_that_ended_before_it_broke_off_has_ended() {
    for order in ["wr", "rw"] {
        let ran = broken(order, |peer| peer.shutdown(Shutdown::Write).unwrap());
        let ends = "sent: connection-broken\nreceived: ok\n";
        assert!(ran.quiet().ends_with(ends), "{order}: {}", ran.text());
        assert!(ran.text().contains("write: dropped\n") && ran.text().contains("read: dropped: \n"), "{order}");
    }
}

#[test]
fn where_nobody_listens_and_where_no_way_leads_a_connection_fails_with_its_reason() {
    assert_eq!(scene(&["connect", NOBODY]).quiet(), "connect: connection-refused\n");
    // Loopback is no link with a neighbour on it, so that nothing is sent.
    if families().len() > 1 {
        let ran = run(&mut running(&["--allow=network"], PROGRAM, &["connect", "[fe80::1%1]:9"]));
        assert_eq!(ran.quiet(), "connect: remote-unreachable\n");
    }
}

/// Whether the kernel has a connection of this address that is being made.
fn is_being_made(local: SocketAddr) -> bool {
    let SocketAddr::V4(local) = local else { panic!("{local}") };
    let here = format!("{:08X}:{:04X}", u32::from_le_bytes(local.ip().octets()), local.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|row| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        columns[1] == here && columns[3] == "02"
    })
}

#[test]
fn a_connection_that_is_not_waited_for_any_more_is_not_made_any_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _waiting = fill(&listener);
    let address = listener.local_addr().unwrap().to_string();
    let mut guest = listening(&mut running(&ANY, PROGRAM, &["cancel", &address]));
    assert!(!is_being_made(guest.address), "{}", guest.address);
    drop(guest.input.take());
    assert_eq!(guest.end(), "connect: invalid-state\n");
}

/// Lets in as few as can be, and connects until nobody is let in any more.
#[allow(unsafe_code, reason = "Rust's library does not let one say how many wait")]
fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    // SAFETY: it takes no pointers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 100);
    }
    waiting
}

#[test]
fn connecting_binding_and_listening_are_granted_by_address_and_port() {
    let there = echo();
    let (target, port, other) = (there.to_string(), there.port(), there.port() ^ 1);
    for (grant, words, answer) in [
        (format!("tcp-connect={target}"), ["connect", &target], "connect: ok\n"),
        (format!("tcp-connect=127.0.0.1:{other}"), ["connect", &target], "connect: access-denied\n"),
        (format!("tcp-connect=127.0.0.2:{port}"), ["connect", &target], "connect: access-denied\n"),
        (format!("tcp-listen={target}"), ["connect", &target], "connect: access-denied\n"),
        (format!("udp={target}"), ["connect", &target], "connect: access-denied\n"),
        ("tcp-listen=127.0.0.1:0".to_owned(), ["bind", "127.0.0.1:0"], "bind: ok\n"),
        ("tcp-listen=127.0.0.1:0".to_owned(), ["bind", "127.0.0.2:0"], "bind: access-denied\n"),
        ("tcp-listen=127.0.0.1:0".to_owned(), ["bind", "0.0.0.0:0"], "bind: access-denied\n"),
        ("tcp-connect=*:*".to_owned(), ["bind", "127.0.0.1:0"], "bind: access-denied\n"),
        // Whoever is not bound would listen everywhere.
        ("tcp-listen=0.0.0.0:0".to_owned(), ["unbound", "127.0.0.1:0"], "listen: ok\n"),
        ("tcp-listen=[::]:0".to_owned(), ["unbound", "[::1]:0"], "listen: ok\n"),
        ("tcp-listen=127.0.0.1:*".to_owned(), ["unbound", "127.0.0.1:0"], "listen: access-denied\n"),
        ("tcp-connect=*:*".to_owned(), ["unbound", "127.0.0.1:0"], "listen: access-denied\n"),
    ] {
        let ran = run(&mut running(&[format!("--allow={grant}")], PROGRAM, &words));
        assert_eq!(ran.quiet(), answer, "{grant} for {words:?}");
    }
    let ran = run(&mut running(&["--explain"], PROGRAM, &["unbound", "127.0.0.1:0"]));
    assert!(ran.stderr.contains("--allow tcp-listen=0.0.0.0:0"), "{}", ran.stderr);
}

#[test]
fn a_port_of_the_system_is_what_the_system_says() {
    let expected = match TcpListener::bind("127.0.0.1:1") {
        Ok(_) => "bind: ok\n",
        Err(error) if error.kind() == ErrorKind::PermissionDenied => "bind: access-denied\n",
        Err(_) => "bind: address-in-use\n",
    };
    assert_eq!(scene(&["bind", "127.0.0.1:1"]).quiet(), expected);
}

#[test]
fn a_server_sends_back_what_comes_in() {
    let sizes = [5, 0, 3_000_000, 70_000];
    let server = listening(&mut running(&ANY, PROGRAM, &["serve", "127.0.0.1:0", "4"]));
    for size in sizes {
        let sent = pattern(size);
        assert!(echoed(server.address, &sent) == sent, "{size} bytes came back otherwise");
    }
    assert_eq!(server.end(), "4 connections, 1 at once\n");
}

#[test]
fn a_server_has_many_connections_at_once() {
    const CONNECTIONS: usize = 200;
    let server = listening(&mut running(&ANY, PROGRAM, &["serve", "127.0.0.1:0", &CONNECTIONS.to_string()]));
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(server.address)).collect();
    for round in 0..3 {
        let word = |index: usize| format!("round {round} of {index:05}").into_bytes();
        for (index, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&word(index)).unwrap();
        }
        for (index, stream) in streams.iter_mut().enumerate().rev() {
            let mut came = vec![0; word(index).len()];
            stream.read_exact(&mut came).unwrap();
            assert_eq!(came, word(index));
        }
    }
    drop(streams);
    assert_eq!(server.end(), format!("{CONNECTIONS} connections, {CONNECTIONS} at once\n"));
}

/// At its limit a server takes nobody in, and loses nobody: whoever waits is served when somebody else has gone.
#[test]
fn a_server_at_its_limit_serves_on_and_takes_the_next_when_one_has_gone() {
    // The listener is one of them.
    let mut command = running(&[ANY[0], "--max-sockets=3"], PROGRAM, &["serve", "127.0.0.1:0", "5"]);
    let server = listening(command.stderr(Stdio::null()));
    let mut streams: Vec<TcpStream> = (0..5).map(|_| connect(server.address)).collect();
    let mut came = [0; 4];
    for stream in &mut streams[..2] {
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"ping");
    }
    streams[2].write_all(b"wait").unwrap();
    streams[2].set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(streams[2].read(&mut came).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    streams.remove(0);
    streams[1].set_read_timeout(Some(PATIENCE)).unwrap();
    streams[1].read_exact(&mut came).unwrap();
    assert_eq!(&came, b"wait");
    drop(streams);
    assert_eq!(server.end(), "5 connections, 2 at once\n");
}

/// A server at its limit whom nobody wants anything of is idle.
#[test]
fn a_server_at_its_limit_does_not_spin() {
    // The first may have to compile, which is work.
    scene(&["serve", "127.0.0.1:0", "0"]).quiet();
    let mut command = running(&[ANY[0], "--max-sockets=2"], PROGRAM, &["serve", "127.0.0.1:0", "2"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address: SocketAddr = first.rsplit(' ').next().unwrap().parse().unwrap();
    let (first, second) = (connect(address), connect(address));
    let begin = Instant::now();
    sleep(Duration::from_secs(1));
    drop((first, second));
    let ran = Running::of(child).wait();
    assert_eq!(ran.status(), 0, "{ran:?}");
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert!(ran.cpu < Duration::from_millis(700), "{:?}", ran.cpu);
}

#[test]
fn a_server_outlives_those_who_come_and_go() {
    // More than are passed over in one turn.
    const GONE: usize = 300;
    let mut server = listening(&mut running(&ANY, PROGRAM, &["accept", "127.0.0.1:0"]));
    for _ in 0..GONE {
        reset_now(connect(server.address));
    }
    let mut last = connect(server.address);
    last.write_all(b"still there").unwrap();
    last.shutdown(Shutdown::Write).unwrap();
    drop(server.input.take());
    assert_eq!(rest(&mut last), exactly("hello"));
    let expected = "read of nothing: Complete(0), 0 of them\nreceived: `still there`, ok\nsent: ok\n";
    assert_eq!(server.end(), expected);
}

/// Whoever asks whether somebody is there has let nobody in.
#[test]
fn a_read_of_nothing_is_told_that_somebody_is_there_who_stays_outside() {
    let mut command = running(&[ANY[0], "--max-sockets=1", "--timeout=2s"], PROGRAM, &["accept", "127.0.0.1:0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let _client = connect(first.rsplit(' ').next().unwrap().parse().unwrap());
    drop(child.stdin.take());
    assert_eq!(lines.next().unwrap().unwrap(), "read of nothing: Complete(0), 0 of them");
    // And there is no room for anybody.
    assert_eq!(Running::of(child).wait().status(), 124);
}

/// Breaks a connection off over which nothing has come.
#[allow(unsafe_code, reason = "Rust's library has no word for this option yet")]
fn reset_now(stream: TcpStream) {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    let bytes = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the option is read from a value of ours, which is as long as it is said to be.
    let set = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const at_once).cast(), bytes)
    };
    assert_eq!(set, 0);
}

#[test]
fn a_guest_talks_to_a_guest() {
    let server = listening(&mut running(&ANY, PROGRAM, &["serve", "127.0.0.1:0", "1"]));
    let ran = scene(&["once", &server.address.to_string()]);
    assert!(ran.quiet().ends_with("sent: ok\nreceived: ``, ok\n"));
    assert_eq!(server.end(), "1 connections, 1 at once\n");
}

#[test]
fn waiting_for_somebody_to_come_or_to_answer_ends_with_the_time() {
    let flags = [ANY[0], ANY[1], "--timeout=300ms"];
    let ran = run(&mut running(&flags, PROGRAM, &["serve", "127.0.0.1:0", "1"]));
    assert_eq!(ran.status(), 124, "{ran:?}");
    let (ran, _) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (run(&mut running(&flags, PROGRAM, &["hears", &address])), listener)
    };
    assert_eq!(ran.status(), 124, "{ran:?}");
}
