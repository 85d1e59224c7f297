//! `udp-socket` of `wasi:sockets/types`. What it means is in the core.

use turnkey_core::ErrorCode as Code;
use turnkey_core::host::poll::Ready;
use turnkey_core::limits::Lease;
use turnkey_core::stream::Waiting;
use wasmtime::component::Resource;

use crate::call::{Call, Kept};
use crate::fault::{Fault, Outcome};
use crate::interface::{Interface, State, Step, answer};
use crate::sockets::UdpSocket;
use crate::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress};

impl Kept for UdpSocket {}

type This = Resource<UdpSocket>;

/// `udp-socket` of `wasi:sockets/types`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<UdpSocket>("udp-socket");
    define_states(it);
    define_datagrams(it);
    define_addresses(it);
    define_options(it);
}

fn define_states<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[static]udp-socket.create", |call, (address_family,): (IpAddressFamily,)| {
        let socket = UdpSocket::new(call.host, address_family.into())?;
        Ok(call.keep(socket)?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.bind", |call, (this, local): (This, IpSocketAddress)| {
        let name = call.name;
        let (socket, host) = call.with_host(&this)?;
        socket.start_bind(host, name, local.into())?;
        Ok(socket.finish_bind()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.connect", |call, (this, remote): (This, IpSocketAddress)| {
        let name = call.name;
        let (socket, host) = call.with_host(&this)?;
        Ok(socket.connect(host, name, remote.into())?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.disconnect", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.disconnect()?)
    });
}

fn define_datagrams<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.waits(
        "[method]udp-socket.send",
        |call, (this, data, remote): &(This, Vec<u8>, Option<IpSocketAddress>), held: &mut Option<Lease>| {
            let outcome = send(call, this, data, *remote);
            let step = step(call, this, outcome, Ready::Write)?;
            // What waits for room is held by the host, and no longer by the guest.
            if let (Step::Wait(_), None) = (&step, &held) {
                *held = Some(call.lease(data.len() as u64)?);
            }
            Ok(step)
        },
    );
    it.waits("[method]udp-socket.receive", |call, (this,): &(This,), (): &mut ()| {
        let outcome = receive(call, this);
        step(call, this, outcome, Ready::Read)
    });
}

fn send(call: &mut Call<'_>, this: &This, data: &[u8], remote: Option<IpSocketAddress>) -> Outcome {
    let name = call.name;
    let (socket, host) = call.with_host(this)?;
    Ok(socket.send(host, name, data, remote.map(Into::into))?)
}

fn receive(call: &mut Call<'_>, this: &This) -> Outcome<(Vec<u8>, IpSocketAddress)> {
    let name = call.name;
    let (socket, host) = call.with_host(this)?;
    let received = socket.receive(host, name)?;
    Ok((received.data, received.remote.into()))
}

/// Waits for the socket, where the outcome is that there is nothing yet.
fn step<R>(
    call: &mut Call<'_>,
    this: &This,
    outcome: Outcome<R>,
    ready: Ready,
) -> wasmtime::Result<Step<(Result<R, ErrorCode>,)>> {
    let outcome = match outcome {
        Err(Fault::Code(Code::WouldBlock)) => match call.get(this)?.readiness(ready) {
            Ok(interest) => return Ok(Step::Wait(Waiting::new(vec![interest]))),
            Err(code) => Err(code.into()),
        },
        outcome => outcome,
    };
    Ok(Step::Done((answer(outcome)?,)))
}

fn define_addresses<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]udp-socket.get-local-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.local_address()?))
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.get-remote-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.remote_address()?))
    });
    it.func("[method]udp-socket.get-address-family", |call, (this,): (This,)| {
        Ok(IpAddressFamily::from(call.get(&this)?.address_family()))
    });
}

fn define_options<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]udp-socket.get-unicast-hop-limit", |call, (this,): (This,)| {
        Ok(call.get(&this)?.unicast_hop_limit()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-unicast-hop-limit", |call, (this, value): (This, u8)| {
        Ok(call.get_mut(&this)?.set_unicast_hop_limit(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.get-receive-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.receive_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-receive-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_receive_buffer_size(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.get-send-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.send_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]udp-socket.set-send-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_send_buffer_size(value)?)
    });
}
