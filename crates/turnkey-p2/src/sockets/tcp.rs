//! `wasi:sockets/tcp`.

use turnkey_core::sockets::TcpConnection;
use turnkey_core::sockets::tcp::Directions;
use turnkey_core::stream::{Sink, Source};
use wasmtime::component::{ComponentType, Lift, Resource};

use crate::call::{Call, Kept};
use crate::fault::Outcome;
use crate::interface::{Interface, State};
use crate::io::poll::Pollable;
use crate::io::streams::{InputStream, OutputStream};
use crate::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use crate::sockets::{Network, TcpSocket};

impl Kept for TcpSocket {}

/// `shutdown-type`
#[expect(dead_code, reason = "the engine makes them, out of a guest's number")]
#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(enum)]
#[repr(u8)]
enum ShutdownType {
    #[component(name = "receive")]
    Receive,
    #[component(name = "send")]
    Send,
    #[component(name = "both")]
    Both,
}

impl From<ShutdownType> for Directions {
    fn from(shutdown_type: ShutdownType) -> Self {
        Directions {
            receive: matches!(shutdown_type, ShutdownType::Receive | ShutdownType::Both),
            send: matches!(shutdown_type, ShutdownType::Send | ShutdownType::Both),
        }
    }
}

type This = Resource<TcpSocket>;
type Streams = (Resource<InputStream>, Resource<OutputStream>);

/// `wasi:sockets/tcp`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TcpSocket>("tcp-socket");
    define_states(it);
    define_addresses(it);
    define_keep_alive(it);
    define_options(it);
    it.func("[method]tcp-socket.subscribe", |call, (this,): (This,)| call.keep(Pollable::Tcp(call.id(&this))));
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.shutdown", |call, (this, how): (This, ShutdownType)| {
        let directions = Directions::from(how);
        let connection = call.get(&this)?.connection().cloned();
        let unsent = directions.send && connection.is_some_and(|connection| call.p2.unsent.ends(&connection));
        let socket = call.get_mut(&this)?;
        let shut = if unsent { socket.shutdown_after_rest(directions) } else { socket.shutdown(directions) };
        Ok(shut?)
    });
}

fn define_states<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>(
        "[method]tcp-socket.start-bind",
        |call, (this, _network, local): (This, Resource<Network>, IpSocketAddress)| {
            let name = call.name;
            let (socket, host) = call.with_host(&this)?;
            Ok(socket.start_bind(host, name, local.into())?)
        },
    );
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.finish-bind", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.finish_bind()?)
    });
    it.fails::<_, _, ErrorCode>(
        "[method]tcp-socket.start-connect",
        |call, (this, _network, remote): (This, Resource<Network>, IpSocketAddress)| {
            let name = call.name;
            let (socket, host) = call.with_host(&this)?;
            Ok(socket.start_connect(host, name, remote.into())?)
        },
    );
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.finish-connect", |call, (this,): (This,)| {
        let connection = call.get_mut(&this)?.finish_connect()?;
        streams(call, connection)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.start-listen", |call, (this,): (This,)| {
        let name = call.name;
        let (socket, host) = call.with_host(&this)?;
        Ok(socket.start_listen(host, name)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.finish-listen", |call, (this,): (This,)| {
        Ok(call.get_mut(&this)?.finish_listen()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.accept", |call, (this,): (This,)| {
        let (socket, host) = call.with_host(&this)?;
        let (accepted, connection) = socket.accept(host)?;
        let accepted = call.keep(accepted)?;
        let (input, output) = streams(call, connection)?;
        Ok((accepted, input, output))
    });
}

/// A connection as the guest reads and writes it.
fn streams(call: &mut Call<'_>, connection: TcpConnection) -> Outcome<Streams> {
    let input = call.keep(InputStream::new(Source::Connection(connection.clone())))?;
    let output = call.keep(OutputStream::new(Sink::Connection(connection)))?;
    Ok((input, output))
}

fn define_addresses<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.local-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.local_address()?))
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.remote-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.remote_address()?))
    });
    it.func("[method]tcp-socket.is-listening", |call, (this,): (This,)| Ok(call.get(&this)?.is_listening()));
    it.func("[method]tcp-socket.address-family", |call, (this,): (This,)| {
        Ok(IpAddressFamily::from(call.get(&this)?.address_family()))
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-listen-backlog-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_listen_backlog_size(value)?)
    });
}

fn define_keep_alive<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.keep-alive-enabled", |call, (this,): (This,)| {
        Ok(call.get(&this)?.keep_alive_enabled()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-enabled", |call, (this, value): (This, bool)| {
        Ok(call.get_mut(&this)?.set_keep_alive_enabled(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.keep-alive-idle-time", |call, (this,): (This,)| {
        Ok(call.get(&this)?.keep_alive_idle_time()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-idle-time", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_keep_alive_idle_time(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.keep-alive-interval", |call, (this,): (This,)| {
        Ok(call.get(&this)?.keep_alive_interval()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-interval", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_keep_alive_interval(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.keep-alive-count", |call, (this,): (This,)| {
        Ok(call.get(&this)?.keep_alive_count()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-count", |call, (this, value): (This, u32)| {
        Ok(call.get_mut(&this)?.set_keep_alive_count(value)?)
    });
}

fn define_options<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.hop-limit", |call, (this,): (This,)| {
        Ok(call.get(&this)?.hop_limit()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-hop-limit", |call, (this, value): (This, u8)| {
        Ok(call.get_mut(&this)?.set_hop_limit(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.receive-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.receive_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-receive-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_receive_buffer_size(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.send-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.send_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-send-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.set_send_buffer_size(value)?)
    });
}
