//! `wasi:io/streams`: input and output streams, on a [`Source`] and a [`Sink`] of the core.
//!
//! Bytes go between the guest's memory and the descriptor without a stop in between, but for what an output stream has
//! permitted and its other side does not take yet ([`super::unsent`]).

use std::sync::Arc;

use turnkey_core::filesystem::ahead::Ahead;
use turnkey_core::host::buffers::{Buffers, ReadOnly};
use turnkey_core::stream::{Interest, Interruption, Sink, Source, StandardInput, StandardOutput, Wait, Waiting};
use turnkey_core::{Capabilities, ErrorCode};
use wasmtime::StoreContextMut;
use wasmtime::component::{Resource, WasmList};

use crate::call::{Call, Kept};
use crate::interface::{Interface, State, Step};
use crate::io::error::{StreamError, StreamFault, StreamOutcome, answer};
use crate::io::poll::{Pollable, burn};
use crate::lower::Reading;
use crate::random::BYTES_FOR_FUEL;
use crate::state::Preview2;
use turnkey_core::slab::Id;

/// Bytes that `check-write` permits at most, and so what one `write` can take. Those of a connection may have to be kept here.
const PERMITTED: usize = 1 << 20;
const PERMITTED_ON_CONNECTION: usize = 64 << 10;

/// Bytes that pass through the host in one `splice`.
const SPLICED: usize = 64 << 10;

/// What `write-zeroes` writes.
static ZEROES: [u8; 64 << 10] = [0; 64 << 10];

/// `input-stream`
#[derive(Debug)]
pub(crate) struct InputStream {
    pub(crate) source: Source,
    /// The end was seen, or a failure.
    pub(crate) closed: bool,
    /// The body of a message that it is: what that fails with is more than a source can say.
    pub(crate) body: Option<Arc<turnkey_http::IncomingBody>>,
    /// Boxed: few streams are read in small pieces.
    pub(crate) ahead: Option<Box<Ahead>>,
}

/// `output-stream`
#[derive(Debug)]
pub(crate) struct OutputStream {
    sink: Sink,
    /// Bytes that the last `check-write` permitted and that have not been written since.
    permitted: usize,
    /// A failure was seen.
    closed: bool,
    /// What is behind it, also while its sink is elsewhere.
    is_connection: bool,
    /// The body of a message that it writes.
    body: Option<Arc<turnkey_http::OutgoingBody>>,
}

impl Kept for InputStream {}

impl Kept for OutputStream {
    fn dropped(self, id: Id, call: &mut Call<'_>) -> wasmtime::Result<()> {
        call.p2.unsent.forget(id);
        Ok(())
    }
}

impl InputStream {
    pub(crate) const fn new(source: Source) -> Self {
        InputStream { source, closed: false, body: None, ahead: None }
    }

    /// The body of a message that comes.
    pub(crate) fn of_body(body: Arc<turnkey_http::IncomingBody>) -> Self {
        let source = Source::Feed(Arc::<turnkey_http::IncomingBody>::clone(&body));
        InputStream { body: Some(body), ..InputStream::new(source) }
    }

    /// What a read waits for.
    pub(crate) fn interest(&self) -> Interest {
        if self.closed { Interest::Now } else { self.source.interest() }
    }

    /// Reads a few bytes; of a file, out of what is read ahead. What is not is [news](Capabilities::news).
    pub(crate) fn read_short(
        &mut self,
        room: &mut [u8],
        host: &mut Capabilities,
        wait: Wait,
    ) -> Result<usize, Interruption> {
        if let Source::File { file, offset } = &mut self.source {
            let ahead = self.ahead.get_or_insert_default();
            if let Some(bytes) = ahead.read(room.len(), host, |buffers| file.read_at(buffers, *offset))? {
                room[..bytes.len()].copy_from_slice(bytes);
                *offset += bytes.len() as u64;
                return Ok(bytes.len());
            }
        }
        host.news += 1;
        self.source.read(&mut Buffers::whole(room), wait)
    }

