//! A server that takes requests and answers none of them until it is told to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::server::PATIENCE;

/// Between two looks at whether somebody has come.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nwaited\n";

/// One of them. Dropped, it is gone, and its connections are closed.
pub(super) struct Silent {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<TcpStream>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silent {
    /// Listens on a port of 127.0.0.1.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn start() -> Result<Self, String> {
        let listening = || {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        };
        let (address, listener) = listening().map_err(|error: std::io::Error| format!("cannot listen: {error}"))?;
        let (taken, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, until) = (Arc::clone(&taken), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => into.lock().unwrap_or_else(PoisonError::into_inner).push(stream),
                    Err(_) => thread::sleep(LOOK_AGAIN),
                }
            }
        });
        Ok(Self { address, taken, ends, thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many wait for its answer.
    pub(super) fn waiting(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Answers all that have come. Who has gone away since is not missed.
    pub(super) fn answer(&self) {
        for mut stream in self.taken.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // The request is read, as closing a connection with something unread takes back what was sent on it. Its head is
            // small, and comes at once.
            let _ = stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
                .and_then(|()| stream.read(&mut [0; 4096]))
                .and_then(|_| stream.write_all(ANSWER));
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing that could fail.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{client, http1};
    use super::*;

    #[test]
    fn it_answers_when_it_is_told() {
        let silent = Silent::start().unwrap();
        let stream = client::connect(silent.address()).unwrap();
        http1::ask(&stream, "/", None).unwrap();
        while silent.waiting() == 0 {
            thread::sleep(LOOK_AGAIN);
        }
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.peek(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        silent.answer();
        assert_eq!(http1::answer(&stream).unwrap().body, b"waited\n");
    }
}
