//! A process that serves HTTP: from the line in which it says where it listens, `http://…` on standard error, until it is ended.
//!
//! Nothing here waits without an end, and no process is left behind.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::client;
use super::http1::{self, Answer};
use super::server::PATIENCE;

/// So many lines are kept of what it says: a server under load that complains does it for every request.
const KEPT_LINES: usize = 8;

/// A server that listens. Dropped, it is ended.
pub(super) struct Served {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Served {
    /// Starts it, and waits until it says where it listens.
    ///
    /// # Errors
    /// It cannot be started, or ends or stays silent.
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = child.stderr.take();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (tell, addresses) = channel();
        let keep = Arc::clone(&said);
        // To its end, so that the server never waits for somebody who reads.
        thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok)) {
                if let Some(address) = listening(&line) {
                    // Whoever does not listen any more has what it wanted to know.
                    let _ = tell.send(address);
                    continue;
                }
                let mut keep = keep.lock().unwrap_or_else(PoisonError::into_inner);
                if keep.len() < KEPT_LINES {
                    keep.push(line);
                }
            }
        });
        // Made before it is known where it listens, so that a failure ends it too.
        let mut server = Self { child, address: SocketAddr::from(([0; 4], 0)), said };
        let address = addresses.recv_timeout(PATIENCE);
        server.address =
            address.map_err(|_| format!("{command:?} does not say where it listens, but {:?}", server.said()))?;
        Ok(server)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process's number.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// What it has said besides its address, from the beginning.
    pub(super) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks once, on a connection of its own, and wants this answer.
    ///
    /// # Errors
    /// It is another one, or there is none.
    pub(super) fn expect(&self, path: &str, body: Option<&[u8]>, expected: &[u8]) -> Result<(), String> {
        let stream = client::connect(self.address)?;
        http1::ask(&stream, path, body).map_err(|error| format!("the request cannot be sent: {error}"))?;
        let Answer { status, body } = http1::answer(&stream).map_err(|error| format!("{error}; {:?}", self.said()))?;
        if status == 200 && body == expected {
            return Ok(());
        }
        let begin = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        Err(format!("`{path}` is answered {status} and {} bytes, {begin:?}; {:?}", body.len(), self.said()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split(['/', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_server_says_where_it_listens() {
        assert_eq!(listening("serving `x` on http://127.0.0.1:7/"), Some(SocketAddr::from(([127, 0, 0, 1], 7))));
        assert_eq!(listening("http://nowhere/"), None);
        let served = Served::start(shell("echo note >&2; echo http://127.0.0.1:7/ >&2; exec sleep 60")).unwrap();
        assert_eq!(served.address().port(), 7);
        assert_eq!(served.said(), ["note"]);
    }

    #[test]
    fn one_that_ends_without_it_is_a_failure() {
        assert!(Served::start(shell("echo no room >&2")).err().unwrap().contains("no room"));
    }
}
