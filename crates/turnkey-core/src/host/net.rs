//! Sockets of the host, and its resolver of names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, ipproto, sockopt};

use super::clock::Deadline;
use super::poll::{self, Ready};
use crate::ErrorCode;

/// A listening TCP socket, which never blocks; and where it listens, its port filled in.
pub(crate) fn listen_tcp(address: SocketAddr) -> Result<(OwnedFd, SocketAddr), ErrorCode> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener.into(), bound))
}

/// A TCP socket, which never blocks until it is connected.
pub(crate) fn tcp_socket(ipv6: bool) -> Result<OwnedFd, ErrorCode> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family(ipv6), SocketType::STREAM, flags, Some(ipproto::TCP))?;
    only_ipv6(&fd, ipv6)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    Ok(fd)
}

/// A UDP socket. It can block: each call says for itself that it must not.
pub(crate) fn udp_socket(ipv6: bool) -> Result<OwnedFd, ErrorCode> {
    let fd = rustix::net::socket_with(family(ipv6), SocketType::DGRAM, SocketFlags::CLOEXEC, Some(ipproto::UDP))?;
    only_ipv6(&fd, ipv6)?;
    Ok(fd)
}

const fn family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::INET6 } else { AddressFamily::INET }
}

fn only_ipv6(fd: &OwnedFd, ipv6: bool) -> Result<(), Errno> {
    if ipv6 { sockopt::set_ipv6_v6only(fd, true) } else { Ok(()) }
}

/// `bind(2)`.
pub(crate) fn bind(fd: BorrowedFd<'_>, address: SocketAddr) -> Result<(), ErrorCode> {
    Ok(rustix::net::bind(fd, &address)?)
}

/// `connect(2)`: begun, of a socket that does not block; done, of one for datagrams.
pub(crate) fn connect(fd: BorrowedFd<'_>, remote: SocketAddr) -> Result<(), ErrorCode> {
    match rustix::net::connect(fd, &remote) {
        // Interrupted or not, it goes on.
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(()),
        // No free port is left on this side.
        Err(Errno::ADDRNOTAVAIL | Errno::AGAIN) => Err(ErrorCode::AddressInUse),
        Err(errno) => Err(errno.into()),
    }
}

/// How a connection that was begun has ended.
///
/// # Errors
/// [`ErrorCode::WouldBlock`]: it has not yet; else why it failed.
pub(crate) fn connected(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    if !is_ready(fd, Ready::Write)? {
        return Err(ErrorCode::WouldBlock);
    }
    failure(fd)
}

/// `SO_ERROR`: what has happened to a socket and was not told yet. It is told once.
///
/// # Errors
/// That.
pub(crate) fn failure(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    Ok(sockopt::socket_error(fd)??)
}

/// Whether a descriptor is ready now.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, ready: Ready) -> Result<bool, ErrorCode> {
    poll::wait_for(fd, ready, Some(Deadline::after_ns(0)))
}

/// Lets a socket block from now on. Nobody else has it.
pub(crate) fn set_blocking(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    Ok(rustix::io::ioctl_fionbio(fd, false)?)
}

/// Takes the peer of a socket for datagrams away; ends what a socket for connections has begun, or has.
pub(crate) fn disconnect(fd: BorrowedFd<'_>) -> Result<(), ErrorCode> {
    Ok(rustix::net::connect_unspec(fd)?)
}

/// `listen(2)`.
pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: i32) -> Result<(), ErrorCode> {
    Ok(rustix::net::listen(fd, backlog)?)
}

/// Takes the next connection. The connection itself can block.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, ErrorCode> {
    loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(fd) => return Ok(fd),
            Err(Errno::INTR) => {}
            // Linux tells here what the new connection has met on its way, which says nothing about the next: `accept(2)`.
            Err(
                Errno::NETDOWN
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH,
            ) => return Err(ErrorCode::ConnectionAborted),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Where a socket is bound.
pub(crate) fn local_address(fd: BorrowedFd<'_>) -> Result<SocketAddr, ErrorCode> {
    Ok(SocketAddr::try_from(rustix::net::getsockname(fd)?)?)
}

/// The other side of a connection.
pub(crate) fn remote_address(fd: BorrowedFd<'_>) -> Result<SocketAddr, ErrorCode> {
    let remote = rustix::net::getpeername(fd)?.ok_or(ErrorCode::NotConnected)?;
    Ok(SocketAddr::try_from(remote)?)
}

/// Ends one or both directions.
pub(crate) fn shutdown(fd: BorrowedFd<'_>, read: bool, write: bool) -> Result<(), ErrorCode> {
    let how = match (read, write) {
        (true, true) => Shutdown::Both,
        (true, false) => Shutdown::Read,
        (false, true) => Shutdown::Write,
        (false, false) => return Err(ErrorCode::Invalid),
    };
    Ok(rustix::net::shutdown(fd, how)?)
}

