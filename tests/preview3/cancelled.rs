//! Operations that are dropped or taken back before they begin, while they wait, and after they have been completed: nothing
//! is lost by it, and nothing stays behind.
//!
//! The programs say what is to be done about them, and the kernel says what they hold: descriptors by `/proc`, and the limits
//! are so low that a program ends at one if a task, a handle or a byte stayed behind in each round.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::process::Running;
use crate::harness::{Folder, PATIENCE, granted};
use crate::peer::connect;
use crate::running;

/// What little is enough for one round of each scene.
const LIMITS: [&str; 5] =
    ["--max-handles=64", "--max-descriptors=8", "--max-sockets=4", "--max-memory=3MiB", "--timeout=55s"];

/// A program while it plays a scene, and where it speaks.
struct Playing {
    running: Running,
    input: ChildStdin,
    says: Box<dyn BufRead>,
}

impl Playing {
    /// It speaks on its standard output.
    fn begin(command: &mut Command) -> Self {
        let (running, input, output) = spawn(command);
        Playing { running, input, says: Box::new(BufReader::new(output)) }
    }

    /// The scene to its end: `answer` does what the program says is to be done, and gives what it is given for it.
    fn play(mut self, mut answer: impl FnMut(&str) -> &'static str) {
        let (mut line, mut after_one) = (String::new(), None);
        loop {
            line.clear();
            self.says.read_line(&mut line).unwrap();
            let given = match line.trim_end() {
                "ready" => "\n",
                "once" => {
                    after_one = Some(self.descriptors());
                    "\n"
                }
                "done" => break,
                "" => panic!("it has ended: {:?}", self.running.wait()),
                what => answer(what),
            };
            self.input.write_all(given.as_bytes()).unwrap();
        }
        let after_one = after_one.unwrap();
        let begin = Instant::now();
        // A look-up that was dropped has one until the system has answered.
        while self.descriptors().len() > after_one.len() {
            assert!(begin.elapsed() < PATIENCE, "left behind: {:?} became {:?}", after_one, self.descriptors());
            sleep(Duration::from_millis(10));
        }
        self.input.write_all(b"\n").unwrap();
        let ran = self.running.wait();
        assert_eq!(ran.status(), 0, "{ran:?}");
    }

    /// What its process has open.
    fn descriptors(&self) -> Vec<PathBuf> {
        let folder = format!("/proc/{}/fd", self.running.child.id());
        let links = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        // One that is there when the folder is read and gone then is none.
        links.filter_map(|link| std::fs::read_link(link).ok()).collect()
    }
}

fn spawn(command: &mut Command) -> (Running, ChildStdin, ChildStdout) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (Running::of(child), input, output)
}

/// `p3_cancel SCENE ROUNDS …`, with the folder as `/d`.
fn scene(folder: &Folder, words: &[&str]) -> Playing {
    let mut flags = Vec::from(LIMITS.map(Into::into));
    flags.extend(["--allow=resolve=localhost".into(), "--dir".into(), granted(folder.root(), "/d")]);
    Playing::begin(&mut running(&flags, "p3_cancel", words))
}

fn nothing_else(what: &str) -> &'static str {
    panic!("what is this: {what:?}");
}

#[test]
fn a_timer_that_is_dropped_leaves_nothing_behind() {
    scene(&Folder::new(), &["timer", "1000"]).play(nothing_else);
}

#[test]
fn a_look_up_that_is_dropped_leaves_nothing_behind() {
    scene(&Folder::new(), &["lookup", "150", "localhost"]).play(nothing_else);
}

#[test]
fn what_is_done_with_files_is_done_at_once_or_not_at_all() {
    scene(&Folder::new(), &["files", "300"]).play(nothing_else);
}

#[test]
fn a_listing_that_is_taken_back_loses_no_entry() {
    let folder = Folder::new();
    for entry in 0..200 {
        folder.file(format!("entry-{entry}"), "");
    }
    scene(&folder, &["listing", "30"]).play(nothing_else);
}

#[test]
fn a_read_of_standard_input_that_is_taken_back_takes_nothing() {
    scene(&Folder::new(), &["stdin", "200"]).play(|what| match what {
        "give" => "0123456789",
        what => nothing_else(what),
    });
}

#[test]
fn a_program_ends_whatever_still_waits() {
    for (how, status) in [("return", 0), ("forget", 0), ("exit", 7)] {
        let (running, mut input, output) = spawn(&mut running(&LIMITS, "p3_cancel", &[how, "0"]));
        input.write_all(b"\n").unwrap();
        // Its input is open for as long as it runs.
        let ran = running.wait();
        assert_eq!((how, ran.status()), (how, status));
        drop((input, output));
    }
}

