//! `wasi:sockets/tcp-create-socket`.

use crate::interface::{Interface, State};
use crate::sockets::TcpSocket;
use crate::sockets::network::{ErrorCode, IpAddressFamily};

/// `wasi:sockets/tcp-create-socket`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("create-tcp-socket", |call, (family,): (IpAddressFamily,)| {
        let socket = TcpSocket::new(call.host, family.into())?;
        Ok(call.keep(socket)?)
    });
}
