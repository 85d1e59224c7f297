//! TCP by `wasi:sockets`: guests that listen, guests that connect, and what grants let them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::harness::{Ran, run};
use crate::peer::{NOBODY, connect, echo, echoed, listening, pattern};
use crate::running;

/// `tcp_client WORDS` with flags.
fn client(flags: &[&str], words: &[&str]) -> Ran {
    run(&mut running(flags, "tcp_client", words))
}

fn allow(what: &str) -> String {
    format!("--allow={what}")
}

#[test]
fn a_server_sends_back_what_comes_in() {
    let sizes = [5, 0, 3_000_000, 70_000];
    let server = listening(&mut running(&[allow("tcp-listen=127.0.0.1:0")], "tcp_echo_server", &["127.0.0.1:0", "4"]));
    for size in sizes {
        let sent = pattern(size);
        assert!(echoed(server.address, &sent) == sent, "{size} bytes came back otherwise");
    }
    assert_eq!(server.end(), "4 connections, 1 at once, 3070005 bytes\n");
}

#[test]
fn a_server_has_many_connections_at_once() {
    const CONNECTIONS: usize = 200;
    let flags = [allow("tcp-listen=127.0.0.1:0")];
    let server = listening(&mut running(&flags, "tcp_echo_server", &["127.0.0.1:0", &CONNECTIONS.to_string()]));
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(server.address)).collect();
    for round in 0..3 {
        let word = |index: usize| format!("round {round} of {index:05}").into_bytes();
        for (index, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&word(index)).unwrap();
        }
        // From the last to the first: it answers whom it likes, and nobody waits for another.
        for (index, stream) in streams.iter_mut().enumerate().rev() {
            let mut came = vec![0; word(index).len()];
            stream.read_exact(&mut came).unwrap();
            assert_eq!(came, word(index));
        }
    }
    drop(streams);
    assert_eq!(server.end(), format!("{CONNECTIONS} connections, {CONNECTIONS} at once, 9600 bytes\n"));
}

#[test]
fn a_server_ends_with_its_input() {
    let flags = [allow("tcp-listen=127.0.0.1:0")];
    let mut server = listening(&mut running(&flags, "tcp_echo_server", &["127.0.0.1:0", "stdin"]));
    assert_eq!(echoed(server.address, b"hello"), b"hello");
    server.input.take().unwrap().write_all(b"not the end").unwrap();
    assert_eq!(server.end(), "1 connections, 1 at once, 5 bytes\n");
}

#[test]
fn a_server_outlives_peers_that_break_off() {
    let flags = [allow("tcp-listen=127.0.0.1:0")];
    let server = listening(&mut running(&flags, "tcp_echo_server", &["127.0.0.1:0", "3"]));
    // Whoever closes with something unread resets the connection.
    for _ in 0..2 {
        let mut stream = connect(server.address);
        stream.write_all(&pattern(100_000)).unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).unwrap();
    }
    assert_eq!(echoed(server.address, b"still there"), b"still there");
    assert!(server.end().starts_with("3 connections, "));
}

#[test]
fn a_server_at_its_limit_serves_on_and_takes_the_next_when_one_has_gone() {
    let mut flags = vec![allow("tcp-listen=127.0.0.1:0")];
    // The listener is one of them.
    flags.push("--max-sockets=3".to_owned());
    let mut command = running(&flags, "tcp_echo_server", &["127.0.0.1:0", "3"]);
    let server = listening(command.stderr(std::process::Stdio::null()));
    let mut streams: Vec<TcpStream> = (0..3).map(|_| connect(server.address)).collect();
    let ask = |stream: &mut TcpStream| {
        let mut came = [0; 4];
        stream.write_all(b"ping").unwrap();
        stream.read_exact(&mut came).unwrap();
        assert_eq!(&came, b"ping");
    };
    ask(&mut streams[0]);
    ask(&mut streams[1]);
    streams.remove(0).shutdown(Shutdown::Write).unwrap();
    ask(&mut streams[1]);
    drop(streams);
    assert_eq!(server.end(), "3 connections, 2 at once, 12 bytes\n");
}