#[test]
fn a_write_to_standard_output_that_is_taken_back_has_written_what_it_says() {
    let mut command = running(&LIMITS, "p3_cancel", &["stdout", "20"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let says = Box::new(BufReader::new(child.stderr.take().unwrap()));
    let playing = Playing { running: Running::of(child), input, says };
    let mut position = 0;
    playing.play(|what| {
        let there = bytes_in(&output);
        match what.strip_prefix("read ").unwrap() {
            "the rest" => {
                let mut rest = vec![0; there];
                output.read_exact(&mut rest).unwrap();
                assert!(there > 0 && rest.iter().all(|byte| *byte == 255), "what came was not what was written last");
            }
            bytes => {
                assert_eq!(there, bytes.parse().unwrap());
                must_come(&mut output, there, &mut position);
            }
        }
        "\n"
    });
}

/// How much is in a pipe.
#[allow(unsafe_code, reason = "the standard library does not tell")]
fn bytes_in(pipe: &ChildStdout) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the call writes one number, which is ours.
    assert_eq!(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) }, 0);
    bytes as usize
}

/// So many bytes come, which are those from the position on.
fn must_come(from: &mut impl Read, count: usize, position: &mut usize) {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).unwrap();
    let expected = (*position..).map(|index| (index % 251) as u8);
    let wrong = bytes.iter().zip(expected).position(|(byte, expected)| *byte != expected);
    assert_eq!(wrong, None, "after {position} bytes something came that was taken back, or something did not come");
    *position += count;
}

/// `p3_cancel_sockets SCENE ROUNDS ADDRESS`.
fn sockets(scene: &str, rounds: &str, address: &str) -> Playing {
    let mut flags = Vec::from(LIMITS);
    flags.push("--allow=network");
    Playing::begin(&mut running(&flags, "p3_cancel_sockets", &[scene, rounds, address]))
}

/// A listener for one who does what the program says, and its address.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn accepted(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_read_of_a_connection_that_is_taken_back_takes_nothing() {
    let (listener, address) = listener();
    let mut connection = None;
    sockets("receive", "20", &address).play(|what| {
        match what {
            "accept" => connection = Some(accepted(&listener)),
            "give" => connection.as_mut().unwrap().write_all(b"0123456789").unwrap(),
            what => return nothing_else(what),
        }
        "\n"
    });
}

#[test]
fn a_write_to_a_connection_that_is_taken_back_has_sent_what_it_says() {
    let (listener, address) = listener();
    let (mut connection, mut position): (Option<TcpStream>, usize) = (None, 0);
    sockets("send", "3", &address).play(|what| {
        match (what.strip_prefix("read "), &mut connection) {
            (Some("the rest"), Some(connection)) => {
                let mut rest = Vec::new();
                connection.read_to_end(&mut rest).unwrap();
                assert!(!rest.is_empty() && rest.iter().all(|byte| *byte == 255), "more came than what was sent last");
            }
            (Some(bytes), Some(connection)) => must_come(connection, bytes.parse().unwrap(), &mut position),
            _ => {
                assert_eq!(what, "accept");
                (connection, position) = (Some(accepted(&listener)), 0);
            }
        }
        "\n"
    });
}

#[test]
fn a_connect_is_over_whether_anybody_looks_or_not() {
    let (listener, address) = listener();
    sockets("connect", "200", &address).play(|what| {
        assert_eq!(what, "accept");
        drop(accepted(&listener));
        "\n"
    });
}

#[test]
fn a_connect_that_waits_is_given_up_when_it_is_dropped() {
    let (listener, address) = listener();
    let mut waiting = fill(&listener);
    let places = waiting.len();
    sockets("late", "1", &address).play(|what| {
        assert_eq!(what, "let in");
        waiting.clear();
        for _ in 0..places {
            drop(accepted(&listener));
        }
        // Whoever comes then takes a place, and the others are taken again as before.
        waiting.extend((1..places).map(|_| connect(listener.local_addr().unwrap())));
        "\n"
    });
}

/// Makes a listener take nobody more; who is in its queue.
#[allow(unsafe_code, reason = "the standard library has no word for how many wait")]
fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    // SAFETY: a number and a descriptor that is open.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let address = listener.local_addr().unwrap();
    let patience = Duration::from_millis(300);
    let mut waiting = Vec::new();
    loop {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => waiting.push(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => return waiting,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_accept_that_is_taken_back_leaves_whoever_comes_to_the_next() {
    let mut address = None;
    let mut there: Vec<TcpStream> = Vec::new();
    sockets("accept", "20", "127.0.0.1:0").play(|what| {
        match what {
            "connect" => there.push(connect(address.unwrap())),
            "gone" => assert_eq!(there.remove(0).read(&mut [0]).unwrap(), 0, "the connection is still there"),
            what => address = Some(what.strip_prefix("listening on ").unwrap().parse().unwrap()),
        }
        "\n"
    });
}

#[test]
fn a_receive_that_is_taken_back_leaves_the_datagram_to_the_next() {
    sockets("datagram", "1000", "127.0.0.1:0").play(nothing_else);
}
