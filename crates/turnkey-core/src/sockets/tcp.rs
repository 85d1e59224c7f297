//! TCP: listeners, connections, and the socket that becomes one of them.
//!
//! [`TcpSocket`] is `tcp-socket` of `wasi:sockets/tcp` (0.2.12) and of `wasi:sockets/types` (0.3.2), with the states of the
//! standard's `TcpSocketOperationalSemantics.md`: 0.3 does in one step what 0.2 starts and finishes. Preview 1 has the other
//! two only: listeners handed over open, and what they accept.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::address::{AddressFamily, must_be_unicast};
use super::policy::Use;
use crate::count::Counted;
use crate::filesystem::metadata::HostMetadata;
use crate::host::buffers::Buffers;
use crate::host::poll::Ready;
use crate::host::{SharedFd, files, io, net};
use crate::stream::stdio::ready;
use crate::stream::{Interest, Interruption, Wait};
use crate::{Capabilities, ErrorCode};

/// Connections that wait to be accepted, where the guest does not say: as most systems' libraries have it.
const BACKLOG: i32 = 128;

/// The longest time between two signs of life, in seconds: Linux takes no longer one.
const LONGEST_KEEP_ALIVE: u64 = 32_767;

/// The most signs of life without an answer: Linux takes no more.
const MOST_KEEP_ALIVES: u32 = 127;

/// Unread bytes that are thrown away before a connection is closed. Bounds the work that a peer makes which goes on sending;
/// the kernel's own queues are smaller.
const MOST_DISCARDED: usize = 64 << 20;

/// A listening socket. It is never blocking, so that a connection that went away between being seen and being taken keeps
/// nobody waiting.
#[derive(Debug)]
pub struct TcpListener {
    fd: SharedFd,
    address: SocketAddr,
}

impl TcpListener {
    /// Listens.
    ///
    /// # Errors
    /// [`ErrorCode::AddressInUse`], [`ErrorCode::AddressNotBindable`], [`ErrorCode::Access`], …
    pub fn open(address: SocketAddr) -> Result<Self, ErrorCode> {
        let (fd, address) = net::listen_tcp(address)?;
        Ok(TcpListener { fd: SharedFd::new(fd), address })
    }

    /// Where it listens, the port filled in.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the next connection, waiting for one.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    pub fn accept(&self, wait: Wait) -> Result<TcpConnection, Interruption> {
        loop {
            match net::accept(self.fd.as_fd()) {
                Ok(fd) => return Ok(TcpConnection::new(SharedFd::new(fd), None)),
                Err(ErrorCode::WouldBlock) if wait != Wait::Never => ready(self.fd.as_fd(), Ready::Read, wait)?,
                Err(code) => return Err(code.into()),
            }
        }
    }

    /// What the host says of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        files::stat(self.fd.as_fd())
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A connection. A clone is the same connection. The kernel would let it block: each call says whether it may.
///
/// The kernel tells once that a connection has failed, to whoever asks first; whoever reads after that would find what looks
/// like the peer's own end. So it is remembered, and told in both directions from then on.
#[derive(Clone, Debug)]
pub struct TcpConnection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fd: SharedFd,
    /// Nothing is received any more, whatever is still there to be received.
    deaf: AtomicBool,
    /// The peer's end has been read.
    ended: AtomicBool,
    /// What it has failed with.
    failed: OnceLock<ErrorCode>,
    /// It is a socket that counts, for as long as anybody has it.
    _counted: Option<Arc<Counted>>,
}

impl TcpConnection {
    /// Whether both are one connection.
    #[must_use]
    pub fn is_same(&self, other: &TcpConnection) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn new(fd: SharedFd, counted: Option<Arc<Counted>>) -> Self {
        TcpConnection(Arc::new(Shared {
            fd,
            deaf: AtomicBool::default(),
            ended: AtomicBool::default(),
            failed: OnceLock::default(),
            _counted: counted,
        }))
    }

    /// The descriptor, to wait for.
    #[must_use]
    pub fn shared(&self) -> SharedFd {
        SharedFd::clone(&self.0.fd)
    }

