//! UDP: `udp-socket` of `wasi:sockets/udp` (0.2.12), and the two streams of datagrams that are made of it; that of
//! `wasi:sockets/types` (0.3.2), which sends and receives by itself.
//!
//! Every datagram is looked at by itself: where one goes is checked when it is sent, connected or not, and one that came
//! from where no grant reaches is never shown to the guest.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::address::AddressFamily;
use super::policy::Use;
use crate::count::Counted;
use crate::host::poll::{Ready, readable_bytes};
use crate::host::{SharedFd, net};
use crate::stream::Interest;
use crate::{Capabilities, ErrorCode};

/// Datagrams that one call takes, looks at or permits. Bounds its work, whatever comes in meanwhile.
pub const MOST_DATAGRAMS: usize = 64;

/// Bytes after which [`IncomingDatagramStream::receive`] takes no further datagram. Bounds what the host holds for one
/// call.
const MOST_BYTES: usize = 1 << 20;

/// Bytes that a datagram has at most: its length is a u16.
const LARGEST_DATAGRAM: usize = 1 << 16;

/// `udp-socket`.
#[derive(Debug)]
pub struct UdpSocket {
    fd: SharedFd,
    family: AddressFamily,
    state: State,
    remote: Option<SocketAddr>,
    /// The number of the pair of streams that is in use.
    current: Arc<AtomicU64>,
    counted: Arc<Counted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unbound,
    BindInProgress,
    Bound,
}

impl UdpSocket {
    /// `create-udp-socket`
    ///
    /// # Errors
    /// [`ErrorCode::Unsupported`]: the host has no such family. [`ErrorCode::TooManyDescriptors`]: `--max-sockets`, or the
    /// host's own limit.
    pub fn new(host: &mut Capabilities, family: AddressFamily) -> Result<Self, ErrorCode> {
        let counted = host.network.open_socket(&mut host.budget, &host.limits)?;
        let fd = net::udp_socket(family == AddressFamily::Ipv6)?;
        Ok(UdpSocket {
            fd: SharedFd::new(fd),
            family,
            state: State::Unbound,
            remote: None,
            current: Arc::default(),
            counted: Arc::new(counted),
        })
    }

    /// `address-family`
    #[must_use]
    pub const fn address_family(&self) -> AddressFamily {
        self.family
    }

    /// `start-bind`. To bind to no address and any free port, a grant to send datagrams is enough.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: another family, or IPv4 inside of IPv6. [`ErrorCode::InvalidState`]: it is bound.
    /// [`ErrorCode::Already`]: it is being bound. [`ErrorCode::Access`]: no `udp-bind` covers it, or the port is the
    /// system's own. [`ErrorCode::AddressInUse`], [`ErrorCode::AddressNotBindable`].
    pub fn start_bind(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        local: SocketAddr,
    ) -> Result<(), ErrorCode> {
        match self.state {
            State::Unbound => {}
            State::BindInProgress => return Err(ErrorCode::Already),
            State::Bound => return Err(ErrorCode::InvalidState),
        }
        self.family.must_take(&local)?;
        host.network.must(&mut host.audit, call, Use::UdpBind, local)?;
        net::bind(self.fd.as_fd(), local)?;
        self.state = State::BindInProgress;
        Ok(())
    }

    /// `finish-bind`
    ///
    /// # Errors
    /// [`ErrorCode::NotInProgress`]
    pub fn finish_bind(&mut self) -> Result<(), ErrorCode> {
        if self.state != State::BindInProgress {
            return Err(ErrorCode::NotInProgress);
        }
        self.state = State::Bound;
        Ok(())
    }

    /// `stream`: a new pair of streams, for this peer alone or for all. Those made before are of no use any more.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not bound. [`ErrorCode::Invalid`]: another family, IPv4 inside of IPv6, no
    /// address, no port. [`ErrorCode::Access`]: no `udp` covers the peer. [`ErrorCode::RemoteUnreachable`].
    pub fn stream(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        remote: Option<SocketAddr>,
    ) -> Result<(IncomingDatagramStream, OutgoingDatagramStream), ErrorCode> {
        if self.state != State::Bound {
            return Err(ErrorCode::InvalidState);
        }
        if let Some(remote) = &remote {
            self.family.must_reach(remote)?;
            host.network.must(&mut host.audit, call, Use::Udp, *remote)?;
        }
        self.take_peer(remote)?;
        let end = self.end();
        let incoming = IncomingDatagramStream { end: end.clone(), failed: None };
        Ok((incoming, OutgoingDatagramStream { end, family: self.family, permitted: 0 }))
    }

