//! `wasi:sockets/udp`.

use turnkey_core::ErrorCode as Code;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmList};

use crate::call::{Call, Kept};
use crate::fault::Outcome;
use crate::interface::{Interface, State, answer};
use crate::io::poll::Pollable;
use crate::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use crate::sockets::{IncomingDatagramStream, Network, OutgoingDatagramStream, UdpSocket};

impl Kept for UdpSocket {}
impl Kept for IncomingDatagramStream {}
impl Kept for OutgoingDatagramStream {}

/// `incoming-datagram`
#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
struct IncomingDatagram {
    data: Vec<u8>,
    #[component(name = "remote-address")]
    remote_address: IpSocketAddress,
}

/// `outgoing-datagram`
#[derive(ComponentType, Lift)]
#[component(record)]
struct OutgoingDatagram {
    data: WasmList<u8>,
    #[component(name = "remote-address")]
    remote_address: Option<IpSocketAddress>,
}

type This = Resource<UdpSocket>;

/// `wasi:sockets/udp`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<UdpSocket>("udp-socket");
    it.resource::<IncomingDatagramStream>("incoming-datagram-stream");
    it.resource::<OutgoingDatagramStream>("outgoing-datagram-stream");
    define_states(it);
    define_options(it);
    it.func("[method]udp-socket.subscribe", |call, (this,): (This,)| call.keep(Pollable::Udp(call.id(&this))));
    define_streams(it);
}

fn define_states<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>(
        "[method]udp-socket.start-bind",
        |call, (this, _network, local): (This, Resource<Network>, IpSocketAddress)| {
            let name = call.name;
            let (socket, host) = call.with_host(&this)?;
            Ok(socket.start_bind(host, name, local.into())?)
        },
    );
    it.fails::<_, _, ErrorCode>("[method]udp-socket.finish-bind", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.finish_bind()?)
    });
    it.fails::<_, _, ErrorCode>(
        "[method]udp-socket.stream",
        |call, (this, remote): (This, Option<IpSocketAddress>)| {
            let name = call.name;
            let (socket, host) = call.with_host(&this)?;
            let (incoming, outgoing) = socket.stream(host, name, remote.map(Into::into))?;
            Ok((call.keep(incoming)?, call.keep(outgoing)?))
        },
    );
    it.fails::<_, _, ErrorCode>("[method]udp-socket.local-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.local_address()?))
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.remote-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.remote_address()?))
    });
    it.func("[method]udp-socket.address-family", |call, (this,): (This,)| {
        Ok(IpAddressFamily::from(call.get(&this)?.address_family()))
    });
}

fn define_options<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]udp-socket.unicast-hop-limit", |call, (this,): (This,)| {
        Ok(call.get(&this)?.unicast_hop_limit()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-unicast-hop-limit", |call, (this, value): (This, u8)| {
        Ok(call.get_mut(&this)?.set_unicast_hop_limit(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.receive-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.receive_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-receive-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_receive_buffer_size(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.send-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.send_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-send-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_send_buffer_size(value)?)
    });
}

fn define_streams<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>(
        "[method]incoming-datagram-stream.receive",
        |call, (this, max_results): (Resource<IncomingDatagramStream>, u64)| receive(call, &this, max_results),
    );
    it.func("[method]incoming-datagram-stream.subscribe", |call, (this,): (Resource<IncomingDatagramStream>,)| {
        call.keep(Pollable::Incoming(call.id(&this)))
    });
    it.fails::<_, _, ErrorCode>(
        "[method]outgoing-datagram-stream.check-send",
        |call, (this,): (Resource<OutgoingDatagramStream>,)| Ok(call.get_mut(&this)?.check_send()?),
    );
    it.with_memory(
        "[method]outgoing-datagram-stream.send",
        |store, state, (this, datagrams): (Resource<OutgoingDatagramStream>, WasmList<OutgoingDatagram>)| {
            answer::<_, ErrorCode>(send(store, state, &this, &datagrams))
        },
    );
    it.func("[method]outgoing-datagram-stream.subscribe", |call, (this,): (Resource<OutgoingDatagramStream>,)| {
        call.keep(Pollable::Outgoing(call.id(&this)))
    });
}

fn receive(
    call: &mut Call<'_>,
    this: &Resource<IncomingDatagramStream>,
    max_results: u64,
) -> Outcome<Vec<IncomingDatagram>> {
    let name = call.name;
    let (stream, host) = call.with_host(this)?;
    let received = stream.receive(host, name, max_results)?;
    let shown = received
        .into_iter()
        .map(|datagram| IncomingDatagram { data: datagram.data, remote_address: datagram.remote.into() });
    Ok(shown.collect())
}

/// One after the other, until there are no more or one of them fails: how many were sent. What the first fails with is
/// told.
///
/// A datagram passes through the host's memory, since the guest's is not to be had while the guest's grants are looked at.
/// Of one that is larger than can be, as much does as is too large.
fn send<T, S: State<T>>(
    mut store: StoreContextMut<'_, T>,
    state: S,
    this: &Resource<OutgoingDatagramStream>,
    datagrams: &WasmList<OutgoingDatagram>,
) -> Outcome<u64> {
    let (host, p2) = state(store.data_mut());
    let mut call = Call { name: "send", host, p2 };
    if !call.get(this)?.permits(datagrams.len()) {
        return Err(call.broken("more is sent than `check-send` has permitted").into());
    }
    let mut scratch = call.take_scratch()?;
    let mut sent = 0;
    let outcome = loop {
        let Some(datagram) = datagrams.get(&mut store, sent) else {
            break Ok(());
        };
        let OutgoingDatagram { data, remote_address } = datagram?;
        let data = data.as_le_slice(&store);
        let bytes = data.len().min(scratch.len());
        scratch[..bytes].copy_from_slice(&data[..bytes]);
        let (host, p2) = state(store.data_mut());
        let mut call = Call { name: "send", host, p2 };
        let (stream, host) = call.with_host(this)?;
        match stream.send(host, "send", &scratch[..bytes], remote_address.map(Into::into)) {
            Ok(()) => sent += 1,
            Err(code) => break Err(code),
        }
    };
    state(store.data_mut()).1.scratch = scratch;
    match outcome {
        Err(code) if sent == 0 && code != Code::WouldBlock => Err(code.into()),
        _ => Ok(sent as u64),
    }
}