    /// Reads what has come, once something has. 0 is the end, if room was given. The second value: a message was cut.
    ///
    /// # Errors
    /// What the operating system says, or has said before; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the
    /// wait says.
    pub fn receive(
        &self,
        buffers: &mut Buffers<'_>,
        flags: ReceiveFlags,
        wait: Wait,
    ) -> Result<(usize, bool), Interruption> {
        if self.0.deaf.load(Ordering::Relaxed) {
            return Ok((0, false));
        }
        let mut bits = if flags.peek { libc::MSG_PEEK } else { 0 };
        match wait {
            Wait::Forever if flags.wait_all => bits |= libc::MSG_WAITALL,
            Wait::Forever => {}
            // What waits for all of it waits in the kernel, where no end of time reaches it: so it is given what there is.
            Wait::Until(_) => {
                bits |= libc::MSG_DONTWAIT;
                ready(self.as_fd(), Ready::Read, wait)?;
            }
            Wait::Never => bits |= libc::MSG_DONTWAIT,
        }
        let received = self.0.remember(io::receive(self.as_fd(), buffers, bits))?;
        if received.0 == 0 && buffers.bytes() > 0 && !self.0.ended.load(Ordering::Relaxed) {
            match self.0.failed.get() {
                Some(code) => return Err((*code).into()),
                None => self.0.ended.store(true, Ordering::Relaxed),
            }
        }
        Ok(received)
    }

    /// Writes as much as the connection takes.
    ///
    /// # Errors
    /// [`ErrorCode::Pipe`] when nobody reads any more; what else the operating system says, or has said before;
    /// [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    pub fn send(&self, buffers: &Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        let bits = match wait {
            Wait::Forever => 0,
            Wait::Never => libc::MSG_DONTWAIT,
            Wait::Until(_) => {
                ready(self.as_fd(), Ready::Write, wait)?;
                libc::MSG_DONTWAIT
            }
        };
        match self.0.remember(io::send(self.as_fd(), buffers, bits)) {
            Err(ErrorCode::Pipe) => Err(self.0.failure().into()),
            sent => Ok(sent?),
        }
    }

    /// Ends one or both directions. What has come before is still there to be received, as in POSIX.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`] for neither; [`ErrorCode::NotConnected`].
    pub fn shutdown(&self, read: bool, write: bool) -> Result<(), ErrorCode> {
        net::shutdown(self.as_fd(), read, write)
    }

    /// Tells the peer that no more comes: the end of what `send` of 0.3 was given.
    ///
    /// # Errors
    /// What the connection has failed with meanwhile, if it is not there any more; [`ErrorCode::Pipe`]: nobody knows with what.
    pub fn end_sending(&self) -> Result<(), ErrorCode> {
        match self.shutdown(false, true) {
            Err(ErrorCode::NotConnected) => {
                // Whoever reads would be told this, and is told what is remembered.
                let _ = self.0.remember(net::failure(self.as_fd()));
                Err(self.0.failure())
            }
            ended => ended,
        }
    }

    /// Throws away what has come and was not read, and whatever comes: the end of who had the stream of `receive` of 0.3.
    pub fn stop_receiving(&self) {
        if !self.0.ended.load(Ordering::Relaxed) && !self.0.deaf.swap(true, Ordering::Relaxed) {
            // One that is not there any more has nothing more to send.
            let _ = self.shutdown(true, false);
        }
    }

    /// What the host says of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        files::stat(self.as_fd())
    }
}

impl AsFd for TcpConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

impl Shared {
    /// Remembers an error that a connection does not come back from.
    fn remember<T>(&self, result: Result<T, ErrorCode>) -> Result<T, ErrorCode> {
        if let Err(
            code @ (ErrorCode::ConnectionAborted
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionReset
            | ErrorCode::RemoteUnreachable
            | ErrorCode::Timeout),
        ) = result
        {
            // The first is what happened, and the others are what came of it.
            let _ = self.failed.set(code);
        }
        result
    }

    /// Why nothing can be sent any more.
    fn failure(&self) -> ErrorCode {
        self.failed.get().copied().unwrap_or(ErrorCode::Pipe)
    }
}

impl Drop for Shared {
    /// A connection that is closed with something unread is reset by the kernel, and the peer may lose what was sent to it and
    /// is still on its way. Whoever did not want the rest does not mean that.
    fn drop(&mut self) {
        if self.deaf.load(Ordering::Relaxed) {
            net::discard(self.fd.as_fd(), MOST_DISCARDED);
        }
    }
}

/// How a connection is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveFlags {
    /// Leave the data where it is.
    pub peek: bool,
    /// Wait until all the room is filled.
    pub wait_all: bool,
}

/// Who accepts the connections of a socket that listens, as long as anybody wants them.
#[derive(Clone, Debug)]
pub struct Acceptor {
    fd: SharedFd,
    family: AddressFamily,
    /// It is a socket that counts, for as long as anybody has it.
    _counted: Arc<Counted>,
}

