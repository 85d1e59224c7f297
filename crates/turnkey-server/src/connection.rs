//! One connection: which protocol it speaks, and its requests.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{IoSlice, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use turnkey::host::clock::Deadline;
use turnkey::host::listen::be_prompt;

use crate::dispatch::{self, From};
use crate::server::Thread;

/// What HTTP/2 begins with, where nobody has agreed on it before: RFC 9113, section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Headers of one request, and the bytes of its head or of a piece of its body that are held at once.
const MOST_HEADERS: usize = 100;
const READ_BYTES: usize = 256 << 10;

/// Of HTTP/2: requests of one connection at a time, bytes of one request's headers, and bytes that its body may be ahead of who
/// reads it, of one request and of all of a connection.
const STREAMS: u32 = 128;
const HEADER_BYTES: u32 = 64 << 10;
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Streams that a peer has reset and that are not forgotten yet, beyond which the connection ends: who resets what it has asked for
/// over and over wants something else.
const RESET_STREAMS: usize = 64;

/// How long a request that had its time may take to be over, before its connection ends.
const GRACE: Duration = Duration::from_secs(1);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a peer may be silent of which something is still to come, before it is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(20);

/// What bytes go through. One type, so that the protocols are compiled once.
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(thread: Arc<Thread>, stream: TcpStream, peer: SocketAddr, mut ends: watch::Receiver<bool>) {
    let Ok(stream) = stream.into_std() else { return };
    be_prompt(&stream);
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    if let Some(tls) = &thread.tls {
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await else { return };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        speak(thread, Stream::Tls(Box::new(stream)), peer, Scheme::HTTPS, is_http2, &mut ends).await;
    } else {
        // One on which nothing has come yet ends with the server.
        let begun = {
            let begins = tokio::time::timeout(thread.shared.limits.header_timeout, speaks_http2(&stream));
            let mut begins = std::pin::pin!(begins);
            let mut ended = std::pin::pin!(ends.wait_for(|ends| *ends));
            poll_fn(|context| match begins.as_mut().poll(context) {
                Poll::Ready(begun) => Poll::Ready(begun.ok()),
                Poll::Pending => ended.as_mut().poll(context).map(|_| None),
            })
            .await
        };
        let Some(is_http2) = begun else { return };
        speak(thread, Stream::Plain(stream), peer, Scheme::HTTP, is_http2, &mut ends).await;
    }
}

/// Whether a connection begins as HTTP/2 does. What was looked at is still there to be read.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut begin = [0; PREFACE.len()];
    loop {
        let Ok(bytes) = stream.peek(&mut begin).await else { return false };
        let is_part = (1..PREFACE.len()).contains(&bytes) && PREFACE.starts_with(&begin[..bytes]);
        if !is_part {
            return begin[..bytes] == *PREFACE;
        }
        // Of whoever has gone, nothing more comes.
        if stream.ready(Interest::READABLE).await.is_ok_and(|ready| ready.is_read_closed()) {
            return false;
        }
        // More than was there before does not wake anybody who only looks.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn speak(
    thread: Arc<Thread>,
    stream: Stream,
    peer: SocketAddr,
    scheme: Scheme,
    is_http2: bool,
    ends: &mut watch::Receiver<bool>,
) {
    let io = TokioIo::new(stream);
    let header_timeout = thread.shared.limits.header_timeout;
    let unfinished = Arc::<Unfinished>::default();
    let its = Arc::clone(&unfinished);
    let service = service_fn(move |request: http::Request<Incoming>| {
        let from = From { peer, scheme: scheme.clone(), unfinished: Arc::clone(&its) };
        dispatch::answer(Arc::clone(&thread), request, from)
    });
    if is_http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER_BYTES)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .keep_alive_interval(PING_AFTER)
            .serve_connection(io, service);
        let connection = std::pin::pin!(connection);
        until_it_ends(connection, &unfinished, ends, http2::Connection::graceful_shutdown).await;
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_headers(MOST_HEADERS)
            .max_buf_size(READ_BYTES)
            // Not `pipeline_flush`, which would have a large response held here, all of it.
            .serve_connection(io, service);
        let connection = std::pin::pin!(connection);
        until_it_ends(connection, &unfinished, ends, http1::Connection::graceful_shutdown).await;
    }
}

/// When the requests of one connection are to be over, the first of them first.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(Mutex<VecDeque<Deadline>>);

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Deadline>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more: each has as long as any other, and so ends after them.
    pub(crate) fn begins(&self, end: Deadline) {
        self.lock().push_back(end);
    }

    /// One less.
    pub(crate) fn is_over(&self, end: Deadline) {
        let mut ends = self.lock();
        if let Some(place) = ends.iter().position(|its| *its == end) {
            ends.remove(place);
        }
    }

    fn first(&self) -> Option<Deadline> {
        self.lock().front().copied()
    }
}

/// Drives a connection to its end: by itself; when the server ends, after the requests that it has; or when a request had to be over
/// and is not, because its client does not take what it has asked for.
async fn until_it_ends<C: Future>(
    mut connection: Pin<&mut C>,
    unfinished: &Unfinished,
    ends: &mut watch::Receiver<bool>,
    end: fn(Pin<&mut C>),
) {
    let mut ended = std::pin::pin!(ends.wait_for(|ends| *ends));
    let mut is_ending = false;
    // Set only where a request has to wait: most are over before anybody could.
    let mut timer: Option<(Deadline, Pin<Box<Sleep>>)> = None;
    poll_fn(|context| {
        loop {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if is_ending || ended.as_mut().poll(context).is_pending() {
                break;
            }
            is_ending = true;
            end(connection.as_mut());
        }
        let Some(first) = unfinished.first() else { return Poll::Pending };
        if timer.as_ref().is_none_or(|(its, _)| *its != first) {
            let longest = Duration::from_nanos(first.left_ns()).saturating_add(GRACE);
            timer = Some((first, Box::pin(tokio::time::sleep(longest))));
        }
        timer.as_mut().map_or(Poll::Pending, |(_, sleep)| sleep.as_mut().poll(context))
    })
    .await;
}