    /// Puts nothing in the source's place, for as long as a call works with it and with the guest's memory.
    pub(crate) fn take_source(&mut self) -> Source {
        std::mem::replace(&mut self.source, Source::Standard(StandardInput::Null))
    }

    /// Passes over bytes.
    fn skip(&mut self, most_bytes: u64, wait: Wait) -> StreamOutcome<u64> {
        if self.closed {
            return Err(StreamFault::Closed);
        }
        if most_bytes == 0 {
            return Ok(0);
        }
        match self.source.skip(most_bytes, wait) {
            Ok(0) => {
                self.closed = true;
                Err(StreamFault::Closed)
            }
            Ok(skipped) => Ok(skipped),
            Err(interruption) => Err(self.failed(interruption)),
        }
    }

    /// A failure closes the stream; that there is nothing yet is none.
    pub(crate) fn failed(&mut self, interruption: Interruption) -> StreamFault {
        if matches!(interruption, Interruption::Failed(ErrorCode::WouldBlock)) {
            return interruption.into();
        }
        self.closed = true;
        match self.body.as_ref().and_then(|body| body.failure()) {
            Some(code) => StreamFault::Http(Box::new(code)),
            None => interruption.into(),
        }
    }
}

impl OutputStream {
    pub(crate) const fn new(sink: Sink) -> Self {
        let is_connection = matches!(sink, Sink::Connection(_));
        OutputStream { sink, permitted: 0, closed: false, is_connection, body: None }
    }

    /// The body of a message that goes.
    pub(crate) fn of_body(body: Arc<turnkey_http::OutgoingBody>) -> Self {
        let sink = Sink::Drain(Arc::<turnkey_http::OutgoingBody>::clone(&body));
        OutputStream { body: Some(body), ..OutputStream::new(sink) }
    }

    /// One that takes nothing.
    pub(crate) const fn closed() -> Self {
        let sink = Sink::Standard(StandardOutput::Null);
        OutputStream { sink, permitted: 0, closed: true, is_connection: false, body: None }
    }

    /// What a stream without unsent bytes waits for before it permits a write.
    pub(crate) fn interest(&self) -> Interest {
        match &self.sink {
            _ if self.closed => Interest::Now,
            // What it does not take is kept.
            Sink::Connection(_) => Interest::Now,
            sink => sink.interest(),
        }
    }

    /// What a stream with unsent bytes waits for.
    pub(crate) fn sent(&self) -> Interest {
        if self.closed { Interest::Now } else { self.sink.interest() }
    }

    fn take_sink(&mut self) -> Sink {
        std::mem::replace(&mut self.sink, Sink::Standard(StandardOutput::Null))
    }
}

/// The output stream and all that its calls change, borrowed apart.
struct Output<'a> {
    stream: &'a mut OutputStream,
    id: Id,
    host: &'a mut Capabilities,
    unsent: &'a mut crate::io::unsent::Unsent,
}

impl<'a> Output<'a> {
    fn of(call: &'a mut Call<'_>, this: &Resource<OutputStream>) -> wasmtime::Result<Self> {
        let id = call.id(this);
        let name = call.name;
        let Preview2 { table, unsent, .. } = &mut *call.p2;
        let stream = table
            .output_streams
            .get_mut(this.rep())
            .ok_or(crate::fault::BrokenRule { call: name, what: "it is not there" })?;
        Ok(Output { stream, id, host: call.host, unsent })
    }

    /// Sends what is unsent; whether some of it still is.
    fn is_unsent(&mut self) -> StreamOutcome<bool> {
        if self.stream.closed {
            return Err(StreamFault::Closed);
        }
        if self.unsent.is_empty() {
            return Ok(false);
        }
        self.unsent.of(self.id, &mut self.host.budget).map_err(|code| self.failed(code.into()))
    }

