//! `turnkey serve` as a process: where it listens, what it says, and how it ends. It is killed when the test has failed.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::http::{Answer, Connection, authority};
use super::{guest, turnkey};

/// Whatever takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    said: Arc<Said>,
    reading: Option<JoinHandle<()>>,
}

/// What it has said on stderr.
#[derive(Default)]
struct Said {
    text: Mutex<String>,
    more: Condvar,
}

impl Said {
    fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is as asked for.
    #[track_caller]
    fn wait<T>(&self, what: &str, found: impl Fn(&str) -> Option<T>) -> T {
        let begin = Instant::now();
        let mut text = self.text();
        loop {
            if let Some(found) = found(&text) {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not say {what}:\n{text}");
            (text, _) = self.more.wait_timeout(text, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// `turnkey serve FLAGS… APP`, wherever there is room.
pub(crate) fn serve<W: AsRef<OsStr>>(app: &Path, flags: impl IntoIterator<Item = W>) -> Command {
    let mut command = turnkey();
    command.args(["serve", "--addr", "127.0.0.1:0"]).args(flags).arg(app);
    command
}

impl Server {
    /// Serves a guest of this repository: `p2_http_hello`.
    #[track_caller]
    pub(crate) fn start<W: AsRef<OsStr>>(app: &str, flags: impl IntoIterator<Item = W>) -> Self {
        Server::of(serve(&guest(&format!("components/{app}")), flags))
    }

    /// What a command starts.
    #[track_caller]
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (stderr, said) = (child.stderr.take().unwrap(), Arc::<Said>::default());
        let its = Arc::clone(&said);
        let reading = std::thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                its.text().push_str(&String::from_utf8_lossy(&line));
                its.more.notify_all();
                line.clear();
            }
        });
        let nowhere = SocketAddr::from(([0; 4], 0));
        let mut server = Server { child, address: nowhere, said, reading: Some(reading) };
        server.address = server.address_after("serving `");
        // The last of what it says before it answers.
        server.hears("limits: ");
        server
    }

    /// The address that the line with these words names.
    #[track_caller]
    pub(crate) fn address_after(&self, words: &str) -> SocketAddr {
        self.said.wait(words, |text| {
            let line = text.split_inclusive('\n').find(|line| line.contains(words) && line.ends_with('\n'))?;
            let (_, rest) = line.split_once("://").expect("the line has an address");
            Some(rest.split('/').next()?.parse().expect("it is one"))
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` and the path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn said(&self) -> String {
        self.said.text().clone()
    }

    /// Waits until it has said this; what it has said by then.
    #[track_caller]
    pub(crate) fn hears(&self, words: &str) -> String {
        self.said.wait(&format!("`{words}`"), |text| {
            text.split_inclusive('\n').any(|line| line.contains(words) && line.ends_with('\n')).then(|| text.to_owned())
        })
    }

    /// Waits until it has told of so many errors; their lines.
    #[track_caller]
    pub(crate) fn errors(&self, count: usize) -> Vec<String> {
        self.said.wait(&format!("{count} errors"), |text| {
            let errors = errors(text);
            (errors.len() >= count).then_some(errors)
        })
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// A GET, on a connection of its own.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().get(path)
    }

    /// A GET whose answer is a 200 of these words.
    #[track_caller]
    pub(crate) fn answers(&self, path: &str, words: &str) {
        let answer = self.get(path);
        assert_eq!((answer.status, answer.text()), (200, words), "{}", self.said());
    }

    /// A request with a body, on a connection of its own.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        let mut connection = self.connect();
        let host = authority(self.address);
        let length = body.len();
        connection.send(format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n").as_bytes());
        connection.send(body);
        connection.answer().expect("an answer")
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: a number and a number; the process is a child of ours that nobody has waited for.
        let sent = unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
        assert_eq!(sent, 0);
    }

    /// Waits for its end: its status, and all that it has said.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
        (status.code(), self.said())
    }

    /// Tells it to end, which it does well; all that it has said.
    #[track_caller]
    pub(crate) fn end(self) -> String {
        self.signal(libc::SIGTERM);
        let (status, said) = self.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }
}

/// The lines that tell of an error.
pub(crate) fn errors(said: &str) -> Vec<String> {
    said.lines().filter(|line| line.starts_with("error: ")).map(str::to_owned).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
