//! Waiting in an executor, while others run: for embedders that enter guests asynchronously.
//!
//! It needs tokio's current runtime, with I/O and time. Under `turnkey run` nothing comes here.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::SharedFd;
use super::clock::Deadline;
use super::poll::Ready;

/// Waits until one of the descriptors is ready, or the deadline has passed. What cannot be waited for is ready: the call that
/// uses it says what is wrong.
pub async fn wait(descriptors: Vec<(SharedFd, Ready)>, deadline: Option<Deadline>) {
    let watched: Option<Vec<_>> = descriptors
        .iter()
        .map(|(fd, ready)| {
            // One that is watched for two tasks has to be there twice: an executor takes each number once.
            let own = fd.try_clone().ok()?;
            let interest = if *ready == Ready::Read { Interest::READABLE } else { Interest::WRITABLE };
            // SAFETY: the descriptor is owned by what watches it, and so open for as long as it is watched.
            let watched = unsafe { AsyncFd::register_with_interest(own, interest) };
            Some((watched.ok()?, *ready))
        })
        .collect();
    let Some(watched) = watched else {
        return;
    };
    let mut sleep = deadline.map(|deadline| Box::pin(tokio::time::sleep(Duration::from_nanos(deadline.left_ns()))));
    poll_fn(|context| {
        for (fd, ready) in &watched {
            let found = match ready {
                Ready::Read => fd.poll_read_ready(context).map(drop),
                Ready::Write => fd.poll_write_ready(context).map(drop),
            };
            if found.is_ready() {
                return Poll::Ready(());
            }
        }
        match &mut sleep {
            Some(sleep) => Future::poll(Pin::new(sleep), context),
            None => Poll::Pending,
        }
    })
    .await;
}

/// Lets the executor's other tasks run.
pub async fn yield_now() {
    tokio::task::yield_now().await;
}