    fn failed(&mut self, interruption: Interruption) -> StreamFault {
        self.stream.closed = true;
        self.stream.permitted = 0;
        if let Some(code) = self.stream.body.as_ref().and_then(|body| body.failure()) {
            return StreamFault::Http(Box::new(code));
        }
        match interruption {
            // A connection that was shut down for sending is what the standard calls closed; a pipe without a reader is a
            // failure, which a program is told by its name.
            Interruption::Failed(ErrorCode::Pipe) if self.stream.is_connection => StreamFault::Closed,
            interruption => interruption.into(),
        }
    }

    /// `check-write`
    fn check_write(&mut self) -> StreamOutcome<usize> {
        self.stream.permitted = 0;
        if self.is_unsent()? {
            return Ok(0);
        }
        let room = self.stream.sink.room().map_err(|code| self.failed(code.into()))?;
        self.stream.permitted = room.map_or(PERMITTED_ON_CONNECTION, |room| room.min(PERMITTED));
        Ok(self.stream.permitted)
    }

    /// Takes from the permit.
    fn spend(&mut self, bytes: u64) -> bool {
        match usize::try_from(bytes).ok().and_then(|bytes| self.stream.permitted.checked_sub(bytes)) {
            Some(left) => {
                self.stream.permitted = left;
                true
            }
            None => false,
        }
    }

    /// Writes all of it without waiting; what is not taken is kept.
    fn write_all(&mut self, sink: &mut Sink, mut bytes: &[u8]) -> StreamOutcome<()> {
        if self.is_unsent()? {
            return self.keep(sink, bytes);
        }
        while !bytes.is_empty() {
            match sink.write(&ReadOnly::new(bytes), Wait::Never) {
                Ok(written) => bytes = &bytes[written..],
                Err(Interruption::Failed(ErrorCode::WouldBlock)) => return self.keep(sink, bytes),
                Err(interruption) => return Err(self.failed(interruption)),
            }
        }
        Ok(())
    }

    fn keep(&mut self, sink: &Sink, bytes: &[u8]) -> StreamOutcome<()> {
        self.unsent
            .keep(self.id, sink, bytes, &mut self.host.budget)
            .map_err(|_| StreamFault::Trap(turnkey_core::ending::Stopped(turnkey_core::limits::Limit::Memory).into()))
    }
}

/// Ends a step of a function whose wait is not over, or answers.
fn step_of<R>(
    call: &mut Call<'_>,
    outcome: StreamOutcome<R>,
    interest: impl FnOnce(&Call<'_>) -> wasmtime::Result<Interest>,
) -> wasmtime::Result<Step<(Result<R, StreamError>,)>> {
    match outcome {
        Err(StreamFault::Failed(ErrorCode::WouldBlock)) => {
            let mut waiting = Waiting::default();
            waiting.push(interest(call)?);
            Ok(Step::Wait(waiting))
        }
        outcome => Ok(Step::Done((answer(call, outcome)?,))),
    }
}

/// `wasi:io/streams`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<InputStream>("input-stream");
    it.resource::<OutputStream>("output-stream");
    define_input(it);
    define_output(it);
}

fn define_input<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.with_memory("[method]input-stream.read", |_, state, (this, len): (Resource<InputStream>, u64)| {
        Ok(Reading::<T, S>::new(state, this.rep(), len, Wait::Never))
    });
    it.waits(
        "[method]input-stream.blocking-read",
        |store, state, (this, len): &(Resource<InputStream>, u64), _, wait| {
            if wait == Wait::Never {
                let (host, p2) = state(store.data_mut());
                let mut call = Call { name: "blocking-read", host, p2 };
                let interest = call.get(this)?.interest();
                if *len > 0 && !is_ready(&mut call, interest.clone())? {
                    return Ok(Step::Wait(Waiting::new(vec![interest])));
                }
            }
            Ok(Step::Done((Reading::<T, S>::new(state, this.rep(), *len, wait),)))
        },
    );
    it.func("[method]input-stream.skip", |call, (this, len): (Resource<InputStream>, u64)| {
        let outcome = call.get_mut(&this)?.skip(len, Wait::Never);
        let outcome = match outcome {
            Err(StreamFault::Failed(ErrorCode::WouldBlock)) => Ok(0),
            outcome => outcome,
        };
        answer(call, outcome)
    });
    it.waits(
        "[method]input-stream.blocking-skip",
        |store, state, (this, len): &(Resource<InputStream>, u64), _, wait| {
            let (host, p2) = state(store.data_mut());
            let mut call = Call { name: "blocking-skip", host, p2 };
            let outcome = call.get_mut(this)?.skip(*len, wait);
            step_of(&mut call, outcome, |call| Ok(call.get(this)?.interest()))
        },
    );
    it.func("[method]input-stream.subscribe", |call, (this,): (Resource<InputStream>,)| {
        call.keep(Pollable::Input(call.id(&this)))
    });
}

