//! Results that are read into the guest's memory: a list of bytes is made where the guest wants it, and the descriptor is
//! read into that place.
//!
//! A function that reads gives one of these types instead of the bytes, and the read happens while the engine writes the
//! results: by then it is known where they go. How many bytes there are has to be known before the guest is asked for room,
//! since a list cannot be made smaller afterwards: the adapter for Preview 1 traps at the attempt. A short read goes through
//! a small buffer instead, and so does one of which only the read itself tells. Random bytes are drawn the same way.
//!
//! The canonical ABI's side of the engine is not documented (`wasmtime::component::__internal`), and so this file is the only
//! one that touches it; the engine's version is pinned.
#![allow(unsafe_code, reason = "traits of the engine that promise a layout; each says why it is kept")]

use std::any::Any;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::Arc;

use turnkey_core::ErrorCode as Code;
use turnkey_core::ending::Stopped;
use turnkey_core::filesystem::File;
use turnkey_core::host::buffers::Buffers;
use turnkey_core::host::clock::Deadline;
use turnkey_core::limits::Limit;
use turnkey_core::random::{Random, RandomGrant};
use turnkey_core::stream::{Available, Interruption, Source, Wait};
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

use crate::call::Call;
use crate::filesystem::types::ErrorCode;
use crate::interface::State;
use crate::io::error::{StreamError, StreamFault, answer};

/// A read of so many bytes at the most goes through a buffer on the stack.
const SHORT: usize = 256;

/// One of so many goes through the buffer that is kept for that: copying them costs less than asking how many there are.
const MIDDLING: usize = 16 << 10;

/// Random bytes that are drawn between two looks at the clock, as in Preview 1.
const DRAWN_AT_ONCE: usize = 1 << 20;

/// Bytes of the longest list that one read makes: the guest gets the rest with its next one.
const LONGEST: usize = 4 << 20;

/// What the guest gets of `read` and `blocking-read` of an input stream.
type Read<'a> = Result<&'a [u8], StreamError>;

/// The result of a read of an input stream, before it has been made.
pub(crate) struct Reading<T, S> {
    state: S,
    stream: u32,
    len: u64,
    wait: Wait,
    store: PhantomData<fn(T)>,
}

impl<T, S> Reading<T, S> {
    pub(crate) const fn new(state: S, stream: u32, len: u64, wait: Wait) -> Self {
        Reading { state, stream, len, wait, store: PhantomData }
    }
}

// SAFETY: everything that the engine asks of the type is answered by the result with a list of bytes that it stands for.
unsafe impl<T: 'static, S: State<T>> ComponentType for Reading<T, S> {
    type Lower = <Result<Vec<u8>, StreamError> as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Result<Vec<u8>, StreamError> as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <Result<Vec<u8>, StreamError> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: what is written is written by the engine's own code for the result with a list of bytes, or is that: a 0 for the
// case, and behind it the place and the length of a list that the guest has made room for.
unsafe impl<T: 'static, S: State<T>> Lower for Reading<T, S> {
    fn linear_lower_to_flat<U>(
        &self,
        _cx: &mut LowerContext<'_, U>,
        _ty: InterfaceType,
        _dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        // The ABI gives results of more than one value through memory, and this has three.
        Err(wasmtime::format_err!("a list is never given flat"))
    }

    fn linear_lower_to_memory<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        let store = store_mut::<T, U>(cx)?;
        let (host, p2) = (self.state)(store);
        let mut call = Call { name: "read", host, p2 };
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).min(LONGEST);
        let Some(stream) = call.p2.table.input_streams.get_mut(self.stream) else {
            return Err(call.broken("the stream is not there"));
        };
        if stream.closed {
            return Read::Err(StreamError::Closed).linear_lower_to_memory(cx, ty, offset);
        }
        if len == 0 {
            return Read::Ok(&[]).linear_lower_to_memory(cx, ty, offset);
        }
        let mut short = [0; SHORT];
        if len <= SHORT {
            let read = stream.read_short(&mut short[..len], call.host, self.wait);
            return self.told(cx, ty, offset, &short, read);
        }
        call.host.news += 1;
        let available = if len <= MIDDLING { Ok(Available::Unknown) } else { stream.source.available() };
        match available {
            Ok(Available::Bytes(0)) => self.told(cx, ty, offset, &[], Ok(0)),
            Ok(Available::Bytes(available)) => {
                let bytes = usize::try_from(available).unwrap_or(usize::MAX).min(len);
                let mut source = stream.take_source();
                let place = in_place(cx, bytes, |buffers| source.read(buffers, self.wait));
                let stream = (self.state)(store_mut::<T, U>(cx)?).1.table.input_streams.get_mut(self.stream);
                if let Some(stream) = stream {
                    stream.source = source;
                }
                match place? {
                    Ok((address, read)) if read > 0 => put_ok(cx.as_slice_mut(), offset, address, read),
                    // Somebody else has taken what was there: another process, or whoever cut the file short.
                    Ok(_) => self.told(cx, ty, offset, &[], Ok(0)),
                    Err(interruption) => self.told(cx, ty, offset, &[], Err(interruption)),
                }
            }
            Ok(Available::Unknown) => {
                let mut scratch = call.take_scratch()?;
                let room = len.min(scratch.len());
                let read = match call.p2.table.input_streams.get_mut(self.stream) {
                    Some(stream) => stream.source.read(&mut Buffers::whole(&mut scratch[..room]), self.wait),
                    None => Ok(0),
                };
                let told = self.told(cx, ty, offset, &scratch, read);
                (self.state)(store_mut::<T, U>(cx)?).1.scratch = scratch;
                told
            }
            Err(code) => self.told(cx, ty, offset, &[], Err(code.into())),
        }
    }
}