/// Throws away what a connection has received, at most so many bytes of it.
pub(crate) fn discard(connection: BorrowedFd<'_>, most_bytes: usize) {
    let (fd, mut left) = (connection.as_raw_fd(), most_bytes);
    while left > 0 {
        let how = libc::MSG_TRUNC | libc::MSG_DONTWAIT;
        // SAFETY: with `MSG_TRUNC` a connection's bytes are counted and not written, so that there need be no room: `tcp(7)`.
        let discarded = unsafe { libc::recv(fd, std::ptr::null_mut(), left, how) };
        match usize::try_from(discarded) {
            Ok(discarded) if discarded > 0 => left = left.saturating_sub(discarded),
            // Nothing, the end, or a failure: it is closed next.
            _ => return,
        }
    }
}

/// Takes the next datagram, if there is one, into the room that `data` has left; and who sent it.
///
/// # Errors
/// [`ErrorCode::WouldBlock`]: there is none. An error that somebody on the way sent back comes here once.
pub(crate) fn receive_from(fd: BorrowedFd<'_>, data: &mut Vec<u8>) -> Result<SocketAddr, ErrorCode> {
    let room = rustix::buffer::spare_capacity(data);
    let (_, _, from) = rustix::net::recvfrom(fd, room, RecvFlags::DONTWAIT)?;
    Ok(SocketAddr::try_from(from.ok_or(ErrorCode::Io)?)?)
}

/// Sends a datagram, if there is room for it: to whom, or to the socket's peer.
///
/// # Errors
/// [`ErrorCode::WouldBlock`]: there is no room. An error that somebody on the way sent back comes here once.
pub(crate) fn send_to(fd: BorrowedFd<'_>, data: &[u8], to: Option<SocketAddr>) -> Result<(), ErrorCode> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    match to {
        Some(to) => rustix::net::sendto(fd, data, flags, &to)?,
        None => rustix::net::send(fd, data, flags)?,
    };
    Ok(())
}

/// `SO_KEEPALIVE`.
pub(crate) fn keep_alive(fd: BorrowedFd<'_>) -> Result<bool, ErrorCode> {
    Ok(sockopt::socket_keepalive(fd)?)
}

/// `SO_KEEPALIVE`.
pub(crate) fn set_keep_alive(fd: BorrowedFd<'_>, on: bool) -> Result<(), ErrorCode> {
    Ok(sockopt::set_socket_keepalive(fd, on)?)
}

/// `TCP_KEEPIDLE`.
pub(crate) fn keep_alive_idle(fd: BorrowedFd<'_>) -> Result<Duration, ErrorCode> {
    Ok(sockopt::tcp_keepidle(fd)?)
}

/// `TCP_KEEPIDLE`, in whole seconds.
pub(crate) fn set_keep_alive_idle(fd: BorrowedFd<'_>, idle: Duration) -> Result<(), ErrorCode> {
    Ok(sockopt::set_tcp_keepidle(fd, idle)?)
}

/// `TCP_KEEPINTVL`.
pub(crate) fn keep_alive_interval(fd: BorrowedFd<'_>) -> Result<Duration, ErrorCode> {
    Ok(sockopt::tcp_keepintvl(fd)?)
}

/// `TCP_KEEPINTVL`, in whole seconds.
pub(crate) fn set_keep_alive_interval(fd: BorrowedFd<'_>, interval: Duration) -> Result<(), ErrorCode> {
    Ok(sockopt::set_tcp_keepintvl(fd, interval)?)
}

/// `TCP_KEEPCNT`.
pub(crate) fn keep_alive_count(fd: BorrowedFd<'_>) -> Result<u32, ErrorCode> {
    Ok(sockopt::tcp_keepcnt(fd)?)
}

/// `TCP_KEEPCNT`.
pub(crate) fn set_keep_alive_count(fd: BorrowedFd<'_>, count: u32) -> Result<(), ErrorCode> {
    Ok(sockopt::set_tcp_keepcnt(fd, count)?)
}

/// `IP_TTL`, or `IPV6_UNICAST_HOPS`.
pub(crate) fn hop_limit(fd: BorrowedFd<'_>, ipv6: bool) -> Result<u8, ErrorCode> {
    if ipv6 {
        return Ok(sockopt::ipv6_unicast_hops(fd)?);
    }
    u8::try_from(sockopt::ip_ttl(fd)?).map_err(|_| ErrorCode::Io)
}

/// `IP_TTL`, or `IPV6_UNICAST_HOPS`.
pub(crate) fn set_hop_limit(fd: BorrowedFd<'_>, ipv6: bool, hops: u8) -> Result<(), ErrorCode> {
    if ipv6 {
        sockopt::set_ipv6_unicast_hops(fd, Some(hops))?;
    } else {
        sockopt::set_ip_ttl(fd, u32::from(hops))?;
    }
    Ok(())
}

/// `SO_RCVBUF`, in bytes. Linux answers twice what is set, for what it keeps about them.
pub(crate) fn receive_buffer_size(fd: BorrowedFd<'_>) -> Result<u64, ErrorCode> {
    Ok(sockopt::socket_recv_buffer_size(fd)? as u64 / 2)
}

