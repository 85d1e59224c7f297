//! The body of a response as it comes over a connection, which goes back to where it was when the body has ended, and is closed
//! when nobody wants the rest.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::connection::Connection;
use super::pool::Origin;
use super::{Client, Held};
use crate::ErrorCode;

/// A body, and what it comes over.
#[derive(Debug)]
pub(crate) struct Answer {
    incoming: Incoming,
    /// Until the end.
    behind: Option<Behind>,
    /// How long a piece may take from when it is asked for.
    longest: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Behind {
    client: Client,
    origin: Origin,
    connection: Connection,
    _held: Held,
}

impl Answer {
    pub(super) fn new(
        incoming: Incoming,
        client: Client,
        origin: Origin,
        connection: Connection,
        held: Held,
        longest: Duration,
    ) -> Self {
        let behind = Some(Behind { client, origin, connection, _held: held });
        let mut answer = Answer { incoming, behind, longest, late: None };
        if answer.incoming.is_end_stream() {
            answer.end();
        }
        answer
    }

    /// It has ended well.
    fn end(&mut self) {
        if let Some(Behind { client, origin, connection, .. }) = self.behind.take() {
            client.give_back(origin, connection);
        }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ErrorCode>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            let late = self.late.get_or_insert_with(|| Box::pin(sleep(self.longest)));
            if late.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.behind = None;
            return Poll::Ready(Some(Err(ErrorCode::ConnectionReadTimeout)));
        };
        self.late = None;
        match &frame {
            Some(Err(_)) => self.behind = None,
            Some(Ok(frame)) if !frame.is_trailers() && !self.incoming.is_end_stream() => {}
            _ => self.end(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|error| ErrorCode::of_connection(&error))))
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