impl<T: 'static, S: State<T>> Reading<T, S> {
    /// Gives what was read to a buffer, or what it ended with.
    fn told<U: 'static>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        offset: usize,
        bytes: &[u8],
        read: Result<usize, Interruption>,
    ) -> wasmtime::Result<()> {
        if let Ok(read @ 1..) = read {
            return give(cx, offset, &bytes[..read]);
        }
        let (host, p2) = (self.state)(store_mut::<T, U>(cx)?);
        let mut call = Call { name: "read", host, p2 };
        let outcome = match (read, call.p2.table.input_streams.get_mut(self.stream)) {
            (Ok(_), Some(stream)) => {
                stream.closed = true;
                Err(StreamFault::Closed)
            }
            (Ok(_), None) => Err(StreamFault::Closed),
            // Nothing yet is an empty list.
            (Err(Interruption::Failed(Code::WouldBlock)), _) => Ok(&[][..]),
            (Err(interruption), Some(stream)) => Err(stream.failed(interruption)),
            (Err(interruption), None) => Err(interruption.into()),
        };
        let told: Read<'_> = answer(&mut call, outcome)?;
        told.linear_lower_to_memory(cx, ty, offset)
    }
}

/// What the guest gets of `descriptor.read`: the bytes, and whether the end was seen.
type ReadAt<'a> = Result<(&'a [u8], bool), ErrorCode>;

/// The result of a read of a file, before it has been made.
pub(crate) enum ReadingAt {
    /// There is nothing to read from.
    Failed(Code),
    /// The read that is to be made.
    Of { file: Arc<File>, len: u64, offset: u64 },
}

// SAFETY: as for `Reading`.
unsafe impl ComponentType for ReadingAt {
    type Lower = <Result<(Vec<u8>, bool), ErrorCode> as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Result<(Vec<u8>, bool), ErrorCode> as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <Result<(Vec<u8>, bool), ErrorCode> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: as for `Reading`; behind the list is a byte that says whether the end was seen.
unsafe impl Lower for ReadingAt {
    fn linear_lower_to_flat<U>(
        &self,
        _cx: &mut LowerContext<'_, U>,
        _ty: InterfaceType,
        _dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        Err(wasmtime::format_err!("a list is never given flat"))
    }

    fn linear_lower_to_memory<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        ty: InterfaceType,
        at: usize,
    ) -> wasmtime::Result<()> {
        let (file, len, offset) = match self {
            ReadingAt::Failed(code) => return ReadAt::Err((*code).into()).linear_lower_to_memory(cx, ty, at),
            ReadingAt::Of { file, len, offset } => (file, usize::try_from(*len).unwrap_or(usize::MAX), *offset),
        };
        let mut source = Source::File { file: Arc::clone(file), offset };
        let mut short = [0; SHORT];
        let available = if len <= SHORT { Ok(Available::Unknown) } else { source.available() };
        let read = match available {
            Ok(Available::Bytes(available)) if available > 0 => {
                let bytes = usize::try_from(available).unwrap_or(usize::MAX).min(len).min(LONGEST);
                match in_place(cx, bytes, |buffers| source.read(buffers, Wait::Forever))? {
                    Ok((address, read)) => {
                        put_ok(cx.as_slice_mut(), at, address, read)?;
                        cx.get::<1>(at + 12)[0] = u8::from(read == 0);
                        return Ok(());
                    }
                    Err(interruption) => Err(interruption),
                }
            }
            Ok(Available::Bytes(_)) => Ok(0),
            Ok(Available::Unknown) => source.read(&mut Buffers::whole(&mut short[..len.min(SHORT)]), Wait::Forever),
            Err(code) => Err(code.into()),
        };
        let read: ReadAt<'_> = match read {
            Ok(read) => Ok((&short[..read], read == 0 && len > 0)),
            Err(Interruption::Failed(code)) => Err(code.into()),
            Err(Interruption::Stopped(limit)) => return Err(turnkey_core::ending::Stopped(limit).into()),
        };
        read.linear_lower_to_memory(cx, ty, at)
    }
}

/// Random bytes, before they have been drawn.
pub(crate) struct Drawing<T, S> {
    state: S,
    len: u64,
    store: PhantomData<fn(T)>,
}