fn is_ready(call: &mut Call<'_>, interest: Interest) -> wasmtime::Result<bool> {
    if matches!(interest, Interest::Now) {
        return Ok(true);
    }
    // What cannot be asked is left to the read itself.
    Ok(Waiting::new(vec![interest]).wait(call.host, Wait::Never).unwrap_or(true))
}

fn define_output<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.func("[method]output-stream.check-write", |call, (this,): (Resource<OutputStream>,)| {
        let permitted = Output::of(call, &this)?.check_write().map(|permitted| permitted as u64);
        answer(call, permitted)
    });
    it.with_memory(
        "[method]output-stream.write",
        |mut store, state, (this, contents): (Resource<OutputStream>, WasmList<u8>)| {
            write(&mut store, state, &this, &contents)
        },
    );
    it.waits(
        "[method]output-stream.blocking-write-and-flush",
        |store, state, (this, contents): &(Resource<OutputStream>, WasmList<u8>), written, wait| {
            blocking_write_and_flush(store, state, this, contents, written, wait)
        },
    );
    it.func("[method]output-stream.flush", |call, (this,): (Resource<OutputStream>,)| {
        let outcome = Output::of(call, &this)?.is_unsent().map(drop);
        answer(call, outcome)
    });
    it.waits("[method]output-stream.blocking-flush", |store, state, (this,): &(Resource<OutputStream>,), _, _| {
        let (host, p2) = state(store.data_mut());
        let mut call = Call { name: "blocking-flush", host, p2 };
        let outcome = sent(&mut call, this);
        step_of(&mut call, outcome, |call| Ok(call.get(this)?.sent()))
    });
    it.func("[method]output-stream.subscribe", |call, (this,): (Resource<OutputStream>,)| {
        call.keep(Pollable::Output(call.id(&this)))
    });
    it.func("[method]output-stream.write-zeroes", |call, (this, len): (Resource<OutputStream>, u64)| {
        let mut output = Output::of(call, &this)?;
        if !output.spend(len) {
            return Err(call.broken(UNPERMITTED));
        }
        let outcome = write_zeroes(&mut output, len);
        answer(call, outcome)
    });
    it.waits(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |store, state, (this, len): &(Resource<OutputStream>, u64), written, wait| {
            let (host, p2) = state(store.data_mut());
            let mut call = Call { name: "blocking-write-zeroes-and-flush", host, p2 };
            let before = *written;
            let outcome = blocking_write_zeroes(&mut call, this, *len, written, wait);
            let step = step_of(&mut call, outcome, |call| Ok(call.get(this)?.sent()))?;
            // One call of the guest's can be all that a host ever does.
            burn(store, state, *written / BYTES_FOR_FUEL - before / BYTES_FOR_FUEL)?;
            Ok(step)
        },
    );
    it.func(
        "[method]output-stream.splice",
        |call, (this, src, len): (Resource<OutputStream>, Resource<InputStream>, u64)| {
            let outcome = match splice(call, &this, &src, len) {
                Err(StreamFault::Failed(ErrorCode::WouldBlock)) => Ok(0),
                outcome => outcome,
            };
            answer(call, outcome)
        },
    );
    it.waits(
        "[method]output-stream.blocking-splice",
        |store, state, (this, src, len): &(Resource<OutputStream>, Resource<InputStream>, u64), _, _| {
            let (host, p2) = state(store.data_mut());
            let mut call = Call { name: "blocking-splice", host, p2 };
            let outcome = splice(&mut call, this, src, *len);
            step_of(&mut call, outcome, |call| {
                let id = call.id(this);
                let output = call.get(this)?;
                let room = if call.p2.unsent.is_unsent(id) { output.sent() } else { output.interest() };
                Ok(if has_room(room.clone()) { call.get(src)?.interest() } else { room })
            })
        },
    );
}

