//! What a guest sends: the body of a message, as a sink of the core's, between the guest that writes it and the connection that
//! takes it.
//!
//! It holds at most `HELD_BYTES`, whatever the pieces are, and of nothing it holds nothing. What the message says of its length
//! holds: more is refused, and less does not end well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use turnkey_core::ErrorCode as Code;
use turnkey_core::host::buffers::Buffers;
use turnkey_core::limits::Lease;
use turnkey_core::stream::{Drain, Event};

use crate::{ErrorCode, Fields, IncomingBody};

/// Bytes that are held at most between a guest and a connection; what a guest is charged with that writes a body.
pub(crate) const HELD_BYTES: usize = 256 << 10;

/// Writes smaller than this are put together while nobody takes them.
const PIECE_BYTES: usize = 16 << 10;

/// A body that a guest writes. It ends well by [`OutgoingBody::finish`]; whoever forgets it calls [`OutgoingBody::abandon`].
#[derive(Debug)]
pub struct OutgoingBody(Mutex<Queue>);

/// The other side of it: what the connection takes. To be made into a [`Body`](crate::Body).
#[derive(Debug)]
pub struct Reading(Arc<OutgoingBody>);

/// How the transmission of a message ends.
#[derive(Debug)]
pub struct Sent(Arc<OutgoingBody>);

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// What is still put together, after the pieces.
    tail: Vec<u8>,
    /// Bytes in both.
    held: usize,
    /// Comes after what is held: another body, which goes on as it comes.
    passed: Option<Arc<IncomingBody>>,
    /// Bytes that have been taken in.
    written: u64,
    /// How many there are to be.
    length: Option<u64>,
    is_request: bool,
    /// Charges what is held.
    lease: Option<Lease>,
    end: Option<End>,
    /// What has become of the transmission.
    sent: Option<Result<(), ErrorCode>>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    sender: Option<Waker>,
}

#[derive(Debug)]
enum End {
    /// By itself, with these trailers.
    Well(Option<http::HeaderMap>),
    /// Its end has been taken.
    Taken,
    Failed(ErrorCode),
}

/// A body to be written: of a request or a response, of so many bytes, if the message says so.
#[must_use]
pub fn outgoing_body(is_request: bool, length: Option<u64>) -> (Arc<OutgoingBody>, Reading) {
    let queue = Queue { is_request, length, ..Queue::default() };
    let body = Arc::new(OutgoingBody(Mutex::new(queue)));
    (Arc::clone(&body), Reading(body))
}

impl Queue {
    fn wrong_size(&self, bytes: u64) -> ErrorCode {
        if self.is_request {
            ErrorCode::HttpRequestBodySize(Some(bytes))
        } else {
            ErrorCode::HttpResponseBodySize(Some(bytes))
        }
    }

    /// Counts bytes that are about to go in.
    fn count(&mut self, bytes: usize) -> Result<(), ErrorCode> {
        let written = self.written.saturating_add(bytes as u64);
        if self.length.is_some_and(|length| written > length) {
            let code = self.wrong_size(written);
            self.fail(code.clone());
            return Err(code);
        }
        self.written = written;
        Ok(())
    }

