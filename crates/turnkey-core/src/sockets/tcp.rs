//! TCP listeners and connections.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::ErrorCode;
use crate::filesystem::metadata::HostMetadata;
use crate::host::buffers::Buffers;
use crate::host::poll::Ready;
use crate::host::{files, io, net};
use crate::stream::stdio::ready;
use crate::stream::{Interruption, Wait};

/// A listening socket that the host opened. It is never blocking, so that a connection that went away between being seen
/// and being taken keeps nobody waiting.
#[derive(Debug)]
pub struct TcpListener {
    fd: OwnedFd,
    address: SocketAddr,
}

impl TcpListener {
    /// Listens.
    ///
    /// # Errors
    /// [`ErrorCode::AddressInUse`], [`ErrorCode::AddressNotBindable`], [`ErrorCode::Access`], …
    pub fn open(address: SocketAddr) -> Result<Self, ErrorCode> {
        let (fd, address) = net::listen_tcp(address)?;
        Ok(TcpListener { fd, address })
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
                Ok(fd) => return Ok(TcpConnection { fd }),
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

/// A connection.
#[derive(Debug)]
pub struct TcpConnection {
    fd: OwnedFd,
}

/// How a connection is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveFlags {
    /// Leave the data where it is.
    pub peek: bool,
    /// Wait until all the room is filled.
    pub wait_all: bool,
}

impl TcpConnection {
    /// Reads what has come, once something has. 0 is the end, if room was given. The second value: a message was cut.
    ///
    /// # Errors
    /// What the operating system says; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait says.
    pub fn receive(
        &self,
        buffers: &mut Buffers<'_>,
        flags: ReceiveFlags,
        wait: Wait,
    ) -> Result<(usize, bool), Interruption> {
        let mut bits = if flags.peek { libc::MSG_PEEK } else { 0 };
        match wait {
            Wait::Forever if flags.wait_all => bits |= libc::MSG_WAITALL,
            Wait::Forever => {}
            // What waits for all of it waits in the kernel, where no end of time reaches it: so it is given what there is.
            Wait::Until(_) => {
                bits |= libc::MSG_DONTWAIT;
                ready(self.fd.as_fd(), Ready::Read, wait)?;
            }
            Wait::Never => bits |= libc::MSG_DONTWAIT,
        }
        Ok(io::receive(self.fd.as_fd(), buffers, bits)?)
    }

    /// Writes as much as the connection takes.
    ///
    /// # Errors
    /// [`ErrorCode::Pipe`] when nobody reads any more; [`ErrorCode::WouldBlock`] or the end of the guest's time, as the wait
    /// says.
    pub fn send(&self, buffers: &Buffers<'_>, wait: Wait) -> Result<usize, Interruption> {
        let bits = match wait {
            Wait::Forever => 0,
            Wait::Never => libc::MSG_DONTWAIT,
            Wait::Until(_) => {
                ready(self.fd.as_fd(), Ready::Write, wait)?;
                libc::MSG_DONTWAIT
            }
        };
        Ok(io::send(self.fd.as_fd(), buffers, bits)?)
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// [`ErrorCode::Invalid`] for neither; [`ErrorCode::NotConnected`].
    pub fn shutdown(&self, read: bool, write: bool) -> Result<(), ErrorCode> {
        net::shutdown(self.fd.as_fd(), read, write)
    }

    /// What the host says of it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn stat(&self) -> Result<HostMetadata, ErrorCode> {
        files::stat(self.fd.as_fd())
    }
}

impl AsFd for TcpConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
