//! The other side of an echo server: messages one after the other, and many bytes at once.
//!
//! Every byte that comes back is compared with the one that belongs there: a host that loses, repeats or mixes up data must
//! not win.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::server::PATIENCE;

/// Bytes of a message that waits for its answer.
pub(super) const MESSAGE_BYTES: usize = 64;

/// Messages before the time is taken.
const UNTIMED: u32 = 500;

/// Bytes that are written and read at a time, where there are many.
const CHUNK_BYTES: usize = 64 * 1024;

/// So many chunks are there in the larger unit of the figures.
const CHUNKS_PER_MIB: usize = 16;

/// A connection on which no call waits for longer than [`PATIENCE`].
///
/// # Errors
/// Nobody accepts it.
pub(super) fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let connected = || {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    connected().map_err(|error: std::io::Error| format!("cannot connect to {address}: {error}"))
}

/// Message `number`, of which no two are the same.
pub(super) fn message(number: u32) -> [u8; MESSAGE_BYTES] {
    let mut message = [b'.'; MESSAGE_BYTES];
    message[..4].copy_from_slice(&number.to_le_bytes());
    message[MESSAGE_BYTES - 4..].copy_from_slice(&number.to_be_bytes());
    message
}

/// Sends a message.
///
/// # Errors
/// Nobody takes it.
pub(super) fn ask(mut stream: &TcpStream, number: u32) -> Result<(), String> {
    stream.write_all(&message(number)).map_err(|error| format!("message {number} cannot be sent: {error}"))
}

/// Takes the answer to a message.
///
/// # Errors
/// There is none, or it is another.
pub(super) fn take_answer(mut stream: &TcpStream, number: u32) -> Result<(), String> {
    let mut answer = [0; MESSAGE_BYTES];
    stream.read_exact(&mut answer).map_err(|error| format!("message {number} does not come back: {error}"))?;
    if answer == message(number) { Ok(()) } else { Err(format!("message {number} came back changed")) }
}

/// Asks and waits, again and again on one connection: how often that goes in a second. `count` messages are timed.
///
/// # Errors
/// A message that was not answered by itself.
pub(super) fn round_trips_per_second(address: SocketAddr, count: u32) -> Result<f64, String> {
    let stream = connect(address)?;
    let go = |numbers: std::ops::Range<u32>| -> Result<(), String> {
        for number in numbers {
            ask(&stream, number)?;
            take_answer(&stream, number)?;
        }
        Ok(())
    };
    go(0..UNTIMED)?;
    let started = Instant::now();
    go(UNTIMED..UNTIMED + count)?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(f64::from(count) / seconds)
}

/// What [`round_trips_per_second`] has sent, in bytes.
pub(super) const fn round_trips_bytes(count: u32) -> u64 {
    (UNTIMED + count) as u64 * MESSAGE_BYTES as u64
}

/// Writes as fast as it goes, and reads at the same time: mebibytes that went through in a second.
///
/// # Errors
/// Bytes that were lost or changed, or more than were sent; a server that does not take or give any.
pub(super) fn mib_per_second(address: SocketAddr, mebibytes: usize) -> Result<f64, String> {
    let stream = connect(address)?;
    let pattern = Pattern::new(mebibytes * CHUNKS_PER_MIB);
    let started = Instant::now();
    let seconds = thread::scope(|scope| {
        let writer = scope.spawn(|| pattern.write(&stream));
        let read = pattern.read(&stream).map(|()| started.elapsed().as_secs_f64());
        if read.is_err() {
            // The writer may be waiting for somebody who takes what it has.
            let _ = stream.shutdown(Shutdown::Both);
        }
        let written = writer.join().unwrap_or_else(|_| Err("the writer ended badly".to_owned()));
        let seconds = read?;
        written.map(|()| seconds)
    })?;
    Ok(mebibytes as f64 / seconds)
}

/// Bytes without an order, of which chunk `i` begins at byte `i`: so each chunk is another one, and none has to be made.
struct Pattern {
    bytes: Vec<u8>,
    chunks: usize,
}

impl Pattern {
    fn new(chunks: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut byte = || {
            // George Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        Self { bytes: (0..CHUNK_BYTES + chunks).map(|_| byte()).collect(), chunks }
    }

    fn chunk(&self, index: usize) -> &[u8] {
        &self.bytes[index..index + CHUNK_BYTES]
    }

    fn write(&self, mut stream: &TcpStream) -> Result<(), String> {
        let mut write_all = || {
            for index in 0..self.chunks {
                stream.write_all(self.chunk(index))?;
            }
            stream.shutdown(Shutdown::Write)
        };
        write_all().map_err(|error| format!("it does not take more: {error}"))
    }

    fn read(&self, mut source: impl Read) -> Result<(), String> {
        let started = Instant::now();
        let mut came = vec![0; CHUNK_BYTES];
        for index in 0..self.chunks {
            source.read_exact(&mut came).map_err(|error| format!("chunk {index} does not come back: {error}"))?;
            if came != self.chunk(index) {
                return Err(format!("chunk {index} came back changed"));
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("{index} chunks of {} came back in {PATIENCE:?}", self.chunks));
            }
        }
        match source.read(&mut came) {
            Ok(0) => Ok(()),
            Ok(_) => Err("more came back than was sent".to_owned()),
            Err(error) => Err(format!("it does not end: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pattern: &Pattern) -> Vec<u8> {
        (0..pattern.chunks).flat_map(|index| pattern.chunk(index)).copied().collect()
    }

    #[test]
    fn what_came_back_whole_is_taken() {
        let pattern = Pattern::new(5);
        assert_eq!(pattern.read(&sent(&pattern)[..]), Ok(()));
    }

    #[test]
    fn lost_moved_changed_and_added_bytes_are_found() {
        let pattern = Pattern::new(5);
        let good = sent(&pattern);
        let lost = [&good[..CHUNK_BYTES], &good[CHUNK_BYTES + 1..]].concat();
        let chunk_lost = [&good[..CHUNK_BYTES], &good[2 * CHUNK_BYTES..]].concat();
        let moved = [&good[CHUNK_BYTES..2 * CHUNK_BYTES], &good[..CHUNK_BYTES], &good[2 * CHUNK_BYTES..]].concat();
        let mut changed = good.clone();
        changed[3 * CHUNK_BYTES + 17] ^= 1;
        let added = [&good[..], b"!"].concat();
        for bad in [lost, chunk_lost, moved, changed, added] {
            assert!(pattern.read(&bad[..]).is_err());
        }
    }

    #[test]
    fn messages_differ() {
        assert_ne!(message(1), message(2));
        assert_ne!(message(0), message(256));
    }
}