impl Acceptor {
    /// The next connection, and its socket. It has the options that the listening one has.
    ///
    /// # Errors
    /// [`ErrorCode::WouldBlock`]: nobody is there yet. [`ErrorCode::ConnectionAborted`]: somebody was.
    /// [`ErrorCode::TooManyDescriptors`]: as [`TcpSocket::new`]; the connection is still to be had.
    pub fn accept(&self, host: &mut Capabilities) -> Result<(TcpSocket, TcpConnection), ErrorCode> {
        let counted = host.network.open_socket(&mut host.budget, &host.limits)?;
        let fd = net::accept(self.fd.as_fd())?;
        // Whoever is gone already has no address any more.
        let remote = net::remote_address(fd.as_fd()).map_err(|_| ErrorCode::ConnectionAborted)?;
        let mut accepted = TcpSocket {
            fd: SharedFd::new(fd),
            family: self.family,
            state: State::Closed,
            backlog: BACKLOG,
            counted: Arc::new(counted),
        };
        let connection = accepted.become_connected(remote);
        Ok((accepted, connection))
    }

    /// What has to happen before somebody is there.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest::Descriptor(SharedFd::clone(&self.fd), Ready::Read)
    }
}

/// An attempt to connect, for whoever waits for it as `connect` of 0.3 does. Dropped before it has come to its end, it is given
/// up: the kernel ends it, and the socket is closed, since a connection that nobody has is not to come of it.
#[derive(Debug)]
pub struct Attempt {
    fd: SharedFd,
    over: Arc<AtomicBool>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.over.swap(true, Ordering::Relaxed) {
            // Whatever has come of it already goes, too.
            let _ = net::disconnect(self.fd.as_fd());
        }
    }
}

/// `tcp-socket`.
///
/// What can be done at once is done when it is started, and told when it is finished. All of its methods may give
/// [`ErrorCode::InvalidState`] once a start or a connection has failed: then there is nothing left to do with it.
///
/// `TCP_NODELAY` is set on each: the standard has no option for it, so that a guest could not switch on what most programs
/// that wait for an answer need.
///
/// # Differs
/// By the standard's diagram, a `start-connect` that is refused for its argument, or by the grants, closes the socket. Here
/// it stays as it was, as it does in POSIX and in other hosts: nothing has been tried.
#[derive(Debug)]
pub struct TcpSocket {
    fd: SharedFd,
    family: AddressFamily,
    state: State,
    backlog: i32,
    counted: Arc<Counted>,
}

#[derive(Debug)]
enum State {
    Unbound,
    BindInProgress {
        asked: SocketAddr,
    },
    /// Bound to what was asked for, the port not filled in: this is what a grant has covered.
    Bound {
        asked: SocketAddr,
    },
    ListenInProgress,
    Listening(Acceptor),
    /// What failed already is told when it is finished, whatever the kernel's haste.
    ConnectInProgress {
        remote: SocketAddr,
        failed: Option<ErrorCode>,
        /// It has come to its end, or was given up: then the socket is closed.
        over: Arc<AtomicBool>,
    },
    Connected {
        connection: TcpConnection,
        remote: SocketAddr,
        shut: Directions,
    },
    Closed,
}

/// `shutdown-type`, and which directions are shut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directions {
    /// From the peer.
    pub receive: bool,
    /// To the peer.
    pub send: bool,
}

impl TcpSocket {
    /// `create-tcp-socket`
    ///
    /// # Errors
    /// [`ErrorCode::Unsupported`]: the host has no such family. [`ErrorCode::TooManyDescriptors`]: `--max-sockets`, or the
    /// host's own limit.
    pub fn new(host: &mut Capabilities, family: AddressFamily) -> Result<Self, ErrorCode> {
        let counted = host.network.open_socket(&mut host.budget, &host.limits)?;
        let fd = net::tcp_socket(family == AddressFamily::Ipv6)?;
        Ok(TcpSocket {
            fd: SharedFd::new(fd),
            family,
            state: State::Unbound,
            backlog: BACKLOG,
            counted: Arc::new(counted),
        })
    }

    /// `address-family`
    #[must_use]
    pub const fn address_family(&self) -> AddressFamily {
        self.family
    }

