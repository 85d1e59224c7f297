//! `wasi:sockets`: networks, look-ups, TCP and UDP sockets. What they mean is in the core; the resources here are the
//! core's.

pub(crate) mod instance_network;
pub(crate) mod ip_name_lookup;
pub(crate) mod network;
pub(crate) mod tcp;
pub(crate) mod tcp_create_socket;
pub(crate) mod udp;
pub(crate) mod udp_create_socket;

pub(crate) use network::Network;
pub(crate) use turnkey_core::sockets::udp::{IncomingDatagramStream, OutgoingDatagramStream};
pub(crate) use turnkey_core::sockets::{ResolveAddressStream, TcpSocket, UdpSocket};
