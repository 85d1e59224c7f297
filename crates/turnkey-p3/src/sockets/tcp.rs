//! `tcp-socket` of `wasi:sockets/types`. What it means is in the core.

use std::pin::Pin;
use std::task::{Context, Poll};

use turnkey_core::ErrorCode as Code;
use turnkey_core::limits::Lease;
use turnkey_core::sockets::TcpConnection;
use turnkey_core::sockets::tcp::{self as core, Acceptor, Attempt};
use turnkey_core::stream::{Sink, Source, Waiting};
use wasmtime::component::{Destination, Resource, StreamProducer, StreamReader, StreamResult};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::call::{Call, Kept};
use crate::fault::{Fault, Outcome};
use crate::interface::{Interface, State, Step, answer};
use crate::sockets::types::{ErrorCode, IpAddressFamily, IpSocketAddress};
use crate::stream::{self, STREAM_BYTES};

/// `tcp-socket`
#[derive(Debug)]
pub(crate) struct TcpSocket {
    socket: core::TcpSocket,
    /// `send` has been called.
    sends: bool,
    /// `receive` has been called.
    receives: bool,
}

impl Kept for TcpSocket {}

type This = Resource<TcpSocket>;

impl TcpSocket {
    const fn new(socket: core::TcpSocket) -> Self {
        TcpSocket { socket, sends: false, receives: false }
    }

    /// The connection, for one of the two that may be asked for once.
    ///
    /// # Errors
    /// [`Code::InvalidState`]: it is not connected, or has been asked for.
    fn connection(&mut self, asked: fn(&mut Self) -> &mut bool) -> Result<TcpConnection, Code> {
        let connection = self.socket.connection().cloned().ok_or(Code::InvalidState)?;
        if std::mem::replace(asked(self), true) { Err(Code::InvalidState) } else { Ok(connection) }
    }
}

/// `tcp-socket` of `wasi:sockets/types`.
pub(crate) fn define<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.resource::<TcpSocket>("tcp-socket");
    define_states(it);
    define_streams(it);
    define_addresses(it);
    define_keep_alive(it);
    define_options(it);
}

fn define_states<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[static]tcp-socket.create", |call, (address_family,): (IpAddressFamily,)| {
        let socket = core::TcpSocket::new(call.host, address_family.into())?;
        Ok(call.keep(TcpSocket::new(socket))?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.bind", |call, (this, local): (This, IpSocketAddress)| {
        let name = call.name;
        let (this, host) = call.with_host(&this)?;
        this.socket.start_bind(host, name, local.into())?;
        Ok(this.socket.finish_bind()?)
    });
    it.waits(
        "[method]tcp-socket.connect",
        |call, (this, remote): &(This, IpSocketAddress), attempt: &mut Option<Attempt>| {
            let outcome = connect(call, this, *remote, attempt);
            if let Err(Fault::Code(Code::WouldBlock)) = outcome {
                return Ok(Step::Wait(Waiting::new(vec![call.get(this)?.socket.interest()])));
            }
            Ok(Step::Done((answer::<_, ErrorCode>(outcome)?,)))
        },
    );
    it.streams("[method]tcp-socket.listen", |mut store, state, (this,): (This,)| {
        let (host, p3) = state(store.data_mut());
        let outcome = listen(&mut Call { name: "listen", host, p3 }, &this);
        let stream = match outcome {
            Ok((acceptor, lease)) => {
                let accepting = Accepting { acceptor, state, waiting: stream::Waiting::default(), _lease: lease };
                Ok(StreamReader::new(&mut store, accepting)?)
            }
            Err(fault) => Err(fault),
        };
        answer::<_, ErrorCode>(stream)
    });
}

/// Begins to connect, and then looks whether it is done. The attempt is the call's: whoever cancels the call gives it up.
fn connect(call: &mut Call<'_>, this: &This, remote: IpSocketAddress, attempt: &mut Option<Attempt>) -> Outcome {
    let name = call.name;
    let (this, host) = call.with_host(this)?;
    if attempt.is_none() {
        this.socket.start_connect(host, name, remote.into())?;
        *attempt = this.socket.attempt();
    }
    this.socket.finish_connect()?;
    Ok(())
}

fn listen(call: &mut Call<'_>, this: &This) -> Outcome<(Acceptor, Lease)> {
    let name = call.name;
    let (this, host) = call.with_host(this)?;
    let acceptor = this.socket.listen(host, name)?;
    Ok((acceptor, call.lease(STREAM_BYTES)?))
}