    /// `start-bind`
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: another family, no unicast address, IPv4 inside of IPv6. [`ErrorCode::InvalidState`]: it is
    /// bound. [`ErrorCode::Already`]: something else is in progress. [`ErrorCode::Access`]: no `tcp-listen` covers it, or
    /// the port is the system's own. [`ErrorCode::AddressInUse`], [`ErrorCode::AddressNotBindable`].
    pub fn start_bind(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        local: SocketAddr,
    ) -> Result<(), ErrorCode> {
        match self.state {
            State::Unbound => {}
            _ => return Err(self.wrong_state()),
        }
        self.family.must_take(&local)?;
        must_be_unicast(&local)?;
        host.network.must(&mut host.audit, call, Use::TcpListen, local)?;
        net::bind(self.fd.as_fd(), local)?;
        self.state = State::BindInProgress { asked: local };
        Ok(())
    }

    /// `finish-bind`
    ///
    /// # Errors
    /// [`ErrorCode::NotInProgress`]
    pub fn finish_bind(&mut self) -> Result<(), ErrorCode> {
        let State::BindInProgress { asked } = self.state else {
            return Err(ErrorCode::NotInProgress);
        };
        self.state = State::Bound { asked };
        Ok(())
    }

    /// `start-connect`
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: another family, no unicast address, IPv4 inside of IPv6, no address, no port.
    /// [`ErrorCode::InvalidState`]: it listens, or is or was connected. [`ErrorCode::Already`]: something else is in
    /// progress. [`ErrorCode::Access`]: no `tcp-connect` covers it.
    pub fn start_connect(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        remote: SocketAddr,
    ) -> Result<(), ErrorCode> {
        match self.state {
            State::Unbound | State::Bound { .. } => {}
            _ => return Err(self.wrong_state()),
        }
        self.family.must_reach(&remote)?;
        must_be_unicast(&remote)?;
        host.network.must(&mut host.audit, call, Use::TcpConnect, remote)?;
        let failed = net::connect(self.fd.as_fd(), remote).err();
        self.state = State::ConnectInProgress { remote, failed, over: Arc::default() };
        Ok(())
    }

    /// The connection that was begun, for whoever gives it up where it is no longer waited for.
    #[must_use]
    pub fn attempt(&self) -> Option<Attempt> {
        match self.state() {
            State::ConnectInProgress { over, .. } => {
                Some(Attempt { fd: SharedFd::clone(&self.fd), over: Arc::clone(over) })
            }
            _ => None,
        }
    }

    /// `finish-connect`: the connection, to be read and written.
    ///
    /// # Errors
    /// [`ErrorCode::NotInProgress`]; [`ErrorCode::WouldBlock`]: there is no answer yet. [`ErrorCode::ConnectionRefused`],
    /// [`ErrorCode::RemoteUnreachable`], [`ErrorCode::Timeout`], [`ErrorCode::AddressInUse`], …: it failed.
    pub fn finish_connect(&mut self) -> Result<TcpConnection, ErrorCode> {
        let State::ConnectInProgress { remote, failed, over } = self.state() else {
            return Err(ErrorCode::NotInProgress);
        };
        let remote = *remote;
        let result = match failed {
            Some(code) => Err(*code),
            None => net::connected(self.fd.as_fd()),
        };
        if result == Err(ErrorCode::WouldBlock) {
            return Err(ErrorCode::WouldBlock);
        }
        over.store(true, Ordering::Relaxed);
        self.state = State::Closed;
        result.and_then(|()| net::set_blocking(self.fd.as_fd()))?;
        Ok(self.become_connected(remote))
    }

    fn become_connected(&mut self, remote: SocketAddr) -> TcpConnection {
        let connection = TcpConnection::new(SharedFd::clone(&self.fd), Some(Arc::clone(&self.counted)));
        self.state = State::Connected { connection: connection.clone(), remote, shut: Directions::default() };
        connection
    }

    /// `start-listen`
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not bound, or listens, or is or was connected. [`ErrorCode::Already`]: something
    /// else is in progress. [`ErrorCode::Access`]: no `tcp-listen` covers it any more. [`ErrorCode::AddressInUse`]: another
    /// one listens there.
    pub fn start_listen(&mut self, host: &mut Capabilities, call: &'static str) -> Result<(), ErrorCode> {
        let State::Bound { asked } = self.state else {
            return Err(self.wrong_state());
        };
        host.network.must(&mut host.audit, call, Use::TcpListen, asked)?;
        let result = net::listen(self.fd.as_fd(), self.backlog);
        self.state = if result.is_ok() { State::ListenInProgress } else { State::Closed };
        result
    }

