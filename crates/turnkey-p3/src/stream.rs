//! Streams of bytes between a guest and the host, each with the future that says how it ended.
//!
//! There is one kind that reads ([`Reading`]) and one that writes ([`Writing`]). The engine asks for bytes when the other end
//! is ready for them, and they go straight to and from the guest's memory: nothing is read before it is asked for, nothing that
//! was taken is held back, and so nothing is lost where one end is dropped or an operation is cancelled. Where both ends are the
//! host's, the engine's buffer is between them.
//!
//! Source of truth: the component model's `Concurrency.md` and `CanonicalABI.md`, for what a read, a write, a cancellation and
//! a dropped end mean.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;
use turnkey_core::ErrorCode as Code;
use turnkey_core::ending::Stopped;
use turnkey_core::filesystem::ahead::Ahead;
use turnkey_core::host::buffers::{Buffers, ReadOnly};
use turnkey_core::host::clock::Deadline;
use turnkey_core::host::poll::is_ready;
use turnkey_core::host::reactor;
use turnkey_core::limits::Lease;
use turnkey_core::stream::waiting::has_happened;
use turnkey_core::stream::{Interest, Interruption, Sink, Source, Wait};
use wasmtime::component::{
    ComponentType, Destination, FutureReader, Lift, Lower, Source as Written, StreamConsumer, StreamProducer,
    StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::lease;
use crate::interface::State;

/// Bytes that a stream and its future are charged with: what the engine keeps for both. Measured: 1400 while nobody uses them,
/// 2800 while both are read.
pub(crate) const STREAM_BYTES: u64 = 3072;

/// Bytes that go from one stream of the host's to another at once, through a buffer of the engine's.
const BETWEEN_STREAMS: usize = 64 << 10;

/// How many times that is done before others get to run: the guest's tasks, its timers, the end of its time.
const BEFORE_OTHERS: u32 = 16;

/// How long a stream waits that has met a limit, before it looks whether there is room again.
const AGAIN_AFTER_NS: u64 = 10_000_000;

/// A stream that the guest reads, and the future of its end.
pub(crate) type Readable<I, E> = (StreamReader<I>, FutureReader<Result<(), E>>);

/// Tells the future of a stream how it ended. Dropped without a word: well.
pub(crate) type Ended = oneshot::Sender<Code>;

/// What a stream waits for.
#[derive(Default)]
pub(crate) struct Waiting(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Waiting {
    /// Begins to wait.
    pub(crate) fn begin(&mut self, interest: Interest) {
        self.0 = match interest {
            Interest::Descriptor(fd, ready) => Some(Box::pin(fd.ready(ready))),
            Interest::Event(event) => Some(Box::pin(poll_fn(move |context| event.poll(context)))),
            Interest::Now | Interest::Clock(_) => None,
        };
    }

    /// Begins to wait for what nobody tells: for a little while.
    pub(crate) fn begin_again_later(&mut self) {
        self.0 = Some(Box::pin(reactor::sleep(Deadline::after_ns(AGAIN_AFTER_NS))));
    }

    /// Whether it has happened, or nothing is waited for.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(waiting) = &mut self.0 {
            ready!(waiting.as_mut().poll(context));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

/// What a stream answers that has to wait: nothing yet, or, where the guest takes its read or write back, that it is taken back.
pub(crate) const fn not_yet(finish: bool) -> Poll<wasmtime::Result<StreamResult>> {
    if finish { Poll::Ready(Ok(StreamResult::Cancelled)) } else { Poll::Pending }
}

/// Whether a descriptor would let a stream go on, for whoever asks without giving bytes or room.
pub(crate) fn is_ready_now(interest: &Interest) -> bool {
    match interest {
        Interest::Descriptor(fd, ready) => is_ready(fd, *ready),
        Interest::Event(event) => has_happened(event.as_ref()),
        Interest::Now | Interest::Clock(_) => true,
    }
}

/// The future that says how a stream ended.
pub(crate) fn ending<E>(
    mut store: impl AsContextMut<Data: Send + 'static>,
) -> wasmtime::Result<(Ended, FutureReader<Result<(), E>>)>
where
    E: ComponentType + Lift + Lower + From<Code> + Send + Sync + 'static,
{
    let (ended, end) = oneshot::channel();
    let future = FutureReader::new(&mut store, async move {
        Ok::<_, wasmtime::Error>(match end.await {
            Ok(code) => Err(E::from(code)),
            Err(_) => Ok(()),
        })
    })?;
    Ok((ended, future))
}

/// The same, of one that ended before it began.
fn failed<E>(
    mut store: impl AsContextMut<Data: Send + 'static>,
    code: Code,
) -> wasmtime::Result<FutureReader<Result<(), E>>>
where
    E: ComponentType + Lift + Lower + From<Code> + Send + Sync + 'static,
{
    FutureReader::new(&mut store, std::future::ready(Ok::<_, wasmtime::Error>(Err(E::from(code)))))
}

/// A stream that gives nothing, and the future that says why.
pub(crate) fn nothing<I, E>(
    mut store: impl AsContextMut<Data: Send + 'static>,
    code: Code,
) -> wasmtime::Result<Readable<I, E>>
where
    I: ComponentType + Lift + Lower + Send + Sync + Unpin + 'static,
    E: ComponentType + Lift + Lower + From<Code> + Send + Sync + 'static,
{
    let stream = StreamReader::new(&mut store, Vec::<I>::new())?;
    Ok((stream, failed(&mut store, code)?))
}

/// A stream of what a source gives.
pub(crate) fn read<T, S, E>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    source: Result<Source, Code>,
) -> wasmtime::Result<Readable<u8, E>>
where
    T: Send + 'static,
    S: State<T>,
    E: ComponentType + Lift + Lower + From<Code> + Send + Sync + 'static,
{
    let source = match source {
        Ok(source) => source,
        Err(code) => return nothing(&mut store, code),
    };
    let lease = lease(state(store.data_mut()).0, STREAM_BYTES)?;
    let (ended, future) = ending(&mut store)?;
    let mut reading = Reading::new(source, state, lease);
    reading.ended = Some(ended);
    Ok((StreamReader::new(&mut store, reading)?, future))
}

/// Writes what a stream gives to a sink; the future says how that ended.
pub(crate) fn write<T, S, E>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    mut data: StreamReader<u8>,
    sink: Result<Sink, Code>,
) -> wasmtime::Result<FutureReader<Result<(), E>>>
where
    T: Send + 'static,
    S: State<T>,
    E: ComponentType + Lift + Lower + From<Code> + Send + Sync + 'static,
{
    let sink = match sink {
        Ok(sink) => sink,
        Err(code) => {
            data.close(&mut store)?;
            return failed(&mut store, code);
        }
    };
    let lease = lease(state(store.data_mut()).0, STREAM_BYTES)?;
    let (ended, future) = ending(&mut store)?;
    let mut writing = Writing::new(sink, state, lease);
    writing.ended = Some(ended);
    data.pipe(&mut store, writing)?;
    Ok(future)
}

/// A stream that reads.
pub(crate) struct Reading<S> {
    source: Source,
    state: S,
    waiting: Waiting,
    /// Charges the buffer of the engine's, where the other end is the host's too.
    between: Option<Lease>,
    /// How often it was read into that since others got to run.
    since_others: u32,
    /// What has been read of a file before it was asked for.
    ahead: Ahead,
    ended: Option<Ended>,
    _lease: Lease,
}

impl<S> Reading<S> {
    /// One whose end is told to nobody.
    pub(crate) fn new(source: Source, state: S, lease: Lease) -> Self {
        Reading {
            source,
            state,
            waiting: Waiting::default(),
            between: None,
            since_others: 0,
            ahead: Ahead::default(),
            ended: None,
            _lease: lease,
        }
    }
}

impl<T: 'static, S: State<T>> StreamProducer<T> for Reading<S> {
    type Item = u8;
    type Buffer = VecBuffer<u8>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, T>,
        destination: Destination<'a, u8, VecBuffer<u8>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        let room = destination.remaining(store.as_context_mut());
        if let (Source::File { file, offset }, Some(room @ 1..)) = (&mut this.source, room) {
            let host = (this.state)(store.data_mut()).0;
            match this.ahead.read(room, host, |buffers| file.read_at(buffers, *offset)) {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    *offset += bytes.len() as u64;
                    let mut destination = destination.as_direct(store, 0);
                    destination.remaining()[..bytes.len()].copy_from_slice(bytes);
                    destination.mark_written(bytes.len());
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(code) => {
                    tell(&mut this.ended, code);
                    return Poll::Ready(Ok(StreamResult::Dropped));
                }
            }
        }
        (this.state)(store.data_mut()).0.news += 1;
        if room.is_none() {
            if this.between.is_none() {
                this.between = Some(lease((this.state)(store.data_mut()).0, BETWEEN_STREAMS as u64)?);
            }
            // No guest comes between the two, and perhaps no wait.
            this.since_others += 1;
            if this.since_others > BEFORE_OTHERS {
                this.since_others = 0;
                context.waker().wake_by_ref();
                return not_yet(finish);
            }
        }
        let mut destination = destination.as_direct(store, BETWEEN_STREAMS);
        loop {
            if this.waiting.poll(context).is_pending() {
                return not_yet(finish);
            }
            if room == Some(0) {
                let interest = this.source.interest();
                if is_ready_now(&interest) {
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                this.waiting.begin(interest);
                continue;
            }
            match this.source.read(&mut Buffers::whole(destination.remaining()), Wait::Never) {
                Ok(0) => return Poll::Ready(Ok(StreamResult::Dropped)),
                Ok(read) => {
                    destination.mark_written(read);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(Interruption::Failed(Code::WouldBlock)) => this.waiting.begin(this.source.interest()),
                Err(Interruption::Failed(code)) => {
                    tell(&mut this.ended, code);
                    return Poll::Ready(Ok(StreamResult::Dropped));
                }
                Err(Interruption::Stopped(limit)) => return Poll::Ready(Err(Stopped(limit).into())),
            }
        }
    }
}

impl<S> Drop for Reading<S> {
    /// Whoever does not want the rest of what a peer sends has it thrown away.
    fn drop(&mut self) {
        if let Source::Connection(connection) = &self.source {
            connection.stop_receiving();
        }
    }
}

/// A stream that writes.
pub(crate) struct Writing<S> {
    sink: Sink,
    state: S,
    waiting: Waiting,
    ended: Option<Ended>,
    _lease: Lease,
}

impl<S> Writing<S> {
    /// One whose end is told to nobody.
    pub(crate) fn new(sink: Sink, state: S, lease: Lease) -> Self {
        Writing { sink, state, waiting: Waiting::default(), ended: None, _lease: lease }
    }
}

impl<S> Drop for Writing<S> {
    /// Whoever ends what is sent to a peer has the peer told. Before the future hears of it.
    fn drop(&mut self) {
        if let Sink::Connection(connection) = &self.sink
            && let Err(code) = connection.end_sending()
        {
            tell(&mut self.ended, code);
        }
    }
}

impl<T: 'static, S: State<T>> StreamConsumer<T> for Writing<S> {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'_, T>,
        source: Written<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        (this.state)(store.data_mut()).0.news += 1;
        let mut source = source.as_direct(store);
        loop {
            if this.waiting.poll(context).is_pending() {
                return not_yet(finish);
            }
            let bytes = source.remaining();
            if bytes.is_empty() {
                let interest = this.sink.interest();
                if is_ready_now(&interest) {
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                this.waiting.begin(interest);
                continue;
            }
            match this.sink.write(&ReadOnly::new(bytes), Wait::Never) {
                Ok(written) if written > 0 => {
                    source.mark_read(written);
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(Interruption::Failed(Code::WouldBlock)) => this.waiting.begin(this.sink.interest()),
                Err(Interruption::Stopped(limit)) => return Poll::Ready(Err(Stopped(limit).into())),
                result => {
                    // What takes nothing of something takes nothing more.
                    tell(&mut this.ended, result.map_or_else(code_of, |_| Code::Io));
                    return Poll::Ready(Ok(StreamResult::Dropped));
                }
            }
        }
    }
}

const fn code_of(interruption: Interruption) -> Code {
    match interruption {
        Interruption::Failed(code) => code,
        Interruption::Stopped(_) => Code::Interrupted,
    }
}

/// Tells the future of a stream what it ended with.
pub(crate) fn tell(ended: &mut Option<Ended>, code: Code) {
    if let Some(ended) = ended.take() {
        // The guest may have dropped the future.
        let _ = ended.send(code);
    }
}
