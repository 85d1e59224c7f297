//! `wasi:sockets`: TCP and UDP sockets, look-ups. What they mean is in the core.

pub(crate) mod ip_name_lookup;
pub(crate) mod tcp;
pub(crate) mod types;
pub(crate) mod udp;

pub(crate) use tcp::TcpSocket;
pub(crate) use turnkey_core::sockets::UdpSocket;

use crate::interface::{Interface, State};

/// `wasi:sockets/types`.
pub(crate) fn define_types<T: Send, S: State<T>>(it: &mut Interface<'_, T, S>) {
    tcp::define(it);
    udp::define(it);
}
