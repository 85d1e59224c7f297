//! `wasi:sockets/udp-create-socket`.

use crate::interface::{Interface, State};
use crate::sockets::UdpSocket;
use crate::sockets::network::{ErrorCode, IpAddressFamily};

/// `wasi:sockets/udp-create-socket`.
pub(crate) fn define<T, S: State<T>>(it: &mut Interface<'_, T, S>) {
    it.fails::<_, _, ErrorCode>("create-udp-socket", |call, (family,): (IpAddressFamily,)| {
        let socket = UdpSocket::new(call.host, family.into())?;
        Ok(call.keep(socket)?)
    });
}
