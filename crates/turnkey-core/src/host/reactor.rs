//! Waiting in an executor, while others run: for embedders that enter guests asynchronously, and for guests of Preview 3,
//! whose tasks run beside one another.
//!
//! It needs tokio's current runtime, with I/O and time. Where a guest has the thread for itself nothing is watched here: then
//! a [`SharedFd`] is a descriptor and no more.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

use super::clock::Deadline;
use super::poll::Ready;
use crate::ErrorCode;
use crate::stream::waiting::Watched as Waits;

/// A descriptor of the host that several things of one guest stand on: a file and the streams made from it, a socket and its
/// two directions. It is closed when the last of them goes.
#[derive(Clone, Debug)]
pub struct SharedFd(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The executor's watch over it, from the first wait on. An executor takes each descriptor once, and so it is kept; and
    /// it stands before the descriptor, to go before that is closed. `None`: nothing of this kind can be watched.
    watch: OnceLock<Option<AsyncFd<Watched>>>,
    fd: OwnedFd,
}

/// The number that is watched; whoever watches it also owns the descriptor.
#[derive(Debug)]
struct Watched(RawFd);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl SharedFd {
    /// Nobody else has it yet.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        SharedFd(Arc::new(Shared { watch: OnceLock::new(), fd }))
    }

    /// Whether both are one descriptor.
    #[must_use]
    pub fn ptr_eq(one: &Self, other: &Self) -> bool {
        Arc::ptr_eq(&one.0, &other.0)
    }

    /// Waits until it has become ready since a call on it last said that it would have to wait. It may come back too early:
    /// the call says so again. What cannot be watched is ready.
    pub async fn ready(self, ready: Ready) {
        let watch = self.0.watch.get_or_init(|| {
            let both = Interest::READABLE | Interest::WRITABLE;
            // SAFETY: the descriptor is open for as long as it is watched: the watch stands before it in what owns both.
            unsafe { AsyncFd::register_with_interest(Watched(self.0.fd.as_raw_fd()), both) }.ok()
        });
        let Some(watch) = watch else {
            return;
        };
        let found = match ready {
            Ready::Read => watch.readable().await,
            Ready::Write => watch.writable().await,
        };
        // Whoever waits again waits for what happens from now on, and has tried before.
        if let Ok(mut found) = found {
            found.clear_ready();
        }
    }
}

impl AsFd for SharedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// Waits until one of the descriptors is ready, one of the events has happened, or the deadline has passed.
pub async fn wait(watched: Waits, deadline: Option<Deadline>) {
    let Waits { descriptors, events } = watched;
    let mut waits: Vec<_> = descriptors.into_iter().map(|(fd, ready)| Box::pin(fd.ready(ready))).collect();
    let mut sleep = deadline.map(|deadline| Box::pin(sleep(deadline)));
    poll_fn(|context| {
        let late = sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
        let happened = events.iter().any(|event| event.poll(context).is_ready());
        if late || happened || waits.iter_mut().any(|wait| wait.as_mut().poll(context).is_ready()) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}

/// Waits until the deadline has passed.
pub async fn sleep(deadline: Deadline) {
    tokio::time::sleep(Duration::from_nanos(deadline.left_ns())).await;
}

/// Connects to an address, for what reads and writes in the executor itself.
///
/// # Errors
/// Why it cannot be reached.
pub async fn connect(remote: SocketAddr) -> Result<TcpStream, ErrorCode> {
    let stream = TcpStream::connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Lets the executor's other tasks run.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}
