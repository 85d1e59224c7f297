//! Bodies of messages between a guest and whoever is outside: the stream of the contents, and the futures of trailers, of how a
//! message was handled, and of how its transmission ended.
//!
//! A message that a guest makes keeps what it was made of until it is sent: then its contents are piped, and its trailers
//! behind them. Only what happens in the store ends it well: a store that is dropped in between drops the consumers too, and
//! that must not look like the end of the contents.

use std::any::{Any, TypeId};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;
use turnkey_core::limits::Lease;
use turnkey_core::stream::{Sink, Source};
use turnkey_http::{Body, ErrorCode as Core, IncomingBody, OUTGOING_BODY_BYTES, OutgoingBody, outgoing_body};
use wasmtime::component::{
    Destination, FutureConsumer, FutureProducer, FutureReader, Resource, Source as Written, StreamConsumer,
    StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, lease};
use crate::http::error::ErrorCode;
use crate::http::fields::{Fields, Section};
use crate::interface::State;
use crate::stream::{Reading, STREAM_BYTES, Writing};

/// What a body ends with.
pub(crate) type Trailers = Result<Option<Resource<Fields>>, ErrorCode>;

/// How whoever consumed a body handled it.
pub(crate) type Handled = Result<(), ErrorCode>;

/// How the transmission of a message ended.
pub(crate) type Sent = Result<(), ErrorCode>;

/// What a message has besides its head.
#[derive(Debug)]
pub(crate) enum Contents {
    /// It came from outside; each piece may take so long to come.
    Received(Body, Option<Duration>),
    /// A guest has made it, and nobody has had it yet.
    Made(Made),
}

/// What a guest made a message of, and where that will go.
#[derive(Debug)]
pub(crate) struct Made {
    stream: Option<StreamReader<u8>>,
    trailers: FutureReader<Trailers>,
    outgoing: Arc<OutgoingBody>,
    body: Body,
}

/// Contents of a guest's, for a message that says how long they are, and the future of its transmission.
pub(crate) fn made<T: Send + 'static, S: State<T>>(
    store: &mut StoreContextMut<'_, T>,
    state: S,
    stream: Option<StreamReader<u8>>,
    trailers: FutureReader<Trailers>,
    is_request: bool,
    length: Option<u64>,
) -> wasmtime::Result<(Contents, FutureReader<Sent>)> {
    let lease = lease(state(store.data_mut()).0, STREAM_BYTES)?;
    let (outgoing, reading) = outgoing_body(is_request, length);
    let sent = outgoing.sent();
    let sent = FutureReader::new(store, async move {
        let _lease = lease;
        let sent = poll_fn(|context| sent.poll(context)).await;
        Ok::<_, wasmtime::Error>(sent.map_err(ErrorCode::from))
    })?;
    Ok((Contents::Made(Made { stream, trailers, outgoing, body: reading.into() }), sent))
}

impl Contents {
    /// Of a message that its guest has dropped.
    pub(crate) fn close<T: Send + 'static>(self, mut store: StoreContextMut<'_, T>) -> wasmtime::Result<()> {
        if let Contents::Made(Made { stream, mut trailers, .. }) = self {
            if let Some(mut stream) = stream {
                stream.close(&mut store)?;
            }
            trailers.close(&mut store)?;
        }
        Ok(())
    }

    /// Of a message that cannot be sent.
    pub(crate) fn refuse<T: Send + 'static>(
        mut self,
        store: &mut StoreContextMut<'_, T>,
        code: Core,
    ) -> wasmtime::Result<()> {
        let (Contents::Received(body, _) | Contents::Made(Made { body, .. })) = &mut self;
        body.refuse(code);
        self.close(store.as_context_mut())
    }
}