    /// `finish-listen`
    ///
    /// # Errors
    /// [`ErrorCode::NotInProgress`]
    pub fn finish_listen(&mut self) -> Result<(), ErrorCode> {
        if !matches!(self.state, State::ListenInProgress) {
            return Err(ErrorCode::NotInProgress);
        }
        self.become_listening();
        Ok(())
    }

    fn become_listening(&mut self) -> Acceptor {
        let acceptor =
            Acceptor { fd: SharedFd::clone(&self.fd), family: self.family, _counted: Arc::clone(&self.counted) };
        self.state = State::Listening(acceptor.clone());
        acceptor
    }

    /// `listen` of 0.3: where it is bound, or else at no address and any free port. It stays as it was where that fails.
    ///
    /// # Errors
    /// As [`TcpSocket::start_listen`], but for one that is not bound.
    pub fn listen(&mut self, host: &mut Capabilities, call: &'static str) -> Result<Acceptor, ErrorCode> {
        let asked = match self.state {
            State::Unbound => SocketAddr::new(self.family.unspecified(), 0),
            State::Bound { asked } => asked,
            _ => return Err(self.wrong_state()),
        };
        host.network.must(&mut host.audit, call, Use::TcpListen, asked)?;
        // The kernel binds what is not bound.
        net::listen(self.fd.as_fd(), self.backlog)?;
        Ok(self.become_listening())
    }

    /// `accept`: the next connection, and its socket.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it does not listen. Else as [`Acceptor::accept`].
    pub fn accept(&self, host: &mut Capabilities) -> Result<(TcpSocket, TcpConnection), ErrorCode> {
        match &self.state {
            State::Listening(acceptor) => acceptor.accept(host),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// `shutdown`. What was received before and not read is thrown away with its direction.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not connected, or not any more.
    pub fn shutdown(&mut self, directions: Directions) -> Result<(), ErrorCode> {
        self.shut(directions, false)
    }

    /// The same while something is still to be sent: the peer is told that no more comes by whoever has it, when it has gone.
    ///
    /// # Errors
    /// As [`TcpSocket::shutdown`].
    pub fn shutdown_after_rest(&mut self, directions: Directions) -> Result<(), ErrorCode> {
        self.shut(directions, true)
    }

    /// The connection, while there is one.
    #[must_use]
    pub const fn connection(&self) -> Option<&TcpConnection> {
        match &self.state {
            State::Connected { connection, .. } => Some(connection),
            _ => None,
        }
    }

    fn shut(&mut self, directions: Directions, unsent: bool) -> Result<(), ErrorCode> {
        let State::Connected { connection, shut, .. } = &mut self.state else {
            return Err(ErrorCode::InvalidState);
        };
        // Once more is no error.
        let (receive, send) = (directions.receive && !shut.receive, directions.send && !shut.send);
        if receive || (send && !unsent) {
            connection.shutdown(receive, send && !unsent).map_err(|code| match code {
                ErrorCode::NotConnected => ErrorCode::InvalidState,
                code => code,
            })?;
        }
        if receive {
            connection.0.deaf.store(true, Ordering::Relaxed);
        }
        *shut = Directions { receive: shut.receive || receive, send: shut.send || send };
        Ok(())
    }

    /// What `subscribe` waits for, as things are now.
    #[must_use]
    pub fn interest(&self) -> Interest {
        match self.state() {
            State::Listening(_) => Interest::Descriptor(SharedFd::clone(&self.fd), Ready::Read),
            State::ConnectInProgress { failed: None, .. } => {
                Interest::Descriptor(SharedFd::clone(&self.fd), Ready::Write)
            }
            _ => Interest::Now,
        }
    }

    /// `is-listening`
    #[must_use]
    pub const fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    /// `local-address`
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not bound.
    pub fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match self.state() {
            State::Unbound | State::BindInProgress { .. } | State::Closed => Err(ErrorCode::InvalidState),
            _ => net::local_address(self.fd.as_fd()),
        }
    }

    /// `remote-address`
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not connected.
    pub const fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Connected { remote, .. } => Ok(*remote),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// `set-listen-backlog-size`, which is clamped to what the system has.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0. [`ErrorCode::InvalidState`]: it is connected, or about to be.
    pub fn set_listen_backlog_size(&mut self, connections: u64) -> Result<(), ErrorCode> {
        if connections == 0 {
            return Err(ErrorCode::Invalid);
        }
        let backlog = i32::try_from(connections).unwrap_or(i32::MAX);
        match self.state() {
            State::ConnectInProgress { .. } | State::Connected { .. } | State::Closed => {
                return Err(ErrorCode::InvalidState);
            }
            State::ListenInProgress | State::Listening(_) => net::listen(self.fd.as_fd(), backlog)?,
            State::Unbound | State::BindInProgress { .. } | State::Bound { .. } => {}
        }
        self.backlog = backlog;
        Ok(())
    }

    /// `keep-alive-enabled`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_alive_enabled(&self) -> Result<bool, ErrorCode> {
        net::keep_alive(self.open()?)
    }

