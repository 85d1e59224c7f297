//! HTTP/1.1 as it is on the wire: what is sent is what the test wrote, and of what comes nothing is mended.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A silence that is longer than this has no end.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection, and what has come and has not been looked at.
pub(crate) struct Connection {
    stream: TcpStream,
    came: Vec<u8>,
    address: SocketAddr,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// It has come to the end that its head promises.
    pub(crate) is_whole: bool,
}

/// As a `host` header names it.
pub(crate) fn authority(address: SocketAddr) -> String {
    address.to_string()
}

impl Answer {
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection { stream, came: Vec::new(), address }
    }

    /// Sends bytes as they are. Whoever has closed the connection does not take them, which is not looked at here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The same connection, for another thread to send on.
    #[track_caller]
    pub(crate) fn clone_writer(&self) -> Self {
        Connection { stream: self.stream.try_clone().unwrap(), came: Vec::new(), address: self.address }
    }

    /// Asks for a path.
    #[track_caller]
    pub(crate) fn ask(&mut self, path: &str) {
        let host = authority(self.address);
        self.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask(path);
        self.answer().expect("an answer")
    }

    /// Has more of what comes; whether there is more.
    #[track_caller]
    pub(crate) fn read(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(bytes) => {
                self.came.extend_from_slice(&piece[..bytes]);
                bytes > 0
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("nothing comes, after {:?}", String::from_utf8_lossy(&self.came));
            }
            // A connection that is reset has ended, too.
            Err(_) => false,
        }
    }

    /// All bytes until the connection ends.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read() {}
        std::mem::take(&mut self.came)
    }

    /// All bytes that come until the connection ends, or is silent for a second.
    pub(crate) fn rest_within_a_second(&mut self) -> Vec<u8> {
        self.stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut rest = std::mem::take(&mut self.came);
        let mut piece = [0; 16 << 10];
        while let Ok(bytes @ 1..) = self.stream.read(&mut piece) {
            rest.extend_from_slice(&piece[..bytes]);
        }
        rest
    }

    /// Whether anything has come by now.
    pub(crate) fn has_come(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let looked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        !self.came.is_empty() || looked.is_ok()
    }

    /// Waits until bytes have come; what has come by then, of which nothing is taken.
    #[track_caller]
    pub(crate) fn begun(&mut self, words: &str) {
        let has = |came: &[u8]| came.windows(words.len()).any(|window| window == words.as_bytes());
        while !has(&self.came) {
            assert!(self.read(), "it ends before `{words}`: {:?}", String::from_utf8_lossy(&self.came));
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.came.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.came.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.read() {
                return None;
            }
        }
    }

    fn fields(&mut self) -> Option<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                return line.is_empty().then_some(fields);
            };
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// So many bytes, or as many as there are; whether that is all of them.
    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> bool {
        while self.came.len() < length && self.read() {}
        let end = length.min(self.came.len());
        body.extend(self.came.drain(..end));
        end == length
    }

    /// The next response; `None`: the connection ends.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("no status line: `{line}`"));
        let mut answer =
            Answer { status, headers: Vec::new(), body: Vec::new(), trailers: Vec::new(), is_whole: false };
        let Some(headers) = self.fields() else { return Some(answer) };
        answer.headers = headers;
        let length = answer.header("content-length").map(|length| length.parse::<usize>().expect("a number"));
        answer.is_whole = match (answer.header("transfer-encoding"), length) {
            _ if status < 200 || status == 204 || status == 304 => true,
            (Some("chunked"), None) => self.chunks(&mut answer),
            (None, Some(length)) => self.take(length, &mut answer.body),
            (None, None) => {
                let rest = self.rest();
                answer.body.extend(rest);
                true
            }
            _ => panic!("a response of two lengths: {answer:?}"),
        };
        Some(answer)
    }

    fn chunks(&mut self, answer: &mut Answer) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let length = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("no chunk's size: `{line}`"));
            if length == 0 {
                let Some(trailers) = self.fields() else { return false };
                answer.trailers = trailers;
                return true;
            }
            if !self.take(length, &mut answer.body) {
                return false;
            }
            let mut end = Vec::new();
            if !self.take(2, &mut end) {
                return false;
            }
            assert_eq!(end, b"\r\n");
        }
    }
}

/// Takes nobody: whoever connects to it hears nothing.
pub(crate) struct Deaf {
    listener: TcpListener,
    _in_line: Vec<TcpStream>,
}

impl Deaf {
    #[track_caller]
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: numbers, of a socket that is open.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().unwrap();
        // The line of those who wait to be taken is as short as can be, and then it is full.
        let mut in_line = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            in_line.push(stream);
            assert!(in_line.len() < 100, "the line has no end");
        }
        Deaf { listener, _in_line: in_line }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}