/// `SO_RCVBUF`, in bytes, which Linux clamps.
pub(crate) fn set_receive_buffer_size(fd: BorrowedFd<'_>, bytes: u64) -> Result<(), ErrorCode> {
    Ok(sockopt::set_socket_recv_buffer_size(fd, buffer_bytes(bytes))?)
}

/// `SO_SNDBUF`, in bytes, as for the other direction.
pub(crate) fn send_buffer_size(fd: BorrowedFd<'_>) -> Result<u64, ErrorCode> {
    Ok(sockopt::socket_send_buffer_size(fd)? as u64 / 2)
}

/// `SO_SNDBUF`, in bytes, which Linux clamps.
pub(crate) fn set_send_buffer_size(fd: BorrowedFd<'_>, bytes: u64) -> Result<(), ErrorCode> {
    Ok(sockopt::set_socket_send_buffer_size(fd, buffer_bytes(bytes))?)
}

/// The kernel takes an `int`, and makes twice as much of it.
fn buffer_bytes(bytes: u64) -> usize {
    const MOST: usize = (i32::MAX / 2) as usize;
    usize::try_from(bytes).map_or(MOST, |bytes| bytes.min(MOST))
}

/// A descriptor that becomes readable once [`signal`] is called, and stays so.
pub(crate) fn event() -> Result<OwnedFd, ErrorCode> {
    Ok(rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

/// Makes an [`event`] readable.
pub(crate) fn signal(event: BorrowedFd<'_>) {
    // It fails only if it was signalled 2^64 - 2 times before.
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

/// Asks the system's resolver, for as long as it takes; `most` addresses at most, those to try first in front.
///
/// # Errors
/// [`ErrorCode::NameUnresolvable`], [`ErrorCode::TemporaryResolverFailure`], [`ErrorCode::PermanentResolverFailure`],
/// [`ErrorCode::InsufficientMemory`]
pub(crate) fn look_up(name: &str, most: usize) -> Result<Vec<IpAddr>, ErrorCode> {
    // Not by the standard library, which keeps to itself whether it is worth asking again.
    let name = std::ffi::CString::new(name).map_err(|_| ErrorCode::Invalid)?;
    // SAFETY: `addrinfo` is plain data; all zeroes is no hint.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    // One answer for each address, and not one for each kind of socket.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = std::ptr::null_mut();
    // SAFETY: the name ends in a zero, the hints and the place for the list are ours.
    let status = unsafe { libc::getaddrinfo(name.as_ptr(), std::ptr::null(), &raw const hints, &raw mut list) };
    if status != 0 {
        return Err(resolver_failure(status));
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: the resolver made a list, whose entries live until it is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        // SAFETY: an entry's address is null or as long as its family says.
        found.extend(unsafe { address(entry.ai_addr) });
        next = entry.ai_next;
    }
    // SAFETY: it is the resolver's list, and nothing of it is used any more.
    unsafe { libc::freeaddrinfo(list) };
    found.truncate(most);
    Ok(found)
}

/// The address in what the resolver found, if it is of a family that is known here.
///
/// # Safety
/// It is null, or as long as its family says.
unsafe fn address(found: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller says so.
    let family = i32::from(unsafe { found.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: of this family, it is this structure.
            let ipv4 = unsafe { found.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(ipv4.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: of this family, it is this structure.
            let ipv6 = unsafe { found.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(IpAddr::V6(ipv6.sin6_addr.s6_addr.into()))
        }
        _ => None,
    }
}

/// The name has addresses, and none of a family that is known here. A number of Linux's libraries that `libc` does not have.
const EAI_ADDRFAMILY: i32 = -9;

fn resolver_failure(status: i32) -> ErrorCode {
    match status {
        libc::EAI_NONAME | libc::EAI_NODATA | EAI_ADDRFAMILY => ErrorCode::NameUnresolvable,
        libc::EAI_MEMORY => ErrorCode::InsufficientMemory,
        // What the system says beside it is about this once: too many descriptors, no network.
        libc::EAI_AGAIN | libc::EAI_SYSTEM => ErrorCode::TemporaryResolverFailure,
        _ => ErrorCode::PermanentResolverFailure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_resolver_says_is_told_as_what_can_be_done_about_it() {
        for (status, code) in [
            (libc::EAI_NONAME, ErrorCode::NameUnresolvable),
            (libc::EAI_NODATA, ErrorCode::NameUnresolvable),
            (EAI_ADDRFAMILY, ErrorCode::NameUnresolvable),
            (libc::EAI_AGAIN, ErrorCode::TemporaryResolverFailure),
            (libc::EAI_FAIL, ErrorCode::PermanentResolverFailure),
            (libc::EAI_MEMORY, ErrorCode::InsufficientMemory),
        ] {
            assert_eq!(resolver_failure(status), code, "{status}");
        }
    }
}