    /// Takes a peer in the place of the one before, or none.
    fn take_peer(&mut self, remote: Option<SocketAddr>) -> Result<(), ErrorCode> {
        // From here on the streams of before have a peer that is not theirs.
        self.current.fetch_add(1, Ordering::Relaxed);
        if self.remote.take().is_some() {
            self.let_go()?;
        }
        if let Some(remote) = remote {
            net::connect(self.fd.as_fd(), remote)?;
            self.remote = Some(remote);
        }
        Ok(())
    }

    fn end(&self) -> End {
        End {
            fd: SharedFd::clone(&self.fd),
            remote: self.remote,
            number: self.current.load(Ordering::Relaxed),
            current: Arc::clone(&self.current),
            _counted: Arc::clone(&self.counted),
        }
    }

    /// Binds to no address and any free port, where the guest has not bound it: what a `connect` or `send` of 0.3 does.
    fn bind_implicitly(&mut self, host: &mut Capabilities, call: &'static str) -> Result<(), ErrorCode> {
        if self.state == State::Unbound {
            self.start_bind(host, call, SocketAddr::new(self.family.unspecified(), 0))?;
            self.finish_bind()?;
        }
        Ok(())
    }

    /// `connect` of 0.3: from now on there is this peer alone.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: another family, IPv4 inside of IPv6, no address, no port. [`ErrorCode::Access`]: no `udp` covers
    /// the peer. [`ErrorCode::RemoteUnreachable`]; else as [`UdpSocket::start_bind`].
    pub fn connect(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        remote: SocketAddr,
    ) -> Result<(), ErrorCode> {
        self.family.must_reach(&remote)?;
        host.network.must(&mut host.audit, call, Use::Udp, remote)?;
        self.bind_implicitly(host, call)?;
        self.take_peer(Some(remote))
    }

    /// `disconnect` of 0.3.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it has no peer.
    pub fn disconnect(&mut self) -> Result<(), ErrorCode> {
        self.remote_address()?;
        self.take_peer(None)
    }

    /// `send` of 0.3: one datagram, to whom or to the peer.
    ///
    /// # Errors
    /// As [`OutgoingDatagramStream::send`], and as [`UdpSocket::start_bind`]. One that only the kernel refuses has bound the
    /// socket.
    pub fn send(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        data: &[u8],
        remote: Option<SocketAddr>,
    ) -> Result<(), ErrorCode> {
        self.end().send(self.family, host, call, data, remote, |host| self.bind_implicitly(host, call))
    }

    /// `receive` of 0.3: the next datagram. Nothing is held, or charged, before there is one.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not bound. [`ErrorCode::WouldBlock`]: there is none yet, or none for the guest among
    /// the first [`MOST_DATAGRAMS`]. Else as [`IncomingDatagramStream::receive`].
    pub fn receive(&mut self, host: &mut Capabilities, call: &'static str) -> Result<IncomingDatagram, ErrorCode> {
        if self.state != State::Bound {
            return Err(ErrorCode::InvalidState);
        }
        let fd = self.fd.as_fd();
        for _ in 0..MOST_DATAGRAMS {
            if !net::is_ready(fd, Ready::Read)? {
                break;
            }
            // Of the next one; none where it is an error that comes next, or a datagram without data.
            let bytes = readable_bytes(fd).min(LARGEST_DATAGRAM as u64);
            host.budget.must_have_room(bytes)?;
            // Some room there has to be, if only to be told so.
            let mut data = Vec::with_capacity(bytes.max(1) as usize);
            let remote = net::receive_from(fd, &mut data)?;
            if is_for_guest(self.remote, host, call, remote) {
                return Ok(IncomingDatagram { data, remote });
            }
        }
        Err(ErrorCode::WouldBlock)
    }

