//! A connection that requests are sent on, of either version of HTTP, and why one was not answered on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::AbortHandle;

use super::stream::Stream;
use crate::fields::SECTION_BYTES;
use crate::{Body, ErrorCode};

/// Bytes that are read of a response before anybody has asked for them. The head of one has to go in.
pub(super) const READ_AHEAD_BYTES: usize = SECTION_BYTES;

/// The same of all responses of a connection that many share. So many times more than of one, that a few which nobody reads do
/// not stop the others.
const SHARED_READ_AHEAD_BYTES: usize = 64 * READ_AHEAD_BYTES;

/// Bytes of a request that wait in a shared connection, besides what waits in the body itself.
const WRITE_BEHIND_BYTES: usize = 128 << 10;

/// How long a shared connection is silent before it is asked whether it is still there, and how long it has to answer: else all
/// requests on it would wait for a server that has gone.
const PING: Duration = Duration::from_secs(20);

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    sender: Sender,
    link: Arc<Link>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// What stands behind it, closed with the last who has it.
#[derive(Debug)]
struct Link {
    address: SocketAddr,
    driver: AbortHandle,
    _counted: OwnedSemaphorePermit,
}

impl Drop for Link {
    /// A connection that is in the middle of something is of no use to anybody else.
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Begins to speak: HTTP/2 if both sides have agreed on it.
    pub(super) async fn begin(
        stream: Stream,
        address: SocketAddr,
        counted: OwnedSemaphorePermit,
    ) -> Result<Self, ErrorCode> {
        let is_http2 = stream.is_http2();
        let io = TokioIo::new(stream);
        let (sender, driver) = if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .initial_stream_window_size(READ_AHEAD_BYTES as u32)
                .initial_connection_window_size(SHARED_READ_AHEAD_BYTES as u32)
                .max_header_list_size(SECTION_BYTES as u32)
                .max_send_buf_size(WRITE_BEHIND_BYTES)
                .keep_alive_interval(PING)
                .keep_alive_timeout(PING);
            let (sender, driver) = builder.handshake(io).await.map_err(|error| why_not_answered(&error))?;
            // What fails in it, fails for whoever waits for a response.
            (Sender::Http2(sender), tokio::spawn(async { drop(driver.await) }))
        } else {
            // Without a number of its own it takes at most 100 headers, and does not have to allocate for them.
            let mut builder = http1::Builder::new();
            builder.max_buf_size(READ_AHEAD_BYTES);
            let (sender, driver) = builder.handshake(io).await.map_err(|error| why_not_answered(&error))?;
            (Sender::Http1(sender), tokio::spawn(async { drop(driver.await) }))
        };
        let link = Link { address, driver: driver.abort_handle(), _counted: counted };
        Ok(Connection { sender, link: Arc::new(link) })
    }

    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.link.address
    }

    /// The same connection, if several can have it at once.
    pub(super) fn shared(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => {
                Some(Connection { sender: Sender::Http2(sender.clone()), link: Arc::clone(&self.link) })
            }
        }
    }

    /// Whether somebody else has it too.
    pub(super) fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.link) > 1
    }

    /// Whether it takes a request now.
    pub(super) fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }

    /// Waits until it takes a request. Whether it ever will.
    pub(super) async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    pub(super) async fn send(
        &mut self,
        message: http::Request<Body>,
    ) -> Result<http::Response<Incoming>, TrySendError<http::Request<Body>>> {
        match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(message).await,
            Sender::Http2(sender) => sender.try_send_request(message).await,
        }
    }
}

/// Whether the connection ended, rather than that something on it was wrong.
pub(super) fn is_broken(error: &hyper::Error) -> bool {
    !(error.is_parse() || error.is_user() || error.is_timeout())
}

/// Why there is no response.
pub(super) fn why_not_answered(error: &hyper::Error) -> ErrorCode {
    let source = std::error::Error::source(error);
    if let Some(code) = source.and_then(|source| source.downcast_ref::<ErrorCode>()) {
        // The request's body ended in the middle.
        code.clone()
    } else if error.is_parse_too_large() {
        ErrorCode::HttpResponseHeaderSectionSize(None)
    } else {
        ErrorCode::of_connection(error)
    }
}