#[test]
fn listening_is_granted_by_address_and_port() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = free();
    let (exact, any) = (format!("127.0.0.1:{port}"), "127.0.0.1:0".to_owned());
    for (grant, local, granted) in [
        (format!("tcp-listen={exact}"), &exact, true),
        ("tcp-listen=127.0.0.1:*".to_owned(), &exact, true),
        ("tcp-listen=127.0.0.1:*".to_owned(), &any, true),
        ("tcp-listen=*:0".to_owned(), &any, true),
        ("network".to_owned(), &any, true),
        // Any port is more than one port, and one port is not any.
        (format!("tcp-listen={exact}"), &any, false),
        ("tcp-listen=127.0.0.1:0".to_owned(), &exact, false),
        ("tcp-listen=127.0.0.2:*".to_owned(), &any, false),
        (format!("tcp-connect={exact}"), &exact, false),
        ("udp-bind=*:*".to_owned(), &any, false),
    ] {
        let mut command = running(&[allow(&grant)], "tcp_echo_server", &[local, "0"]);
        let ran = run(&mut command);
        if granted {
            assert!(ran.quiet().starts_with("listening on 127.0.0.1:"), "{grant} for {local}: {ran:?}");
        } else {
            let expected = (1, "start-bind: access-denied\n", "");
            assert_eq!((ran.status(), ran.stderr.as_str(), ran.text()), expected, "{grant} for {local}");
        }
    }
}

#[test]
fn connecting_is_granted_by_address_and_port() {
    let there = echo();
    let (target, port) = (there.to_string(), there.port());
    for grant in [format!("tcp-connect={target}"), format!("tcp-connect=127.0.0.0/8:{port}"), "network".to_owned()] {
        let ran = client(&[&allow(&grant)], &[&target, "hello"]);
        assert_eq!(ran.quiet(), format!("connected to {target}\ncame back: hello\n"), "{grant}");
    }
    let other = port ^ 1;
    for grant in [
        format!("tcp-connect=127.0.0.1:{other}"),
        format!("tcp-connect=127.0.0.2:{port}"),
        format!("tcp-connect=[::1]:{port}"),
        format!("tcp-connect=10.0.0.0/8:{port}"),
        format!("tcp-listen={target}"),
        format!("udp={target}"),
        "resolve=*".to_owned(),
    ] {
        let ran = client(&[&allow(&grant)], &[&target, "hello"]);
        assert_eq!((ran.status(), ran.text()), (4, "start-connect: access-denied\n"), "{grant}");
    }
    let ran = client(&["--explain"], &[&target]);
    assert!(ran.stderr.contains(&format!("--allow tcp-connect={target}")), "{}", ran.stderr);
}

#[test]
fn binding_before_a_connection_is_granted_as_listening_is() {
    let target = echo().to_string();
    let connect = allow(&format!("tcp-connect={target}"));
    let words = [&target, "hello", "--bind", "127.0.0.1:0"];
    let ran = client(&[&connect], &words);
    assert_eq!((ran.status(), ran.text()), (4, "start-bind: access-denied\n"));
    let ran = client(&[&connect, "--allow=tcp-listen=127.0.0.1:0"], &words);
    assert_eq!(ran.quiet(), format!("connected to {target}\ncame back: hello\n"));
}