    /// What has to happen before a call is worth making again that would have had to wait: nothing, if it has happened since.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn readiness(&self, ready: Ready) -> Result<Interest, ErrorCode> {
        if net::is_ready(self.fd.as_fd(), ready)? {
            return Ok(Interest::Now);
        }
        Ok(Interest::Descriptor(SharedFd::clone(&self.fd), ready))
    }

    /// Takes the peer away, and leaves the socket bound as it is: of a port that it chose itself, Linux lets go with the
    /// peer. Where somebody else has it by then, the socket is bound no longer.
    fn let_go(&mut self) -> Result<(), ErrorCode> {
        let fd = self.fd.as_fd();
        let port = net::local_address(fd)?.port();
        net::disconnect(fd)?;
        let mut local = net::local_address(fd)?;
        if local.port() != port {
            local.set_port(port);
            net::bind(fd, local).inspect_err(|_| self.state = State::Unbound)?;
        }
        Ok(())
    }

    /// What `subscribe` waits for: nothing, since nothing here takes time.
    #[must_use]
    pub const fn interest(&self) -> Interest {
        Interest::Now
    }

    /// `local-address`
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it is not bound.
    pub fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match self.state {
            State::Bound => net::local_address(self.fd.as_fd()),
            State::Unbound | State::BindInProgress => Err(ErrorCode::InvalidState),
        }
    }

    /// `remote-address`
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: it has no peer.
    pub fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        self.remote.ok_or(ErrorCode::InvalidState)
    }

    /// `unicast-hop-limit`
    ///
    /// # Errors
    /// What the operating system says.
    pub fn unicast_hop_limit(&self) -> Result<u8, ErrorCode> {
        net::hop_limit(self.fd.as_fd(), self.family == AddressFamily::Ipv6)
    }

    /// `set-unicast-hop-limit`
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_unicast_hop_limit(&mut self, hops: u8) -> Result<(), ErrorCode> {
        if hops == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_hop_limit(self.fd.as_fd(), self.family == AddressFamily::Ipv6, hops)
    }

    /// `receive-buffer-size`, in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn receive_buffer_size(&self) -> Result<u64, ErrorCode> {
        net::receive_buffer_size(self.fd.as_fd())
    }

    /// `set-receive-buffer-size`, in bytes, which are clamped to what the system has.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_receive_buffer_size(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        if bytes == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_receive_buffer_size(self.fd.as_fd(), bytes)
    }

    /// `send-buffer-size`, in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn send_buffer_size(&self) -> Result<u64, ErrorCode> {
        net::send_buffer_size(self.fd.as_fd())
    }

    /// `set-send-buffer-size`, in bytes, which are clamped to what the system has.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`]: 0.
    pub fn set_send_buffer_size(&mut self, bytes: u64) -> Result<(), ErrorCode> {
        if bytes == 0 {
            return Err(ErrorCode::Invalid);
        }
        net::set_send_buffer_size(self.fd.as_fd(), bytes)
    }
}

/// What both streams of a pair stand on.
#[derive(Clone, Debug)]
struct End {
    fd: SharedFd,
    remote: Option<SocketAddr>,
    number: u64,
    current: Arc<AtomicU64>,
    /// It is a socket that counts, for as long as anybody has it.
    _counted: Arc<Counted>,
}

impl End {
    /// The descriptor.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: another pair has taken the place of this one.
    fn open(&self) -> Result<BorrowedFd<'_>, ErrorCode> {
        if self.current.load(Ordering::Relaxed) == self.number {
            Ok(self.fd.as_fd())
        } else {
            Err(ErrorCode::InvalidState)
        }
    }

    /// Sends one datagram; `bind` is what remains to be done before, once it is known that it may be sent.
    fn send(
        &self,
        family: AddressFamily,
        host: &mut Capabilities,
        call: &'static str,
        data: &[u8],
        remote: Option<SocketAddr>,
        bind: impl FnOnce(&mut Capabilities) -> Result<(), ErrorCode>,
    ) -> Result<(), ErrorCode> {
        let fd = self.open()?;
        let remote = match (self.remote, remote) {
            (Some(peer), None) => peer,
            (Some(peer), Some(remote)) if is_same(peer, remote) => peer,
            (Some(_), Some(_)) | (None, None) => return Err(ErrorCode::Invalid),
            (None, Some(remote)) => remote,
        };
        family.must_reach(&remote)?;
        host.network.must(&mut host.audit, call, Use::Udp, remote)?;
        bind(host)?;
        // A socket with a peer has it from the kernel, where it is the only one.
        net::send_to(fd, data, self.remote.is_none().then_some(remote))
    }

    fn interest(&self, ready: Ready) -> Interest {
        match self.open() {
            Ok(_) => Interest::Descriptor(SharedFd::clone(&self.fd), ready),
            Err(_) => Interest::Now,
        }
    }
}

/// `incoming-datagram`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingDatagram {
    /// What was sent.
    pub data: Vec<u8>,
    /// By whom.
    pub remote: SocketAddr,
}

/// `incoming-datagram-stream`
#[derive(Debug)]
pub struct IncomingDatagramStream {
    end: End,
    /// What went wrong behind datagrams that were received well: for the next call.
    failed: Option<ErrorCode>,
}

