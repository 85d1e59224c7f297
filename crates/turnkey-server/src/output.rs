//! What a guest writes to its standard output and error: lines, each written by itself behind a word of whose it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use turnkey::ErrorCode;
use turnkey::host::buffers::Buffers;
use turnkey::stream::{Drain, Event};

use crate::log::Log;

/// Bytes of a line after which it is written as it is: bounds what is held for a guest that ends none.
const LINE_BYTES: usize = 8 << 10;

/// A standard stream of one instance.
#[derive(Debug)]
pub(crate) struct Lines {
    log: Arc<Log>,
    /// The number of the instance.
    instance: u64,
    /// `stdout` or `stderr`.
    stream: &'static str,
    /// Bytes that may still be written, by both streams.
    left: Arc<AtomicU64>,
    line: Mutex<Vec<u8>>,
}

impl Lines {
    pub(crate) fn new(log: &Arc<Log>, instance: u64, stream: &'static str, left: &Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Lines { log: Arc::clone(log), instance, stream, left: Arc::clone(left), line: Mutex::default() })
    }
}

/// Bytes without those of a letter that has only begun.
fn whole_letters(line: &[u8]) -> usize {
    let last = line.len().saturating_sub(3);
    let begun = line[last..].iter().rposition(|byte| *byte >= 0xc0).map(|place| last + place);
    begun.filter(|begun| *begun > 0 && std::str::from_utf8(&line[*begun..]).is_err()).unwrap_or(line.len())
}

impl Event for Lines {
    fn poll(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drain for Lines {
    fn write(&self, buffers: &Buffers<'_>) -> Result<usize, ErrorCode> {
        let bytes = u64::try_from(buffers.bytes()).unwrap_or(u64::MAX);
        if bytes == 0 {
            return Ok(0);
        }
        // Streams of one guest are on one thread: nobody takes anything in between.
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(ErrorCode::Pipe);
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let before = line.len();
        let room = (LINE_BYTES - before).min(usize::try_from(left).unwrap_or(usize::MAX));
        let needed = before + room.min(buffers.bytes());
        if needed > line.capacity() {
            let more = needed.max(2 * line.capacity()).min(LINE_BYTES) - before;
            line.reserve_exact(more);
        }
        let taken = buffers.copy_to(&mut line, room);
        let left = left - taken as u64;
        self.left.store(left, Ordering::Relaxed);
        // What was there before has no end of a line.
        let (mut begin, mut at) = (0, before);
        while let Some(end) = line[at..].iter().position(|byte| *byte == b'\n') {
            self.log.guest_line(self.instance, self.stream, &line[begin..at + end]);
            at += end + 1;
            begin = at;
        }
        line.drain(..begin);
        if left == 0 && !line.is_empty() {
            self.log.guest_line(self.instance, self.stream, &line);
            line.clear();
        } else if line.len() == LINE_BYTES {
            let end = whole_letters(&line);
            self.log.guest_line(self.instance, self.stream, &line[..end]);
            line.drain(..end);
        }
        if left == 0 {
            self.log.output_is_full(self.instance, self.stream);
        }
        Ok(taken)
    }

    fn room(&self) -> Result<usize, ErrorCode> {
        match self.left.load(Ordering::Relaxed) {
            0 => Err(ErrorCode::Pipe),
            left => Ok(usize::try_from(left).unwrap_or(usize::MAX)),
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !line.is_empty() {
            self.log.guest_line(self.instance, self.stream, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccessLog;

    #[test]
    fn no_more_than_a_line_is_held_whatever_the_pieces_are() {
        let log = Arc::new(Log::new(AccessLog::None, &Arc::default()));
        let left = Arc::new(AtomicU64::new(1 << 20));
        let lines = Lines::new(&log, 1, "stdout", &left);
        let mut written = 0;
        for piece in [1, 2, 3, 5000, 3000, 180, 1, 1, 1, 60_000, 8192, 8191, 1, 1] {
            let mut bytes = "é".repeat(piece).into_bytes();
            written += lines.write(&Buffers::whole(&mut bytes)).unwrap();
            let line = lines.line.lock().unwrap();
            assert!(line.len() < LINE_BYTES && line.capacity() <= LINE_BYTES, "{piece}: {}", line.capacity());
        }
        assert_eq!(left.load(Ordering::Relaxed), (1 << 20) - written as u64);
        lines.line.lock().unwrap().clear();
    }

    #[test]
    fn a_letter_that_has_only_begun_stays() {
        for (line, bytes) in [
            (&b"abcd"[..], 4),
            ("abé".as_bytes(), 4),
            (b"ab\xc3", 2),
            (b"ab\xe2\x82", 2),
            (b"ab\xf0\x9f\xa6", 2),
            ("ab🦀".as_bytes(), 6),
            // Of no letter.
            (b"ab\x80\x80\x80", 5),
            (b"\xc3", 1),
        ] {
            assert_eq!(whole_letters(line), bytes, "{line:?}");
        }
    }
}
