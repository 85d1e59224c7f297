//! `incoming-body`, `future-trailers` and `outgoing-body` of `wasi:http/types`.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use turnkey_core::ending::Stopped;
use turnkey_core::limits::Limit;
use turnkey_core::slab::Id;
use turnkey_core::stream::{Event, Interest};
use turnkey_http::{Body, OUTGOING_BODY_BYTES, outgoing_body};
use wasmtime::component::Resource;

use crate::call::{Call, Kept};
use crate::http::error::ErrorCode;
use crate::http::fields::{Fields, Section};
use crate::interface::{Interface, State};
use crate::io::poll::Pollable;
use crate::io::streams::{InputStream, OutputStream};

/// Why a body does not go before its stream.
const STREAMED: &str = "the stream of the body is still there";

/// `incoming-body`
#[derive(Debug)]
pub(crate) struct IncomingBody {
    body: Arc<turnkey_http::IncomingBody>,
    /// The stream of its contents, once it has been asked for.
    stream: Option<Id>,
}

impl IncomingBody {
    /// `consume` of a message: once.
    pub(crate) fn keep(
        call: &mut Call<'_>,
        body: Option<turnkey_http::IncomingBody>,
    ) -> wasmtime::Result<Result<Resource<Self>, ()>> {
        match body {
            Some(body) => call.keep(IncomingBody { body: Arc::new(body), stream: None }).map(Ok),
            None => Ok(Err(())),
        }
    }

    fn must_not_stream(&self, call: &Call<'_>) -> wasmtime::Result<()> {
        let stream = self.stream.and_then(|id| call.p2.table.input_streams.by_id(id));
        stream.map_or(Ok(()), |_| Err(call.broken(STREAMED)))
    }
}

impl Kept for IncomingBody {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.must_not_stream(call)
    }
}

/// `future-trailers`
#[derive(Debug)]
pub(crate) struct FutureTrailers {
    end: Arc<End>,
    /// What was had of it: trailers, or none.
    had: Option<Option<Section>>,
}

impl Kept for FutureTrailers {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.had.flatten().map_or(Ok(()), |trailers| trailers.must_be_whole(call))
    }
}

impl FutureTrailers {
    /// What it waits for.
    pub(crate) fn interest(&self) -> Interest {
        Interest::Event(Arc::<End>::clone(&self.end))
    }
}

/// The end of a body that comes.
#[derive(Debug)]
struct End(Arc<turnkey_http::IncomingBody>);

impl Event for End {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_end(context).map(drop)
    }
}

/// `outgoing-body`
#[derive(Debug)]
pub(crate) struct OutgoingBody {
    body: Arc<turnkey_http::OutgoingBody>,
    is_request: bool,
    /// The stream that it is written to, once that has been asked for.
    stream: Option<Id>,
}

impl OutgoingBody {
    /// `body` of a message: once.
    pub(crate) fn of_message(is_request: bool, headers: &Section, body: &mut Option<Body>) -> Option<Self> {
        if body.is_some() {
            return None;
        }
        // Headers that do not say one length do not go out, and the message is refused for that.
        let length = headers.fields.content_length().ok().flatten();
        let (written, reading) = outgoing_body(is_request, length);
        *body = Some(reading.into());
        Some(OutgoingBody { body: written, is_request, stream: None })
    }

    /// What the guest is given of it.
    pub(crate) fn keep(call: &mut Call<'_>, body: Option<Self>) -> wasmtime::Result<Result<Resource<Self>, ()>> {
        body.map_or(Ok(Err(())), |body| call.keep(body).map(Ok))
    }

    fn must_not_stream(&self, call: &Call<'_>) -> wasmtime::Result<()> {
        let stream = self.stream.and_then(|id| call.p2.table.output_streams.by_id(id));
        stream.map_or(Ok(()), |_| Err(call.broken(STREAMED)))
    }
}

impl Kept for OutgoingBody {
    fn dropped(self, _: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        self.must_not_stream(call)
    }
}

impl Drop for OutgoingBody {
    /// One that was not finished is not whole, also where the guest has ended.
    fn drop(&mut self) {
        self.body.abandon(if self.is_request {
            turnkey_http::ErrorCode::HttpProtocolError
        } else {
            turnkey_http::ErrorCode::HttpResponseIncomplete
        });
    }
}

/// `incoming-body`
pub(crate) fn define_incoming<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<IncomingBody>;
    it.resource::<IncomingBody>("incoming-body");
    it.func("[method]incoming-body.stream", |call, (this,): (This,)| {
        let incoming = call.get(&this)?;
        if incoming.stream.is_some() {
            return Ok(Err(()));
        }
        let stream = call.keep(InputStream::of_body(Arc::clone(&incoming.body)))?;
        call.get_mut(&this)?.stream = Some(call.id(&stream));
        Ok(Ok(stream))
    });
    it.func("[static]incoming-body.finish", |call, (this,): (This,)| {
        let incoming = call.take(&this)?;
        incoming.must_not_stream(call)?;
        call.keep(FutureTrailers { end: Arc::new(End(incoming.body)), had: None })
    });
}

/// `future-trailers`
pub(crate) fn define_trailers<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<FutureTrailers>;
    it.resource::<FutureTrailers>("future-trailers");
    it.func("[method]future-trailers.subscribe", |call, (this,): (This,)| {
        call.keep(Pollable::Trailers(call.id(&this)))
    });
    it.func("[method]future-trailers.get", |call, (this,): (This,)| {
        let future = call.get(&this)?;
        if future.had.is_some() {
            return Ok(Some(Err(())));
        }
        let end = match future.end.0.poll_end(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(end) => end,
            Poll::Pending => return Ok(None),
        };
        let (trailers, result) = match end {
            Ok(Some(trailers)) if !trailers.is_empty() => {
                let mut trailers = Section::new(call, Arc::new(trailers))?;
                let lent = call.keep(trailers.lend())?;
                (Some(trailers), Ok(Some(lent)))
            }
            Ok(_) => (None, Ok(None)),
            Err(code) => (None, Err(ErrorCode::from(code))),
        };
        call.get_mut(&this)?.had = Some(trailers);
        Ok(Some(Ok(result)))
    });
}

/// `outgoing-body`
pub(crate) fn define_outgoing<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    type This = Resource<OutgoingBody>;
    it.resource::<OutgoingBody>("outgoing-body");
    it.func("[method]outgoing-body.write", |call, (this,): (This,)| {
        let (outgoing, host) = call.with_host(&this)?;
        if outgoing.stream.is_some() {
            return Ok(Err(()));
        }
        let lease = host.budget.lease(OUTGOING_BODY_BYTES as u64).map_err(|_| Stopped(Limit::Memory))?;
        let body = Arc::clone(&outgoing.body);
        body.charge(lease);
        let stream = call.keep(OutputStream::of_body(body))?;
        call.get_mut(&this)?.stream = Some(call.id(&stream));
        Ok(Ok(stream))
    });
    it.func("[static]outgoing-body.finish", |call, (this, trailers): (This, Option<Resource<Fields>>)| {
        let outgoing = call.take(&this)?;
        outgoing.must_not_stream(call)?;
        let trailers = trailers.map(|trailers| Section::of(call, &trailers)).transpose()?;
        let finished = outgoing.body.finish(trailers.as_ref().map(|trailers| &*trailers.fields));
        Ok(finished.map_err(ErrorCode::from))
    });
}