/// The body of a message that is sent. What it was made of begins to flow.
pub(crate) fn send<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    contents: Contents,
) -> wasmtime::Result<Body> {
    let Made { stream, trailers, outgoing, body } = match contents {
        Contents::Received(body, _) => return Ok(body),
        Contents::Made(made) => made,
    };
    let passed = stream.map(|stream| stream.try_into::<Passed>(&mut store));
    let closed = match passed {
        None => None,
        Some(Ok(Passed(incoming))) => {
            // Of one that is over already it can be said how long it is.
            if incoming.is_over() {
                incoming.release();
            } else {
                outgoing.pass(incoming);
            }
            None
        }
        Some(Err(stream)) => {
            let host = state(store.data_mut()).0;
            outgoing.charge(lease(host, OUTGOING_BODY_BYTES as u64)?);
            let lease = lease(host, STREAM_BYTES)?;
            let (open, closed) = oneshot::channel();
            let writing = Writing::new(Sink::Drain(Arc::<OutgoingBody>::clone(&outgoing)), state, lease);
            stream.pipe(&mut store, Sending { writing, _open: open })?;
            Some(closed)
        }
    };
    trailers.pipe(&mut store, Ending { outgoing, state, closed })?;
    Ok(body)
}

/// The contents of a message, as its owner gets them, and the future of their end.
pub(crate) fn consume<T: Send + 'static, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    contents: Contents,
    handled: FutureReader<Handled>,
) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Trailers>)> {
    let host = state(store.data_mut()).0;
    let futures_lease = lease(host, STREAM_BYTES)?;
    match contents {
        Contents::Received(body, patience) => {
            let stream_lease = lease(host, STREAM_BYTES)?;
            let body = Arc::new(match patience {
                Some(longest) => IncomingBody::with_patience(body, longest),
                None => IncomingBody::new(body),
            });
            let reading = Reading::new(Source::Feed(Arc::<IncomingBody>::clone(&body)), state, stream_lease);
            handled.pipe(&mut store, Handling::Received(Arc::downgrade(&body)))?;
            let receiving = Receiving { reading, body: Some(Arc::clone(&body)) };
            let stream = StreamReader::new(&mut store, receiving)?;
            let trailers = FutureReader::new(&mut store, Ended { body, state, _lease: futures_lease })?;
            Ok((stream, trailers))
        }
        // Nobody is between the two: what it was made of is what there is to be had.
        Contents::Made(Made { stream, trailers, body, .. }) => {
            handled.pipe(&mut store, Handling::Made { body, _lease: futures_lease })?;
            let stream = match stream {
                Some(stream) => stream,
                None => StreamReader::new(&mut store, Vec::<u8>::new())?,
            };
            Ok((stream, trailers))
        }
    }
}

/// The contents of a message that came from outside.
struct Receiving<S> {
    reading: Reading<S>,
    /// To be released, or passed on.
    body: Option<Arc<IncomingBody>>,
}

/// What a stream of contents becomes that is passed on as it is.
struct Passed(Arc<IncomingBody>);

impl<T: 'static, S: State<T>> StreamProducer<T> for Receiving<S> {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, T>,
        destination: Destination<'a, u8, VecBuffer<u8>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        Pin::new(&mut self.get_mut().reading).poll_produce(context, store, destination, finish)
    }

    fn try_into(mut me: Pin<Box<Self>>, ty: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        if ty != TypeId::of::<Passed>() {
            return Err(me);
        }
        match me.body.take() {
            Some(body) => Ok(Box::new(Passed(body))),
            None => Err(me),
        }
    }
}

impl<S> Drop for Receiving<S> {
    /// The guest has had all of it, or does not want the rest.
    fn drop(&mut self) {
        if let Some(body) = &self.body {
            body.release();
        }
    }
}

/// The end of a body that came from outside, once nobody reads it any more.
struct Ended<S> {
    body: Arc<IncomingBody>,
    state: S,
    _lease: Lease,
}