fn define_streams<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.streams("[method]tcp-socket.send", |mut store, state, (this, data): (This, StreamReader<u8>)| {
        let (host, p3) = state(store.data_mut());
        let mut call = Call { name: "send", host, p3 };
        let connection = call.get_mut(&this)?.connection(|this| &mut this.sends);
        stream::write::<T, S, ErrorCode>(store, state, data, connection.map(Sink::Connection))
    });
    it.streams("[method]tcp-socket.receive", |mut store, state, (this,): (This,)| {
        let (host, p3) = state(store.data_mut());
        let mut call = Call { name: "receive", host, p3 };
        let connection = call.get_mut(&this)?.connection(|this| &mut this.receives);
        stream::read::<T, S, ErrorCode>(store, state, connection.map(Source::Connection))
    });
}

/// Connections that are passed over in one turn because they are gone again. Bounds what peers take of it who do nothing but
/// connect and leave.
const MOST_SKIPPED: usize = 64;

/// The stream of those who connect.
struct Accepting<S> {
    acceptor: Acceptor,
    state: S,
    waiting: stream::Waiting,
    _lease: Lease,
}

impl<T: 'static, S: State<T>> StreamProducer<T> for Accepting<S> {
    type Item = Resource<TcpSocket>;
    type Buffer = Option<Resource<TcpSocket>>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, T>,
        mut destination: Destination<'a, Resource<TcpSocket>, Option<Resource<TcpSocket>>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        let wanted = destination.remaining(store.as_context_mut()) != Some(0);
        for _ in 0..MOST_SKIPPED {
            if this.waiting.poll(context).is_pending() {
                return stream::not_yet(finish);
            }
            let interest = this.acceptor.interest();
            if !wanted {
                // Whoever is there stays there until somebody is asked for.
                if stream::is_ready_now(&interest) {
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                this.waiting.begin(interest);
                continue;
            }
            let (host, p3) = (this.state)(store.data_mut());
            host.news += 1;
            match this.acceptor.accept(host) {
                Ok((accepted, _)) => {
                    let kept = Call { name: "listen", host, p3 }.keep(TcpSocket::new(accepted))?;
                    destination.set_buffer(Some(kept));
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                // There is room again when the guest has closed one, or somebody else on this machine.
                Err(Code::TooManyDescriptors | Code::InsufficientMemory) if stream::is_ready_now(&interest) => {
                    this.waiting.begin_again_later();
                }
                Err(Code::WouldBlock | Code::TooManyDescriptors | Code::InsufficientMemory) => {
                    this.waiting.begin(interest);
                }
                // Somebody who is gone again, or an error of the network that was on its way: the next one may be well.
                Err(
                    Code::Access
                    | Code::ConnectionAborted
                    | Code::ConnectionReset
                    | Code::NotPermitted
                    | Code::RemoteUnreachable
                    | Code::Timeout
                    | Code::Unsupported,
                ) => {}
                Err(_) => return Poll::Ready(Ok(StreamResult::Dropped)),
            }
        }
        // It is the others' turn.
        context.waker().wake_by_ref();
        stream::not_yet(finish)
    }
}

fn define_addresses<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-local-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.socket.local_address()?))
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-remote-address", |call, (this,): (This,)| {
        Ok(IpSocketAddress::from(call.get(&this)?.socket.remote_address()?))
    });
    it.func("[method]tcp-socket.get-is-listening", |call, (this,): (This,)| Ok(call.get(&this)?.socket.is_listening()));
    it.func("[method]tcp-socket.get-address-family", |call, (this,): (This,)| {
        Ok(IpAddressFamily::from(call.get(&this)?.socket.address_family()))
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-listen-backlog-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.socket.set_listen_backlog_size(value)?)
    });
}

fn define_keep_alive<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-keep-alive-enabled", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.keep_alive_enabled()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-enabled", |call, (this, value): (This, bool)| {
        Ok(call.get_mut(&this)?.socket.set_keep_alive_enabled(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-keep-alive-idle-time", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.keep_alive_idle_time()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-idle-time", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.socket.set_keep_alive_idle_time(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-keep-alive-interval", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.keep_alive_interval()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-interval", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.socket.set_keep_alive_interval(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-keep-alive-count", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.keep_alive_count()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-keep-alive-count", |call, (this, value): (This, u32)| {
        Ok(call.get_mut(&this)?.socket.set_keep_alive_count(value)?)
    });
}

fn define_options<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-hop-limit", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.hop_limit()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-hop-limit", |call, (this, value): (This, u8)| {
        Ok(call.get_mut(&this)?.socket.set_hop_limit(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-receive-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.receive_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-receive-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.socket.set_receive_buffer_size(value)?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.get-send-buffer-size", |call, (this,): (This,)| {
        Ok(call.get(&this)?.socket.send_buffer_size()?)
    });
    it.fails::<_, _, ErrorCode>("[method]tcp-socket.set-send-buffer-size", |call, (this, value): (This, u64)| {
        Ok(call.get_mut(&this)?.socket.set_send_buffer_size(value)?)
    });
}
