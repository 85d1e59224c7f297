//! A body as it goes from one side to the other: out of a connection, or out of a guest, piece by piece.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::client::Answer;
use crate::outgoing::Reading;
use crate::{ErrorCode, Fields};

/// A body, to be read once. What it is made of is taken where it goes to, so that nothing is copied on its way.
#[derive(Debug, Default)]
pub struct Body(Kind);

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    Network(Incoming),
    Answer(Box<Answer>),
    Guest(Reading),
}

impl Body {
    /// One of these bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Body(Kind::Full(bytes.into()))
    }

    /// Tells whoever writes it that whoever it was for has had it.
    pub fn accept(&mut self) {
        if let Kind::Guest(reading) = &mut self.0 {
            reading.settle(Ok(()));
        }
    }

    /// Whether all of it is there already, or it is nobody's in this process.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        if let Kind::Guest(reading) = &self.0 { reading.is_complete() } else { true }
    }

    /// Waits until all of it is there, as [`Body::is_complete`] says. Only whoever reads it may, before it is read.
    pub fn poll_complete(&self, context: &mut Context<'_>) -> Poll<()> {
        if let Kind::Guest(reading) = &self.0 { reading.poll_complete(context) } else { Poll::Ready(()) }
    }

    /// Why it will not come to its end, where that is known already.
    #[must_use]
    pub fn failure(&self) -> Option<ErrorCode> {
        if let Kind::Guest(reading) = &self.0 { reading.failure() } else { None }
    }

    /// Tells whoever writes it that it will not be sent, and why. Else a body that is dropped half-way says that the
    /// connection has ended.
    pub fn refuse(&mut self, code: ErrorCode) {
        if let Kind::Guest(reading) = &mut self.0 {
            reading.settle(Err(code));
        }
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Self {
        Body(Kind::Network(incoming))
    }
}

impl From<Answer> for Body {
    fn from(answer: Answer) -> Self {
        Body(Kind::Answer(Box::new(answer)))
    }
}

impl From<Reading> for Body {
    fn from(reading: Reading) -> Self {
        Body(Kind::Guest(reading))
    }
}

/// A frame without trailers that belong to the connection: wherever it goes, they do not go with it.
fn received(frame: Frame<Bytes>) -> Result<Frame<Bytes>, ErrorCode> {
    match frame.into_trailers() {
        Ok(trailers) => {
            let trailers = Fields::received(trailers).and_then(|trailers| trailers.to_map());
            trailers.map(Frame::trailers).map_err(|_| ErrorCode::HttpResponseTrailerSectionSize(None))
        }
        Err(frame) => Ok(frame),
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Network(incoming) => {
                let frame = ready!(Pin::new(incoming).poll_frame(context));
                Poll::Ready(frame.map(|frame| received(frame.map_err(|error| ErrorCode::of_connection(&error))?)))
            }
            Kind::Answer(answer) => {
                let frame = ready!(answer.poll_frame(context));
                Poll::Ready(frame.map(|frame| received(frame?)))
            }
            Kind::Guest(reading) => reading.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Network(incoming) => incoming.is_end_stream(),
            Kind::Answer(answer) => answer.is_end_stream(),
            Kind::Guest(reading) => reading.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Network(incoming) => incoming.size_hint(),
            Kind::Answer(answer) => answer.size_hint(),
            Kind::Guest(reading) => reading.size_hint(),
        }
    }
}