    fn fail(&mut self, code: ErrorCode) {
        // What went wrong first is why.
        if self.end.is_none() {
            self.end = Some(End::Failed(code));
            self.wake_reader();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn settle(&mut self, sent: Result<(), ErrorCode>) {
        self.sent.get_or_insert(sent);
        for waker in [self.writer.take(), self.sender.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// The next piece of what is held.
    fn take(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front();
        let piece = piece.or_else(|| (!self.tail.is_empty()).then(|| std::mem::take(&mut self.tail).into()))?;
        self.held -= piece.len();
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        Some(piece)
    }

    fn room(&self) -> Result<usize, Code> {
        match (&self.end, &self.sent) {
            (Some(End::Failed(code)), _) | (_, Some(Err(code))) => Err(code.as_code()),
            (Some(_), _) | (_, Some(Ok(()))) => Err(Code::Pipe),
            _ if self.passed.is_some() => Ok(0),
            _ => Ok(HELD_BYTES - self.held),
        }
    }
}

impl OutgoingBody {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what charges the guest with what is held of it, for as long as anything can be.
    pub fn charge(&self, lease: Lease) {
        let mut queue = self.lock();
        if queue.sent.is_none() {
            queue.lease = Some(lease);
        }
    }

    /// Passes on another body as it comes, after what has been written. It is released at its end.
    pub fn pass(&self, body: impl Into<Arc<IncomingBody>>) {
        let mut queue = self.lock();
        queue.passed = Some(body.into());
        queue.wake_reader();
    }

    /// Ends it well.
    ///
    /// # Errors
    /// It is not as long as the message says, or its trailers may not be sent; the message does not end well then.
    pub fn finish(&self, trailers: Option<&Fields>) -> Result<(), ErrorCode> {
        let mut queue = self.lock();
        if let Some(End::Failed(code)) = &queue.end {
            return Err(code.clone());
        }
        if queue.passed.is_none() && queue.length.is_some_and(|length| queue.written != length) {
            let code = queue.wrong_size(queue.written);
            queue.fail(code.clone());
            return Err(code);
        }
        let trailers = match trailers.filter(|trailers| !trailers.is_empty()).map(Fields::to_map).transpose() {
            Ok(trailers) => trailers,
            Err(_) => {
                queue.fail(ErrorCode::HttpProtocolError);
                return Err(ErrorCode::HttpProtocolError);
            }
        };
        if queue.end.is_none() {
            queue.end = Some(End::Well(trailers));
            queue.wake_reader();
        }
        Ok(())
    }

    /// Ends it in the middle: whoever reads it learns that it is not whole. Of a body that has ended, nothing.
    pub fn abandon(&self, code: ErrorCode) {
        self.lock().fail(code);
    }

    /// Why it takes nothing more, if something is wrong with it.
    #[must_use]
    pub fn failure(&self) -> Option<ErrorCode> {
        let queue = self.lock();
        match (&queue.end, &queue.sent) {
            (Some(End::Failed(code)), _) | (_, Some(Err(code))) => Some(code.clone()),
            _ => None,
        }
    }

    /// How its transmission will end.
    #[must_use]
    pub fn sent(self: &Arc<Self>) -> Sent {
        Sent(Arc::clone(self))
    }
}

impl Sent {
    /// Whether it has, and how.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Result<(), ErrorCode>> {
        let mut queue = self.0.lock();
        match &queue.sent {
            Some(sent) => Poll::Ready(sent.clone()),
            None => {
                queue.sender = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Event for OutgoingBody {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.lock();
        match queue.room() {
            Ok(0) => {
                queue.writer = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drain for OutgoingBody {
    fn write(&self, buffers: &Buffers<'_>) -> Result<usize, Code> {
        let mut queue = self.lock();
        let bytes = queue.room()?.min(buffers.bytes());
        if bytes == 0 {
            // Of nothing there is nothing to be taken.
            return if buffers.bytes() == 0 { Ok(0) } else { Err(Code::WouldBlock) };
        }
        queue.count(bytes).map_err(|code| code.as_code())?;
        if queue.tail.len() + bytes > PIECE_BYTES && !queue.tail.is_empty() {
            let tail = std::mem::take(&mut queue.tail);
            queue.pieces.push_back(tail.into());
        }
        buffers.copy_to(&mut queue.tail, bytes);
        queue.held += bytes;
        queue.wake_reader();
        Ok(bytes)
    }

    fn room(&self) -> Result<usize, Code> {
        self.lock().room()
    }
}

impl Reading {
    pub(crate) fn settle(&mut self, sent: Result<(), ErrorCode>) {
        self.0.lock().settle(sent);
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        loop {
            let mut queue = self.0.lock();
            if let Some(piece) = queue.take() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Some(passed) = queue.passed.clone() {
                // What stands behind it may wake somebody: not while this is held.
                drop(queue);
                let piece = ready!(passed.poll_piece(context));
                let mut queue = self.0.lock();
                match piece {
                    Some(piece) => {
                        return Poll::Ready(Some(queue.count(piece.len()).map(|()| Frame::data(piece))));
                    }
                    None => {
                        queue.passed = None;
                        let short = queue.length.is_some_and(|length| queue.written != length);
                        if let Some(code) = passed.failure() {
                            queue.end = Some(End::Failed(code));
                        } else if short {
                            queue.end = Some(End::Failed(queue.wrong_size(queue.written)));
                        }
                        if let Some(writer) = queue.writer.take() {
                            writer.wake();
                        }
                        drop(queue);
                        passed.release();
                    }
                }
                continue;
            }
            let end = match &mut queue.end {
                None => {
                    queue.reader = Some(context.waker().clone());
                    return Poll::Pending;
                }
                Some(End::Well(trailers)) => trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
                Some(End::Taken) => None,
                Some(End::Failed(code)) => {
                    let code = code.clone();
                    queue.settle(Err(code.clone()));
                    return Poll::Ready(Some(Err(code)));
                }
            };
            queue.end = Some(End::Taken);
            queue.settle(Ok(()));
            return Poll::Ready(end);
        }
    }

    pub(crate) fn failure(&self) -> Option<ErrorCode> {
        self.0.failure()
    }

    pub(crate) fn poll_complete(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.0.lock();
        if queue.passed.is_some() || queue.end.is_some() {
            return Poll::Ready(());
        }
        queue.reader = Some(context.waker().clone());
        Poll::Pending
    }

    pub(crate) fn is_complete(&self) -> bool {
        let queue = self.0.lock();
        queue.passed.is_some() || queue.end.is_some()
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        let queue = self.0.lock();
        queue.held == 0 && queue.passed.is_none() && matches!(queue.end, Some(End::Well(None) | End::Taken))
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let queue = self.0.lock();
        match (queue.length, &queue.end) {
            // Without what has been taken out already.
            (Some(length), _) => SizeHint::with_exact(length.saturating_sub(queue.written - queue.held as u64)),
            (None, Some(End::Well(None) | End::Taken)) if queue.passed.is_none() => {
                SizeHint::with_exact(queue.held as u64)
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Reading {
    /// Whoever takes nothing more has either had it all, or has gone.
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        let whole =
            queue.held == 0 && queue.passed.is_none() && matches!(queue.end, Some(End::Well(None) | End::Taken));
        queue.settle(if whole { Ok(()) } else { Err(ErrorCode::ConnectionTerminated) });
        // Nobody will take these.
        (queue.pieces, queue.tail, queue.held, queue.lease) = (VecDeque::new(), Vec::new(), 0, None);
        let passed = queue.passed.take();
        drop(queue);
        if let Some(passed) = passed {
            passed.release();
        }
    }
}
