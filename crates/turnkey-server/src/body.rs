//! The body of a response on its way to a connection, and with it what is left to do of the request: a guest that still writes
//! it, its place, its record.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use turnkey::http::{Body, ErrorCode};

use crate::dispatch::Answered;

/// The body of a response that is served.
#[derive(Debug)]
pub(crate) struct Served {
    body: Body,
    answered: Answered,
}

impl Served {
    pub(crate) const fn new(body: Body, answered: Answered) -> Self {
        Served { body, answered }
    }
}

impl http_body::Body for Served {
    type Data = Bytes;
    type Error = ErrorCode;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let this = &mut *self;
        // The guest writes what is read next.
        this.answered.poll_guest(context);
        let frame = Pin::new(&mut this.body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => this.answered.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(code))) => this.answered.failed(code),
            Poll::Ready(None) => this.answered.whole(),
            Poll::Pending if this.answered.is_late(context) => {
                this.answered.late();
                return Poll::Ready(Some(Err(ErrorCode::HttpResponseTimeout)));
            }
            Poll::Pending => {}
        }
        if this.body.is_end_stream() {
            this.answered.whole();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