#[test]
fn a_name_that_is_granted_is_looked_up_and_its_addresses_are_granted() {
    let there = echo();
    let port = there.port();
    let (by_name, by_address) = (format!("server.example:{port}"), there.to_string());
    let host = "--add-host=server.example:127.0.0.1";
    let exact = allow(&format!("tcp-connect=server.example:{port}"));
    let ran = client(&[host, &exact], &[&by_name, "hello"]);
    assert_eq!(ran.quiet(), format!("connected to {there}\ncame back: hello\n"));
    // Who has not looked it up has not got its address.
    let ran = client(&[host, &exact], &[&by_address]);
    assert_eq!((ran.status(), ran.text()), (4, "start-connect: access-denied\n"));
    // A pattern grants no address of this machine, or of the net that it is in.
    let pattern = allow(&format!("tcp-connect=*.example:{port}"));
    let ran = client(&[host, &pattern], &[&by_name]);
    assert_eq!((ran.status(), ran.text()), (4, "start-connect: access-denied\n"));
    // To look a name up is not to connect.
    let ran = client(&[host, "--allow=resolve=server.example"], &[&by_name]);
    assert_eq!((ran.status(), ran.text()), (4, "start-connect: access-denied\n"));
    let ran = client(&[host, &allow(&format!("tcp-connect=other.example:{port}"))], &[&by_name]);
    assert_eq!((ran.status(), ran.text()), (4, "resolve-addresses: access-denied\n"));
}

#[test]
fn much_goes_through_both_ways_at_once() {
    let target = echo().to_string();
    let ran = client(&["--allow=network"], &[&target, "bytes=10000000"]);
    assert_eq!(ran.quiet(), format!("connected to {target}\n10000000 bytes came back, the same: true\n"));
}

/// What a stream has promised to send comes before the end that a shutdown tells, however slowly the peer reads.
#[test]
fn a_peer_that_reads_slowly_gets_everything() {
    const BYTES: usize = 12_000_000;
    let server = listening(&mut running(&[allow("tcp-listen=127.0.0.1:0")], "tcp_echo_server", &["127.0.0.1:0", "1"]));
    let mut stream = connect(server.address);
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        writer.write_all(&pattern(BYTES)).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    // Until both sides' buffers are full.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let (mut came, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            read => came.extend_from_slice(&piece[..read]),
        }
        if came.len() % 1_000_000 < piece.len() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    sending.join().unwrap();
    assert!(came == pattern(BYTES), "{} of {BYTES} bytes came back", came.len());
    server.end();
}

#[test]
fn a_guest_talks_to_a_guest() {
    let flags = [allow("tcp-listen=127.0.0.1:0")];
    let server = listening(&mut running(&flags, "tcp_echo_server", &["127.0.0.1:0", "1"]));
    let target = server.address.to_string();
    let ran = client(&[&allow(&format!("tcp-connect={target}"))], &[&target, "bytes=1000000"]);
    assert!(ran.quiet().ends_with("1000000 bytes came back, the same: true\n"));
    assert_eq!(server.end(), "1 connections, 1 at once, 1000000 bytes\n");
}

#[test]
fn where_nobody_listens_a_connection_is_refused() {
    let ran = client(&[&allow(&format!("tcp-connect={NOBODY}"))], &[NOBODY]);
    assert_eq!((ran.status(), ran.text()), (4, "finish-connect: connection-refused\n"));
}

/// The same for both families, but for an address that the other has no like of.
fn states(local: &str, of_its_own: &str) {
    let flags = ["--allow=tcp-listen=*:*", "--allow=tcp-connect=*:*"];
    let ran = run(&mut running(&flags, "tcp_states", &[local]));
    let expected = include_str!("transcripts/tcp_states.txt").replace("FAMILY", of_its_own);
    assert_eq!(ran.quiet(), expected);
}

#[test]
fn each_state_of_a_socket_allows_what_the_standard_says() {
    states("127.0.0.1:0", "broadcast");
    if TcpListener::bind("[::1]:0").is_ok() {
        states("[::1]:0", "a mapped address");
    }
}

#[test]
fn waiting_for_a_connection_ends_with_the_time() {
    let flags = ["--timeout=300ms", "--allow=tcp-listen=127.0.0.1:0"];
    let ran = run(&mut running(&flags, "p2_hog", &["accept", "127.0.0.1:0"]));
    assert_eq!((ran.status(), ran.text()), (124, "listening\n"), "{ran:?}");
}
