//! `wasi:io/poll`: pollables, and waiting for several of them in one wait of the host.

use turnkey_core::ending::Stopped;
use turnkey_core::host::clock::HostClock;
use turnkey_core::limits::Limit;
use turnkey_core::stream::{Interest, Interruption, Wait, Waiting};
use wasmtime::component::Resource;
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, Kept};
use crate::http::bodies::FutureTrailers;
use crate::http::responses::FutureIncomingResponse;
use crate::interface::{Interface, State, Step};
use crate::io::streams::{InputStream, OutputStream};
use crate::sockets::{IncomingDatagramStream, OutgoingDatagramStream, ResolveAddressStream, TcpSocket, UdpSocket};
use turnkey_core::slab::{Id, Slab};

/// Fuel that looking at one pollable costs, as in Preview 1.
const POLLABLE_FUEL: u64 = 64;

/// `pollable`: something of the guest's that will be ready.
#[derive(Debug)]
pub(crate) enum Pollable {
    /// The monotonic clock reads this, in nanoseconds.
    Clock(u64),
    Input(Id),
    Output(Id),
    Tcp(Id),
    Udp(Id),
    Incoming(Id),
    Outgoing(Id),
    Lookup(Id),
    Response(Id),
    Trailers(Id),
}

impl Kept for Pollable {}

impl Pollable {
    /// What it waits for now.
    ///
    /// # Errors
    /// A trap: what it belongs to has been dropped.
    fn interest(&self, call: &Call<'_>) -> wasmtime::Result<Interest> {
        fn of<R>(call: &Call<'_>, slab: &Slab<R>, id: Id, interest: fn(&R) -> Interest) -> wasmtime::Result<Interest> {
            let gone = || call.broken("a pollable was used after what it belongs to had been dropped");
            slab.by_id(id).map(interest).ok_or_else(gone)
        }
        let table = &call.p2.table;
        match self {
            Pollable::Clock(at_ns) => Ok(Interest::Clock(*at_ns)),
            Pollable::Input(id) => of(call, &table.input_streams, *id, InputStream::interest),
            Pollable::Output(id) => {
                let interest = of(call, &table.output_streams, *id, OutputStream::interest)?;
                let unsent = call.p2.unsent.is_unsent(*id);
                Ok(if unsent { of(call, &table.output_streams, *id, OutputStream::sent)? } else { interest })
            }
            Pollable::Tcp(id) => of(call, &table.tcp_sockets, *id, TcpSocket::interest),
            Pollable::Udp(id) => of(call, &table.udp_sockets, *id, UdpSocket::interest),
            Pollable::Incoming(id) => of(call, &table.incoming_datagram_streams, *id, IncomingDatagramStream::interest),
            Pollable::Outgoing(id) => of(call, &table.outgoing_datagram_streams, *id, OutgoingDatagramStream::interest),
            Pollable::Lookup(id) => of(call, &table.resolve_address_streams, *id, ResolveAddressStream::interest),
            Pollable::Response(id) => of(call, &table.future_responses, *id, FutureIncomingResponse::interest),
            Pollable::Trailers(id) => of(call, &table.future_trailers, *id, FutureTrailers::interest),
        }
    }
}

/// `wasi:io/poll`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<Pollable>("pollable");
    it.func("[method]pollable.ready", |call, (this,): (Resource<Pollable>,)| {
        let mut waiting = Waiting::default();
        waiting.push(call.get(&this)?.interest(call)?);
        is_any_ready(call, &mut waiting, Wait::Never)
    });
    it.waits("[method]pollable.block", |store, state, (this,): &(Resource<Pollable>,), _, wait| {
        let (host, p2) = state(store.data_mut());
        let mut call = Call { name: "block", host, p2 };
        let mut waiting = Waiting::default();
        waiting.push(call.get(this)?.interest(&call)?);
        Ok(if is_any_ready(&mut call, &mut waiting, wait)? { Step::Done(()) } else { Step::Wait(waiting) })
    });
    it.waits("poll", |store, state, (pollables,): &(Vec<Resource<Pollable>>,), progress, wait| {
        if *progress == 0 {
            burn(store, state, pollables.len() as u64 * POLLABLE_FUEL)?;
            *progress = 1;
        }
        let (host, p2) = state(store.data_mut());
        let mut call = Call { name: "poll", host, p2 };
        if pollables.is_empty() {
            return Err(call.broken("there is nothing to wait for"));
        }
        let mut interests = Vec::with_capacity(pollables.len());
        for pollable in pollables {
            interests.push(call.get(pollable)?.interest(&call)?);
        }
        let mut waiting = Waiting::new(interests);
        if !is_any_ready(&mut call, &mut waiting, wait)? {
            return Ok(Step::Wait(waiting));
        }
        // The guest's list has at most 2³² of them.
        let ready = (0..pollables.len()).filter(|place| waiting.is_ready(*place)).map(|place| place as u32);
        Ok(Step::Done((ready.collect::<Vec<_>>(),)))
    });
}

/// Waits as far as it may.
fn is_any_ready(call: &mut Call<'_>, waiting: &mut Waiting, wait: Wait) -> wasmtime::Result<bool> {
    match waiting.wait(call.host, wait) {
        Ok(any) => Ok(any),
        Err(Interruption::Stopped(limit)) => Err(Stopped(limit).into()),
        Err(Interruption::Failed(code)) => Err(wasmtime::format_err!("`{}`: the host cannot wait: {code}", call.name)),
    }
}

/// Takes fuel for what a call makes the host do, where that grows with a number of the guest's.
///
/// # Errors
/// The guest ends: there is not as much.
pub(crate) fn burn<T, S: State<T>>(store: &mut StoreContextMut<'_, T>, state: S, fuel: u64) -> wasmtime::Result<()> {
    if state(store.data_mut()).0.limits.fuel.is_none() {
        return Ok(());
    }
    let mut store = store.as_context_mut();
    match store.get_fuel()?.checked_sub(fuel) {
        Some(left) => store.set_fuel(left),
        None => Err(Stopped(Limit::Fuel).into()),
    }
}

/// A pollable for a time of the monotonic clock: for the first step of the clock that is not before it. A clock that shows
/// coarse steps never shows what is between two of them, nor what is beyond the last, and where it stands still nobody would
/// get there by waiting.
pub(crate) fn at(call: &mut Call<'_>, when_ns: u64) -> wasmtime::Result<Resource<Pollable>> {
    let step_ns = call.host.clocks.resolution_ns(HostClock::Monotonic);
    let on_step = when_ns.checked_next_multiple_of(step_ns).unwrap_or(u64::MAX - u64::MAX % step_ns);
    call.keep(Pollable::Clock(on_step))
}

/// A pollable for a time of the monotonic clock from now.
pub(crate) fn after(call: &mut Call<'_>, duration_ns: u64) -> wasmtime::Result<Resource<Pollable>> {
    let now_ns = call.host.clocks.now_ns(HostClock::Monotonic);
    at(call, now_ns.saturating_add(duration_ns))
}