/// Why a write is a trap.
const UNPERMITTED: &str = "more is written than `check-write` has permitted";

/// Whether nothing is to be waited for, or what was to be waited for is there.
fn has_room(interest: Interest) -> bool {
    match interest {
        Interest::Now => true,
        Interest::Descriptor(fd, ready) => turnkey_core::host::poll::is_ready(&fd, ready),
        Interest::Clock(_) => false,
        Interest::Event(event) => turnkey_core::stream::waiting::has_happened(event.as_ref()),
    }
}

/// `write`: out of the guest's memory, as far as it is taken.
fn write<T, S: State<T>>(
    store: &mut StoreContextMut<'_, T>,
    state: S,
    this: &Resource<OutputStream>,
    contents: &WasmList<u8>,
) -> wasmtime::Result<Result<(), StreamError>> {
    let (host, p2) = state(store.data_mut());
    let mut call = Call { name: "write", host, p2 };
    let mut output = Output::of(&mut call, this)?;
    if !output.spend(contents.len() as u64) {
        return Err(call.broken(UNPERMITTED));
    }
    let outcome = match output.is_unsent() {
        Ok(unsent) => {
            let mut sink = output.stream.take_sink();
            let mut outcome = Ok(0);
            if !unsent {
                outcome = write_some(&mut sink, contents.as_le_slice(&*store), Wait::Never);
            }
            // Out of the guest's memory and into the host's, only if it must be.
            let rest = match outcome {
                Ok(written) if written < contents.len() => contents.as_le_slice(&*store)[written..].to_vec(),
                _ => Vec::new(),
            };
            let (host, p2) = state(store.data_mut());
            let mut call = Call { name: "write", host, p2 };
            let mut output = Output::of(&mut call, this)?;
            let outcome = match outcome {
                Ok(_) if rest.is_empty() => Ok(()),
                Ok(_) => output.keep(&sink, &rest),
                Err(interruption) => Err(output.failed(interruption)),
            };
            output.stream.sink = sink;
            outcome
        }
        Err(fault) => Err(fault),
    };
    let (host, p2) = state(store.data_mut());
    answer(&mut Call { name: "write", host, p2 }, outcome)
}

/// Writes until all is written or nothing more is taken; how much was.
fn write_some(sink: &mut Sink, bytes: &[u8], wait: Wait) -> Result<usize, Interruption> {
    let mut written = 0;
    while written < bytes.len() {
        match sink.write(&ReadOnly::new(&bytes[written..]), wait) {
            Ok(more) => written += more,
            Err(Interruption::Failed(ErrorCode::WouldBlock)) => break,
            Err(interruption) => return Err(interruption),
        }
    }
    Ok(written)
}

/// `blocking-write-and-flush`. The standard asks for 4096 bytes at the most; here it may be more.
fn blocking_write_and_flush<T, S: State<T>>(
    store: &mut StoreContextMut<'_, T>,
    state: S,
    this: &Resource<OutputStream>,
    contents: &WasmList<u8>,
    done: &mut u64,
    wait: Wait,
) -> wasmtime::Result<Step<(Result<(), StreamError>,)>> {
    let (host, p2) = state(store.data_mut());
    let mut call = Call { name: "blocking-write-and-flush", host, p2 };
    let mut output = Output::of(&mut call, this)?;
    let outcome = match output.is_unsent() {
        Err(fault) => Err(fault),
        Ok(true) => Err(ErrorCode::WouldBlock.into()),
        Ok(false) => {
            output.stream.permitted = 0;
            let mut sink = output.stream.take_sink();
            // Never beyond what the guest gave, which is in its memory.
            let before = *done as usize;
            let result = write_some(&mut sink, &contents.as_le_slice(&*store)[before..], wait);
            let (host, p2) = state(store.data_mut());
            call = Call { name: "blocking-write-and-flush", host, p2 };
            let mut output = Output::of(&mut call, this)?;
            output.stream.sink = sink;
            match result {
                Ok(written) => {
                    *done += written as u64;
                    if before + written == contents.len() { Ok(()) } else { Err(ErrorCode::WouldBlock.into()) }
                }
                Err(interruption) => Err(output.failed(interruption)),
            }
        }
    };
    step_of(&mut call, outcome, |call| Ok(call.get(this)?.sent()))
}

