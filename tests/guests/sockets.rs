//! Servers in three languages on a listener that the host hands over: each language's library reaches its sockets by
//! another way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::process::Running;
use crate::harness::{Folder, PATIENCE, Ran, granted, guest, start, turnkey};

/// A server that runs, and where it listens. It is ended by its own time at the latest.
struct Server {
    running: Running,
    address: SocketAddr,
    stderr: BufReader<ChildStderr>,
}

fn server(flags: &[std::ffi::OsString], name: &str, words: &[&str]) -> Server {
    let mut command: Command = turnkey();
    command.args(["run", "--timeout", "50s", "--tcp-listener", "127.0.0.1:0"]).args(flags).arg(guest(name)).args(words);
    let mut child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let running = Running::of(child);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    let address = line.split('`').nth(1).unwrap_or_else(|| panic!("no address: {line:?}")).parse().unwrap();
    Server { running, address, stderr }
}

impl Server {
    /// Waits for its end: what it said, and it must have said nothing more on stderr.
    fn end(mut self) -> Ran {
        let ran = self.running.wait();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        assert_eq!((ran.status(), rest.as_str()), (0, ""), "{ran:?}");
        ran
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends all of it while reading what comes back, then says that no more comes.
fn echoed(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    let mut writer = stream.try_clone().unwrap();
    let bytes = sent.to_vec();
    let writing: JoinHandle<()> = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    received
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

/// Beside a directory the listener comes after it, where its users are told to look.
fn serves(name: &str) {
    let folder = Folder::new();
    let flags = ["--dir".into(), granted(folder.root(), "/d")];
    let server = server(&flags, name, &["4", "4"]);
    let sizes = [5, 0, 1_000_000, 70_000];
    for size in sizes {
        let sent = pattern(size);
        assert!(echoed(server.address, &sent) == sent, "{size} bytes came back otherwise");
    }
    let ran = server.end();
    assert_eq!(ran.text(), sizes.map(|size| format!("served {size} bytes\n")).concat());
}

#[test]
fn a_server_in_rust_echoes() {
    serves("echo_server");
}

#[test]
fn a_server_in_c_echoes() {
    serves("echo_server_c");
}

#[test]
fn a_server_in_go_echoes() {
    serves("echo_server_go");
}

#[test]
fn without_a_directory_the_listener_is_the_first_descriptor() {
    for (flags, words) in [(&[][..], &[][..]), (&["--env".into(), "LISTEN_FD=3".into()], &[])] {
        let server = server(flags, "echo_server", words);
        assert_eq!(echoed(server.address, b"hello"), b"hello");
        assert_eq!(server.end().text(), "served 5 bytes\n");
    }
}

#[test]
fn of_two_listeners_each_is_its_own_descriptor() {
    let mut second = server(&["--tcp-listener".into(), "127.0.0.1:0".into()], "echo_server", &["4"]);
    let mut line = String::new();
    second.stderr.read_line(&mut line).unwrap();
    second.address = line.split('`').nth(1).unwrap().parse().unwrap();
    assert_eq!(echoed(second.address, b"to the second"), b"to the second");
    second.end();
}

#[test]
fn a_client_that_waits_before_it_speaks_is_waited_for() {
    for name in ["echo_server", "echo_server_c", "echo_server_go"] {
        let server = server(&[], name, &[]);
        let mut stream = connect(server.address);
        for word in [&b"slowly"[..], b" but ", b"surely"] {
            std::thread::sleep(Duration::from_millis(30));
            stream.write_all(word).unwrap();
            let mut back = vec![0; word.len()];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(back, word);
        }
        drop(stream);
        assert_eq!(server.end().text(), "served 17 bytes\n", "{name}");
    }
}

#[test]
fn a_server_that_is_not_given_a_listener_is_told_so() {
    let mut command = turnkey();
    command.arg("run").arg(guest("echo_server")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = start(&mut command).wait();
    assert_ne!(ran.status(), 0);
    assert!(ran.stderr.contains("8") || ran.stderr.contains("descriptor"), "{ran:?}");
}
