//! The other side of a guest's connections, on loopback, and guests that listen.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use crate::harness::PATIENCE;
use crate::harness::process::Running;

/// A guest that has said where it listens.
pub(crate) struct Listening {
    running: Running,
    pub(crate) address: SocketAddr,
    /// Its input, which ends when this is dropped.
    pub(crate) input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Starts a guest that prints `listening on ADDRESS:PORT` first.
pub(crate) fn listening(command: &mut Command) -> Listening {
    let mut child: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
    let (running, mut output) = (Running::of(child), BufReader::new(output));
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let address = line.trim_end().rsplit(' ').next().unwrap();
    let address = address.parse().unwrap_or_else(|_| panic!("no address: {line:?}"));
    Listening { running, address, input, output }
}

impl Listening {
    /// Waits for its end, which must be a good one. What else it said.
    pub(crate) fn end(mut self) -> String {
        let ran = self.running.wait();
        assert_eq!(ran.status(), 0, "{ran:?}");
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        rest
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends all of it while reading what comes back, then says that no more comes.
pub(crate) fn echoed(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
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

pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

/// A server that is no guest: sends back what comes in, on every connection there is, until the test ends.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut reader, &mut stream);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

/// A port on which nobody listens.
pub(crate) const NOBODY: &str = "127.0.0.1:1";