/// `blocking-flush`: would block while some is unsent.
fn sent(call: &mut Call<'_>, this: &Resource<OutputStream>) -> StreamOutcome<()> {
    if Output::of(call, this)?.is_unsent()? { Err(ErrorCode::WouldBlock.into()) } else { Ok(()) }
}

fn write_zeroes(output: &mut Output<'_>, len: u64) -> StreamOutcome<()> {
    let mut sink = output.stream.take_sink();
    let mut left = len;
    let mut outcome = Ok(());
    while left > 0 && outcome.is_ok() {
        let bytes = left.min(ZEROES.len() as u64);
        outcome = output.write_all(&mut sink, &ZEROES[..bytes as usize]);
        left -= bytes;
    }
    output.stream.sink = sink;
    outcome
}

fn blocking_write_zeroes(
    call: &mut Call<'_>,
    this: &Resource<OutputStream>,
    len: u64,
    done: &mut u64,
    wait: Wait,
) -> StreamOutcome<()> {
    let mut output = Output::of(call, this)?;
    if output.is_unsent()? {
        return Err(ErrorCode::WouldBlock.into());
    }
    output.stream.permitted = 0;
    let until = done.saturating_add(PERMITTED as u64).min(len);
    while *done < until {
        let bytes = (until - *done).min(ZEROES.len() as u64) as usize;
        match output.stream.sink.write(&ReadOnly::new(&ZEROES[..bytes]), wait) {
            Ok(written) => *done += written as u64,
            Err(Interruption::Failed(ErrorCode::WouldBlock)) => return Err(ErrorCode::WouldBlock.into()),
            Err(interruption) => return Err(output.failed(interruption)),
        }
    }
    // A guest may ask for more than fits on any disk: between the steps its end is looked at, and others have their turn.
    if until < len { Err(ErrorCode::WouldBlock.into()) } else { Ok(()) }
}

/// `splice`: what is there goes over, as far as a write is permitted. [`ErrorCode::WouldBlock`]: nothing does yet.
fn splice(
    call: &mut Call<'_>,
    this: &Resource<OutputStream>,
    src: &Resource<InputStream>,
    len: u64,
) -> StreamOutcome<u64> {
    let permitted = Output::of(call, this)?.check_write()?;
    let most = usize::try_from(len).unwrap_or(usize::MAX).min(SPLICED).min(permitted);
    if call.get(src)?.closed {
        return Err(StreamFault::Closed);
    }
    if most == 0 {
        return if len == 0 { Ok(0) } else { Err(ErrorCode::WouldBlock.into()) };
    }
    let mut scratch = call.take_scratch()?;
    let input = call.get_mut(src)?;
    let read = input.source.read(&mut Buffers::whole(&mut scratch[..most]), Wait::Never);
    let outcome = match read {
        Ok(0) => {
            input.closed = true;
            Err(StreamFault::Closed)
        }
        Err(interruption) => Err(input.failed(interruption)),
        Ok(read) => {
            let mut output = Output::of(call, this)?;
            output.stream.permitted = 0;
            let mut sink = output.stream.take_sink();
            let outcome = output.write_all(&mut sink, &scratch[..read]);
            output.stream.sink = sink;
            outcome.map(|()| read as u64)
        }
    };
    call.p2.scratch = scratch;
    outcome
}