    /// `set-keep-alive-enabled`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn set_keep_alive_enabled(&mut self, enabled: bool) -> Result<(), ErrorCode> {
        net::set_keep_alive(self.open()?, enabled)
    }

    /// `keep-alive-idle-time`, in nanoseconds.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_alive_idle_time(&self) -> Result<u64, ErrorCode> {
        Ok(nanoseconds(net::keep_alive_idle(self.open()?)?))
    }

    /// `set-keep-alive-idle-time`, in nanoseconds; rounded up to seconds, 32767 at most.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_keep_alive_idle_time(&mut self, nanoseconds: u64) -> Result<(), ErrorCode> {
        net::set_keep_alive_idle(self.open()?, keep_alive_seconds(nanoseconds)?)
    }

    /// `keep-alive-interval`, in nanoseconds.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_alive_interval(&self) -> Result<u64, ErrorCode> {
        Ok(nanoseconds(net::keep_alive_interval(self.open()?)?))
    }

    /// `set-keep-alive-interval`, in nanoseconds; rounded up to seconds, 32767 at most.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_keep_alive_interval(&mut self, nanoseconds: u64) -> Result<(), ErrorCode> {
        net::set_keep_alive_interval(self.open()?, keep_alive_seconds(nanoseconds)?)
    }

    /// `keep-alive-count`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn keep_alive_count(&self) -> Result<u32, ErrorCode> {
        net::keep_alive_count(self.open()?)
    }

    /// `set-keep-alive-count`; 127 at most.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_keep_alive_count(&mut self, count: u32) -> Result<(), ErrorCode> {
        if count == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_keep_alive_count(self.open()?, count.min(MOST_KEEP_ALIVES))
    }

    /// `hop-limit`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn hop_limit(&self) -> Result<u8, ErrorCode> {
        net::hop_limit(self.open()?, self.family == AddressFamily::Ipv6)
    }

    /// `set-hop-limit`
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_hop_limit(&mut self, hops: u8) -> Result<(), ErrorCode> {
        if hops == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_hop_limit(self.open()?, self.family == AddressFamily::Ipv6, hops)
    }

    /// `receive-buffer-size`, in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        net::receive_buffer_size(self.open()?)
    }

    /// `set-receive-buffer-size`, in bytes, which are clamped to what the system has.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_receive_buffer_size(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        if bytes == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_receive_buffer_size(self.open()?, bytes)
    }

    /// `send-buffer-size`, in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        net::send_buffer_size(self.open()?)
    }

    /// `set-send-buffer-size`, in bytes, which are clamped to what the system has.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_send_buffer_size(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        if bytes == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_send_buffer_size(self.open()?, bytes)
    }

    /// Where it stands: whoever has given up an attempt to connect has closed it.
    fn state(&self) -> &State {
        match &self.state {
            State::ConnectInProgress { over, .. } if over.load(Ordering::Relaxed) => &State::Closed,
            state => state,
        }
    }

    /// The descriptor, while there is anything to be done with it.
    fn open(&self) -> Result<BorrowedFd<'_>, ErrorCode> {
        match self.state() {
            State::Closed => Err(ErrorCode::InvalidState),
            _ => Ok(self.fd.as_fd()),
        }
    }

    /// Why something cannot be started.
    fn wrong_state(&self) -> ErrorCode {
        match self.state() {
            State::BindInProgress { .. } | State::ListenInProgress | State::ConnectInProgress { .. } => {
                ErrorCode::Already
            }
            _ => ErrorCode::InvalidState,
        }
    }
}

/// A time between signs of life, as Linux has it.
fn keep_alive_seconds(nanoseconds: u64) -> Result<Duration, ErrorCode> {
    match nanoseconds.div_ceil(1_000_000_000) {
        0 => Err(ErrorCode::Invalid),
        seconds => Ok(Duration::from_secs(seconds.min(LONGEST_KEEP_ALIVE))),
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
