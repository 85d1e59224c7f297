//! Connections that are kept for the next request to the same origin: of HTTP/1.1 those that nobody uses, of HTTP/2 one that
//! everybody uses.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use turnkey_core::sockets::Destination;

use super::connection::Connection;
use super::{Client, RESPONSE_TIMEOUT, Shared};

/// Connections that are kept. Bounds descriptors, and how long it takes to look through them.
const MOST_KEPT: usize = 256;

/// How long each is kept while nobody uses it. Many servers have closed it by then.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// How often they are looked through.
const SWEEP: Duration = Duration::from_secs(15);

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) is_https: bool,
    /// In small letters.
    pub(super) host: Box<str>,
    pub(super) port: u16,
}

/// The last that was given back is at the end.
#[derive(Debug, Default)]
pub(super) struct Pool {
    kept: Vec<Kept>,
    is_swept: bool,
}

#[derive(Debug)]
struct Kept {
    origin: Origin,
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// One that takes a request now, at an address that the grant of this request covers.
    pub(super) fn take(&mut self, origin: &Origin, destination: &Destination) -> Option<Connection> {
        let mut at = self.kept.len();
        while at > 0 {
            at -= 1;
            let kept = &mut self.kept[at];
            if kept.origin != *origin {
                continue;
            }
            if !kept.connection.is_ready() || kept.since.elapsed() > LONGEST_IDLE && !kept.connection.is_in_use() {
                self.kept.remove(at);
            } else if destination.covers(kept.connection.address().ip()) {
                if let Some(shared) = kept.connection.shared() {
                    kept.since = Instant::now();
                    return Some(shared);
                }
                return Some(self.kept.remove(at).connection);
            }
        }
        None
    }

    fn put(&mut self, origin: Origin, connection: Connection) {
        if self.kept.len() >= MOST_KEPT {
            self.drop_oldest();
        }
        self.kept.push(Kept { origin, connection, since: Instant::now() });
    }

    /// Closes the one that has been of no use for longest.
    pub(super) fn drop_oldest(&mut self) {
        let idle = self.kept.iter().enumerate().filter(|(_, kept)| !kept.connection.is_in_use());
        // If all are in use, they are closed when nobody uses them any more.
        let oldest = idle.min_by_key(|(_, kept)| kept.since).map_or(0, |(at, _)| at);
        if oldest < self.kept.len() {
            self.kept.remove(oldest);
        }
    }

    /// Closes what has been of no use for too long.
    fn sweep(&mut self) {
        self.kept.retain_mut(|kept| {
            if kept.connection.is_in_use() {
                kept.since = Instant::now();
            }
            kept.connection.is_ready() && kept.since.elapsed() <= LONGEST_IDLE
        });
    }
}

/// Sweeps, and says so when it does not any more, even if its executor has gone.
struct Sweeper(Weak<Shared>);

impl Sweeper {
    async fn run(self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let Some(shared) = self.0.upgrade() else { return };
            let mut pool = shared.pool();
            pool.sweep();
            if pool.kept.is_empty() {
                return;
            }
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.pool().is_swept = false;
        }
    }
}

impl Client {
    fn keep(&self, origin: Origin, connection: Connection) {
        let mut pool = self.0.pool();
        pool.put(origin, connection);
        if !pool.is_swept
            && let Ok(executor) = tokio::runtime::Handle::try_current()
        {
            pool.is_swept = true;
            executor.spawn(Sweeper(Arc::downgrade(&self.0)).run());
        }
    }

    /// Lets others have a connection from now on, unless there is such a one.
    pub(super) fn share(&self, origin: &Origin, connection: &Connection) {
        let is_there = self.0.pool().kept.iter().any(|kept| kept.origin == *origin && kept.connection.is_ready());
        if let Some(shared) = connection.shared().filter(|_| !is_there) {
            self.keep(origin.clone(), shared);
        }
    }

    /// Takes a connection back whose response has ended.
    pub(super) fn give_back(&self, origin: Origin, mut connection: Connection) {
        if connection.is_http2() {
            // It is kept, or to be closed when nobody has it any more.
        } else if connection.is_ready() {
            self.keep(origin, connection);
        } else if let Ok(executor) = tokio::runtime::Handle::try_current() {
            // The request's own body may not have ended yet.
            let client = self.clone();
            executor.spawn(async move {
                if let Ok(true) = timeout(RESPONSE_TIMEOUT, connection.ready()).await {
                    client.keep(origin, connection);
                }
            });
        }
    }
}
