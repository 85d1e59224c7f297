//! Sockets that a server listens on: opened here, or handed over by whoever started the process.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use crate::ErrorCode;

/// Connections that wait to be taken. The kernel has a bound of its own, `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The first descriptor that is handed over, as `sd_listen_fds(3)` has it.
const FIRST_HANDED_OVER: i32 = 3;

/// As many listening sockets for one address as are asked for: the kernel spreads connections over them. With port 0, one port
/// for all. Nobody else may listen there: what belongs to this process alone is shared.
///
/// # Errors
/// [`ErrorCode::AddressInUse`], [`ErrorCode::AddressNotBindable`], [`ErrorCode::Access`], …
pub fn listen_together(address: SocketAddr, sockets: usize) -> Result<Vec<TcpListener>, ErrorCode> {
    if address.port() != 0 {
        // Sockets that share a port share it with every process of the same user's. So it is first asked for alone.
        bound(address, false)?;
    }
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(sockets);
    let mut address = address;
    for _ in 0..sockets.max(1) {
        let fd = bound(address, true)?;
        rustix::net::listen(&fd, BACKLOG)?;
        let listener = TcpListener::from(fd);
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn bound(address: SocketAddr, shared: bool) -> Result<OwnedFd, ErrorCode> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if shared {
        sockopt::set_socket_reuseport(&fd, true)?;
    }
    rustix::net::bind(&fd, &address)?;
    Ok(fd)
}

/// The listening sockets that systemd, or whoever does as it does, has handed over: `LISTEN_PID` names this process, and
/// `LISTEN_FDS` how many there are. To be called once, before the process opens anything.
#[must_use]
pub fn handed_over() -> Vec<TcpListener> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<i32>().ok());
    let (Some(pid), Some(count)) = (number("LISTEN_PID"), number("LISTEN_FDS")) else {
        return Vec::new();
    };
    if u32::try_from(pid) != Ok(std::process::id()) {
        return Vec::new();
    }
    let handed_over = (FIRST_HANDED_OVER..FIRST_HANDED_OVER.saturating_add(count.clamp(0, 1024))).filter_map(|fd| {
        // SAFETY: whoever started the process says that these are this process's; what is none is left as it is.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return None;
        }
        // SAFETY: it is open, as was just seen, and nobody else in this process has been told of it.
        let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let listens = sockopt::socket_acceptconn(listener.as_fd()).unwrap_or(false);
        (listens && listener.set_nonblocking(true).is_ok()).then_some(listener)
    });
    handed_over.collect()
}

/// What a connection is told of the network: small answers are not held back to be sent with others.
pub fn be_prompt(connection: &TcpStream) {
    let _ = connection.set_nodelay(true);
}
