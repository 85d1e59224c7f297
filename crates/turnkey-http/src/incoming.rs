//! What a guest receives: the body of a message, as a stream of the core's, and the trailers after it.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use turnkey_core::ErrorCode as Code;
use turnkey_core::host::buffers::Buffers;
use turnkey_core::stream::{Available, Event, Feed};

use crate::{Body, ErrorCode, Fields};

/// A body that a guest reads. Bytes come only when they are asked for; one piece is held, as it came.
#[derive(Debug)]
pub struct IncomingBody(Mutex<Received>);

#[derive(Debug, Default)]
struct Received {
    body: Body,
    /// What came last and has not been read.
    piece: Bytes,
    end: Option<Result<Option<Fields>, ErrorCode>>,
    /// How long a piece may take to come.
    patience: Option<Patience>,
    /// Nobody reads it any more.
    is_released: bool,
    /// Waits for that.
    successor: Option<Waker>,
}

/// The time that may go by between two pieces.
#[derive(Debug)]
struct Patience {
    longest: Duration,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

impl Received {
    /// Has a piece that is not empty, or the end.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.piece.is_empty() && self.end.is_none() {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                let late = |patience: &mut Patience| patience.sleep.as_mut().poll(context).is_ready();
                if !self.patience.as_mut().is_some_and(late) {
                    return Poll::Pending;
                }
                self.end = Some(Err(ErrorCode::ConnectionReadTimeout));
                break;
            };
            if let Some(Patience { longest, sleep }) = &mut self.patience {
                sleep.set(tokio::time::sleep(*longest));
            }
            match frame {
                None => self.end = Some(Ok(None)),
                Some(Err(code)) => self.end = Some(Err(code)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => self.piece = piece,
                    // Nothing comes after trailers.
                    Err(frame) => {
                        self.end = Some(match frame.into_trailers().map(Fields::received) {
                            Ok(Ok(trailers)) => Ok(Some(trailers)),
                            Ok(Err(_)) => Err(ErrorCode::HttpResponseTrailerSectionSize(None)),
                            Err(_) => Ok(None),
                        });
                    }
                },
            }
            if self.end.is_some() {
                // What is behind it may be a connection that somebody else waits for.
                self.body = Body::default();
                self.patience = None;
            }
        }
        Poll::Ready(())
    }
}

impl IncomingBody {
    /// A body that comes.
    #[must_use]
    pub fn new(body: Body) -> Self {
        IncomingBody(Mutex::new(Received { body, ..Received::default() }))
    }

    /// The same, each piece of which has so long to come. In an executor.
    #[must_use]
    pub fn with_patience(body: Body, longest: Duration) -> Self {
        let incoming = IncomingBody::new(body);
        let sleep = Box::pin(tokio::time::sleep(longest));
        incoming.lock().patience = Some(Patience { longest, sleep });
        incoming
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece as it came; `None`: the end, of whatever kind.
    pub fn poll_piece(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut received = self.lock();
        ready!(received.poll(context));
        let piece = std::mem::take(&mut received.piece);
        Poll::Ready((!piece.is_empty()).then_some(piece))
    }

    /// How the body ends, and its trailers; what has not been read is thrown away, which may take as long as it comes.
    pub fn poll_end(&self, context: &mut Context<'_>) -> Poll<Result<Option<Fields>, ErrorCode>> {
        let mut received = self.lock();
        loop {
            ready!(received.poll(context));
            received.piece = Bytes::new();
            if let Some(end) = &received.end {
                return Poll::Ready(end.clone());
            }
        }
    }

    /// Whether it is known already that nothing more comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let received = self.lock();
        received.piece.is_empty() && (received.end.is_some() || received.body.is_end_stream())
    }

    /// Says that nobody reads it any more.
    pub fn release(&self) {
        let mut received = self.lock();
        received.is_released = true;
        let successor = received.successor.take();
        drop(received);
        if let Some(successor) = successor {
            successor.wake();
        }
    }

    /// [`IncomingBody::poll_end`], once nobody reads it any more.
    pub fn poll_trailers(&self, context: &mut Context<'_>) -> Poll<Result<Option<Fields>, ErrorCode>> {
        let mut received = self.lock();
        if !received.is_released {
            received.successor = Some(context.waker().clone());
            return Poll::Pending;
        }
        drop(received);
        self.poll_end(context)
    }

    /// Takes no more of it, and tells whoever sends it why.
    pub fn refuse(&self, code: ErrorCode) {
        let mut received = self.lock();
        if received.end.is_none() {
            received.body.refuse(code.clone());
            received.end = Some(Err(code));
            (received.body, received.patience) = (Body::default(), None);
        }
    }

    /// Why it ended before its end, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<ErrorCode> {
        self.lock().end.as_ref().and_then(|end| end.as_ref().err().cloned())
    }
}

impl Event for IncomingBody {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.lock().poll(context)
    }
}

impl Feed for IncomingBody {
    fn read(&self, buffers: &mut Buffers<'_>) -> Result<usize, Code> {
        let mut received = self.lock();
        if received.piece.is_empty() && received.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Err(Code::WouldBlock);
        }
        if received.piece.is_empty() {
            return match &received.end {
                Some(Err(code)) => Err(code.as_code()),
                _ => Ok(0),
            };
        }
        let read = buffers.fill(&received.piece);
        let _ = received.piece.split_to(read);
        Ok(read)
    }

    fn available(&self) -> Available {
        let mut received = self.lock();
        if received.piece.is_empty() && received.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Available::Unknown;
        }
        match (received.piece.len(), &received.end) {
            (0, Some(Err(_))) => Available::Unknown,
            (bytes, _) => Available::Bytes(bytes as u64),
        }
    }
}
