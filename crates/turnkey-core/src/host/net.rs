//! Sockets of the host.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{Shutdown, SocketFlags};

use crate::ErrorCode;

/// A listening TCP socket, which never blocks; and where it listens, its port filled in.
pub(crate) fn listen_tcp(address: SocketAddr) -> Result<(OwnedFd, SocketAddr), ErrorCode> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener.into(), bound))
}

/// Takes the next connection. The connection itself can block.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> Result<OwnedFd, ErrorCode> {
    loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
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
