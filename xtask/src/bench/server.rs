//! A component that serves TCP: one process of a host, from the line in which it says where it listens to its last one.
//!
//! Nothing here waits without an end, and no process is left behind.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long one step of a server or of a client may take. The first of a server may include compiling it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at whether a process has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What it says first, in front of the address.
const LISTENING: &str = "listening on ";

/// A server that listens. Dropped, it is ended.
pub(super) struct Server {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, or says anything else first, or nothing.
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = child.stdout.take();
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok)) {
                // Whoever does not listen any more has what it wanted to know.
                let _ = tell.send(line);
            }
        });
        // Made before it is known where it listens, so that a failure ends it too.
        let mut server = Self { child, lines, address: SocketAddr::from(([0; 4], 0)) };
        let line = server.next_line().ok_or_else(|| format!("{command:?} does not say that it listens"))?;
        server.address =
            listening(&line).ok_or_else(|| format!("{command:?} says {line:?} and not where it listens"))?;
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

    /// Waits for its end, which is near, and gives the line that it said last.
    ///
    /// # Errors
    /// It does not end, or not well, or without a word.
    pub(super) fn finish(mut self) -> Result<String, String> {
        let said = self.next_line();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => {
                    return said.ok_or_else(|| "the server ended without a word".to_owned());
                }
                Ok(Some(status)) => return Err(format!("the server ended with {status}")),
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_AGAIN),
                Ok(None) => return Err("the server does not end".to_owned()),
                Err(error) => return Err(format!("cannot wait for the server: {error}")),
            }
        }
    }

    fn next_line(&self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing to a process that has ended and been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    line.strip_prefix(LISTENING)?.parse().ok()
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
    fn a_server_says_where_it_listens_and_how_it_went() {
        let server = Server::start(shell("echo listening on 127.0.0.1:7; echo all of it")).unwrap();
        assert_eq!(server.address(), SocketAddr::from(([127, 0, 0, 1], 7)));
        assert_eq!(server.finish().unwrap(), "all of it");
    }

    #[test]
    fn one_that_says_something_else_or_ends_badly_is_a_failure() {
        assert!(Server::start(shell("echo hello")).is_err());
        assert!(Server::start(shell("true")).is_err());
        let server = Server::start(shell("echo listening on 127.0.0.1:7; exit 3")).unwrap();
        assert!(server.finish().is_err());
    }
}