impl IncomingDatagramStream {
    /// `receive`: what has come, at most so many and at most [`MOST_DATAGRAMS`].
    ///
    /// One that no grant covers is recorded and thrown away; so is one that is not the peer's, which came before it was the
    /// peer.
    ///
    /// # Errors
    /// [`ErrorCode::ConnectionRefused`], [`ErrorCode::RemoteUnreachable`]: what became of a datagram that was sent before.
    /// [`ErrorCode::InvalidState`]: another pair of streams is in use. [`ErrorCode::InsufficientMemory`]: the guest cannot
    /// pay for one.
    pub fn receive(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        most: u64,
    ) -> Result<Vec<IncomingDatagram>, ErrorCode> {
        let fd = self.end.open()?;
        if let Some(code) = self.failed.take() {
            return Err(code);
        }
        let most = usize::try_from(most).map_or(MOST_DATAGRAMS, |most| most.min(MOST_DATAGRAMS));
        let (mut received, mut bytes) = (Vec::new(), 0);
        if most == 0 {
            return Ok(received);
        }
        // What is received is the guest's before the call ends: the host holds it no longer than that.
        let held = (most * LARGEST_DATAGRAM).min(MOST_BYTES + LARGEST_DATAGRAM) + LARGEST_DATAGRAM;
        host.budget.must_have_room(held as u64)?;
        let mut data = Vec::with_capacity(LARGEST_DATAGRAM);
        for _ in 0..MOST_DATAGRAMS {
            if received.len() == most || bytes >= MOST_BYTES {
                break;
            }
            data.clear();
            match net::receive_from(fd, &mut data) {
                Ok(remote) if is_for_guest(self.end.remote, host, call, remote) => {
                    bytes += data.len();
                    received.push(IncomingDatagram { data: data.as_slice().to_vec(), remote });
                }
                Ok(_) => {}
                Err(ErrorCode::WouldBlock) => break,
                Err(code) if received.is_empty() => return Err(code),
                Err(code) => {
                    self.failed = Some(code);
                    break;
                }
            }
        }
        Ok(received)
    }

    /// What `subscribe` waits for, as things are now.
    #[must_use]
    pub fn interest(&self) -> Interest {
        if self.failed.is_some() { Interest::Now } else { self.end.interest(Ready::Read) }
    }
}

/// `outgoing-datagram-stream`
#[derive(Debug)]
pub struct OutgoingDatagramStream {
    end: End,
    family: AddressFamily,
    permitted: usize,
}

impl OutgoingDatagramStream {
    /// `check-send`: how many datagrams the next `send` may have; 0: there is no room, and `subscribe` says when there is.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidState`]: another pair of streams is in use.
    pub fn check_send(&mut self) -> Result<u64, ErrorCode> {
        self.permitted = if net::is_ready(self.end.open()?, Ready::Write)? { MOST_DATAGRAMS } else { 0 };
        Ok(self.permitted as u64)
    }

    /// Whether so many may be sent: the standard has a guest trap that sends more than `check-send` has permitted.
    #[must_use]
    pub const fn permits(&self, datagrams: usize) -> bool {
        datagrams <= self.permitted
    }

    /// Sends one datagram, to whom or to the stream's peer, and uses up what [`OutgoingDatagramStream::check_send`] has
    /// permitted.
    ///
    /// # Errors
    /// [`ErrorCode::WouldBlock`]: there is no room for it. [`ErrorCode::Invalid`]: another family, IPv4 inside of IPv6, no
    /// address, no port, none given and none to be known, or another than the stream's peer. [`ErrorCode::Access`]: no
    /// `udp` covers it. [`ErrorCode::MessageSize`], [`ErrorCode::RemoteUnreachable`], [`ErrorCode::ConnectionRefused`].
    /// [`ErrorCode::InvalidState`]: another pair of streams is in use.
    pub fn send(
        &mut self,
        host: &mut Capabilities,
        call: &'static str,
        data: &[u8],
        remote: Option<SocketAddr>,
    ) -> Result<(), ErrorCode> {
        self.end.send(self.family, host, call, data, remote, |_| Ok(()))?;
        self.permitted = self.permitted.saturating_sub(1);
        Ok(())
    }

    /// What `subscribe` waits for, as things are now.
    #[must_use]
    pub fn interest(&self) -> Interest {
        self.end.interest(Ready::Write)
    }
}

/// Whether a datagram from here is for the guest: from the peer, if there is one, and covered by a grant.
fn is_for_guest(peer: Option<SocketAddr>, host: &mut Capabilities, call: &'static str, from: SocketAddr) -> bool {
    peer.is_none_or(|peer| is_same(peer, from)) && host.network.may_receive(&mut host.audit, call, from)
}

/// Whether two addresses are of the same peer. IPv6 has more in them than that; but on a link, it matters on which.
fn is_same(left: SocketAddr, right: SocketAddr) -> bool {
    let link = |address| match address {
        SocketAddr::V6(address) if address.ip().is_unicast_link_local() => address.scope_id(),
        _ => 0,
    };
    left.ip() == right.ip() && left.port() == right.port() && link(left) == link(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_by_its_address_its_port_and_its_link() {
        for (one, other, same) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("[::1]:1", "[::1%7]:1", true),
            ("[fe80::1%7]:1", "[fe80::1%7]:1", true),
            ("[fe80::1%7]:1", "[fe80::1%8]:1", false),
        ] {
            assert_eq!(is_same(one.parse().unwrap(), other.parse().unwrap()), same, "{one} {other}");
        }
    }
}
