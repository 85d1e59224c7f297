//! As much of HTTP/1.1 as a bench needs to see that what a server answers is right: one request, one answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The most that an answer may be: what is awaited here is small or a mebibyte.
const MOST_BYTES: usize = 4 << 20;

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends a request: a GET, or a POST where there is a body.
///
/// # Errors
/// Nobody takes it.
pub(super) fn ask(mut stream: &TcpStream, path: &str, body: Option<&[u8]>) -> std::io::Result<()> {
    let (method, body) = body.map_or(("GET", &[][..]), |body| ("POST", body));
    let length = if method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
    stream.write_all(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{length}\r\n").as_bytes())?;
    stream.write_all(body)
}

/// Reads the answer.
///
/// # Errors
/// There is none, or it is not HTTP/1.1.
pub(super) fn answer(source: impl Read) -> Result<Answer, String> {
    let mut source = BufReader::new(source);
    let first = line(&mut source)?;
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| format!("{first:?} is no status line"))?;
    let (mut length, mut chunked) = (None, false);
    loop {
        let header = line(&mut source)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        match header.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = Some(number(value, 10)?),
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            Some(_) => {}
            None => return Err(format!("{header:?} is no header")),
        }
    }
    let mut body = Vec::new();
    if !chunked {
        take(&mut source, &mut body, length.ok_or("neither content-length nor chunks")?)?;
        return Ok(Answer { status, body });
    }
    loop {
        let size = line(&mut source)?;
        let size = number(size.split(';').next().unwrap_or_default(), 16)?;
        if size == 0 {
            while !line(&mut source)?.is_empty() {}
            return Ok(Answer { status, body });
        }
        take(&mut source, &mut body, size)?;
        if !line(&mut source)?.is_empty() {
            return Err("a chunk is longer than it was said to be".to_owned());
        }
    }
}

fn number(word: &str, radix: u32) -> Result<usize, String> {
    usize::from_str_radix(word.trim(), radix).map_err(|_| format!("{word:?} is no length"))
}

fn line(source: impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    let read = source.take(MOST_BYTES as u64).read_line(&mut line);
    read.map_err(|error| format!("the answer does not come: {error}"))?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| format!("the answer breaks off after {line:?}"))
}

fn take(mut source: impl Read, body: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let begin = body.len();
    if bytes > MOST_BYTES - begin {
        return Err("the answer is larger than any that was asked for".to_owned());
    }
    body.resize(begin + bytes, 0);
    source.read_exact(&mut body[begin..]).map_err(|error| format!("the body breaks off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_bodies_are_read() {
        let hello = Answer { status: 200, body: b"hello\n".to_vec() };
        let long = answer(&b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"[..]);
        assert_eq!(long.as_ref(), Ok(&hello));
        let chunks = &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n4;x\r\nllo\n\r\n0\r\n\r\n"[..];
        assert_eq!(answer(chunks), Ok(hello));
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for bad in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhel", "220 hello\r\n\r\n"] {
            assert!(answer(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for bad in ["6\r\nhello", "6\r\nhello\n\r\n", "2\r\nhello\n\r\n0\r\n\r\n", "ffffffff\r\n"] {
            assert!(answer(format!("{head}{bad}").as_bytes()).is_err(), "{bad:?}");
        }
    }
}
