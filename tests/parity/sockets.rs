//! The other side of the scenarios with sockets: it does what the transcript says that it does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{ChildStderr, Stdio};
use std::thread::JoinHandle;

use crate::folder::Played;
use crate::harness::PATIENCE;
use crate::harness::process::Running;
use crate::transcript::{Transcript, must_be_same};
use crate::{PROGRAMS, playing};

/// A line like this says what is to be done.
const PEER: &str = "peer: ";

/// Where the program listens: there it is handed a listener, or may make its own.
const ADDRESS: &str = "127.0.0.1:0";
const ALLOWED: &str = "tcp-listen=127.0.0.1:0";

/// Connections, the last of which is spoken by.
struct Peer {
    address: SocketAddr,
    connections: Vec<TcpStream>,
    /// What is written while the other side may not be reading yet.
    writing: Vec<JoinHandle<()>>,
}

#[test]
fn servers_are_the_same_to_their_clients() {
    let [first, others @ ..] = PROGRAMS.map(|program| {
        let handed_over = program == "parity_p1";
        served(program, if handed_over { &["--tcp-listener", ADDRESS] } else { &["--allow", ALLOWED] })
    });
    assert_eq!((first.status, first.scenarios()), (0, 10));
    others.iter().for_each(|other| must_be_same(&first, other));
}

fn served(program: &'static str, flags: &[&str]) -> Transcript {
    let played = Played::new();
    let mut command = playing(&played, program, &[&["--timeout", "50s"], flags].concat(), "sockets");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let running = Running::of(child);
    let address = address(&mut stderr);
    let mut peer = Peer { address, connections: Vec::new(), writing: Vec::new() };
    let mut transcript = Vec::new();
    let mut line = String::new();
    while stdout.read_line(&mut line).unwrap() > 0 {
        transcript.extend_from_slice(line.as_bytes());
        if let Some(what) = line.strip_prefix(PEER) {
            peer.does(what.trim_end_matches('\n'));
        }
        line.clear();
    }
    assert!(peer.connections.is_empty(), "{program}: somebody is still connected");
    peer.writing.into_iter().for_each(|writing| writing.join().unwrap());
    let ran = running.wait();
    let mut rest = Vec::new();
    stderr.read_to_end(&mut rest).unwrap();
    Transcript::new(program, "sockets", ran.status(), transcript, rest, played.left())
}

/// It is said between two marks, first of all.
fn address(stderr: &mut BufReader<ChildStderr>) -> SocketAddr {
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    line.split('`').nth(1).unwrap_or_else(|| panic!("no address: {line:?}")).parse().unwrap()
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 31 % 251) as u8).collect()
}

impl Peer {
    fn last(&mut self) -> &mut TcpStream {
        self.connections.last_mut().expect("somebody is connected")
    }

    fn does(&mut self, what: &str) {
        let (verb, words) = what.split_once(' ').unwrap_or((what, ""));
        match (verb, words.strip_prefix("much ")) {
            ("connect", _) => {
                let stream = TcpStream::connect_timeout(&self.address, PATIENCE).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                self.connections.push(stream);
            }
            ("say", Some(bytes)) => {
                let mut stream = self.last().try_clone().unwrap();
                let bytes = pattern(bytes.parse().unwrap());
                self.writing.push(std::thread::spawn(move || stream.write_all(&bytes).unwrap()));
            }
            ("say", None) => self.last().write_all(words.as_bytes()).unwrap(),
            ("hear", Some(bytes)) => self.hear(&pattern(bytes.parse().unwrap())),
            ("hear", None) if words == "the end" => assert_eq!(self.last().read(&mut [0]).unwrap(), 0),
            ("hear", None) => self.hear(words.as_bytes()),
            ("end", _) => self.last().shutdown(Shutdown::Write).unwrap(),
            ("reset", _) => {
                let stream = self.connections.pop().expect("somebody is connected");
                let no_time = libc::linger { l_onoff: 1, l_linger: 0 };
                let size = size_of::<libc::linger>() as libc::socklen_t;
                let option = (&raw const no_time).cast();
                // SAFETY: the option is of this size, and read only.
                #[allow(unsafe_code, reason = "the standard library cannot end a connection like that")]
                let set =
                    unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, option, size) };
                assert_eq!(set, 0);
            }
            ("close", _) => drop(self.connections.pop().expect("somebody is connected")),
            _ => panic!("the other side cannot do {what:?}"),
        }
    }

    /// Exactly this comes next.
    fn hear(&mut self, expected: &[u8]) {
        let mut heard = vec![0; expected.len()];
        self.last().read_exact(&mut heard).unwrap();
        assert!(heard == expected, "{} instead of {}", heard.escape_ascii(), expected.escape_ascii());
    }
}
