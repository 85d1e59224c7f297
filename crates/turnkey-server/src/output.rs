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
        let room = (LINE_BYTES - line.len()).min(usize::try_from(left).unwrap_or(usize::MAX));
        let taken = buffers.copy_to(&mut line, room);
        let left = left - taken as u64;
        self.left.store(left, Ordering::Relaxed);
        let mut begin = 0;
        while let Some(end) = line[begin..].iter().position(|byte| *byte == b'\n') {
            self.log.guest_line(self.instance, self.stream, &line[begin..begin + end]);
            begin += end + 1;
        }
        line.drain(..begin);
        if line.len() == LINE_BYTES || left == 0 {
            self.log.guest_line(self.instance, self.stream, &line);
            line.clear();
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