impl<T, S> Drawing<T, S> {
    pub(crate) const fn new(state: S, len: u64) -> Self {
        Drawing { state, len, store: PhantomData }
    }
}

// SAFETY: everything that the engine asks of the type is answered by the list of bytes that it stands for.
unsafe impl<T: 'static, S: State<T>> ComponentType for Drawing<T, S> {
    type Lower = <Vec<u8> as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Vec<u8> as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <Vec<u8> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: what is written is the place and the length of a list that the guest has made room for.
unsafe impl<T: 'static, S: State<T>> Lower for Drawing<T, S> {
    fn linear_lower_to_flat<U>(
        &self,
        _cx: &mut LowerContext<'_, U>,
        _ty: InterfaceType,
        _dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        Err(wasmtime::format_err!("a list is never given flat"))
    }

    fn linear_lower_to_memory<U>(
        &self,
        cx: &mut LowerContext<'_, U>,
        _ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        // No memory has room for more.
        let Ok(bytes) = u32::try_from(self.len) else {
            (self.state)(store_mut::<T, U>(cx)?).0.budget.note(Limit::Memory);
            return Err(Stopped(Limit::Memory).into());
        };
        let bytes = bytes as usize;
        let address = cx.realloc(0, 0, 1, bytes)?;
        let host = (self.state)(store_mut::<T, U>(cx)?).0;
        let end = host.end;
        let mut random = std::mem::replace(&mut host.random, Random::new(RandomGrant::Secure));
        let drawn = room(cx, address, bytes).and_then(|room| draw(&mut random, room, end));
        (self.state)(store_mut::<T, U>(cx)?).0.random = random;
        drawn?;
        put_list(cx, offset, address, bytes);
        Ok(())
    }
}

/// Fills all of it, as long as the guest may run: a memory of 4 GiB takes seconds.
fn draw(random: &mut Random, room: &mut [u8], end: Option<Deadline>) -> wasmtime::Result<()> {
    for chunk in room.chunks_mut(DRAWN_AT_ONCE) {
        random.fill(chunk);
        if chunk.len() == DRAWN_AT_ONCE && end.is_some_and(|end| end.left_ns() == 0) {
            return Err(Stopped(Limit::Timeout).into());
        }
    }
    Ok(())
}

/// What the store holds.
fn store_mut<'a, T: 'static, U: 'static>(cx: &'a mut LowerContext<'_, U>) -> wasmtime::Result<&'a mut T> {
    let data: &mut dyn Any = cx.store.data_mut();
    // A function is given to the linker of one kind of store, and called from no other.
    data.downcast_mut().ok_or_else(|| wasmtime::format_err!("the store holds something else"))
}

/// Has the guest make room, and reads into it; where it is, and how many bytes were read.
fn in_place<U>(
    cx: &mut LowerContext<'_, U>,
    bytes: usize,
    read: impl FnOnce(&mut Buffers<'_>) -> Result<usize, Interruption>,
) -> wasmtime::Result<Result<(usize, usize), Interruption>> {
    let address = cx.realloc(0, 0, 1, bytes)?;
    let room = room(cx, address, bytes)?;
    Ok(read(&mut Buffers::whole(room)).map(|read| (address, read)))
}

/// The room that the guest has made. The engine has checked that it is inside the memory.
fn room<'a, U>(cx: &'a mut LowerContext<'_, U>, address: usize, bytes: usize) -> wasmtime::Result<&'a mut [u8]> {
    let room = cx.as_slice_mut().get_mut(address..).and_then(|rest| rest.get_mut(..bytes));
    room.ok_or_else(beyond)
}

#[cold]
fn beyond() -> wasmtime::Error {
    wasmtime::format_err!("the guest made room beyond its memory")
}

/// The bytes of a short read: room for as many, and they are there, with one look at the memory.
fn give<U>(cx: &mut LowerContext<'_, U>, offset: usize, bytes: &[u8]) -> wasmtime::Result<()> {
    let address = cx.realloc(0, 0, 1, bytes.len())?;
    let memory = cx.as_slice_mut();
    memory.get_mut(address..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or_else(beyond)?.copy_from_slice(bytes);
    put_ok(memory, offset, address, bytes.len())
}

/// A result that is a list: the case, and where the list is and how long. All of it is in a memory of 32 bits.
fn put_ok(memory: &mut [u8], offset: usize, address: usize, bytes: usize) -> wasmtime::Result<()> {
    let place = memory.get_mut(offset..).and_then(|rest| rest.first_chunk_mut::<12>()).ok_or_else(beyond)?;
    place[0] = 0;
    place[4..8].copy_from_slice(&(address as u32).to_le_bytes());
    place[8..].copy_from_slice(&(bytes as u32).to_le_bytes());
    Ok(())
}

/// Writes where a list is and how long. Both come from inside a memory of 32 bits.
fn put_list<U>(cx: &mut LowerContext<'_, U>, offset: usize, address: usize, bytes: usize) {
    *cx.get::<4>(offset) = (address as u32).to_le_bytes();
    *cx.get::<4>(offset + 4) = (bytes as u32).to_le_bytes();
}