impl<T: 'static, S: State<T>> FutureProducer<T> for Ended<S> {
    type Item = Trailers;

    fn poll_produce(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, T>,
        finish: bool,
    ) -> Poll<wasmtime::Result<Option<Trailers>>> {
        let Poll::Ready(end) = self.body.poll_trailers(context) else {
            return if finish { Poll::Ready(Ok(None)) } else { Poll::Pending };
        };
        let (host, p3) = (self.state)(store.data_mut());
        host.news += 1;
        Poll::Ready(Ok(Some(match end {
            Ok(None) => Ok(None),
            Ok(Some(trailers)) => {
                let section = Section::new(host, Arc::new(trailers))?;
                let kept = Call { name: "consume-body", host, p3 }.keep(Fields::of_message(section))?;
                Ok(Some(kept))
            }
            Err(code) => Err(code.into()),
        })))
    }
}

/// The contents of a message that is sent.
struct Sending<S> {
    writing: Writing<S>,
    /// Dropped with this, which is how those who wait for it learn that no more comes.
    _open: oneshot::Sender<()>,
}

impl<T: 'static, S: State<T>> StreamConsumer<T> for Sending<S> {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'_, T>,
        source: Written<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        Pin::new(&mut self.get_mut().writing).poll_consume(context, store, source, finish)
    }
}

/// The end of a message that is sent: its trailers, which come after its contents.
struct Ending<S> {
    outgoing: Arc<OutgoingBody>,
    state: S,
    /// Contents that may still come.
    closed: Option<oneshot::Receiver<()>>,
}

impl<T: 'static, S: State<T>> FutureConsumer<T> for Ending<S> {
    type Item = Trailers;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, T>,
        mut source: Written<'_, Trailers>,
        finish: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let this = self.get_mut();
        if let Some(closed) = &mut this.closed {
            if Pin::new(closed).poll(context).is_pending() {
                return if finish { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            this.closed = None;
        }
        match take(&mut store, &mut source)? {
            Some(Ok(None)) => this.finish(None),
            Some(Ok(Some(trailers))) => {
                let (host, p3) = (this.state)(store.data_mut());
                let trailers = Call { name: "new", host, p3 }.take(trailers)?;
                this.finish(Some(&trailers.section.fields));
            }
            Some(Err(code)) => this.outgoing.abandon(code.into()),
            None => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Ending<S> {
    /// What is wrong with the end is told by the future of the transmission.
    fn finish(&self, trailers: Option<&turnkey_http::Fields>) {
        let _ = self.outgoing.finish(trailers);
    }
}

impl<S> Drop for Ending<S> {
    /// A message whose end never came is not whole; of one that has ended this changes nothing.
    fn drop(&mut self) {
        self.outgoing.abandon(Core::ConnectionTerminated);
    }
}

/// What becomes of how a body was handled.
enum Handling {
    /// Whoever sends the rest of it learns what went wrong.
    Received(Weak<IncomingBody>),
    /// Whoever made it learns how it went.
    Made { body: Body, _lease: Lease },
}

impl<T: 'static> FutureConsumer<T> for Handling {
    type Item = Handled;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, T>,
        mut source: Written<'_, Handled>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let Some(handled) = take(&mut store, &mut source)? else { return Poll::Ready(Ok(())) };
        match (self.get_mut(), handled) {
            (Handling::Received(_), Ok(())) => {}
            (Handling::Received(body), Err(code)) => {
                if let Some(body) = body.upgrade() {
                    body.refuse(code.into());
                }
            }
            (Handling::Made { body, .. }, Ok(())) => body.accept(),
            (Handling::Made { body, .. }, Err(code)) => body.refuse(code.into()),
        }
        Poll::Ready(Ok(()))
    }
}

/// What a guest has written to a future.
fn take<T: 'static, V: wasmtime::component::Lift + Send + 'static>(
    store: &mut StoreContextMut<'_, T>,
    source: &mut Written<'_, V>,
) -> wasmtime::Result<Option<V>> {
    let mut value = None;
    source.read(store, &mut value)?;
    Ok(value)
}
